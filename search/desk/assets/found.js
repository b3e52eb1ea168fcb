/**
 * What a search has found, drawn: the chats with their best messages, what was said around them, and the facets to narrow by.
 */

import { h } from "/assets/element.js";
import { piecesOf } from "/assets/snippet.js";

import { chatAddress } from "./address.js";
import { UNNAMED, aboutWords } from "./words.js";

/**
 * @typedef {{seq: number, name: string | null, at: string, text: string}} Said
 * @typedef {{chat: string, seq: number, at: string, by: string, snippet: string, thread: number, stream?: "internal",
 *   name: string | null, role: string | null, customer: {id: string, name: string}, subject: string | null, status: string,
 *   count?: number, before?: Said[], after?: Said[]}} Hit
 * @typedef {{filter: string, label: string, count: number}} Value
 */

/** @type {Record<string, string>} */
const FACETS = { kind: "Written by", agent: "Helped by", rating: "Rating", channel: "Way", month: "Month" };

/** @param {Hit} hit @param {import("./words.js").Clock} clock */
export function rowOf({ chat, seq, stream = "public", at, snippet, thread, name, customer, subject, status, count = 1, before, after }, clock) {
  const at_ms = Date.parse(at);
  return {
    key: `${chat} ${stream} ${seq}`,
    chat,
    href: chatAddress(chat, { stream, seq }),
    heading: customer.name || UNNAMED,
    subject,
    ended: status === "closed",
    author: name || UNNAMED,
    note: stream === "internal",
    date: clock.brief(at_ms),
    when: clock.full(at_ms),
    thread: thread > 1 ? `Thread ${thread}` : null,
    snippet,
    more: count - 1,
    before: (before ?? []).map(saidLine),
    after: (after ?? []).map(saidLine),
  };
}

/** @param {Said} said */
function saidLine({ name, text }) {
  return { name: name || UNNAMED, text };
}

/**
 * A chat with its best message.
 * @param {ReturnType<typeof rowOf>} row @param {(chat: string, list: HTMLElement, button: HTMLElement) => void} open shows the chat's other hits
 */
export function chatElement(row, open) {
  const others = h("ol", { class: "others" });
  const about = [row.subject, row.ended ? null : "Open"].filter(Boolean).join(" · ");
  return h(
    "li",
    {},
    h("h3", {}, h("span", { dir: "auto" }, row.heading), about ? h("small", { dir: "auto" }, about) : null),
    ...row.before.map(nearElement),
    hitLink(row),
    ...row.after.map(nearElement),
    row.more > 0 ? moreButton(row, others, open) : null,
    others,
  );
}

/** A further message of the same chat. @param {ReturnType<typeof rowOf>} row */
export function otherElement(row) {
  return h("li", {}, hitLink(row));
}

/** @param {ReturnType<typeof rowOf>} row */
function hitLink({ href, author, note, date, when, thread, snippet }) {
  const words = piecesOf(snippet).map(({ text, marked }) => (marked ? h("mark", {}, text) : text));
  return h(
    "a",
    { href, class: note ? "hit note" : "hit" },
    h(
      "span",
      { class: "about" },
      h("b", { dir: "auto" }, author),
      note ? h("span", { class: "tag" }, "Note") : null,
      thread === null ? null : h("span", {}, thread),
      h("time", { title: when }, h("bdi", {}, date)),
    ),
    h("span", { class: "words", dir: "auto" }, ...words),
  );
}

/** @param {{name: string, text: string}} said */
function nearElement({ name, text }) {
  return h("p", { class: "near" }, h("b", { dir: "auto" }, name), " ", h("span", { dir: "auto" }, text));
}

/** @param {ReturnType<typeof rowOf>} row @param {HTMLElement} others @param {(chat: string, list: HTMLElement, button: HTMLElement) => void} open */
function moreButton({ chat, more }, others, open) {
  const words = `${more.toLocaleString()} more in this chat`;
  /** @type {HTMLElement} */
  const button = h("button", { type: "button", class: "text", "aria-expanded": "false", onclick: () => open(chat, others, button) }, words);
  return button;
}

/**
 * @param {Record<string, Value[]>} facets @param {number} total a value that holds for all of them narrows nothing
 * @param {boolean} estimated the counts are @param {(filter: string) => void} choose
 */
export function facetElements(facets, total, estimated, choose) {
  return Object.entries(FACETS)
    .filter(([name]) => facets[name]?.some(({ count }) => count < total))
    .map(([name, label]) => {
      const values = facets[name].map((value) => valueElement(name, value, estimated, choose));
      return h("section", { class: `facet ${name}s` }, h("h3", {}, label), h("ul", { class: "values" }, ...values));
    });
}

/** @param {string} facet @param {Value} value @param {boolean} estimated @param {(filter: string) => void} choose */
function valueElement(facet, { filter, label, count }, estimated, choose) {
  return h(
    "li",
    {},
    h(
      "button",
      { type: "button", class: "value", onclick: () => choose(filter) },
      h("span", { dir: "auto" }, facetWords(facet, label)),
      h("span", { class: "count" }, aboutWords(count, estimated)),
    ),
  );
}

/** @param {string} facet @param {string} label */
function facetWords(facet, label) {
  if (facet === "rating") return `${label} of 5`;
  if (facet !== "month") return label;
  return new Intl.DateTimeFormat(undefined, { month: "short", year: "numeric", timeZone: "UTC" }).format(new Date(`${label}-01T00:00:00Z`));
}
