/**
 * One chat as this client follows it: its events, its state, who types and how far others have read.
 *
 * Frames of the chat come in through the methods of the first half, called by `stillhere.js`; pages use the second half,
 * which docs/client.md describes. What this client says itself is in the hands of `sender.js`. It reaches the connection,
 * the browser's store and other tabs through `Wire` only.
 */

import { Feed } from "./feed.js";
import { Kept } from "./kept.js";
import { Reach, Typers } from "./people.js";
import { Sender } from "./sender.js";

const TYPING_EVERY_MS = 3_000;
const ASK_AGAIN_MS = 1_000;
const NEWS_MS = 1_000; // so long after another tab's word the event should have come by itself

/**
 * @typedef {import("./log.js").Event} Event
 * @typedef {import("./outbox.js").Entry} Entry
 * @typedef {"public" | "internal"} Stream
 * @typedef {object} Wire
 * @property {"customer" | "agent"} role
 * @property {() => boolean} online
 * @property {(frame: Record<string, any>) => boolean} send
 * @property {(name: string, detail: Record<string, any>) => void} emit
 * @property {(word: import("./tabs.js").Word) => void} tell to other tabs
 * @property {() => void} check is the connection still alive?
 * @property {() => number} now what the server's clock says, in milliseconds since 1970
 * @property {() => number} frameBytes the largest frame that the server takes
 * @property {Promise<import("./store.js").Store>} store
 */

export class Chat {
  /** @type {Record<string, any> | null} */ state = null;
  /** @type {string | null} */ me = null;
  ready = false;
  erased = false;
  #feeds = { public: new Feed(), internal: new Feed() };
  #typers = new Typers(() => this.wire.emit("typing", { chat: this }));
  #reach = new Reach();
  #readHere = 0;
  #typingSent_ms = -Infinity;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #askTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #newsTimer;
  /** @type {Kept} */ #kept;
  /** @type {Sender} */ #sender;

  /** @param {string} id @param {Wire} wire */
  constructor(id, wire) {
    this.id = id;
    this.wire = wire;
    this.#kept = new Kept(wire.store, id);
    this.#sender = new Sender(this, this.#kept);
  }

  // What the connection brings

