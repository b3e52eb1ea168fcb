/**
 * The client library of Stillhere: one live connection, the chats it follows, and an outbox that forgets nothing.
 *
 * The customer's chat (`panel.js`) and the agents' desk stand on it; it draws nothing and touches no element of the page.
 * It speaks protocol version 1 and keeps the rules of its section 4.4, in pages (served as `/assets/stillhere.js`) and in
 * Node from 18 on. docs/client.md describes all of it.
 *
 *     import { connect } from "/assets/stillhere.js";
 *
 *     const client = connect({ token, chats: [id] });  // a customer; agents: connect({ role: "agent" }), then watch([id])
 *     client.addEventListener("events", ({ detail }) => draw(detail.chat));
 *     client.chat(id).send("Hello");
 */

import { Chat } from "./chat.js";
import { newId } from "./ids.js";
import { Line } from "./line.js";
import { memoryStore, openStore } from "./store.js";
import { openTabs } from "./tabs.js";
import { makeTransports } from "./transports.js";

export { Refusal } from "./acts.js";
export { startChat } from "./api.js";
export { newId } from "./ids.js";

const CLIENT_NAME = "stillhere.js 1";
const PONG_EVERY_EVENTS = 50; // while catching up
const PONG_SOON_MS = 400; // so that the sender sees "delivered" before the next heartbeat
const WATCH_AGAIN_MS = 1_000;
const TAB_CHARACTERS = 16;
const FRAME_BYTES = 64 * 1024;
const ERASED = 4310;

/**
 * @typedef {object} Options
 * @property {"customer" | "agent"} [role]
 * @property {string} [token]
 * @property {string[]} [chats]
 * @property {string} [origin]
 * @property {"browser" | "memory"} [store]
 * @property {typeof globalThis.WebSocket | null} [WebSocket]
 * @property {typeof globalThis.fetch} [fetch]
 */

/** @param {Options} [options] @returns {Client} */
export function connect(options) {
  return new Client(options ?? {});
}

/** An event of a client; `detail` is what it tells. (Node 18 has no CustomEvent.) */
class Told extends Event {
  /** @param {string} name @param {Record<string, any>} detail */
  constructor(name, detail) {
    super(name);
    this.detail = detail;
  }
}

class Client extends EventTarget {
  status = "starting";
  /** @type {Map<string, Chat>} */ #chats = new Map();
  /** @type {Line} */ #line;
  /** @type {Promise<import("./store.js").Store>} */ #store;
  /** @type {ReturnType<typeof openTabs> | null} */ #tabs = null;
  #tabNames = { socket: newTabName(), poll: newTabName() }; // the server ends whoever has the same name
  #queueWanted = false;
  #applied = 0; // events since the last word about them
  #ahead_ms = 0; // how far the server's clock is ahead of this one
  #frameBytes = FRAME_BYTES;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #pongTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #watchTimer;
  #closed = false;

  /** @param {Options} options */
  constructor(options) {
    super();
    this.role = options.role ?? "customer";
    this.token = options.token;
    this.#line = this.#makeLine(options);
    const store = options.store ?? (this.role === "agent" ? "memory" : "browser");
    this.#store = store === "browser" ? openStore() : Promise.resolve(memoryStore());
    if (store === "browser") this.#tabs = openTabs((word) => this.#hearTab(word));
    this.#start((options.chats ?? []).map((id) => this.#follow(id)));
  }

