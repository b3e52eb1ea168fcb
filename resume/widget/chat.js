/**
 * One chat as this client follows it: its events, its state, its outbox, who types and how far others have read.
 *
 * Frames of the chat come in through the methods of the first half, called by `stillhere.js`; pages use the second half,
 * which is described there. It reaches the connection and the browser's store through `Wire` only.
 */

import { Acts } from "./acts.js";
import { Feed } from "./feed.js";
import { newId } from "./ids.js";
import { Kept } from "./kept.js";
import { Outbox } from "./outbox.js";
import { Reach, Typers } from "./people.js";

const TYPING_EVERY_MS = 3_000;

/**
 * @typedef {import("./log.js").Event} Event
 * @typedef {import("./outbox.js").Entry} Entry
 * @typedef {"public" | "internal"} Stream
 * @typedef {object} Wire
 * @property {"customer" | "agent"} role
 * @property {() => boolean} online
 * @property {(frame: Record<string, any>) => boolean} send
 * @property {(name: string, detail: Record<string, any>) => void} emit
 * @property {import("./store.js").Store} store
 */

export class Chat {
  /** @type {Record<string, any> | null} */ state = null;
  /** @type {string | null} */ me = null;
  ready = false;
  #loaded = false;
  #feeds = { public: new Feed(), internal: new Feed() };
  #acts = new Acts();
  #typers = new Typers(() => this.wire.emit("typing", { chat: this }));
  #reach = new Reach();
  #readHere = 0;
  #typingSent_ms = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #pause;
  /** @type {Kept} */ #kept;

  /** @param {string} id @param {Wire} wire */
  constructor(id, wire) {
    this.id = id;
    this.wire = wire;
    this.outbox = new Outbox(id, wire.role === "customer");
    this.#kept = new Kept(wire.store, id);
  }

  // What the connection brings

