/**
 * What this browser keeps of one chat: own messages, and the newest events for a first screen without waiting. Writes are
 * not waited for but where a message must be safe first; a browser that refuses them loses nothing that is in memory.
 * Used by `chat.js`.
 */

import { KEEP_STORED_MS } from "./outbox.js";

const TAIL_EVENTS = 50;
const TAIL_PAUSE_MS = 300;

/**
 * @typedef {import("./outbox.js").Entry} Entry
 * @typedef {import("./store.js").Tail} Tail
 */

export class Kept {
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #tailTimer;

  /** @param {import("./store.js").Store} store @param {string} chat */
  constructor(store, chat) {
    this.store = store;
    this.chat = chat;
  }

  /**
   * @param {number} now_ms stored messages that are too old to be offered again are given up
   * @returns {Promise<Entry[]>}
   */
  async entries(now_ms) {
    const all = await this.store.entries(this.chat).catch(() => []);
    const old = all.filter((each) => each.state === "stored" && each.composed_ms < now_ms - KEEP_STORED_MS);
    this.wipe(old);
    return all.filter((each) => !old.includes(each));
  }

  /** @returns {Promise<Tail | undefined>} */
  tail() {
    return this.store.tail(this.chat).catch(() => undefined);
  }

  /** @param {Entry} entry @returns {Promise<void>} done when it is safe, or when the browser has refused it */
  keepFirst(entry) {
    return this.store.keep([entry]).catch(ignore);
  }

  /** @param {Array<Entry | undefined>} entries */
  keep(entries) {
    const present = entries.filter((entry) => entry !== undefined);
    if (present.length > 0) this.store.keep(present).catch(ignore);
  }

  /** @param {ReadonlyArray<Entry | undefined>} entries */
  wipe(entries) {
    const ids = entries.flatMap((entry) => (entry ? [entry.id] : []));
    if (ids.length > 0) this.store.remove(ids).catch(ignore);
  }

  /** Soon, and once for many changes. @param {() => Omit<Tail, "chat">} make */
  keepTail(make) {
    clearTimeout(this.#tailTimer);
    this.#tailTimer = setTimeout(() => {
      const { me, state, events } = make();
      if (state) this.store.keepTail({ chat: this.chat, me, state, events: events.slice(-TAIL_EVENTS) }).catch(ignore);
    }, TAIL_PAUSE_MS);
  }

  wipeTail() {
    clearTimeout(this.#tailTimer);
    this.store.removeTail(this.chat).catch(ignore);
  }

  /** Nothing is written any more. */
  rest() {
    clearTimeout(this.#tailTimer);
  }
}

/** The browser's store refused; what is in memory goes on. */
function ignore() {}
