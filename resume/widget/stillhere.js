/**
 * The client library of Stillhere: one live connection, the chats it follows, and an outbox that forgets nothing.
 *
 * The customer's chat (`panel.js`) and the agents' desk stand on it; it draws nothing and touches no element of the page.
 * It speaks protocol version 1 and keeps the rules of its section 4.4. Served as `/assets/stillhere.js`.
 *
 *     import { connect } from "/assets/stillhere.js";
 *
 *     const client = connect({ role: "agent" });                       // an agent: the cookie of the same origin
 *     const client = connect({ role: "customer", token, chats: [id] }); // a customer: resume token
 *     const off = client.on("events", ({ chat }) => draw(chat));
 *     client.watch([chatId]);                                          // agents
 *     client.chat(chatId).send("Hello");
 *
 * ## connect(options) -> Client
 *   role     "customer" (default) or "agent"
 *   token    resume token; customers only
 *   chats    ids to follow from the start; a customer without any gets the newest chat of the session
 *   url      of the live endpoint; default `/api/v1/live` of this origin
 *   store    "browser" (default for customers: IndexedDB, memory if refused) or "memory" (default for agents: nothing of a
 *            customer stays on the agent's machine; what was not sent is gone with the page, so ask before leaving)
 *
 * ## Client
 *   status             "starting", "online", "connecting" (3 s without a link), "offline" (10 s) or "stopped"
 *   on(name, listener) listen; returns a function that stops listening. A listener gets one object.
 *   chat(id)           the Chat, or undefined while it is not known
 *   chats()            all Chats known
 *   watch(ids)         agents: follow chats. They stay followed over reconnects. Answered by "chat" and "events".
 *   unwatch(ids)       agents: stop following
 *   queue()            agents: subscribe to the waiting list, over reconnects too; answered by "queue"
 *   unsent()           number of own messages that are not stored by the server yet
 *   close()            leave; the page is done with it
 *   forget()           leave, and wipe what this browser keeps of the chats; a promise
 *
 * ## Events of a client
 *   status  {status, code?, detail?}   "stopped" carries the close code (4201, 4202: a new token is needed; 4002, 43xx: final)
 *   chat    {chat}                     the chat's state changed (or is known for the first time)
 *   events  {chat}                     `events`, `notes` or `outgoing` of the chat changed
 *   typing  {chat}                     `chat.typers` changed
 *   read    {chat}                     somebody's delivered or read mark moved
 *   queue   {waiting, mine}            as in the protocol
 *   token   {token}                    rotated: keep this one from now on
 *   error   {code, detail, chat?}      the server refused something that no promise tells of, or erased the chat with
 *                                      this id ("erased"); `chat` is an id here
 *
 * ## Chat
 *   id, state, me      state as in protocol 3.4, null until known; `me` is the own participant id or null
 *   ready              whether the newest page is there; never say "no messages" before
 *   events             public events in order, without a hole, ascending; the newest is the last
 *   notes              internal events (agents), ascending, each with `data.after`: the public seq it belongs behind
 *   outgoing           own messages that are not among the events yet:
 *                      {id, data, stream, composed_ms, status: "sending" | "stored" | "refused", code?, detail?}
 *   hasOlder           whether events before `events[0]` exist on the server
 *   typers             ids of the other participants who type now
 *   participant(id)    {id, role, name, read, delivered, online, last_seen} or undefined
 *   fate(event)        of an own event: "stored", "delivered" or "read"
 *   send(text, {stream?, reply_to?, attachments?}) -> id       stored before the first try; reopens a closed chat
 *   again(id)          try a refused message once more;  drop(id)  give a refused message up
 *   act(action, data?, {expect_rev?}) -> Promise<ack>          rejects with a Refusal {code, detail, state?};
 *                      action: close, reopen, rate, accept, transfer, release, redact
 *   read(seq)          seen on screen up to here; marks only rise
 *   typing(on)         call at each key press; the library keeps the pace
 *   older() -> Promise fetches a page before `events[0]`; resolves when it is there, at once if there is none
 *
 * Also exported: `newId()` (UUIDv7), `Refusal`.
 */

import { Chat } from "./chat.js";
import { Line } from "./line.js";
import { memoryStore, openStore } from "./store.js";

export { Refusal } from "./acts.js";
export { newId } from "./ids.js";

const LIVE_PATH = "/api/v1/live";
const CLIENT_NAME = "stillhere.js 1";
const PONG_EVERY_EVENTS = 50; // while catching up
const PONG_SOON_MS = 400; // so that the sender sees "delivered" before the next heartbeat
const TAB_CHARACTERS = 16;

/**
 * @typedef {object} Options
 * @property {"customer" | "agent"} [role]
 * @property {string} [token]
 * @property {string[]} [chats]
 * @property {string} [url]
 * @property {"browser" | "memory"} [store]
 */

/** @param {Options} [options] @returns {Client} */
export function connect(options) {
  return new Client(options ?? {});
}

class Client {
  status = "starting";
  /** @type {Map<string, Chat>} */ #chats = new Map();
  /** @type {Map<string, Set<(detail: any) => void>>} */ #listeners = new Map();
  /** @type {Line | null} */ #line = null;
  /** @type {import("./store.js").Store} */ #store = memoryStore();
  #tab = crypto.getRandomValues(new Uint8Array(TAB_CHARACTERS / 2)).reduce((text, byte) => text + hex(byte), "");
  #queueWanted = false;
  #applied = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #pongTimer;
  #closed = false;

