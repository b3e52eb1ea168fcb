/**
 * What was mailed about the open chat, and what became of it. What went wrong stands out; a transcript can be sent again.
 */

import { h } from "/assets/element.js";

import { get, post } from "./api.js";
import { byId, say } from "./page.js";
import { makeClock, mailKind, mailState } from "./words.js";

const LOOK_MS = 5_000; // while a mail is on its way
const UNDER_WAY = ["ready", "leased", "started", "held"];

/** @typedef {{id: string, kind: string, to: string, state: string, reason: string, trouble: boolean, created_at: string, done_at: string | null, last_answer: any}} Delivery */

export class Mails {
  /** @type {string | null} */ #chat = null;
  #timer = 0;

  /** @param {string | null} chat null for none */
  open(chat) {
    this.#chat = chat;
    this.#draw([]);
    this.look();
  }

  /** Asks what is new, and again soon while something is on its way. */
  async look() {
    clearTimeout(this.#timer);
    const chat = this.#chat;
    if (!chat) return;
    /** @type {Delivery[]} */ const items = await get(`/api/v1/chats/${chat}/deliveries`).then((answer) => answer.items, () => []);
    if (chat !== this.#chat) return;
    this.#draw(items);
    if (items.some((item) => UNDER_WAY.includes(item.state))) this.#timer = setTimeout(() => this.look(), LOOK_MS);
  }

  /** @param {Delivery[]} items */
  #draw(items) {
    const clock = makeClock(Date.now());
    byId("mails").hidden = items.length === 0;
    byId("mail-list").replaceChildren(...items.map((item) => this.#element(item, clock)));
  }

  /** @param {Delivery} item @param {import("./words.js").Clock} clock */
  #element(item, clock) {
    const at = item.done_at ?? item.created_at;
    const words = item.last_answer?.text || item.reason;
    const again = item.kind === "transcript" || item.kind === "copy";
    return h(
      "li",
      { class: item.trouble ? "mail trouble" : "mail" },
      h("b", {}, mailKind(item.kind)),
      h("span", { class: "mail-state" }, mailState(item.state)),
      h("time", { datetime: at, title: clock.full(Date.parse(at)) }, clock.brief(Date.parse(at))),
      h("span", { class: "mail-to", dir: "auto" }, item.to),
      ...(item.trouble && words ? [h("span", { class: "mail-words", dir: "auto" }, words)] : []),
      ...(again ? [h("button", { type: "button", class: "button quiet", onclick: () => this.#again(item) }, "Send again")] : []),
    );
  }

  /** @param {Delivery} item */
  async #again(item) {
    say(byId("mail-problem"), "");
    try {
      await post(`/api/v1/chats/${this.#chat}/transcript`, { email: item.to });
      await this.look();
    } catch (refusal) {
      say(byId("mail-problem"), /** @type {any} */ (refusal).detail || "This did not work. Please try again.");
    }
  }
}
