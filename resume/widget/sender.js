/**
 * What this client says in one chat, until the server has answered: messages from the outbox, and acts. Stores a message
 * before it is sent, sends what may be sent, and hears the answers. Used by `chat.js`; what goes out when is decided by
 * `outbox.js` and `acts.js`.
 */

import { Acts } from "./acts.js";
import { newId } from "./ids.js";
import { Outbox } from "./outbox.js";

const OTHER_TAB_MS = 3_000; // so long a message is left to the tab that wrote it

/**
 * @typedef {import("./log.js").Event} Event
 * @typedef {import("./outbox.js").Entry} Entry
 * @typedef {object} Talker the chat, as far as sending goes
 * @property {string} id
 * @property {import("./chat.js").Wire} wire
 * @property {boolean} ready
 * @property {boolean} closed whether a message must reopen the chat
 * @property {() => void} outgoingChanged
 */

export class Sender {
  #acts = new Acts();
  #loaded = false;
  #wiped = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #pause;

  /** @param {Talker} chat @param {import("./kept.js").Kept} kept */
  constructor(chat, kept) {
    this.chat = chat;
    this.kept = kept;
    this.outbox = this.#newOutbox();
  }

  /** Takes over what earlier pages left behind. */
  async load() {
    const entries = await this.kept.entries(this.chat.wire.now());
    if (this.#wiped) return;
    this.outbox.adopt(entries);
    this.#loaded = true;
    this.#changed();
  }

  /** Looks for what other tabs have written, or have seen stored. */
  async look() {
    if (!this.#loaded) return;
    this.outbox.meet(await this.kept.entries(this.chat.wire.now()), steady_ms() + OTHER_TAB_MS);
    this.#changed();
  }

  /** @param {Record<string, any>} data @param {"public" | "internal"} stream @returns {string} the message's id */
  compose(data, stream) {
    const entry = this.outbox.compose({ id: newId(), data, stream }, this.chat.wire.now());
    this.chat.outgoingChanged();
    this.kept.keepFirst(entry).then(() => {
      this.outbox.kept(entry.id);
      this.chat.wire.tell({ chat: this.chat.id, outbox: true });
      this.pump();
    });
    return entry.id;
  }

  /** @param {string} id */
  again(id) {
    this.kept.keep([this.outbox.again(id)]);
    this.#changed();
  }

  /** @param {string} id */
  drop(id) {
    this.kept.wipe([this.outbox.drop(id)]);
    this.chat.outgoingChanged();
  }

  /** @param {Record<string, any>} act @returns {Promise<Record<string, any>>} the ack; rejects with a Refusal */
  act(act) {
    const answer = this.#acts.add(act);
    this.pump();
    return answer;
  }

  /** Sends what may be sent now, and comes back when a pause is over. */
  pump() {
    if (!this.chat.ready || !this.#loaded || !this.chat.wire.online()) return;
    const now_ms = steady_ms();
    for (const entry of this.outbox.take(now_ms)) this.#send(entry, now_ms);
    // An act waits for the messages written before it: a close must not overtake a last word.
    if (this.outbox.unsent.length === 0) this.#acts.sendAll(this.chat.wire.send, now_ms);
    const next_ms = this.outbox.next_ms ?? this.#acts.next_ms;
    clearTimeout(this.#pause);
    if (next_ms !== null && next_ms > now_ms) this.#pause = setTimeout(() => this.pump(), next_ms - now_ms);
  }

  /** @param {Entry} entry @param {number} now_ms */
  #send(entry, now_ms) {
    const { wire } = this.chat;
    const frame = this.#frameOf(entry);
    if (bytes(frame) <= wire.frameBytes()) wire.send(frame);
    else this.#refused({ id: entry.id, code: "too_big", detail: "This message is too long" }, now_ms); // else: close 1009
  }

  /** @param {Entry} entry */
  #frameOf({ id, prev, data, stream, reopen }) {
    const frame = { type: "send", chat: this.chat.id, id, prev, data };
    if (stream === "internal") return { ...frame, stream };
    return reopen || this.chat.closed ? { ...frame, reopen: true } : frame;
  }

  /** @param {Record<string, any>} ack */
  acked(ack) {
    if (this.#acts.acked(ack)) return;
    const entry = this.outbox.stored(ack.id, ack.seq);
    if (!entry) return;
    this.kept.keep([entry]);
    this.#changed();
  }

  /** @param {any} nack */
  nacked(nack) {
    const now_ms = steady_ms();
    if (!this.#acts.nacked(nack, now_ms)) this.#refused(nack, now_ms);
    this.pump();
  }

  /** @param {{id: string, code: string, detail: string}} nack @param {number} now_ms */
  #refused(nack, now_ms) {
    this.kept.keep(this.outbox.refused(nack, now_ms));
    this.chat.outgoingChanged();
  }

  /**
   * Own messages among events are stored, and redacted ones must not stay in this browser.
   * @param {Event[]} events @param {string | null} me @param {"public" | "internal"} stream
   */
  recognise(events, me, stream) {
    this.kept.keep(events.filter(({ by }) => by === me).map(({ id, seq }) => this.outbox.stored(id, seq)));
    const redacted = new Set(events.flatMap(({ kind, seq, data }) => (data.redacted ? [seq] : kind === "redact" ? [data.seq] : [])));
    if (redacted.size > 0) this.kept.wipe(this.outbox.forget((entry) => entry.stream === stream && redacted.has(entry.seq)));
  }

  /** Events up to here were erased. @param {number} floor */
  erasedTo(floor) {
    if (floor > 0) this.kept.wipe(this.outbox.forget((entry) => entry.stream === "public" && entry.seq <= floor));
  }

  /**
   * The server has shown the end of its log.
   * @param {Event[]} events
   * @param {number} behind the last number that is not among them
   */
  offerAgain(events, behind) {
    const held = new Set(events.map(({ id }) => id));
    this.kept.keep(this.outbox.offerAgain(held, behind, this.chat.wire.now()));
  }

  /** The connection is gone; nothing sent will be answered. */
  lost() {
    this.outbox.landed();
    this.#acts.lost();
    clearTimeout(this.#pause);
  }

  /** Nobody will answer any more. @param {string} code @param {string} detail */
  abandon(code, detail) {
    this.lost();
    this.#acts.abandon(code, detail);
  }

  /** The chat was erased: nothing is sent any more, and nothing of it stays in this browser. */
  wipe() {
    this.#wiped = true;
    this.#loaded = false;
    this.outbox = this.#newOutbox();
    this.kept.wipeAll();
  }

  #newOutbox() {
    return new Outbox(this.chat.id, this.chat.wire.role === "customer");
  }

  #changed() {
    this.chat.outgoingChanged();
    this.pump();
  }
}

/** Milliseconds that never jump, as people's clocks do. */
function steady_ms() {
  return performance.now();
}

/** @param {Record<string, any>} frame */
function bytes(frame) {
  return new TextEncoder().encode(JSON.stringify(frame)).length;
}