  /** @param {Options} options */
  constructor({ role = "customer", token, chats = [], url = liveUrl(), store }) {
    this.role = role;
    this.token = token;
    this.#start(url, chats, store ?? (role === "agent" ? "memory" : "browser"));
  }

  /** @param {string} url @param {string[]} chats @param {"browser" | "memory"} store */
  async #start(url, chats, store) {
    if (store === "browser") this.#store = await openStore();
    await Promise.all(chats.map((id) => this.#follow(id).load(true)));
    if (this.#closed) return;
    this.#line = new Line(url, {
      hello: () => this.#hello(),
      frame: (frame) => this.#hear(frame),
      lost: () => this.#chats.forEach((chat) => chat.lost()),
      status: (status) => this.#tell(status),
      marks: () => this.#marks(),
    });
  }

  /** @param {string} name @param {(detail: any) => void} listener @returns {() => void} */
  on(name, listener) {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => listeners.delete(listener);
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
    return this.chats().reduce((sum, chat) => sum + chat.outbox.unsent.length, 0);
  }

  close() {
    this.#closed = true;
    this.#line?.close();
    this.#chats.forEach((chat) => chat.leave("left", "The connection was closed"));
  }

  async forget() {
    this.close();
    await this.#store.clear();
  }

  /** @param {string} id @returns {Chat} */
  #follow(id) {
    const chat = new Chat(id, {
      role: this.role,
      online: () => this.#line?.ready ?? false,
      send: (frame) => this.#send(frame),
      emit: (name, detail) => this.#emit(name, detail),
      store: this.#store,
    });
    this.#chats.set(id, chat);
    return chat;
  }

  #hello() {
    const { role, token } = this;
    const who = role === "customer" ? { token, chats: this.chats().map((chat) => chat.mark) } : { chats: [] };
    return { type: "hello", ...who, tab: this.#tab, client: CLIENT_NAME };
  }

  /** @param {Record<string, any>} frame */
  #hear(frame) {
    if (frame.type === "welcome") this.#welcome(frame);
    else if (frame.type === "queue") this.#emit("queue", { waiting: frame.waiting, mine: frame.mine });
    else if (frame.type === "ping") this.#heads(frame.heads ?? {});
    else if (frame.type === "nack" && !frame.id) this.#emit("error", { code: frame.code, detail: frame.detail, chat: frame.chat });
    else if (frame.chat) this.#hearOfChat(frame);
  }

  /** @param {Record<string, any>} welcome */
  #welcome({ token, chats }) {
    if (token) {
      this.token = token;
      this.#emit("token", { token });
    }
    chats.forEach((/** @type {any} */ resume) => this.#resume(resume));
    if (this.role !== "agent") return;
    if (this.#chats.size > 0) this.#send({ type: "watch", chats: this.chats().map((chat) => chat.mark) });
    if (this.#queueWanted) this.#send({ type: "queue" });
  }

  /** @param {Record<string, any>} resume */
  #resume(resume) {
    let chat = this.#chats.get(resume.chat);
    if (!chat && this.role === "agent") return; // unwatched meanwhile
    if (!chat) {
      chat = this.#follow(resume.chat);
      chat.load(false);
    }
    chat.resume(resume);
    this.#count(resume.events.length > 0);
  }

  /** @param {Record<string, any>} frame */
  #hearOfChat(frame) {
    const chat = this.#chats.get(frame.chat);
    if (frame.type === "resume") this.#resume(frame);
    else if (!chat) return;
    else if (frame.type === "event") this.#count(chat.event(frame));
    else if (frame.type === "page") chat.page(frame);
    else if (frame.type === "ack") chat.ack(frame);
    else if (frame.type === "nack") chat.nack(frame);
    else if (frame.type === "state") chat.takeState(frame.state);
    else if (frame.type === "read") chat.marks(frame);
    else if (frame.type === "typing") chat.othersTyping(frame);
  }

  /** @param {Record<string, number>} heads */
  #heads(heads) {
    for (const [id, head] of Object.entries(heads)) this.#chats.get(id)?.known(head);
  }

  /** Tells the server how far we are, without waiting for its ping. @param {boolean} applied */
  #count(applied) {
    if (!applied) return;
    clearTimeout(this.#pongTimer);
    if (++this.#applied % PONG_EVERY_EVENTS === 0) this.#pong();
    else this.#pongTimer = setTimeout(() => this.#pong(), PONG_SOON_MS);
  }

  #pong() {
    this.#send({ type: "pong", n: 0, have: this.#marks() });
  }

  #marks() {
    return Object.fromEntries(this.chats().map((chat) => [chat.id, chat.top]));
  }

  /** @param {import("./line.js").Status} status */
  #tell(status) {
    this.status = status.status;
    this.#emit("status", status);
  }

  /** @param {Record<string, any>} frame */
  #send(frame) {
    return this.#line?.send(frame) ?? false;
  }

  /** @param {string} name @param {Record<string, any>} detail */
  #emit(name, detail) {
    this.#listeners.get(name)?.forEach((listener) => listener(detail));
  }
}

/** The live endpoint of the origin that this page came from. */
function liveUrl() {
  const url = new URL(LIVE_PATH, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  return url.href;
}

/** @param {number} byte */
function hex(byte) {
  return byte.toString(16).padStart(2, "0");
}
