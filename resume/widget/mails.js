/**
 * A copy of the ended chat by mail, for whoever asks, and what became of the last mail about it.
 */

import { askForCopy, fetchDeliveries } from "./api.js";
import { h } from "./element.js";
import { WORDS, mailWords } from "./words.js";

const LOOK_MS = 2_000;
const LOOKS = 5; // then it takes longer than anybody watches

export class Mails {
  #status = h("p", { class: "mailed", role: "status", dir: "auto" });
  #button = h("button", { type: "button", class: "button", onclick: () => this.#ask() }, WORDS.mailCopy);
  element = h("div", { class: "mails" }, this.#button, this.#status);
  /** @type {{chat: string, token: string} | null} */ #right = null;
  #looks = 0;

  /** The chat has ended. @param {{chat: string, token: string}} right @param {string | null} email */
  show(right, email) {
    this.#button.hidden = !email;
    if (this.#right?.chat === right.chat) return;
    this.#right = right;
    this.#look(LOOKS);
  }

  /** The chat goes on. */
  hide() {
    this.#right = null;
    this.#status.textContent = "";
  }

  async #ask() {
    if (!this.#right) return;
    try {
      await askForCopy(this.#right.chat, this.#right.token);
      this.#status.textContent = WORDS.mailAsked;
      this.#look(LOOKS);
    } catch (refusal) {
      this.#status.textContent = /** @type {any} */ (refusal).detail || WORDS.actFailed;
    }
  }

  /** @param {number} times */
  async #look(times) {
    const right = this.#right;
    const turn = ++this.#looks;
    for (let time = 0; time < times && right; time++) {
      const items = await fetchDeliveries(right.chat, right.token).catch(() => []);
      if (right !== this.#right || turn !== this.#looks) return;
      const words = mailWords(items[0]);
      if (words) this.#status.textContent = words;
      await new Promise((done) => setTimeout(done, LOOK_MS));
    }
  }
}
