/**
 * One stream of a chat and the questions that complete it: what came after the mark, holes from the newest, and older
 * pages that the reader wants. At most one question is open at a time. Pure: `chat.js` sends what `next` returns.
 */

import { Log } from "./log.js";

export const PAGE_EVENTS = 50;
export const FILL_EVENTS = 200;

/** @typedef {{after: number, limit: number} | {before: number, limit: number}} Question the fields of a `get` */

export class Feed {
  log = new Log();
  #seen = 0; // numbers known to exist on the server
  /** @type {Question | null} */ #open = null;
  /** @type {{promise: Promise<void>, resolve: () => void} | null} */ #older = null;

  /** The server has events up to here. @param {number} head */
  known(head) {
    this.#seen = Math.max(this.#seen, head);
  }

  /** @returns {Question | null} what to ask now; it counts as asked */
  next() {
    if (this.#open) return null;
    this.#open = this.#question();
    return this.#open;
  }

  /** @returns {Question | null} */
  #question() {
    const hole = this.log.hole();
    if (this.#seen > this.log.top) return { after: this.log.top, limit: FILL_EVENTS };
    if (hole) return { before: hole.to + 1, limit: Math.min(FILL_EVENTS, hole.to - hole.from + 1) };
    if (this.#older && this.log.hasOlder) return { before: this.log.events()[0].seq, limit: PAGE_EVENTS };
    return null;
  }

  /**
   * The answer to the open question. An empty one says that there is nothing on that side.
   * @param {import("./log.js").Event[]} events @param {number} floor
   */
  page(events, floor) {
    const question = this.#open;
    this.#open = null;
    this.log.raiseFloor(floor);
    this.log.take(events);
    if (!question) return;
    if ("after" in question) {
      if (events.length === 0) this.#seen = this.log.top;
      return;
    }
    if (events.length === 0) this.log.raiseFloor(question.before - 1);
    if (!this.log.hole()) this.#came();
  }

  /** @returns {Promise<void>} done when a page before the shown events is there, at once if there is none */
  older() {
    if (!this.log.hasOlder) return Promise.resolve();
    this.#older ??= openPromise();
    return this.#older.promise;
  }

  /** The connection is gone: the open question will not be answered. */
  lost() {
    this.#open = null;
  }

  /** The server's log is another one. */
  startOver() {
    this.log.clear();
    this.#seen = 0;
    this.#open = null;
    this.#came();
  }

  #came() {
    this.#older?.resolve();
    this.#older = null;
  }
}

/** @returns {{promise: Promise<void>, resolve: () => void}} */
function openPromise() {
  let resolve = () => {};
  const promise = new Promise((/** @type {(value: void) => void} */ done) => (resolve = done));
  return { promise, resolve };
}
