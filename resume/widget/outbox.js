/**
 * The own messages of one chat, from the key press until the server keeps them, and 30 days longer: a restored server may
 * have lost them, and then they are offered again.
 *
 * It decides what may be sent now (protocol 4.4: at most eight in flight, in order of composing, one at a time after a
 * refusal that may pass). Pure: time comes in as an argument; `sender.js` stores entries and sends them. Pauses are measured
 * on a clock that never jumps, ages on that of the server.
 */

import { growing } from "./pace.js";

export const WINDOW = 8;
export const KEEP_STORED_MS = 30 * 24 * 3600 * 1000;
const PATIENCE = 3; // missing predecessors put back at once before a pause

/**
 * @typedef {object} Entry
 * @property {string} id
 * @property {string} chat
 * @property {"public" | "internal"} stream
 * @property {Record<string, any>} data
 * @property {string | null} prev the message composed before in this stream
 * @property {number} order rises with each message composed
 * @property {number} composed_ms
 * @property {"new" | "waiting" | "flying" | "stored" | "refused"} state new: not yet in the browser's store
 * @property {boolean} reopen
 * @property {number} tries refusals that may pass, since the last success
 * @property {number} not_before_ms
 * @property {number} [seq] once stored
 * @property {string} [code] why refused
 * @property {string} [detail]
 */

export class Outbox {
  /** @type {Entry[]} in order of composing */ #entries = [];
  /** @type {Map<string, string>} stream -> id composed last */ #last = new Map();
  #window = WINDOW;

  /** @param {string} chat @param {boolean} reopens whether a message reopens a closed chat by itself */
  constructor(chat, reopens) {
    this.chat = chat;
    this.reopens = reopens;
  }

  /** @returns {Entry[]} own messages the server does not keep yet */
  get unsent() {
    return this.#entries.filter((entry) => ["new", "waiting", "flying"].includes(entry.state));
  }

  /** @returns {readonly Entry[]} */
  get entries() {
    return this.#entries;
  }

  /** @param {string} id @returns {Entry | undefined} */
  find(id) {
    return this.#entries.find((entry) => entry.id === id);
  }