  /** What this browser kept: own messages, and with `withTail` the newest events. @param {boolean} withTail */
  async load(withTail) {
    const [tail] = await Promise.all([withTail ? this.#kept.tail() : undefined, this.#sender.load()]);
    if (!tail || this.ready || this.erased) return;
    this.me = tail.me;
    this.#feeds.public.log.take(tail.events);
    this.takeState(tail.state);
    this.#changed();
  }

  /** Where this client's copy ends, for hello and watch. */
  get mark() {
    return { chat: this.id, ...this.#feeds.public.log.mark, rev: this.state?.rev ?? 0 };
  }

  /** The highest number applied without a hole. */
  get top() {
    return this.#feeds.public.log.top;
  }

  /** @param {Record<string, any>} resume */
  resume({ me, state, head, floor, events, reset }) {
    if (reset === "erased") {
      this.erase();
      return;
    }
    if (reset === "diverged") this.#startOver();
    this.me = me;
    this.ready = true;
    this.#feeds.public.log.raiseFloor(floor);
    this.#feeds.public.log.take(events);
    this.#feeds.public.known(head);
    if (this.wire.role === "agent") this.#feeds.internal.known(Infinity); // the resume does not speak of notes
    this.#sender.recognise(events, me, "public");
    this.#sender.erasedTo(floor);
    this.#sender.offerAgain(events, reset === "diverged" ? 0 : head - events.length);
    this.takeState(state);
    this.#changed();
    if (this.#readHere > (this.participant(me)?.read ?? 0)) this.#sendRead();
    this.#askAll();
    this.#sender.pump();
    this.#sender.look();
  }

  /** @param {Record<string, any>} frame an `event` */
  event({ type, chat, stream, ...rest }) {
    const event = /** @type {Event} */ (rest);
    const feed = this.#feeds[/** @type {Stream} */ (stream)];
    const outcome = feed.log.append(event);
    if (outcome === "ahead") {
      feed.known(event.seq);
      this.#askAll();
    }
    if (outcome !== "applied") return;
    this.#sender.recognise([event], this.me, stream);
    this.#typers.stops(event.by);
    this.#changed();
  }

  /** @param {Record<string, any>} page */
  page({ stream, events, floor }) {
    this.#feeds[/** @type {Stream} */ (stream)].page(events, floor ?? 0);
    this.#sender.recognise(events, this.me, stream);
    this.#sender.erasedTo(stream === "public" ? (floor ?? 0) : 0);
    this.#changed();
    this.#askAll();
  }

  /** The server has events up to here. @param {number} head */
  known(head) {
    this.#feeds.public.known(head);
    this.#askAll();
  }

  /** Another tab says so: if it does not come by itself, the connection is asked whether it lives. @param {number} head */
  hearsOf(head) {
    if (head <= this.top) return;
    clearTimeout(this.#newsTimer);
    this.#newsTimer = setTimeout(() => {
      if (head <= this.top) return;
      this.wire.check();
      this.known(head);
    }, NEWS_MS);
  }

  /** Another tab has written something into the outbox. */
  lookIntoOutbox() {
    this.#sender.look();
  }

  /** @param {Record<string, any>} ack */
  ack(ack) {
    this.#sender.acked(ack);
  }

  /** @param {Record<string, any>} nack */
  nack(nack) {
    if (nack.state) this.takeState(nack.state);
    if (nack.code === "erased") this.erase();
    else if (nack.id) this.#sender.nacked(nack);
    else this.#questionRefused(nack);
  }

  /** A `get` was not answered. @param {Record<string, any>} nack */
  #questionRefused({ retry, after_ms, code, detail }) {
    for (const feed of Object.values(this.#feeds)) feed.lost();
    clearTimeout(this.#askTimer);
    if (retry) this.#askTimer = setTimeout(() => this.#askAll(), after_ms ?? ASK_AGAIN_MS);
    else this.wire.emit("error", { code, detail, chat: this.id });
  }

  /** States are whole; an older one than the one held says nothing. @param {Record<string, any>} state */
  takeState(state) {
    if (this.state && state.rev < this.state.rev) return;
    this.state = state;
    this.#reach.measure(state.participants, this.wire.role);
    this.#rememberTail();
    this.wire.emit("chat", { chat: this });
  }

  /** @param {Record<string, any>} frame a `read` */
  marks({ participant, read, delivered }) {
    const person = this.participant(participant);
    if (!person) return;
    person.read = Math.max(person.read, read);
    person.delivered = Math.max(person.delivered, delivered);
    this.#reach.measure([person], this.wire.role);
    this.wire.emit("read", { chat: this });
  }

  /** @param {Record<string, any>} frame a `typing` */
  othersTyping({ participant, on, ttl_ms }) {
    if (participant === this.me) return;
    if (on) this.#typers.starts(participant, ttl_ms);
    else this.#typers.stops(participant);
  }

  /** The sender says that what is on its way has changed. */
  outgoingChanged() {
    this.wire.emit("events", { chat: this });
  }

  /** The connection is gone; nothing asked for will be answered. */
  lost() {
    for (const feed of Object.values(this.#feeds)) feed.lost();
    this.#sender.lost();
    clearTimeout(this.#askTimer);
    this.#typers.clear();
  }

  /** Nobody follows this chat any more. @param {string} code @param {string} detail */
  leave(code, detail) {
    this.lost();
    this.#sender.abandon(code, detail);
    clearTimeout(this.#newsTimer);
    this.#kept.rest();
  }

  /** The chat was erased on the server: nothing of it stays here. However often that is told, the page hears it once. */
  erase() {
    if (this.erased) return;
    this.erased = true;
    this.leave("erased", "This chat was erased");
    this.#startOver();
    this.#sender.wipe();
    this.wire.emit("error", { code: "erased", detail: "This chat was erased", chat: this.id });
  }

  // What pages use; described in docs/client.md

  get events() {
    return this.#feeds.public.log.events();
  }

  get notes() {
    return this.#feeds.internal.log.events();
  }

  get outgoing() {
    return this.#sender.outbox.entries
      .filter((entry) => entry.state !== "stored" || this.#comesStill(entry))
      .map(({ id, data, stream, composed_ms, state, code, detail }) => {
        const status = state === "stored" || state === "refused" ? state : "sending";
        return { id, data, stream, composed_ms, status, code, detail };
      });
  }

  /** How many own messages the server does not keep yet. */
  get unsent() {
    return this.#sender.outbox.unsent.length;
  }

  /** Whether the thread has ended, so that a message begins a new one. */
  get closed() {
    return this.state?.status === "closed";
  }

  get hasOlder() {
    return this.#feeds.public.log.hasOlder;
  }

  get typers() {
    return this.#typers.ids;
  }

  /** @param {string} id @returns {Record<string, any> | undefined} */
  participant(id) {
    return this.state?.participants.find((/** @type {{id: string}} */ person) => person.id === id);
  }

  /** @param {Event} event @returns {"stored" | "delivered" | "read"} */
  fate(event) {
    return this.#reach.fate(event.seq);
  }

  /**
   * @param {string} text
   * @param {{stream?: Stream, reply_to?: number, attachments?: object[]}} [options]
   * @returns {string} the message's id
   */
  send(text, { stream = "public", ...more } = {}) {
    const place = stream === "internal" ? { after: this.top } : {};
    this.#typingSent_ms = -Infinity;
    return this.#sender.compose({ text, ...place, ...more }, stream);
  }

  /** @param {string} id */
  again(id) {
    this.#sender.again(id);
  }

  /** @param {string} id */
  drop(id) {
    this.#sender.drop(id);
  }

  /**
   * @param {string} action
   * @param {Record<string, any>} [data]
   * @param {{expect_rev?: number}} [options]
   * @returns {Promise<Record<string, any>>} the ack; rejects with a Refusal
   */
  act(action, data, { expect_rev } = {}) {
    return this.#sender.act({ chat: this.id, action, data, expect_rev });
  }

  /** @param {number} seq */
  read(seq) {
    if (seq <= this.#readHere) return;
    this.#readHere = seq;
    this.#sendRead();
  }

  /** @param {boolean} on */
  typing(on) {
    const now_ms = performance.now();
    if (on ? now_ms - this.#typingSent_ms < TYPING_EVERY_MS : this.#typingSent_ms === -Infinity) return;
    this.#typingSent_ms = on ? now_ms : -Infinity;
    this.wire.send({ type: "typing", chat: this.id, on });
  }

  /** @returns {Promise<void>} */
  older() {
    const there = this.#feeds.public.older();
    this.#askAll();
    return there;
  }

  // Inside

  /** An own message that is acknowledged while its event is still on the way. @param {Entry} entry */
  #comesStill(entry) {
    return this.ready && (entry.seq ?? 0) > this.#feeds[entry.stream].log.top;
  }

  #askAll() {
    if (!this.ready || !this.wire.online()) return;
    for (const stream of /** @type {Stream[]} */ (Object.keys(this.#feeds))) {
      const question = this.#feeds[stream].next();
      if (question) this.wire.send({ type: "get", chat: this.id, stream, ...question });
    }
  }

  #sendRead() {
    if (this.ready) this.wire.send({ type: "read", chat: this.id, seq: Math.min(this.#readHere, this.top) });
  }

  #startOver() {
    for (const feed of Object.values(this.#feeds)) feed.startOver();
    this.#reach = new Reach();
    this.#readHere = 0;
    this.state = null;
    this.ready = false;
  }

  #changed() {
    this.#rememberTail();
    this.outgoingChanged();
  }

  #rememberTail() {
    this.#kept.keepTail(() => ({ me: this.me, state: this.state, events: this.events }));
  }
}
