/**
 * The live connection: dials, says hello, notices silence, dials again, and follows the page through sleep and waking.
 *
 *     dialling --welcome--> online --lost--> resting --delay or waking--> dialling
 *     any --4002, 42xx, 43xx--> stopped --start--> dialling
 *
 * A connection that is not trusted any more is let go and another one is dialled; nobody waits for a close to be confirmed.
 * Made by `stillhere.js`; it knows frames only as far as the connection itself needs them.
 */

import { followPage, isVisible } from "./page.js";
import { ADMISSION_WAIT_MS, afterClose, redialDelay } from "./pace.js";
import { SOCKET_AGAIN_MS } from "./ways.js";

const WELCOME_MS = 10_000;
const SILENCE_MS = 30_000;
const WAKE_MS = 3_000;
const CALM_MS = 10_000;
const SAY_CONNECTING_MS = 3_000;
const SAY_OFFLINE_MS = 10_000;
const DONE = 1000;
const LEFT = 3001;
const OWN_CODES = 4000; // from here on the server itself has spoken

/**
 * @typedef {import("./socket.js").Frame} Frame
 * @typedef {import("./socket.js").Transport} Transport
 * @typedef {import("./socket.js").TransportEars} TransportEars
 * @typedef {import("./ways.js").Way} Way
 * @typedef {object} Status
 * @property {"starting" | "online" | "connecting" | "offline" | "stopped"} status
 * @property {Way} [way] of "online"
 * @property {number} [code] of "stopped"
 * @property {string} [detail] of "stopped"
 * @typedef {object} Ears
 * @property {(frame: Frame) => void} frame a frame came in; also `welcome`
 * @property {() => void} lost the connection is gone; whatever was on its way is in doubt
 * @property {(status: Status) => void} status
 * @property {() => Record<string, number>} marks for pongs: chat -> highest number applied
 * @typedef {object} Means
 * @property {Record<Way, (ears: TransportEars) => Transport>} open begins a connection
 * @property {import("./ways.js").Ways} ways
 * @property {typeof followPage} [follow]
 * @property {() => boolean} [visible]
 * @property {() => number} [now] milliseconds that never jump
 * @property {() => number} [random] from 0 to 1
 */

export class Line {
  /** @type {Transport | null} */ #transport = null;
  /** @type {Transport | null} a socket that is tried while polling goes on */ #probe = null;
  /** @type {Way} */ #way = "socket";
  #welcomed = false;
  #calm = false;
  #stopped = true;
  #tries = 0;
  #pings = 0;
  #slot_ms = 0; // dial not before this moment: drain, admission
  /** @type {Record<string, ReturnType<typeof setTimeout> | undefined>} */ #timers = {};
  #unfollow = () => {};

  /** @param {Ears} ears @param {Means} means */
  constructor(ears, { open, ways, follow = followPage, visible = isVisible, now = () => performance.now(), random = Math.random }) {
    this.ears = ears;
    this.means = { open, ways, follow, visible, now, random };
  }

  /** Begins, or begins again after a stop. */
  start() {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#unfollow = this.means.follow({ wakes: () => this.wake(), hides: () => this.#hide() });
    this.#worry();
    this.#dial();
  }

  /** Leave for good. */
  close() {
    this.#stop(DONE);
  }

  /** Whether frames can go out now. */
  get ready() {
    return this.#welcomed && this.#transport?.open === true;
  }

  /** @param {Frame} frame @returns {boolean} whether it went out */
  send(frame) {
    if (!this.ready) return false;
    this.#transport?.send(frame);
    return true;
  }

