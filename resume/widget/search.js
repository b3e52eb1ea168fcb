/**
 * The customer's search in the own chats: a field, what was found, and the way to each message. `talk.js` shows it in place
 * of the messages; the server finds only what the token may see.
 */

import { h, iconButton } from "./element.js";
import { piecesOf } from "./snippet.js";
import { WORDS, foundWords } from "./words.js";

const PAUSE_MS = 250;
const EMPTY_PAGES = 5; // a page whose messages were all removed meanwhile is no end

/** @typedef {import("./api.js").Hit} Hit */

export class Search {
  #field = h("input", { type: "search", "aria-label": WORDS.search, placeholder: WORDS.searchHint, dir: "auto", maxlength: "512", autocomplete: "off", enterkeyhint: "search" });
  #found = h("p", { class: "found", role: "status", dir: "auto" });
  #instead = h("p", { class: "found", hidden: true });
  #list = h("ol", { class: "hits", "aria-label": WORDS.messages });
  #more = h("button", { type: "button", class: "button", hidden: true, onclick: () => this.#askMore() }, WORDS.more);
  #asking = new AbortController();
  #asked = "";
  /** @type {string | null} */ #next = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #pause;

  /**
   * @param {object} ears
   * @param {(q: string, cursor: string | null, signal: AbortSignal) => ReturnType<import("./api.js").searchMessages>} ears.ask
   * @param {(hit: Hit) => void} ears.go
   * @param {() => void} ears.end
   */
  constructor(ears) {
    this.ears = ears;
    const form = h("form", { class: "search-field", role: "search", onsubmit: (/** @type {Event} */ event) => this.#submitted(event) }, this.#field, iconButton("close", WORDS.searchEnd, ears.end));
    this.element = h("section", { class: "search", "aria-label": WORDS.search, hidden: true }, form, this.#found, this.#instead, this.#list, this.#more);
    this.#field.addEventListener("input", () => this.#later());
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.isComposing) return;
      event.stopPropagation(); // the panel stays open
      event.preventDefault();
      ears.end();
    });
  }

  focus() {
    this.#field.focus();
    this.#field.select();
  }

  /** @param {Event} event */
  #submitted(event) {
    event.preventDefault();
    this.#search(this.#field.value);
  }

  #later() {
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => this.#search(this.#field.value), PAUSE_MS);
  }

  /** @param {string} q */
  #search(q) {
    clearTimeout(this.#pause);
    this.#asking.abort();
    this.#asked = q.trim();
    this.#next = null;
    this.#list.replaceChildren();
    this.#more.hidden = true;
    this.#instead.hidden = true;
    this.#found.textContent = "";
    if (this.#asked !== "") this.#ask();
  }

  async #askMore() {
    const { length } = this.#list.children;
    await this.#ask();
    this.#list.children[length]?.querySelector("button")?.focus();
  }

  async #ask() {
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    try {
      let answer = await this.ears.ask(this.#asked, this.#next, signal);
      for (let page = 1; answer.items.length === 0 && answer.next !== null && page < EMPTY_PAGES; page++) {
        answer = await this.ears.ask(this.#asked, answer.next, signal);
      }
      if (!signal.aborted) this.#show(answer);
    } catch (refusal) {
      if (!signal.aborted) this.#found.textContent = refusalWords(/** @type {any} */ (refusal));
    }
  }

  /** @param {Awaited<ReturnType<import("./api.js").searchMessages>>} answer */
  #show({ items, total, next, suggestion, partial, degraded }) {
    this.#next = next;
    this.#found.textContent = [foundWords(total, partial === true), degraded ? WORDS.searchRecent : null].filter(Boolean).join(" ");
    this.#instead.hidden = !suggestion;
    if (suggestion) this.#instead.replaceChildren(`${WORDS.searchInstead} `, this.#insteadButton(suggestion), "?");
    this.#list.append(...items.map((hit) => this.#element(hit)));
    this.#more.hidden = next === null;
  }

  /** @param {string} q */
  #insteadButton(q) {
    const take = () => {
      this.#field.value = q;
      this.#search(q);
      this.#field.focus();
    };
    return h("button", { type: "button", class: "text", dir: "auto", onclick: take }, q);
  }

  /** @param {Hit} hit */
  #element(hit) {
    const at = new Date(hit.at);
    const author = hit.role === "customer" ? WORDS.you : (hit.name ?? "");
    const words = piecesOf(hit.snippet).map(({ text, marked }) => (marked ? h("mark", {}, text) : text));
    return h(
      "li",
      {},
      h(
        "button",
        { type: "button", class: "hit", onclick: () => this.ears.go(hit) },
        h("span", { class: "about" }, h("b", { dir: "auto" }, author), h("time", { datetime: hit.at, title: at.toLocaleString() }, brief(at))),
        h("span", { class: "words", dir: "auto" }, ...words),
      ),
    );
  }
}

/** The time of today's messages, the day of others. @param {Date} at */
function brief(at) {
  const isToday = at.toDateString() === new Date().toDateString();
  return isToday ? at.toLocaleTimeString([], { timeStyle: "short" }) : at.toLocaleDateString();
}

/** @param {{code?: string, message: string}} refusal */
function refusalWords({ code, message }) {
  return code === "invalid" && message ? `${message}.` : WORDS.searchFailed;
}
