/**
 * The search on the right of the desk: one field, hits with what was found marked in them, and a way on to the next ones.
 */

import { h } from "/assets/element.js";

import { chatAddress } from "./address.js";
import { get } from "./api.js";
import { byId, reconcile } from "./page.js";
import { piecesOf } from "./snippet.js";
import { UNNAMED, foundWords, makeClock } from "./words.js";

const PAUSE_MS = 250;

/**
 * @typedef {{chat: string, seq: number, at: string, by: string, snippet: string, thread: number, stream?: "internal",
 *   name: string | null, role: string | null, customer: {id: string, name: string}}} Hit
 */

export class Finder {
  #field = /** @type {HTMLInputElement} */ (byId("q"));
  #more = byId("more");
  /** @type {Hit[]} */ #hits = [];
  /** @type {string | null} */ #next = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #pause;
  #asking = new AbortController();
  #asked = "";

  /** @param {(q: string) => void} ears is told what is searched for; empty when nothing is */
  constructor(ears) {
    this.ears = ears;
    this.#field.addEventListener("input", () => this.#later());
    this.#field.addEventListener("keydown", (event) => event.key === "Escape" && this.search(""));
    byId("search").addEventListener("submit", (event) => {
      event.preventDefault();
      this.search(this.#field.value);
    });
    this.#more.addEventListener("click", () => this.#askMore());
  }

  focus() {
    this.#field.focus();
    this.#field.select();
  }

  /** @param {string} q */
  search(q) {
    clearTimeout(this.#pause);
    if (this.#field.value.trim() !== q.trim()) this.#field.value = q;
    if (q.trim() === this.#asked) return;
    this.#asked = q.trim();
    this.#asking.abort();
    this.ears(this.#asked);
    byId("results").hidden = this.#asked === "";
    byId("operators").hidden = this.#asked !== "";
    if (this.#asked !== "") this.#ask([]);
  }

  #later() {
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => this.search(this.#field.value), PAUSE_MS);
  }

  async #askMore() {
    const { length } = this.#hits;
    await this.#ask(this.#hits);
    /** @type {HTMLElement | null | undefined} */ (byId("hits").children[length]?.querySelector("a"))?.focus();
  }

  /** @param {Hit[]} before the hits that these go behind */
  async #ask(before) {
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    const query = new URLSearchParams({ q: this.#asked, ...(before.length > 0 && this.#next ? { cursor: this.#next } : {}) });
    try {
      const answer = await get(`/api/v1/search?${query}`, signal);
      this.#hits = [...before, ...answer.items];
      this.#next = answer.next;
      this.#show([foundWords(answer.total, answer.partial === true), answer.hint].filter(Boolean).join(" "));
    } catch (refusal) {
      if (signal.aborted) return;
      [this.#hits, this.#next] = [[], null];
      this.#show(`${/** @type {Error} */ (refusal).message}.`);
    }
  }

  /** @param {string} words */
  #show(words) {
    const clock = makeClock(Date.now());
    const rows = this.#hits.map((hit, i) => rowOf(hit, this.#hits[i - 1]?.chat !== hit.chat, clock));
    byId("found").textContent = words;
    this.#more.hidden = this.#next === null;
    reconcile(byId("hits"), rows, hitElement);
  }
}

/** @param {Hit} hit @param {boolean} first of its chat @param {import("./words.js").Clock} clock */
function rowOf({ chat, seq, stream = "public", at, snippet, thread, name, customer }, first, clock) {
  const at_ms = Date.parse(at);
  return {
    key: `${chat} ${stream} ${seq}`,
    href: chatAddress(chat, { stream, seq }),
    heading: first ? customer.name || UNNAMED : null,
    author: name || UNNAMED,
    note: stream === "internal",
    date: clock.brief(at_ms),
    when: clock.full(at_ms),
    thread: thread > 1 ? `Thread ${thread}` : null,
    snippet,
  };
}

/** @param {ReturnType<typeof rowOf>} row */
function hitElement({ href, heading, author, note, date, when, thread, snippet }) {
  const words = piecesOf(snippet).map(({ text, marked }) => (marked ? h("mark", {}, text) : text));
  return h(
    "li",
    {},
    heading === null ? null : h("h3", { dir: "auto" }, heading),
    h(
      "a",
      { href, class: note ? "hit note" : "hit" },
      h(
        "span",
        { class: "about" },
        h("b", { dir: "auto" }, author),
        note ? h("span", { class: "tag" }, "Note") : null,
        thread === null ? null : h("span", {}, thread),
        h("time", { title: when }, date),
      ),
      h("span", { class: "words", dir: "auto" }, ...words),
    ),
  );
}
