/**
 * Acts on a chat (close, accept, …) that wait for their answer. The same id goes out again after a reconnect, until the
 * server has said yes or no; they are not stored, they end with the page. Used by `sender.js`.
 */

import { newId } from "./ids.js";
import { growing } from "./pace.js";

/** What the server did not accept. */
export class Refusal extends Error {
  /** @param {{code: string, detail?: string, state?: Record<string, any>}} answer a nack or a problem document */
  constructor({ code, detail, state }) {
    super(detail ?? code);
    this.code = code;
    this.detail = detail ?? "";
    this.state = state;
  }
}

/**
 * @typedef {object} Act
 * @property {Record<string, any>} frame
 * @property {boolean} sent
 * @property {number} tries
 * @property {number} not_before_ms
 * @property {(ack: Record<string, any>) => void} resolve
 * @property {(error: Refusal) => void} reject
 */

export class Acts {
  /** @type {Map<string, Act>} */ #pending = new Map();

  /** @param {Record<string, any>} act @returns {Promise<Record<string, any>>} the ack; rejects with a Refusal */
  add(act) {
    const frame = { type: "act", id: newId(), ...act };
    return new Promise((resolve, reject) => {
      this.#pending.set(frame.id, { frame, sent: false, tries: 0, not_before_ms: 0, resolve, reject });
    });
  }

  /** @param {(frame: Record<string, any>) => boolean} send @param {number} now_ms */
  sendAll(send, now_ms) {
    for (const act of this.#pending.values()) {
      if (!act.sent && act.not_before_ms <= now_ms) act.sent = send(act.frame);
    }
  }

  /** @returns {number | null} the moment at which a refused act may go out again */
  get next_ms() {
    const paused = [...this.#pending.values()].filter((act) => !act.sent && act.not_before_ms > 0);
    return paused.length > 0 ? Math.min(...paused.map((act) => act.not_before_ms)) : null;
  }

  /** @param {Record<string, any>} ack @returns {boolean} whether it answers one of these */
  acked(ack) {
    this.#pending.get(ack.id)?.resolve(ack);
    return this.#pending.delete(ack.id);
  }

  /** @param {Record<string, any>} nack @param {number} now_ms @returns {boolean} whether it answers one of these */
  nacked(nack, now_ms) {
    const act = this.#pending.get(nack.id);
    if (!act) return false;
    if (nack.retry) {
      Object.assign(act, { sent: false, not_before_ms: now_ms + (nack.after_ms ?? growing(act.tries++)) });
    } else {
      this.#pending.delete(nack.id);
      act.reject(new Refusal(/** @type {any} */ (nack)));
    }
    return true;
  }

  /** The connection is gone: whether they arrived is in doubt, so they go out again. */
  lost() {
    for (const act of this.#pending.values()) Object.assign(act, { sent: false, not_before_ms: 0 });
  }

  /** Nobody will answer any more. @param {string} code @param {string} detail */
  abandon(code, detail) {
    for (const act of this.#pending.values()) act.reject(new Refusal({ code, detail }));
    this.#pending.clear();
  }
}
