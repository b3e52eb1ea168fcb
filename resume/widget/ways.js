/**
 * Which way leads to the server: a WebSocket, or requests that wait where a WebSocket cannot be had (protocol 4.6). Pure:
 * `line.js` tells what became of each attempt, and asks for the next way.
 *
 * A server that is down closes both ways, so while requests fail too the two take turns.
 */

export const BAD_SOCKETS = 3;
export const SOCKET_AGAIN_MS = 5 * 60_000;

/**
 * @typedef {"socket" | "poll"} Way
 * @typedef {"refused" | "silent" | "cut"} Failure of a socket: it did not open; it opened and brought no welcome; it was
 *   gone within seconds of its welcome
 */

export class Ways {
  #bad = 0;
  #opens = false; // whether the last bad socket did at least open

  /** @param {boolean} sockets whether there are WebSockets at all */
  constructor(sockets) {
    this.sockets = sockets;
  }

  /** @returns {Way} */
  get next() {
    return this.sockets && this.#bad < BAD_SOCKETS ? "socket" : "poll";
  }

  /** @returns {number | null} how long after its first welcome a poll should try a socket beside it; null: never */
  get probe_ms() {
    if (!this.sockets) return null;
    return this.#opens ? SOCKET_AGAIN_MS : 0; // one that never opened may only have met a server that was down
  }

  /** @param {Failure} failure */
  socketFailed(failure) {
    this.#opens = failure !== "refused";
    this.#bad = failure === "silent" ? BAD_SOCKETS : this.#bad + 1;
  }

  /** A socket has lived long enough to be relied on. */
  socketCalm() {
    this.#bad = 0;
  }

  /** @param {boolean} worked whether it had brought a welcome */
  pollFailed(worked) {
    if (!worked) this.#bad = BAD_SOCKETS - 1;
  }
}
