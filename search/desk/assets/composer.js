/**
 * Where the agent writes: a reply, or a note that customers never see. Enter sends, Shift and Enter begin a new line. What is
 * unfinished stays with its chat while the page lives.
 */

import { byId } from "./page.js";

const TEXT_BYTES = 16 * 1024;
const REST_MS = 4_000;

/** @typedef {"public" | "internal"} Stream */

export class Composer {
  #form = /** @type {HTMLFormElement} */ (byId("composer"));
  #text = /** @type {HTMLTextAreaElement} */ (byId("text"));
  #send = byId("send");
  /** @type {Map<string, string>} what is unfinished, by chat and stream */ #drafts = new Map();
  #chat = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #rest;

  /**
   * @param {object} ears
   * @param {(text: string, stream: Stream) => void} ears.send
   * @param {(on: boolean) => void} ears.typing only while a reply is written
   * @param {() => void} ears.turned the other kind is written from now on
   * @param {(words: string) => void} ears.problem empty when there is none any more
   */
  constructor(ears) {
    this.ears = ears;
    this.#form.addEventListener("submit", (event) => this.#submitted(event));
    this.#text.addEventListener("input", () => this.#changed());
    this.#text.addEventListener("keydown", (event) => this.#pressed(event));
    for (const choice of this.#choices) choice.addEventListener("change", () => this.#turn());
  }

  /** @returns {Stream} */
  get stream() {
    return this.#choices.find((choice) => choice.checked)?.value === "internal" ? "internal" : "public";
  }

  /** @param {string} chat */
  open(chat) {
    this.#rests();
    this.#chat = chat;
    this.#choices[0].checked = true;
    this.#turn();
  }

  /** @param {string} words what the empty field says */
  prompt(words) {
    this.#text.placeholder = words;
  }

  focus() {
    this.#text.focus();
  }

  /** @returns {HTMLInputElement[]} */
  get #choices() {
    return [...this.#form.querySelectorAll("input")];
  }

  #turn() {
    this.#rests();
    this.#form.dataset.stream = this.stream;
    this.#send.textContent = this.stream === "internal" ? "Add note" : "Send";
    byId("kind-hint").textContent = this.stream === "internal" ? "Only your team sees notes" : "";
    this.#put(this.#drafts.get(this.#draft) ?? "");
    this.ears.turned();
  }

  get #draft() {
    return `${this.#chat} ${this.stream}`;
  }

  /** @param {Event} event */
  #submitted(event) {
    event.preventDefault();
    const text = this.#text.value.trim();
    this.focus();
    if (text === "") return;
    if (new TextEncoder().encode(text).length > TEXT_BYTES) {
      this.ears.problem("This is too long for one message. Please split it into several.");
      return;
    }
    this.#put("");
    this.#rests();
    this.ears.send(text, this.stream);
  }

  /** @param {string} text */
  #put(text) {
    this.#text.value = text;
    this.#drafts.set(this.#draft, text);
    this.#fit();
  }

  #changed() {
    this.#drafts.set(this.#draft, this.#text.value);
    this.ears.problem("");
    this.#fit();
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => this.#rests(), REST_MS);
    if (this.stream === "public") this.ears.typing(this.#text.value !== "");
  }

  #rests() {
    clearTimeout(this.#rest);
    this.ears.typing(false);
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || matchMedia("(pointer: coarse)").matches) return;
    event.preventDefault();
    this.#form.requestSubmit();
  }

  /** As high as its text, up to what the style allows. */
  #fit() {
    this.#text.style.height = "auto";
    if (this.#text.value !== "") this.#text.style.height = `${this.#text.scrollHeight}px`;
  }
}
