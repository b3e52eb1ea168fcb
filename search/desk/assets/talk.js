/**
 * The middle of the desk: the open chat with its head, log and text field.
 */

import { h } from "/assets/element.js";

import { post } from "./api.js";
import { Composer } from "./composer.js";
import { entriesOf } from "./entries.js";
import { Log } from "./log.js";
import { byId, reconcile, say } from "./page.js";
import { Past } from "./past.js";
import { UNNAMED, makeClock, presenceWords, promptWords, refusalWords, statusWords, typingWords } from "./words.js";

/** @typedef {import("./address.js").Spot} Spot */

export class Talk {
  /** @type {any} the open Chat of the client library */ #chat = null;
  /** @type {Past | null} */ #past = null;
  /** @type {Spot | null} where the address leads, until it is shown */ #spot = null;
  #drawing = 0;
  #log = new Log({
    seen: (seq) => this.#isPresent && this.#chat.read(seq),
    top: () => this.#fetch((past) => past.older()),
    bottom: () => this.#fetch((past) => past.newer()),
    newest: () => this.#toNewest(),
    again: (id) => this.#chat?.again(id),
    drop: (id) => this.#chat?.drop(id),
    release: (id) => this.#release(id),
  });
  #composer = new Composer({
    send: (text, stream) => this.#chat?.send(text, { stream }),
    typing: (on) => this.#chat?.typing(on),
    turned: () => this.redraw(),
    problem: (words) => say(byId("talk-problem"), words),
  });

  /** @param {{client: any}} desk */
  constructor({ client }) {
    const mine = (/** @type {any} */ { chat }) => chat === this.#chat && this.redraw();
    for (const name of ["chat", "events", "typing", "read"]) client.on(name, mine);
  }

  /** @param {any} chat null for none @param {Spot | null} spot */
  open(chat, spot) {
    if (chat !== this.#chat) this.#turnTo(chat);
    this.#spot = spot;
    this.redraw();
  }

  /** Says that there is nothing to open. @param {string} words */
  fail(words) {
    this.#turnTo(null);
    byId("talk-empty").textContent = words;
  }

  focus() {
    if (this.#chat) this.#composer.focus();
  }

  /** Draws soon, once for all that changes until then. */
  redraw() {
    this.#drawing ||= requestAnimationFrame(() => this.#drawNow());
  }

  #drawNow() {
    cancelAnimationFrame(this.#drawing);
    this.#drawing = 0;
    this.#draw();
  }

  /** @param {any} chat */
  #turnTo(chat) {
    this.#chat = chat;
    this.#past = chat && new Past(chat, () => this.redraw());
    this.#log.clear();
    byId("talk-empty").hidden = chat !== null;
    byId("talk-body").hidden = chat === null;
    say(byId("talk-problem"), "");
    if (chat) this.#composer.open(chat.id);
  }

  /** Lets a mail through that was held back; it comes as a message. @param {string} id */
  async #release(id) {
    const words = await post(`/desk/mails/${encodeURIComponent(id)}/release`, {}).then(() => "", refusalWords);
    say(byId("talk-problem"), words);
  }

  /** Whether the agent takes part: who only looks in has read nothing. */
  get #isPresent() {
    return this.#chat?.participant(this.#chat.me) !== undefined;
  }

  #draw() {
    const chat = this.#chat;
    if (!chat) return;
    this.#drawHead(chat);
    this.#drawLog(chat);
    const typers = chat.typers.map((/** @type {string} */ id) => this.#nameOf(id));
    byId("typing").textContent = typingWords(typers);
    if (chat.state) this.#composer.prompt(promptWords(chat.state, chat.me, this.#composer.stream));
  }

  /** @param {any} chat */
  #drawHead(chat) {
    const { state } = chat;
    const customer = state?.participants.find((/** @type {any} */ person) => person.role === "customer");
    const presence = presenceWords(customer, Date.now());
    byId("customer-name").textContent = customer?.name || UNNAMED;
    byId("presence").className = customer?.online ? "dot online" : "dot";
    byId("presence").title = presence;
    byId("status").textContent = state ? `${statusWords(state, chat.me)} · ${presence}` : "Loading…";
    byId("subject").textContent = state?.subject ?? "";
    byId("topic").hidden = !state?.subject;
    reconcile(byId("acts"), state ? actsOf(state, chat.me) : [], (act) => this.#actButton(act));
  }

  /** @param {{key: string, label: string, strong: boolean}} act */
  #actButton({ key, label, strong }) {
    const look = strong ? "button strong" : "button";
    return h("button", { type: "button", class: look, onclick: () => this.#act(key) }, label);
  }

  /** @param {string} action */
  async #act(action) {
    const chat = this.#chat;
    say(byId("talk-problem"), "");
    try {
      await chat.act(action);
      if (action === "accept" && chat === this.#chat) this.#composer.focus();
    } catch (refusal) {
      if (chat === this.#chat) say(byId("talk-problem"), refusalWords(/** @type {any} */ (refusal)));
    }
  }

  /** @param {any} chat */
  #drawLog(chat) {
    const past = /** @type {Past} */ (this.#past);
    const toEnd = !past.isApart;
    const entries = entriesOf(
      {
        events: past.events,
        notes: chat.notes,
        outgoing: chat.outgoing,
        me: chat.me,
        fate: (event) => chat.fate(event),
        nameOf: (id) => this.#nameOf(id),
        fromStart: chat.ready && !past.hasOlder,
        toEnd,
      },
      makeClock(Date.now()),
    );
    this.#log.draw(entries, { toEnd, busy: !chat.ready });
    if (this.#spot && chat.ready) this.#goToSpot(this.#spot);
  }

  /** @param {Spot} spot */
  async #goToSpot(spot) {
    if (this.#log.show(spot)) {
      this.#spot = null;
      return;
    }
    const note = this.#chat.notes.find((/** @type {any} */ each) => each.seq === spot.seq);
    if (spot.stream === "internal" && !note) return; // notes come by themselves
    this.#spot = null;
    const past = this.#past;
    await this.#fetch((past) => past.goTo(spot.stream === "internal" ? (note.data.after ?? 1) : spot.seq));
    if (past !== this.#past) return;
    this.#drawNow();
    this.#log.show(spot);
  }

  /** @param {(past: Past) => Promise<void>} question */
  async #fetch(question) {
    const past = this.#past;
    if (!past || !this.#chat.ready) return;
    try {
      await question(past);
    } catch {
      if (past === this.#past) say(byId("talk-problem"), "These messages could not be loaded. Please try again.");
    }
  }

  #toNewest() {
    this.#past?.leave();
    this.#drawNow();
    this.#log.toEnd();
  }

  /** @param {string} id */
  #nameOf(id) {
    if (id === this.#chat.me) return "You";
    const joined = () => this.#past?.events.find((event) => event.kind === "join" && event.data.participant?.id === id);
    const person = this.#chat.participant(id) ?? joined()?.data.participant;
    return person?.name || UNNAMED;
  }
}

/** What the agent can do with the chat now. @param {Record<string, any>} state @param {string | null} me */
function actsOf({ status, agent, can }, me) {
  const acts = [];
  if (status === "open" || status === "waiting") acts.push({ key: "accept", label: "Accept", strong: true });
  if (agent && agent.id === me) acts.push({ key: "release", label: "Release", strong: false });
  if (can.close) acts.push({ key: "close", label: "Close", strong: false });
  if (can.reopen) acts.push({ key: "reopen", label: "Reopen", strong: true });
  return acts;
}