  /**
   * @param {{id: string, data: Record<string, any>, stream?: "public" | "internal"}} message
   * @param {number} now_ms
   * @returns {Entry} state "new": call `kept` once the browser has stored it
   */
  compose({ id, data, stream = "public" }, now_ms) {
    /** @type {Entry} */
    const entry = {
      id,
      chat: this.chat,
      stream,
      data,
      prev: this.#last.get(stream) ?? null,
      order: (this.#entries.at(-1)?.order ?? 0) + 1,
      composed_ms: now_ms,
      state: "new",
      reopen: false,
      tries: 0,
      not_before_ms: 0,
    };
    this.#entries.push(entry);
    this.#last.set(stream, id);
    return entry;
  }

  /** The browser has the entry, or refused to take it: it may be sent. @param {string} id */
  kept(id) {
    const entry = this.find(id);
    if (entry?.state === "new") entry.state = "waiting";
  }

  /**
   * What earlier pages left behind. Messages that were not sent come before all that this page composes.
   * @param {Entry[]} left
   */
  adopt(left) {
    const known = new Set(this.#entries.map((entry) => entry.id));
    const adopted = left.filter((entry) => !known.has(entry.id)).sort(byOrder).map(asFound);
    const shift = adopted.at(-1)?.order ?? 0;
    for (const entry of this.#entries) entry.order += shift;
    for (const entry of adopted.filter((each) => each.state === "waiting")) this.#goBefore(entry);
    this.#entries = [...adopted, ...this.#entries];
  }

  /** @param {Entry} entry the predecessor of what this page composed first, if that has none */
  #goBefore(entry) {
    const first = this.#entries.find((own) => own.stream === entry.stream);
    if (first) first.prev = entry.id;
    else this.#last.set(entry.stream, entry.id);
  }

  /**
   * What other tabs have put into the browser's store, or have seen stored. Each tab goes on with its own chain of `prev`.
   * @param {Entry[]} found
   * @param {number} not_before_ms until then it is left to the tab that wrote it
   */
  meet(found, not_before_ms) {
    for (const { id, state, seq } of found) if (state === "stored" && seq !== undefined) this.stored(id, seq);
    const fresh = found.filter((entry) => !this.find(entry.id)).map((entry) => ({ ...asFound(entry), not_before_ms }));
    this.#entries = [...this.#entries, ...fresh].sort(byOrder);
  }

  /**
   * What may be sent now; it counts as in flight from here on.
   * @param {number} now_ms
   * @returns {Entry[]} oldest first
   */
  take(now_ms) {
    let room = this.#window - this.#entries.filter((entry) => entry.state === "flying").length;
    const taken = [];
    for (const entry of this.unsent) {
      if (entry.state === "flying") continue;
      if (room-- <= 0 || entry.state === "new" || entry.not_before_ms > now_ms) break;
      entry.state = "flying";
      taken.push(entry);
    }
    return taken;
  }

  /** @returns {number | null} the moment at which a paused message may go on */
  get next_ms() {
    const entry = this.unsent.find((each) => each.state === "waiting");
    return entry && entry.not_before_ms > 0 ? entry.not_before_ms : null;
  }

  /**
   * The server keeps it: by an ack, or by the event itself coming in.
   * @param {string} id @param {number} seq
   * @returns {Entry | undefined} the entry, if that was news
   */
  stored(id, seq) {
    const entry = this.find(id);
    if (!entry || entry.state === "stored") return undefined;
    Object.assign(entry, { state: "stored", seq, tries: 0, code: undefined, detail: undefined });
    if (this.unsent.length === 0) this.#window = WINDOW;
    return entry;
  }

  /**
   * @param {{id: string, code: string, retry?: boolean, after_ms?: number, need?: string, detail?: string}} nack
   * @param {number} now_ms
   * @returns {Entry[]} the entries that changed
   */
  refused(nack, now_ms) {
    const entry = this.find(nack.id);
    if (entry?.state !== "flying") return [];
    if (nack.code === "prev_missing") return this.#putBack(entry, nack.need, now_ms);
    if (nack.code === "closed" && this.reopens && !entry.reopen) {
      entry.reopen = true;
      return [this.#wait(entry, now_ms)];
    }
    if (nack.retry) return [this.#wait(entry, now_ms + (nack.after_ms ?? growing(entry.tries)))];
    Object.assign(entry, { state: "refused", code: nack.code, detail: nack.detail });
    return [entry];
  }

  /**
   * The server lacks the message before this one: that one goes first, or is no longer waited for.
   * @param {Entry} entry @param {string | undefined} need @param {number} now_ms
   */
  #putBack(entry, need, now_ms) {
    const pause = entry.tries < PATIENCE ? 0 : growing(entry.tries);
    const missing = need === undefined ? undefined : this.find(need);
    const changed = [this.#wait(entry, now_ms + pause)];
    if (!missing || missing.state === "refused") entry.prev = missing?.prev ?? null;
    else if (missing.state === "stored") changed.push(this.#wait(missing, 0));
    return changed;
  }

  /** One at a time from here on, from the oldest. @param {Entry} entry @param {number} until_ms */
  #wait(entry, until_ms) {
    this.#window = 1;
    return Object.assign(entry, { state: "waiting", not_before_ms: until_ms, tries: entry.tries + 1 });
  }

  /** The connection is gone: whatever was in flight may have arrived or not, so it goes out again. */
  landed() {
    for (const entry of this.unsent) {
      if (entry.state === "flying") entry.state = "waiting";
      entry.not_before_ms = 0;
    }
  }

  /**
   * Offer again what the server may have lost: everything, if its log is not the one this client knew, or else what was
   * acked behind a number and is not there. An ack may have come without its event, and then the client's place in the
   * log tells nothing of it.
   * @param {Set<string>} held ids of the events that the server has shown
   * @param {number} behind
   * @param {number} now_ms
   * @returns {Entry[]} those put back
   */
  offerAgain(held, behind, now_ms) {
    const lost = this.#entries.filter(
      (entry) =>
        entry.state === "stored" &&
        (entry.seq ?? 0) > behind &&
        !held.has(entry.id) &&
        entry.composed_ms > now_ms - KEEP_STORED_MS,
    );
    for (const entry of lost) Object.assign(entry, { state: "waiting", not_before_ms: 0, seq: undefined });
    return lost;
  }

  /** Once more, by the customer's wish. @param {string} id @returns {Entry | undefined} */
  again(id) {
    const entry = this.find(id);
    if (entry?.state !== "refused") return undefined;
    return Object.assign(entry, { state: "waiting", not_before_ms: 0, tries: 0, code: undefined, detail: undefined });
  }

  /**
   * Stored messages whose text must not stay here, because their events were redacted or erased.
   * @param {(entry: Entry & {seq: number}) => boolean} gone
   * @returns {Entry[]} those that were here
   */
  forget(gone) {
    const here = this.#entries.filter((entry) => entry.state === "stored" && gone(/** @type {any} */ (entry)));
    this.#entries = this.#entries.filter((entry) => !here.includes(entry));
    return here;
  }

  /** Give a refused message up. @param {string} id @returns {Entry | undefined} */
  drop(id) {
    const entry = this.find(id);
    if (entry?.state !== "refused") return undefined;
    for (const next of this.#entries) if (next.prev === id) next.prev = entry.prev;
    if (this.#last.get(entry.stream) === id) {
      if (entry.prev) this.#last.set(entry.stream, entry.prev);
      else this.#last.delete(entry.stream);
    }
    this.#entries = this.#entries.filter((each) => each !== entry);
    return entry;
  }
}

/** @param {Entry} a @param {Entry} b */
function byOrder(a, b) {
  return a.order - b.order || (a.id < b.id ? -1 : 1);
}

/** What was on its way when the earlier page ended waits again. @param {Entry} entry @returns {Entry} */
function asFound(entry) {
  const state = entry.state === "stored" || entry.state === "refused" ? entry.state : "waiting";
  return { ...entry, state, tries: 0, not_before_ms: 0 };
}
