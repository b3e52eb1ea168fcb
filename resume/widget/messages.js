/**
 * The list of lines: draws what `lines.js` made, keeps the place while it grows at both ends, and tells which messages are
 * on screen. A line that did not change keeps its element, so that screen readers hear only what is new.
 */

import { h, icon } from "./element.js";
import { partsOf } from "./lines.js";
import { FATES, WORDS } from "./words.js";

const NEAR_PX = 80;
const FLASH_MS = 2_500;
const ON_SCREEN = 0.1; // this part of a message; a long one never fits whole

/**
 * @typedef {import("./lines.js").Line} Line
 * @typedef {import("./lines.js").Message} Message
 */

export class Messages {
  /** @type {Map<string, {line: string, element: HTMLElement}>} */ #drawn = new Map();
  /** @type {Set<number>} */ #onScreen = new Set();
  #atEnd = true; // the reader is at the newest, and stays there
  #log = h("div", { class: "log", role: "log", "aria-live": "polite", "aria-relevant": "additions", "aria-label": WORDS.messages, tabindex: "0" });
  #newest = h("button", { type: "button", class: "button newest", hidden: true, onclick: () => this.toEnd() }, icon("down"), WORDS.newest);
  #watcher = new IntersectionObserver((seen) => this.#look(seen), { threshold: ON_SCREEN });

