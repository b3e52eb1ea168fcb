/**
 * A running chat on screen: joins the client library with the list of messages, the composer and the words about the state.
 */

import { fetchTranscript, searchMessages } from "./api.js";
import { Composer } from "./composer.js";
import { h, iconButton } from "./element.js";
import { linesOf } from "./lines.js";
import { Mails } from "./mails.js";
import { Messages } from "./messages.js";
import { Search } from "./search.js";
import { WORDS, placeWords, typingWords, withYouWords } from "./words.js";

const FILE_NAME = "chat.txt";

/**
 * @typedef {object} Surroundings
 * @property {any} client of `connect`
 * @property {string} brand
 * @property {(title: string, hint: string, tools: HTMLElement[]) => void} head shows who one talks with
 * @property {(count: number) => void} unread
 * @property {(chat: string, seq: number) => void} turn opens another chat of the customer at a message
 */

export class Talk {
  /** @type {any} */ #chat = null;
  #fetching = false;
  #seen = 0;
  #spot = 0; // the message to be shown when the chat is here
  #leaving = this.#makeLeaving();
  #messages = new Messages({
    seen: (seq) => this.#see(seq),
    top: () => this.#older(),
    again: (id) => this.#chat?.again(id),
    drop: (id) => this.#chat?.drop(id),
  });
  #composer = new Composer({ send: (text) => this.#chat?.send(text), typing: (on) => this.#chat?.typing(on) });
  #loading = h("p", { class: "loading", role: "status" }, WORDS.loading);
  #typing = h("p", { class: "typing", "aria-live": "polite" });
  #link = h("p", { class: "strip", role: "status", hidden: true });
  #place = h("p", { class: "strip place", role: "status", hidden: true });
  #mails = new Mails();
  #ended = this.#makeEnded();
  #end = iconButton("end", WORDS.end, () => this.#leaving.showModal());
  #search = new Search({
    ask: (q, cursor, signal) => searchMessages(q, this.surroundings.client.token, cursor, signal),
    go: ({ chat, seq }) => this.#go(chat, seq),
    end: () => this.#turnSearch(false),
  });
  #find = iconButton("search", WORDS.search, () => this.#turnSearch(this.#search.element.hidden));
  #download = iconButton("download", WORDS.download, () => this.#save());

  /** @param {Surroundings} surroundings */
  constructor(surroundings) {
    this.surroundings = surroundings;
    const foot = h("div", { class: "foot-of-chat" }, this.#typing, this.#place, this.#ended, this.#link, this.#composer.element);
    this.element = h("section", { class: "talk", "aria-label": surroundings.brand }, this.#loading, this.#search.element, this.#messages.element, foot, this.#leaving);
    const { client } = surroundings;
    client.on("chat", (/** @type {any} */ { chat }) => this.#show(chat));
    client.on("events", (/** @type {any} */ { chat }) => this.#show(chat));
    client.on("read", (/** @type {any} */ { chat }) => this.#show(chat));
    client.on("typing", () => this.#showTyping());
    client.on("status", (/** @type {any} */ { status }) => this.#showLink(status));
    this.#showHead();
  }

  focus() {
    if (this.#search.element.hidden) this.#composer.focus();
    else this.#search.focus();
  }

  /** Shows a message of this chat, however old, once the chat is here. @param {number} seq */
  async show(seq) {
    this.#spot = seq;
    if (!this.#chat?.ready) return;
    this.#spot = 0;
    const chat = this.#chat;
    const message = () => chat.events.find((/** @type {any} */ event) => event.seq === seq);
    while (!message() && chat.hasOlder) await chat.older();
    this.#show(chat);
    this.#messages.show(message()?.id);
  }

  /** @returns {string} what was written and did not reach the server */
  unsentText() {
    const unsent = this.#chat?.outgoing.filter((/** @type {any} */ message) => message.status !== "stored") ?? [];
    return unsent.map((/** @type {any} */ message) => message.data.text).join("\n\n");
  }

  /** @param {any} chat */
  #show(chat) {
    this.#chat = chat;
    this.#loading.hidden = chat.ready || chat.events.length > 0 || chat.outgoing.length > 0;
    const nameOf = (/** @type {string} */ id) => this.#nameOf(id);
    const { events, outgoing, me } = chat;
    const fate = (/** @type {any} */ event) => chat.fate(event);
    this.#messages.draw(linesOf({ events, outgoing, me, fate, nameOf }, { locale: navigator.language, now_ms: this.surroundings.client.now() }), this.#fetching);
    this.#showState(chat.state);
    this.#countUnread();
    if (this.#spot > 0 && chat.ready) this.show(this.#spot);
  }

  /** @param {string} chat @param {number} seq */
  #go(chat, seq) {
    this.#turnSearch(false);
    if (chat === this.#chat.id) this.show(seq);
    else this.surroundings.turn(chat, seq);
  }

  /** @param {boolean} on */
  #turnSearch(on) {
    this.element.classList.toggle("searches", on);
    this.#search.element.hidden = !on;
    this.#find.setAttribute("aria-expanded", String(on));
    this.focus();
  }

  /** @param {any} state */
  #showState(state) {
    const closed = state?.status === "closed";
    const position = state?.queue?.position;
    this.#ended.hidden = !closed;
    if (closed) this.#mails.show({ chat: this.#chat.id, token: this.surroundings.client.token }, state.email);
    else this.#mails.hide();
    this.#place.hidden = closed || !position;
    this.#place.textContent = position ? placeWords(position) : "";
    this.#end.hidden = !state?.can?.close;
    this.#download.hidden = !state;
    this.#find.hidden = !state;
    this.#showHead();
  }

  #showHead() {
    const { brand, head } = this.surroundings;
    const state = this.#chat?.state;
    const agent = state?.agent;
    const tools = [this.#find, this.#download, this.#end];
    if (state?.status === "closed") head(brand, WORDS.ended, tools);
    else if (agent) head(agent.name, withYouWords(agent.name), tools);
    else head(brand, state?.queue ? WORDS.soon : WORDS.team, tools);
  }

  #showTyping() {
    const names = (this.#chat?.typers ?? []).map((/** @type {string} */ id) => this.#nameOf(id));
    this.#typing.textContent = names.length > 0 ? typingWords(names) : "";
  }

  /** @param {string} status */
  #showLink(status) {
    this.#link.hidden = status !== "connecting" && status !== "offline";
    this.#link.textContent = status === "offline" ? WORDS.offline : WORDS.connecting;
  }

  /** A name as the state has it, or as it was when the person joined. @param {string} id @returns {string} */
  #nameOf(id) {
    const joined = (/** @type {any} */ event) => event.kind === "join" && event.data.participant?.id === id;
    return this.#chat?.participant(id)?.name ?? this.#chat?.events.find(joined)?.data.participant.name ?? this.surroundings.brand;
  }

  /** @param {number} seq */
  #see(seq) {
    this.#seen = Math.max(this.#seen, seq);
    this.#chat?.read(seq);
    this.#countUnread();
  }

  #countUnread() {
    const { events, me } = this.#chat;
    const read = Math.max(this.#seen, this.#chat.participant(me)?.read ?? 0);
    const unread = events.filter((/** @type {any} */ { kind, by, seq }) => kind === "message" && by !== me && seq > read);
    this.surroundings.unread(unread.length);
  }

  async #older() {
    if (this.#fetching || !this.#chat?.hasOlder) return;
    this.#fetching = true;
    await this.#chat.older();
    this.#fetching = false;
    this.#show(this.#chat);
  }

  #makeEnded() {
    return h(
      "div",
      { class: "ended", hidden: true },
      h("p", {}, h("strong", {}, WORDS.ended), ` ${WORDS.endedHint}`),
      h("button", { type: "button", class: "button", onclick: () => this.#save() }, WORDS.download),
      this.#mails.element,
    );
  }

  #makeLeaving() {
    const stay = h("button", { type: "button", class: "button", onclick: () => this.#leaving.close() }, WORDS.endNot);
    const leave = h("button", { type: "button", class: "button strong", onclick: () => this.#leave() }, WORDS.end);
    const title = h("h2", { id: "leaving" }, WORDS.endSure);
    return h("dialog", { "aria-labelledby": "leaving" }, title, h("p", {}, WORDS.endHint), h("div", { class: "choice" }, stay, leave));
  }

  async #leave() {
    this.#leaving.close();
    await this.#chat.act("close").catch(() => this.#composer.say(WORDS.actFailed));
  }

  async #save() {
    try {
      const url = URL.createObjectURL(await fetchTranscript(this.#chat.id, this.surroundings.client.token));
      h("a", { href: url, download: FILE_NAME }).click();
      URL.revokeObjectURL(url);
    } catch {
      this.#composer.say(WORDS.downloadFailed);
    }
  }
}
