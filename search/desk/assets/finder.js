/**
 * The search on the right of the desk: one field that says all of it, its conditions as chips, facets to narrow by, and the
 * chats that were found. What is searched for is in the address, so it can be shared.
 */

import { h } from "/assets/element.js";

import { get } from "./api.js";
import { Combobox } from "./combobox.js";
import { chatElement, facetElements, otherElement, rowOf } from "./found.js";
import { byId, reconcile, say } from "./page.js";
import { SORTS, quoted, sortOf, withCondition, withSort, without } from "./searching.js";
import { chatsWords, foundWords, makeClock } from "./words.js";

const PAUSE_MS = 250;
const EMPTY_PAGES = 5; // a page whose messages were all removed meanwhile is no end

/** @typedef {import("./found.js").Hit} Hit */

export class Finder {
  #field = /** @type {HTMLInputElement} */ (byId("q"));
  #sort = /** @type {HTMLSelectElement} */ (byId("sort"));
  #more = byId("more");
  #combobox = new Combobox(this.#field, () => this.search(this.#field.value));
  /** @type {Hit[]} */ #hits = [];
  /** @type {string | null} */ #next = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #pause;
  #asking = new AbortController();
  #asked = "";

  /** @param {(q: string) => void} ears is told what is searched for; empty when nothing is */
  constructor(ears) {
    this.ears = ears;
    this.#sort.append(...SORTS.map(([value, words]) => h("option", { value }, words)));
    this.#sort.addEventListener("change", () => this.search(withSort(this.#asked, this.#sort.value)));
    this.#field.addEventListener("input", () => this.#later());
    this.#field.addEventListener("keydown", (event) => event.key === "Escape" && this.search(""));
    byId("search").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#combobox.hide();
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
    this.#sort.value = sortOf(this.#asked);
    this.#asking.abort();
    this.ears(this.#asked);
    byId("results").hidden = this.#asked === "";
    byId("operators").hidden = this.#asked !== "";
    if (this.#asked !== "") this.#ask();
  }

  #later() {
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => this.search(this.#field.value), PAUSE_MS);
  }

  /** The first page, with all that is said about the whole. */
  async #ask() {
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    try {
      const answer = await fetchPage({ q: this.#asked, collapse: "chat", facets: "all" }, signal);
      [this.#hits, this.#next] = [answer.items, answer.next];
      this.#showAnswer(answer);
    } catch (refusal) {
      if (signal.aborted) return;
      [this.#hits, this.#next] = [[], null];
      this.#showAnswer({ facets: {}, chips: [], words: `${/** @type {Error} */ (refusal).message}.` });
    }
  }

  async #askMore() {
    const { length } = this.#hits;
    const { signal } = this.#asking;
    try {
      const { items, next } = await fetchPage({ q: this.#asked, collapse: "chat", cursor: this.#next ?? "" }, signal);
      [this.#hits, this.#next] = [[...this.#hits, ...items], next];
      this.#showHits();
      byId("hits").children[length]?.querySelector("a")?.focus();
    } catch (refusal) {
      if (!signal.aborted) byId("found").textContent = `${/** @type {Error} */ (refusal).message}.`;
    }
  }

  /** @param {Record<string, any>} answer */
  #showAnswer({ total, chats, partial, estimated, degraded, hint, suggestion, facets, chips, words }) {
    const counted = words ?? [foundWords(total, partial === true), chatsWords(total, chats, estimated)].filter(Boolean).join(" ");
    byId("found").textContent = [counted, hint].filter(Boolean).join(" ");
    say(byId("degraded"), degraded ? "The search index is being made. Only the newest messages are searched until then." : "");
    this.#showSuggestion(suggestion ?? null);
    this.#showChips(chips);
    const elements = facetElements(facets, total ?? 0, estimated === true, (filter) => this.search(withCondition(this.#asked, filter)));
    byId("facets").hidden = elements.length === 0;
    byId("facet-list").replaceChildren(...elements);
    this.#showHits();
  }

  /** @param {string | null} q */
  #showSuggestion(q) {
    const element = byId("suggestion");
    element.hidden = q === null;
    if (q === null) return;
    const take = h("button", { type: "button", class: "text", dir: "auto", onclick: () => this.#take(q) }, q);
    element.replaceChildren("Did you mean ", take, "?");
  }

  /** @param {import("./searching.js").Chip[]} chips */
  #showChips(chips) {
    const conditions = chips.filter(({ condition }) => condition);
    byId("chips").hidden = conditions.length === 0;
    byId("chips").replaceChildren(
      ...conditions.map(({ text }) =>
        h(
          "li",
          {},
          h(
            "button",
            { type: "button", class: "chip", "aria-label": `Remove ${text}`, onclick: () => this.#take(without(this.#asked, text)) },
            h("span", { dir: "auto" }, text),
            h("span", { "aria-hidden": "true" }, "×"),
          ),
        ),
      ),
    );
  }

  /** What was pressed goes away, so the field gets the focus. @param {string} q */
  #take(q) {
    this.search(q);
    this.#field.focus();
  }

  #showHits() {
    const clock = makeClock(Date.now());
    const rows = this.#hits.map((hit) => rowOf(hit, clock));
    this.#more.hidden = this.#next === null;
    reconcile(byId("hits"), rows, (row) => chatElement(row, (chat, list, button) => this.#open(chat, list, button)));
  }

  /** The other hits of a chat, or none of them. @param {string} chat @param {HTMLElement} list @param {HTMLElement} button */
  async #open(chat, list, button) {
    const opens = button.getAttribute("aria-expanded") === "false";
    button.setAttribute("aria-expanded", String(opens));
    list.replaceChildren();
    if (!opens) return;
    const { signal } = this.#asking;
    try {
      const { items } = await fetchPage({ q: `${this.#asked} chat:${quoted(chat)}` }, signal);
      const shown = list.closest("li")?.dataset.key;
      const rows = items.map((/** @type {Hit} */ hit) => rowOf(hit, makeClock(Date.now())));
      list.replaceChildren(...rows.filter((/** @type {{key: string}} */ { key }) => key !== shown).map(otherElement));
    } catch (refusal) {
      if (!signal.aborted) list.replaceChildren(h("li", { class: "near" }, `${/** @type {Error} */ (refusal).message}.`));
    }
  }
}

/** @param {Record<string, string>} asked @param {AbortSignal} signal @returns {Promise<any>} */
async function fetchPage(asked, signal) {
  let answer = await get(`/api/v1/search?${new URLSearchParams({ ...asked, context: "messages" })}`, signal);
  for (let page = 1; answer.items.length === 0 && answer.next !== null && page < EMPTY_PAGES; page++) {
    const cursor = answer.next;
    const { items, next } = await get(`/api/v1/search?${new URLSearchParams({ ...asked, context: "messages", cursor })}`, signal);
    answer = { ...answer, items, next };
  }
  return answer;
}