  /** @param {Options} options */
  #makeLine(options) {
    const transports = makeTransports(options, this.role === "agent" ? "same-origin" : "omit", (way) => ({
      hello: () => this.#hello(this.#tabNames[way]),
      follow: () => this.#followed(),
      marks: () => this.#marks(),
    }));
    const ears = {
      frame: (/** @type {any} */ frame) => this.#hear(frame),
      lost: () => this.#chats.forEach((chat) => chat.lost()),
      status: (/** @type {import("./line.js").Status} */ status) => this.#tell(status),
      marks: () => this.#marks(),
    };
    return new Line(ears, transports);
  }

  /** @param {Chat[]} chats what this browser has of them is known before the server is asked for the rest */
  async #start(chats) {
    await Promise.all(chats.map((chat) => chat.load(true)));
    if (!this.#closed) this.#line.start();
  }

  /** @param {string} name @param {(detail: any) => void} listener @returns {() => void} */
  on(name, listener) {
    const heard = (/** @type {Event} */ event) => listener(/** @type {Told} */ (event).detail);
    this.addEventListener(name, heard);
    return () => this.removeEventListener(name, heard);
  }

  /** What the server's clock says; no decision depends on it. @returns {number} milliseconds since 1970 */
  now() {
    return Date.now() + this.#ahead_ms;
  }

  /** @param {string} id */
  chat(id) {
    return this.#chats.get(id);
  }

  chats() {
    return [...this.#chats.values()];
  }

  /** @param {string[]} ids */
  watch(ids) {
    const fresh = ids.filter((id) => !this.#chats.has(id)).map((id) => this.#follow(id));
    fresh.forEach((chat) => chat.load(true));
    if (fresh.length > 0) this.#send({ type: "watch", chats: fresh.map((chat) => chat.mark) });
  }

  /** @param {string[]} ids */
  unwatch(ids) {
    const left = ids.filter((id) => this.#chats.has(id));
    left.forEach((id) => this.chat(id)?.leave("left", "The chat is not followed any more"));
    left.forEach((id) => this.#chats.delete(id));
    if (left.length > 0) this.#send({ type: "unwatch", chats: left });
  }

  queue() {
    this.#queueWanted = true;
    this.#send({ type: "queue" });
  }

  unsent() {
    return this.chats().reduce((sum, chat) => sum + chat.unsent, 0);
  }

  /** Goes on with another token after "stopped". @param {string} token */
  renew(token) {
    this.token = token;
    this.#line.start();
  }

  close() {
    this.#closed = true;
    this.#line.close();
    this.#tabs?.close();
    clearTimeout(this.#pongTimer);
    clearTimeout(this.#watchTimer);
    this.#chats.forEach((chat) => chat.leave("left", "The connection was closed"));
  }

  async forget() {
    this.close();
    await (await this.#store).clear();
  }

  /** @param {string} id @returns {Chat} */
  #follow(id) {
    const chat = new Chat(id, {
      role: this.role,
      online: () => this.#line.ready,
      send: (frame) => this.#send(frame),
      emit: (name, detail) => this.#emit(name, detail),
      tell: (word) => this.#tabs?.tell(word),
      check: () => this.#line.wake(),
      now: () => this.now(),
      frameBytes: () => this.#frameBytes,
      store: this.#store,
    });
    this.#chats.set(id, chat);
    return chat;
  }

  /** @param {string} tab */
  #hello(tab) {
    const { role, token } = this;
    const who = role === "customer" ? { token, chats: this.#positions() } : { chats: [] };
    return { type: "hello", ...who, tab, client: CLIENT_NAME };
  }

  /** What an agent wants to follow, said once each connection. */
  #followed() {
    if (this.role !== "agent") return [];
    const watch = this.#chats.size > 0 ? [{ type: "watch", chats: this.#positions() }] : [];
    return this.#queueWanted ? [...watch, { type: "queue" }] : watch;
  }

  #positions() {
    return this.chats().map((chat) => chat.mark);
  }

  /** @param {Record<string, any>} frame */
  #hear(frame) {
    if (frame.type === "welcome") this.#welcome(frame);
    else if (frame.type === "queue") this.#emit("queue", { waiting: frame.waiting, mine: frame.mine });
    else if (frame.type === "ping") this.#heads(frame.heads ?? {});
    else if (frame.type === "resume") this.#resume(frame);
    else if (frame.chat) this.#hearOfChat(frame);
    else if (frame.type === "nack") this.#watchRefused(frame);
  }

  /** @param {Record<string, any>} welcome */
  #welcome({ token, chats, now, limits }) {
    this.#ahead_ms = (Date.parse(now) || Date.now()) - Date.now();
    this.#frameBytes = limits?.frame_bytes ?? FRAME_BYTES;
    if (token) {
      this.token = token;
      this.#emit("token", { token });
    }
    chats.forEach((/** @type {any} */ resume) => this.#resume(resume));
  }

  /** @param {Record<string, any>} nack */
  #watchRefused({ retry, after_ms, code, detail }) {
    this.#emit("error", { code, detail });
    clearTimeout(this.#watchTimer);
    if (retry) this.#watchTimer = setTimeout(() => this.#followed().forEach((frame) => this.#send(frame)), after_ms ?? WATCH_AGAIN_MS);
  }

  /** @param {Record<string, any>} resume */
  #resume(resume) {
    if (!this.#chats.has(resume.chat)) {
      if (this.role === "agent") return; // unwatched meanwhile
      this.#follow(resume.chat).load(false);
    }
    this.#hearOfChat({ ...resume, type: "resume" });
  }

  /** @param {Record<string, any>} frame */
  #hearOfChat(frame) {
    const chat = this.#chats.get(frame.chat);
    if (!chat) return;
    const before = chat.top;
    if (frame.type === "resume") chat.resume(frame);
    else if (frame.type === "event") chat.event(frame);
    else if (frame.type === "page") chat.page(frame);
    else if (frame.type === "ack") chat.ack(frame);
    else if (frame.type === "nack") chat.nack(frame);
    else if (frame.type === "state") chat.takeState(frame.state);
    else if (frame.type === "read") chat.marks(frame);
    else if (frame.type === "typing") chat.othersTyping(frame);
    if (chat.top > before) this.#applies(chat, chat.top - before);
  }

  /** @param {Record<string, number>} heads */
  #heads(heads) {
    for (const [id, head] of Object.entries(heads)) this.#chats.get(id)?.known(head);
  }

  /** @param {import("./tabs.js").Word} word */
  #hearTab({ chat, head, outbox }) {
    if (head) this.chat(chat)?.hearsOf(head);
    if (outbox) this.chat(chat)?.lookIntoOutbox();
  }

  /** Tells the server and other tabs how far we are, without waiting for a ping. @param {Chat} chat @param {number} count */
  #applies(chat, count) {
    this.#tabs?.tell({ chat: chat.id, head: chat.top });
    clearTimeout(this.#pongTimer);
    this.#applied += count;
    if (this.#applied >= PONG_EVERY_EVENTS) this.#pong();
    else this.#pongTimer = setTimeout(() => this.#pong(), PONG_SOON_MS);
  }

  #pong() {
    this.#applied = 0;
    this.#send({ type: "pong", n: 0, have: this.#marks() });
  }

  #marks() {
    return Object.fromEntries(this.chats().map((chat) => [chat.id, chat.top]));
  }

  /** @param {import("./line.js").Status} status */
  #tell(status) {
    this.status = status.status;
    if (status.code === ERASED) this.#chats.forEach((chat) => chat.erase()); // nothing else is left, says the server
    this.#emit("status", status);
  }

  /** @param {Record<string, any>} frame */
  #send(frame) {
    return this.#line.send(frame);
  }

  /** @param {string} name @param {Record<string, any>} detail */
  #emit(name, detail) {
    this.dispatchEvent(new Told(name, detail));
  }
}

function newTabName() {
  return newId().replaceAll("-", "").slice(-TAB_CHARACTERS);
}
