/**
 * The log of the open chat: draws the entries, keeps the reader's place while they grow at both ends, and tells which
 * message is the last on screen.
 */

import { h, icon } from "/assets/element.js";
import { partsOf } from "/assets/lines.js";

import { byId, reconcile } from "./page.js";
import { FATES } from "./words.js";

const NEAR_PX = 80;
const SHOWN_PX = 12; // so much of a message must be on screen for it to be seen
const FLASH_MS = 2_500;

/**
 * @typedef {import("./entries.js").Entry} Entry
 * @typedef {import("./entries.js").Message} Message
 * @typedef {import("./address.js").Spot} Spot
 * @typedef {object} Ears
 * @property {(seq: number) => void} seen this public message is on screen
 * @property {() => void} top the reader has come to the upper end
 * @property {() => void} bottom the reader has come to the lower end
 * @property {() => void} newest the reader wants to see the newest messages
 * @property {(id: string) => void} again
 * @property {(id: string) => void} drop
 * @property {(id: string) => void} release a mail that is held back
 */

export class Log {
  #list = byId("log");
  #newest = byId("newest");
  #follows = true; // whether the reader stays at the lower end
  #toEnd = true; // whether the lower end is the chat's end

  /** @param {Ears} ears */
  constructor(ears) {
    this.ears = ears;
    this.#list.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#newest.addEventListener("click", () => ears.newest());
    document.addEventListener("visibilitychange", () => this.#tellSeen());
    new ResizeObserver(() => this.#stay()).observe(this.#list);
  }

  /** Empties the log for another chat. */
  clear() {
    this.#list.replaceChildren();
    this.#newest.hidden = true;
    this.#follows = true;
  }

  /** @param {Entry[]} entries @param {{toEnd: boolean, busy: boolean}} how toEnd: nothing newer is left out */
  draw(entries, { toEnd, busy }) {
    const anchor = this.#anchor();
    const before = this.#list.lastElementChild;
    this.#list.setAttribute("aria-busy", String(busy));
    reconcile(this.#list, entries, (entry) => this.#element(entry));
    if (endsInOwnNews(entries) && this.#list.lastElementChild !== before) this.#follows = true;
    this.#toEnd = toEnd;
    this.#follows &&= toEnd;
    if (this.#follows) this.#stay();
    else this.#restore(anchor);
    this.#newest.hidden = toEnd && this.#isAtEnd();
    if (this.#list.scrollTop < NEAR_PX) this.ears.top();
    this.#tellSeen();
  }

  toEnd() {
    this.#follows = true;
    this.#stay();
  }

  /** Brings a message or note into view and makes it stand out. @param {Spot} spot @returns {boolean} whether it is there */
  show({ stream, seq }) {
    const name = stream === "internal" ? "note" : "seq";
    const element = /** @type {HTMLElement | null} */ (this.#list.querySelector(`[data-${name}="${seq}"]`));
    if (!element) return false;
    this.#follows = false;
    element.scrollIntoView({ block: "center" });
    element.classList.add("flash");
    setTimeout(() => element.classList.remove("flash"), FLASH_MS);
    return true;
  }

  /** The first message on screen, and where it is. Marks are no anchors: the day moves up with what comes before. */
  #anchor() {
    const { top } = this.#list.getBoundingClientRect();
    const element = this.#messages.find((message) => message.getBoundingClientRect().bottom > top);
    return element ? { key: element.dataset.key, top: element.getBoundingClientRect().top } : null;
  }

  /** @param {{key?: string, top: number} | null} anchor */
  #restore(anchor) {
    const element = anchor && this.#messages.find((message) => message.dataset.key === anchor.key);
    if (element) this.#list.scrollTop += element.getBoundingClientRect().top - anchor.top;
  }

  /** @returns {HTMLElement[]} */
  get #messages() {
    return [...this.#list.querySelectorAll("article")];
  }

  #stay() {
    if (!this.#follows) return;
    this.#list.scrollTop = this.#list.scrollHeight;
    this.#newest.hidden = true;
  }

  #scrolled() {
    const atEnd = this.#isAtEnd();
    this.#follows = atEnd && this.#toEnd;
    this.#newest.hidden = this.#follows;
    if (this.#list.scrollTop < NEAR_PX) this.ears.top();
    if (atEnd) this.ears.bottom();
    this.#tellSeen();
  }

  #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#list;
    return scrollHeight - scrollTop - clientHeight < NEAR_PX;
  }

  #tellSeen() {
    if (document.visibilityState !== "visible" || this.#list.clientHeight === 0) return;
    const { bottom } = this.#list.getBoundingClientRect();
    const seen = this.#messages.findLast(
      (message) => message.dataset.seq && message.getBoundingClientRect().top < bottom - SHOWN_PX,
    );
    if (seen) this.ears.seen(Number(seen.dataset.seq));
  }

  /** @param {Entry} entry */
  #element(entry) {
    if ("mine" in entry) return this.#message(entry);
    if (entry.type === "thread") return h("h2", { class: "mark thread" }, h("span", {}, entry.text));
    return h("p", { class: `mark ${entry.type}`, dir: "auto" }, h("span", {}, entry.text));
  }

  /** @param {Message} message */
  #message(message) {
    const { type, mine, first, author, text, redacted, mail, seq, time, when } = message;
    const classes = ["message", type, mine ? "mine" : "theirs", first && "first", redacted && "redacted"];
    const place = seq === null ? {} : { [type === "note" ? "data-note" : "data-seq"]: String(seq) };
    const head = h(
      "p",
      { class: first ? "by" : "unseen" },
      h("b", { dir: "auto" }, author),
      type === "note" ? h("span", { class: "tag" }, "Note") : null,
      h("time", { title: when }, time),
    );
    const words = redacted ? [text] : partsOf(text).map(({ text: part, href }) => (href ? link(part, href) : part));
    const said = h("p", { class: "said", dir: "auto", title: when }, ...words);
    return h("article", { class: classes.filter(Boolean).join(" "), ...place }, head, said, mail && origin(mail, this.ears.release), this.#fate(message));
  }

  /** @param {Message} message */
  #fate({ fate, id, detail }) {
    if (fate === null) return null;
    const sign = h("span", { class: `fate ${fate}`, title: FATES[fate] }, fateIcon(fate), h("span", { class: "unseen" }, FATES[fate]));
    if (fate !== "refused") return sign;
    const button = (/** @type {string} */ words, /** @type {(id: string) => void} */ press) =>
      h("button", { type: "button", class: "text", onclick: () => press(/** @type {string} */ (id)) }, words);
    const why = h("span", {}, `${FATES.refused}. ${detail ?? ""}`);
    return h("p", { class: "refusal" }, sign, why, button("Send again", this.ears.again), button("Delete", this.ears.drop));
  }
}

/** @param {Entry[]} entries */
function endsInOwnNews(entries) {
  const last = entries.at(-1);
  return last !== undefined && "mine" in last && last.mine && last.seq === null;
}

/**
 * Where a message that came by mail can be seen as it came. One that is held back can be let through.
 * @param {NonNullable<Message["mail"]>} mail @param {(id: string) => void} release
 */
function origin({ id, words, held }, release) {
  const original = link("Show original", `/desk/mails/${encodeURIComponent(id)}`);
  const button = h("button", { type: "button", class: "text", onclick: () => release(id) }, "Let it through");
  return h("p", { class: "origin" }, words ? `${words} · ` : "", original, ...(held ? [" · ", button] : []));
}

/** @param {string} text @param {string} href http or https, or our own */
function link(text, href) {
  return h("a", { href, target: "_blank", rel: "noopener noreferrer" }, text);
}

/** @param {NonNullable<Message["fate"]>} fate */
function fateIcon(fate) {
  if (fate === "sending") return icon("clock");
  if (fate === "refused") return icon("alert");
  return icon(fate === "stored" ? "stored" : "delivered");
}