  /** What this browser kept: own messages, and with `withTail` the newest events. @param {boolean} withTail */
  async load(withTail) {
    const [tail, entries] = await Promise.all([withTail ? this.#kept.tail() : undefined, this.#kept.entries(Date.now())]);
    if (tail && !this.ready) {
      this.me = tail.me;
      this.#feeds.public.log.take(tail.events);
      this.takeState(tail.state);
    }
    this.outbox.adopt(entries);
    this.#loaded = true;
    this.#changed();
    this.#pump();
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
    this.#recognise(events);
    if (reset === "diverged") this.#kept.keep(this.outbox.offerAgain(idsOf(events), Date.now()));
    this.takeState(state);
    this.#changed();
    if (this.#readHere > (this.participant(me)?.read ?? 0)) this.#sendRead();
    this.#askAll();
    this.#pump();
  }

  /** @param {Record<string, any>} frame an `event` @returns {boolean} whether it moved the mark */
  event({ type, chat, stream, ...rest }) {
    const event = /** @type {Event} */ (rest);
    const feed = this.#feeds[/** @type {Stream} */ (stream)];
    const outcome = feed.log.append(event);
    if (outcome === "ahead") {
      feed.known(event.seq);
      this.#askAll();
    }
    if (outcome !== "applied") return false;
    this.#recognise([event]);
    this.#typers.stops(event.by);
    this.#changed();
    return true;
  }

  /** @param {Record<string, any>} page */
  page({ stream, events, floor }) {
    this.#feeds[/** @type {Stream} */ (stream)].page(events, floor ?? 0);
    this.#recognise(events);
    this.#changed();
    this.#askAll();
  }

  /** The server has events up to here. @param {number} head */
  known(head) {
    this.#feeds.public.known(head);
    this.#askAll();
  }

  /** @param {Record<string, any>} ack */
  ack(ack) {
    if (this.#acts.acked(ack)) return;
    const entry = this.outbox.stored(ack.id, ack.seq);
    if (!entry) return;
    this.#kept.keep([entry]);
    this.#changed();
    this.#pump();
  }

  /** @param {Record<string, any>} nack */
  nack(nack) {
    if (nack.state) this.takeState(nack.state);
    if (!this.#acts.nacked(nack, Date.now())) {
      this.#kept.keep(this.outbox.refused(/** @type {any} */ (nack), Date.now()));
      this.#changed();
    }
    this.#pump();
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

  /** The connection is gone; nothing asked for will be answered. */
  lost() {
    for (const feed of Object.values(this.#feeds)) feed.lost();
    this.outbox.landed();
    this.#acts.lost();
    clearTimeout(this.#pause);
    this.#typers.clear();
  }

  /** Nobody follows this chat any more. @param {string} code @param {string} detail */
  leave(code, detail) {
    this.lost();
    this.#acts.abandon(code, detail);
    this.#kept.rest();
  }

  /** The chat was erased on the server: nothing of it stays here. */
  erase() {
    this.leave("erased", "This chat was erased");
    this.#startOver();
    this.#kept.wipe(this.outbox.entries);
    this.#kept.wipeTail();
    this.outbox = new Outbox(this.id, this.outbox.reopens);
    this.wire.emit("error", { code: "erased", detail: "This chat was erased", chat: this.id });
  }

  // What pages use; described in stillhere.js

  get events() {
    return this.#feeds.public.log.events();
  }

  get notes() {
    return this.#feeds.internal.log.events();
  }

  get outgoing() {
    return this.outbox.entries
      .filter((entry) => entry.state !== "stored" || this.#comesStill(entry))
      .map(({ id, data, stream, composed_ms, state, code, detail }) => {
        const status = state === "stored" || state === "refused" ? state : "sending";
        return { id, data, stream, composed_ms, status, code, detail };
      });
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
    const entry = this.outbox.compose({ id: newId(), data: { text, ...place, ...more }, stream }, Date.now());
    this.#typingSent_ms = 0;
    this.#changed();
    this.#kept.keepFirst(entry).then(() => {
      this.outbox.kept(entry.id);
      this.#pump();
    });
    return entry.id;
  }

  /** @param {string} id */
  again(id) {
    this.#kept.keep([this.outbox.again(id)]);
    this.#changed();
    this.#pump();
  }

  /** @param {string} id */
  drop(id) {
    this.#kept.wipe([this.outbox.drop(id)]);
    this.#changed();
  }

  /**
   * @param {string} action
   * @param {Record<string, any>} [data]
   * @param {{expect_rev?: number}} [options]
   * @returns {Promise<Record<string, any>>} the ack; rejects with a Refusal
   */
  act(action, data, { expect_rev } = {}) {
    const answer = this.#acts.add({ chat: this.id, action, data, expect_rev });
    this.#pump();
    return answer;
  }

  /** @param {number} seq */
  read(seq) {
    if (seq <= this.#readHere) return;
    this.#readHere = seq;
    this.#sendRead();
  }

  /** @param {boolean} on */
  typing(on) {
    const now_ms = Date.now();
    if (on ? now_ms - this.#typingSent_ms < TYPING_EVERY_MS : this.#typingSent_ms === 0) return;
    this.#typingSent_ms = on ? now_ms : 0;
    this.wire.send({ type: "typing", chat: this.id, on });
  }

  /** @returns {Promise<void>} */
  older() {
    const there = this.#feeds.public.older();
    this.#askAll();
    return there;
  }

  // Inside

  /** Own messages among events are stored, and redacted ones must not stay in this browser. @param {Event[]} events */
  #recognise(events) {
    this.#kept.keep(events.filter((event) => event.by === this.me).map((event) => this.outbox.stored(event.id, event.seq)));
    for (const event of events) {
      if (event.kind === "redact") this.#kept.wipe([this.outbox.forget(event.data.seq)]);
      if (event.data.redacted) this.#kept.wipe([this.outbox.forget(event.seq)]);
    }
  }

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

  /** Sends what may be sent now, and comes back when a pause is over. */
  #pump() {
    if (!this.ready || !this.#loaded || !this.wire.online()) return;
    for (const entry of this.outbox.take(Date.now())) this.wire.send(this.#sendFrame(entry));
    // An act waits for the messages written before it: a close must not overtake a last word.
    if (this.outbox.unsent.length === 0) this.#acts.sendAll(this.wire.send, Date.now());
    const next_ms = this.outbox.next_ms ?? this.#acts.next_ms;
    clearTimeout(this.#pause);
    if (next_ms !== null) this.#pause = setTimeout(() => this.#pump(), Math.max(0, next_ms - Date.now()));
  }

  /** @param {Entry} entry */
  #sendFrame({ id, prev, data, stream, reopen }) {
    const frame = { type: "send", chat: this.id, id, prev, data };
    if (stream === "internal") return { ...frame, stream };
    return reopen || this.state?.status === "closed" ? { ...frame, reopen: true } : frame;
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
    this.wire.emit("events", { chat: this });
  }

  #rememberTail() {
    this.#kept.keepTail(() => ({ me: this.me, state: this.state, events: this.events }));
  }
}

/** @param {Event[]} events */
function idsOf(events) {
  return new Set(events.map((event) => event.id));
}
