/**
 * Where the customer writes. Enter sends, except on touch keyboards and while an input method composes; an unfinished
 * message is kept over reloads.
 */

import { h, iconButton } from "./element.js";
import { session } from "./session.js";
import { WORDS } from "./words.js";

const TEXT_BYTES = 16 * 1024;
const REST_MS = 4_000;

export class Composer {
  #text = h("textarea", { rows: "1", "aria-label": WORDS.message, placeholder: WORDS.write, dir: "auto" });
  #problem = h("p", { class: "problem", role: "alert", hidden: true });
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #rest;

  /** @param {{send: (text: string) => void, typing?: (on: boolean) => void}} ears */
  constructor(ears) {
    this.ears = ears;
    const send = iconButton("send", WORDS.send, () => this.#send(), "strong");
    this.element = h("div", { class: "composer" }, this.#problem, h("div", { class: "field" }, this.#text, send));
    this.#text.addEventListener("input", () => this.#changed());
    this.#text.addEventListener("keydown", (event) => this.#pressed(event));
    this.#put(session.draft);
  }

  focus() {
    this.#text.focus();
  }

  /** Text to go on with, in front of what is there. @param {string} text */
  restore(text) {
    this.#put([text, this.#text.value].filter(Boolean).join("\n\n"));
  }

  /** @param {string | null} problem */
  say(problem) {
    this.#problem.hidden = problem === null;
    this.#problem.textContent = problem;
  }

  #send() {
    const text = this.#text.value.trim();
    if (text === "") return this.focus();
    if (new TextEncoder().encode(text).length > TEXT_BYTES) return this.say(WORDS.tooLong);
    this.#put("");
    this.#rests();
    this.focus();
    this.ears.send(text);
  }

  /** @param {string} text */
  #put(text) {
    this.#text.value = text;
    session.draft = text;
    this.say(null);
    this.#fit();
  }

  #changed() {
    session.draft = this.#text.value;
    this.say(null);
    this.#fit();
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => this.#rests(), REST_MS);
    this.ears.typing?.(this.#text.value !== "");
  }

  #rests() {
    clearTimeout(this.#rest);
    this.ears.typing?.(false);
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || matchMedia("(pointer: coarse)").matches) return;
    event.preventDefault();
    this.#send();
  }

  /** As high as its text, up to what the style allows. */
  #fit() {
    this.#text.style.height = "auto";
    if (this.#text.value !== "") this.#text.style.height = `${this.#text.scrollHeight}px`;
  }
}
