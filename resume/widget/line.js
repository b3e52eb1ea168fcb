/**
 * The live connection: dials, says hello, notices silence, dials again, and follows the page through sleep and waking.
 *
 * It never waits for a close to be confirmed: a socket that is not trusted any more is let go and another one is dialled.
 * Made by `stillhere.js`; it knows frames only as far as the connection itself needs them.
 */

import { ADMISSION_WAIT_MS, afterClose, redialDelay } from "./pace.js";

export const SUBPROTOCOL = "stillhere.v1";
const WELCOME_MS = 10_000;
const SILENCE_MS = 30_000;
const WAKE_MS = 3_000;
const CALM_MS = 10_000;
const SAY_CONNECTING_MS = 3_000;
const SAY_OFFLINE_MS = 10_000;
const LEFT = 3001;
const WAKING = ["online", "pageshow", "focus"];

/**
 * @typedef {{status: "starting" | "online" | "connecting" | "offline" | "stopped", code?: number, detail?: string}} Status
 * @typedef {object} Ears
 * @property {() => Record<string, any>} hello the first frame of each connection
 * @property {(frame: Record<string, any>) => void} frame a frame came in; also `welcome`
 * @property {() => void} lost the connection is gone; whatever was on its way is in doubt
 * @property {(status: Status) => void} status
 * @property {() => Record<string, number>} marks for pongs: chat -> highest number applied
 */

export class Line {
  /** @type {WebSocket | null} */ #socket = null;
  #welcomed = false;
  #tries = 0;
  #pings = 0;
  #slot_ms = 0; // dial not before this moment: drain, admission
  #stopped = false;
  /** @type {{code?: number, detail?: string, retry_ms?: number} | null} */ #bye = null;
  /** @type {Record<string, ReturnType<typeof setTimeout> | undefined>} */ #timers = {};
  /** @type {Array<() => void>} */ #unlisten = [];

  /** @param {string} url @param {Ears} ears */
  constructor(url, ears) {
    this.url = url;
    this.ears = ears;
    this.#followPage();
    this.#worry();
    this.#dial();
  }

  /** Whether frames can go out now. */
  get ready() {
    return this.#welcomed && this.#socket?.readyState === WebSocket.OPEN;
  }

  /** @param {Record<string, any>} frame @returns {boolean} whether it went out */
  send(frame) {
    if (!this.ready) return false;
    this.#socket?.send(JSON.stringify(frame));
    return true;
  }

  /** Leave for good. */
  close() {
    this.#stop(1000);
  }

  #dial() {
    this.#clear("redial");
    this.#bye = null;
    const socket = new WebSocket(this.url, SUBPROTOCOL);
    this.#socket = socket;
    socket.onopen = () => socket.send(JSON.stringify(this.ears.hello()));
    socket.onmessage = (message) => this.#hear(JSON.parse(message.data));
    socket.onclose = (event) => this.#closed(this.#bye?.code ?? event.code);
    this.#expect(WELCOME_MS);
  }

  /** @param {Record<string, any>} frame */
  #hear(frame) {
    this.#expect(this.#welcomed ? SILENCE_MS : WELCOME_MS);
    if (frame.type === "welcome") this.#welcome();
    if (frame.type === "ping") this.send({ type: "pong", n: frame.n, have: this.ears.marks() });
    if (frame.type === "drain") this.#slot_ms = Date.now() + (frame.after_ms ?? 0);
    if (frame.type === "bye") this.#bye = frame;
    this.ears.frame(frame);
  }

  #welcome() {
    this.#welcomed = true;
    this.#slot_ms = 0;
    this.#expect(SILENCE_MS);
    this.#clear("connecting");
    this.#clear("offline");
    this.#after("calm", CALM_MS, () => (this.#tries = 0));
    this.ears.status({ status: "online" });
  }

  /** @param {number} code */
  #closed(code) {
    const { detail, retry_ms } = this.#bye ?? {};
    this.#letGo(code);
    const next = afterClose(code);
    if (next === "stop" || next === "credentials") {
      this.#stop(code);
      this.ears.status({ status: "stopped", code, detail });
      return;
    }
    if (next === "wait") this.#slot_ms = Date.now() + (retry_ms ?? ADMISSION_WAIT_MS);
    if (next !== "visible" || document.visibilityState === "visible") this.#redial();
  }

  #redial() {
    const delay = Math.max(redialDelay(this.#tries, Math.random()), this.#slot_ms - Date.now());
    this.#tries += 1;
    this.#after("redial", delay, () => this.#dial());
  }

  /** This socket is not trusted any more; its close handshake may hang for minutes, so nobody listens to it. */
  #replace() {
    this.#letGo(1000);
    this.#redial();
  }

  /** @param {number} code */
  #letGo(code) {
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = null;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(code === LEFT ? LEFT : 1000);
    this.#clear("silence");
    this.#clear("calm");
    if (this.#welcomed) this.#worry();
    this.#welcomed = false;
    this.ears.lost();
  }

  /** Offline is said late, so that a short break does not flicker. */
  #worry() {
    this.#after("connecting", SAY_CONNECTING_MS, () => this.ears.status({ status: "connecting" }));
    this.#after("offline", SAY_OFFLINE_MS, () => this.ears.status({ status: "offline" }));
  }

  /** No frame within this time: another socket. @param {number} ms */
  #expect(ms) {
    this.#after("silence", ms, () => this.#replace());
  }

  #followPage() {
    this.#listen(document, "visibilitychange", () => document.visibilityState === "visible" && this.#wake());
    for (const name of WAKING) this.#listen(window, name, () => this.#wake());
    this.#listen(window, "pagehide", () => {
      this.#clear("redial");
      this.#letGo(LEFT);
    });
  }

  /** The page has slept or changed its network: a socket that looks open may be dead. */
  #wake() {
    if (this.#stopped) return;
    if (this.#welcomed) {
      this.send({ type: "ping", n: ++this.#pings });
      this.#expect(WAKE_MS);
    } else if (!this.#socket && Date.now() >= this.#slot_ms) this.#dial();
  }

  /** @param {number} code */
  #stop(code) {
    this.#stopped = true;
    this.#letGo(code);
    for (const name of Object.keys(this.#timers)) this.#clear(name);
    for (const unlisten of this.#unlisten) unlisten();
  }

  /** @param {EventTarget} target @param {string} name @param {() => void} listener */
  #listen(target, name, listener) {
    target.addEventListener(name, listener);
    this.#unlisten.push(() => target.removeEventListener(name, listener));
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