  /** The page has slept or changed its network: a connection that looks open may be dead. */
  wake() {
    if (this.#stopped) return;
    if (this.#welcomed) {
      this.send({ type: "ping", n: ++this.#pings });
      this.#expect(WAKE_MS);
      if (this.#way === "poll") this.#probeSocket();
    } else if (!this.#transport && this.means.now() >= this.#slot_ms) this.#dial();
  }

  #dial() {
    this.#clear("redial");
    this.#way = this.means.ways.next;
    this.#transport = this.#open(this.#way);
    this.#expect(WELCOME_MS);
  }

  /** @param {Way} way @returns {Transport} one that is heard while it is the connection, or tries to become it */
  #open(way) {
    const transport = this.means.open[way]({
      frame: (frame) => {
        if (transport === this.#probe && frame.type === "welcome") this.#moveTo(transport);
        if (transport === this.#transport) this.#hear(frame);
      },
      closed: (code) => {
        if (transport === this.#probe) this.#probeFailed();
        if (transport === this.#transport) this.#closed(code);
      },
    });
    return transport;
  }

  /** @param {Frame} frame */
  #hear(frame) {
    if (frame.type === "welcome") this.#welcome();
    this.#expect(this.#welcomed ? SILENCE_MS : WELCOME_MS);
    if (frame.type === "ping") this.send({ type: "pong", n: frame.n, have: this.ears.marks() });
    if (frame.type === "drain") this.#slot_ms = this.means.now() + (frame.after_ms ?? 0);
    if (frame.type === "bye") this.#closed(frame.code, frame); // the close that follows may never be seen
    else this.ears.frame(frame);
  }

  /** Polls bring a welcome with each answer; the first one counts. */
  #welcome() {
    if (this.#welcomed) return;
    this.#welcomed = true;
    this.#slot_ms = 0;
    this.#clear("connecting");
    this.#clear("offline");
    this.#after("calm", CALM_MS, () => this.#calmDown());
    if (this.#way === "poll") this.#probeLater(this.means.ways.probe_ms);
    this.ears.status({ status: "online", way: this.#way });
  }

  #calmDown() {
    this.#calm = true;
    this.#tries = 0;
    if (this.#way === "socket") this.means.ways.socketCalm();
  }

  /** @param {number} code @param {{detail?: string, retry_ms?: number}} [bye] what the server said about it */
  #closed(code, bye) {
    if (!bye && code < OWN_CODES) this.#blameWay();
    this.#letGo(code);
    const next = afterClose(code);
    if (next === "stop" || next === "credentials") {
      this.#stop(code);
      this.ears.status({ status: "stopped", code, detail: bye?.detail });
      return;
    }
    if (next === "wait") this.#slot_ms = this.means.now() + (bye?.retry_ms ?? ADMISSION_WAIT_MS);
    if (next !== "visible" || this.means.visible()) this.#redial();
  }

  /** The connection ended without a word of the server. */
  #blameWay() {
    if (this.#way === "poll") this.means.ways.pollFailed(this.#welcomed);
    else if (!this.#welcomed) this.means.ways.socketFailed(this.#transport?.reached ? "silent" : "refused");
    else if (!this.#calm) this.means.ways.socketFailed("cut");
  }

  #redial() {
    const { now, random } = this.means;
    const delay = Math.max(redialDelay(this.#tries, random()), this.#slot_ms - now());
    this.#tries += 1;
    this.#after("redial", delay, () => this.#dial());
  }

  /** Its close handshake may hang for minutes, so nobody listens to it any more. */
  #replace() {
    this.#blameWay();
    this.#letGo(DONE);
    this.#redial();
  }

  /** @param {number} code */
  #letGo(code) {
    this.#dropProbe();
    this.#clear("silence");
    this.#clear("calm");
    const transport = this.#transport;
    if (!transport) return;
    this.#transport = null;
    transport.close(code);
    if (this.#welcomed) this.#worry();
    this.#welcomed = this.#calm = false;
    this.ears.lost();
  }

  /** Offline is said late, so that a short break does not flicker. */
  #worry() {
    this.#after("connecting", SAY_CONNECTING_MS, () => this.ears.status({ status: "connecting" }));
    this.#after("offline", SAY_OFFLINE_MS, () => this.ears.status({ status: "offline" }));
  }

  /** No frame within this time: another connection. @param {number} ms */
  #expect(ms) {
    this.#after("silence", ms, () => this.#replace());
  }

  /** @param {number | null} ms */
  #probeLater(ms) {
    if (ms !== null) this.#after("probe", ms, () => this.#probeSocket());
  }

  /** Polling goes on until the socket has brought a welcome, so a socket that leads nowhere costs nothing. */
  #probeSocket() {
    if (this.#probe || !this.means.ways.sockets) return;
    this.#probe = this.#open("socket");
    this.#after("probe", WELCOME_MS, () => this.#probeFailed());
  }

  #probeFailed() {
    this.means.ways.socketFailed(this.#probe?.reached ? "silent" : "refused");
    this.#dropProbe();
    this.#probeLater(SOCKET_AGAIN_MS);
  }

  #dropProbe() {
    this.#clear("probe");
    this.#probe?.close(DONE);
    this.#probe = null;
  }

  /** @param {Transport} probe */
  #moveTo(probe) {
    this.#probe = null;
    this.#letGo(DONE);
    this.#transport = probe;
    this.#way = "socket";
  }

  /** An open connection keeps pages out of the browser's cache. */
  #hide() {
    this.#clear("redial");
    this.#letGo(LEFT);
  }

  /** @param {number} code */
  #stop(code) {
    this.#stopped = true;
    this.#letGo(code);
    for (const name of Object.keys(this.#timers)) this.#clear(name);
    this.#unfollow();
  }

  /** @param {string} name @param {number} ms @param {() => void} work */
  #after(name, ms, work) {
    this.#clear(name);
    this.#timers[name] = setTimeout(work, ms);
  }

  /** @param {string} name */
  #clear(name) {
    clearTimeout(this.#timers[name]);
  }
}