  /**
   * @param {{seen: (seq: number) => void, top: () => void, again: (id: string) => void, drop: (id: string) => void}} ears
   *   seen: this message is on screen; top: the reader has come to the upper end
   */
  constructor(ears) {
    this.ears = ears;
    this.element = h("div", { class: "messages" }, this.#log, this.#newest);
    this.#log.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    document.addEventListener("visibilitychange", () => this.#tellSeen());
    new ResizeObserver(() => this.#atEnd && this.toEnd()).observe(this.#log);
  }

  /** @param {Line[]} lines @param {boolean} busy whether older ones are being fetched */
  draw(lines, busy) {
    const anchors = this.#log.querySelectorAll(".message");
    const anchor = /** @type {HTMLElement | undefined} */ (anchors[anchors.length - 1]);
    const stood_px = anchor?.offsetTop ?? 0;
    const last = this.#log.lastElementChild;
    this.#log.setAttribute("aria-busy", String(busy));
    this.#reconcile(lines);
    if (this.#atEnd || this.#endsInOwnNews(lines, last)) this.toEnd();
    else {
      if (anchor?.isConnected) this.#log.scrollTop += anchor.offsetTop - stood_px;
      if (this.#log.lastElementChild !== last) this.#newest.hidden = false;
    }
  }

  toEnd() {
    this.#atEnd = true;
    this.#log.scrollTop = this.#log.scrollHeight;
    this.#newest.hidden = true;
  }

  /** Brings a message into view, makes it stand out, and lets it be read next. @param {string} key */
  show(key) {
    const element = this.#drawn.get(key)?.element;
    if (!element) return;
    this.#atEnd = false;
    element.scrollIntoView({ block: "center" });
    element.tabIndex = -1;
    element.focus({ preventScroll: true });
    element.classList.add("flash");
    setTimeout(() => element.classList.remove("flash"), FLASH_MS);
  }

  /** @param {Line[]} lines */
  #reconcile(lines) {
    const keys = new Set(lines.map((line) => line.key));
    for (const [key, { element }] of this.#drawn) if (!keys.has(key)) this.#remove(key, element);
    const elements = lines.map((line) => this.#elementOf(line));
    let place = this.#log.firstElementChild;
    for (const element of elements) {
      if (element === place) place = place.nextElementSibling;
      else this.#log.insertBefore(element, place);
    }
    lines.forEach((line, i) => line.type === "message" && this.#update(elements[i], line));
  }

  /** @param {Line} line @returns {HTMLElement} the one it had, if it says the same */
  #elementOf(line) {
    const said = JSON.stringify(line.type === "message" ? [line.text, line.first, line.author] : line.text);
    const drawn = this.#drawn.get(line.key);
    if (drawn?.line === said) return drawn.element;
    if (drawn) this.#remove(line.key, drawn.element);
    const element = line.type === "message" ? messageElement(line) : h("p", { class: `mark ${line.type}`, dir: "auto" }, line.text);
    this.#drawn.set(line.key, { line: said, element });
    return element;
  }

  /** @param {string} key @param {HTMLElement} element */
  #remove(key, element) {
    this.#watcher.unobserve(element);
    this.#onScreen.delete(Number(element.dataset.seq));
    this.#drawn.delete(key);
    element.remove();
  }

  /** What changes while the message stays the same: its number, time and fate. @param {HTMLElement} element @param {Message} line */
  #update(element, line) {
    if (line.seq !== null && !line.mine && !element.dataset.seq) {
      element.dataset.seq = String(line.seq);
      this.#watcher.observe(element);
    }
    element.classList.toggle("followed", line.followed);
    if (element.dataset.fate === (line.fate ?? "") && element.dataset.time === line.time) return;
    element.dataset.fate = line.fate ?? "";
    element.dataset.time = line.time;
    element.querySelector(".foot")?.replaceWith(this.#foot(line));
  }

  /** @param {Message} line */
  #foot({ key, time, when, fate, detail, way }) {
    const clock = h("span", {}, way ? `${way} · ` : "", h("time", { title: when }, time));
    if (fate === null) return h("p", { class: "foot" }, clock);
    const sign = h("span", { class: `fate ${fate}`, title: FATES[fate] }, fateIcon(fate), h("span", { class: "hidden" }, FATES[fate]));
    if (fate !== "refused") return h("p", { class: "foot" }, clock, sign);
    const again = h("button", { type: "button", class: "text", onclick: () => this.ears.again(key) }, WORDS.again);
    const drop = h("button", { type: "button", class: "text", onclick: () => this.ears.drop(key) }, WORDS.drop);
    return h("p", { class: "foot refused" }, sign, h("span", {}, `${FATES.refused}. ${detail}`), again, drop);
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#log;
    if (clientHeight === 0) return; // put away, not scrolled
    this.#atEnd = scrollHeight - scrollTop - clientHeight < NEAR_PX;
    if (this.#atEnd) this.#newest.hidden = true;
    if (scrollTop < NEAR_PX) this.ears.top();
  }

  /** @param {Line[]} lines @param {Element | null} before the last element until now */
  #endsInOwnNews(lines, before) {
    const last = lines.at(-1);
    return last?.type === "message" && last.mine && this.#log.lastElementChild !== before;
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #look(entries) {
    for (const { target, isIntersecting } of entries) {
      const seq = Number(/** @type {HTMLElement} */ (target).dataset.seq);
      if (isIntersecting) this.#onScreen.add(seq);
      else this.#onScreen.delete(seq);
    }
    this.#tellSeen();
  }

  #tellSeen() {
    if (document.visibilityState === "visible" && this.#onScreen.size > 0) this.ears.seen(Math.max(...this.#onScreen));
  }
}

/** @param {Message} line */
function messageElement({ mine, first, author, text, redacted }) {
  const parts = mine || redacted ? [text] : partsOf(text).map(({ text: part, href }) => (href ? linkElement(part, href) : part));
  return h(
    "article",
    { class: `message ${mine ? "mine" : "theirs"}${first ? " first" : ""}${redacted ? " redacted" : ""}` },
    h("p", { class: first && !mine ? "author" : "hidden", dir: "auto" }, author),
    h("p", { class: "bubble", dir: "auto" }, ...parts),
    h("p", { class: "foot" }),
  );
}

/** @param {string} text @param {string} href http or https only */
function linkElement(text, href) {
  return h("a", { href, target: "_blank", rel: "noopener noreferrer" }, text);
}

/** @param {NonNullable<Message["fate"]>} fate */
function fateIcon(fate) {
  if (fate === "sending") return icon("clock");
  if (fate === "refused") return icon("alert");
  return icon(fate === "stored" ? "stored" : "delivered");
}
