/**
 * The left of the desk: who waits, and the agent's own chats with what was said last and whether it was read.
 */

import { h } from "/assets/element.js";

import { chatAddress } from "./address.js";
import { byId, reconcile } from "./page.js";
import { UNNAMED, agoWords, makeClock } from "./words.js";

const AGE_EVERY_MS = 15_000;

/**
 * @typedef {{id: string, name: string}} Customer
 * @typedef {{chat: string, subject: string | null, since: string, position: number | null, customer: Customer,
 *   last: {text: string, at: string, by: string} | null}} Waiting an entry of the protocol's `queue` frame
 */

export class Queue {
  /** @type {{waiting: Waiting[], mine: Waiting[]}} */ #lists = { waiting: [], mine: [] };
  /** @type {string | null} */ #open = null;
  #known = false;
  #drawing = 0;

  /** @param {any} client of the library */
  constructor(client) {
    this.client = client;
    client.on("queue", (/** @type {any} */ lists) => this.#take(lists));
    for (const name of ["events", "read", "chat"]) client.on(name, () => this.#redraw());
    setInterval(() => this.#age(), AGE_EVERY_MS);
  }

  /** @param {string | null} chat the one that is open */
  mark(chat) {
    this.#open = chat;
    this.#redraw();
  }

  get mine() {
    return this.#lists.mine.map((entry) => entry.chat);
  }

  /** @param {{waiting: Waiting[], mine: Waiting[]}} lists */
  #take(lists) {
    const before = new Set(this.#lists.waiting.map((entry) => entry.chat));
    const news = lists.waiting.filter((entry) => !before.has(entry.chat));
    if (this.#known && news.length > 0) byId("queue-news").textContent = newsWords(news, lists.waiting.length);
    this.#lists = lists;
    this.#known = true;
    this.#redraw();
  }

  #redraw() {
    this.#drawing ||= requestAnimationFrame(() => {
      this.#drawing = 0;
      this.#draw();
    });
  }

  #draw() {
    const { waiting, mine } = this.#lists;
    showCount(waiting.length);
    byId("nobody").hidden = !this.#known || waiting.length > 0;
    byId("nothing").hidden = !this.#known || mine.length > 0;
    reconcile(byId("waiting"), waiting.map((entry) => this.#row(entry)), element);
    reconcile(byId("mine"), mine.map((entry) => this.#row(entry)), element);
    this.#age();
  }

  /** @param {Waiting} entry */
  #row({ chat: id, position, since, subject, customer, last }) {
    const chat = this.client.chat(id);
    const newest = chat?.events.findLast((/** @type {any} */ event) => event.kind === "message") ?? null;
    const words = newest ? { text: newest.data.text ?? "", at: newest.at, by: newest.by } : last;
    const read = chat?.participant(chat.me)?.read ?? 0;
    return {
      key: id,
      position,
      since: position === null ? (words?.at ?? since) : since,
      name: customer.name || UNNAMED,
      words: [words && chat?.me === words.by ? "You: " : "", words?.text || subject || ""].join(""),
      unread: position === null && newest !== null && newest.by !== chat.me && newest.seq > read,
      open: id === this.#open,
    };
  }

  /** Says anew since when. */
  #age() {
    const now_ms = Date.now();
    const clock = makeClock(now_ms);
    for (const time of /** @type {NodeListOf<HTMLTimeElement>} */ (byId("queue").querySelectorAll("time"))) {
      const at_ms = Date.parse(time.dateTime);
      time.textContent = agoWords(at_ms, now_ms);
      time.title = clock.full(at_ms);
    }
  }
}

/** @param {any} row */
function element({ key, position, since, name, words, unread, open }) {
  const sign = position === null ? h("span", { class: "bead" }) : h("span", { class: "position" }, String(position));
  return h(
    "li",
    {},
    h(
      "a",
      { href: chatAddress(key), class: unread ? "entry fresh" : "entry", "aria-current": open ? "true" : null },
      sign,
      h("b", { dir: "auto" }, name),
      h("time", { datetime: since }),
      h("span", { class: "last", dir: "auto" }, words),
      unread ? h("span", { class: "unseen" }, "Unread") : null,
    ),
  );
}

/** @param {number} count */
function showCount(count) {
  document.title = count > 0 ? `(${count}) Desk` : "Desk";
  for (const badge of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-count]"))) {
    badge.hidden = count === 0;
    badge.textContent = String(count);
  }
}

/** @param {Waiting[]} news @param {number} count */
function newsWords(news, count) {
  const who = news.length === 1 ? `${news[0].customer.name || UNNAMED} waits` : `${news.length} more wait`;
  return `${who}; ${count} in the queue`;
}
