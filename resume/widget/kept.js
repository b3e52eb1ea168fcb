/**
 * What this browser keeps of one chat: own messages, and the newest events for a first screen without waiting. Writes are
 * not waited for but where a message must be safe first; a browser that refuses them loses nothing that is in memory.
 * Used by `chat.js`.
 */

import { KEEP_STORED_MS } from "./outbox.js";

const TAIL_EVENTS = 50;
const TAIL_PAUSE_MS = 300;
const STORE_MS = 2_000; // some browsers' stores never answer

/**
 * @typedef {import("./outbox.js").Entry} Entry
 * @typedef {import("./store.js").Tail} Tail
 */

export class Kept {
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #tailTimer;

  /** @param {Promise<import("./store.js").Store>} store @param {string} chat */
  constructor(store, chat) {
    this.store = store;
    this.chat = chat;
  }

  /**
   * @param {number} now_ms stored messages that are too old to be offered again are given up
   * @returns {Promise<Entry[]>}
   */
  async entries(now_ms) {
    const all = await inTime(this.store.then((store) => store.entries(this.chat)), []);
    const old = all.filter((each) => each.state === "stored" && each.composed_ms < now_ms - KEEP_STORED_MS);
    this.wipe(old);
    return all.filter((each) => !old.includes(each));
  }

  /** @returns {Promise<Tail | undefined>} */
  async tail() {
    const tail = await inTime(this.store.then((store) => store.tail(this.chat)), undefined);
    return tail && isWhole(tail) ? tail : undefined;
  }

  /** @param {Entry} entry @returns {Promise<void>} done when it is safe, or when the browser cannot keep it */
  keepFirst(entry) {
    return inTime(this.store.then((store) => store.keep([entry])), undefined);
  }

  /** @param {Array<Entry | undefined>} entries */
  keep(entries) {
    const present = entries.filter((entry) => entry !== undefined);
    if (present.length > 0) this.#write((store) => store.keep(present));
  }

  /** @param {ReadonlyArray<Entry | undefined>} entries */
  wipe(entries) {
    const ids = entries.flatMap((entry) => (entry ? [entry.id] : []));
    if (ids.length > 0) this.#write((store) => store.remove(ids));
  }

  /** Soon, and once for many changes. @param {() => Omit<Tail, "chat">} make */
  keepTail(make) {
    clearTimeout(this.#tailTimer);
    this.#tailTimer = setTimeout(() => {
      const { me, state, events } = make();
      if (!state) return;
      const tail = { chat: this.chat, me, state, events: events.slice(-TAIL_EVENTS) };
      this.#write((store) => store.keepTail(tail));
    }, TAIL_PAUSE_MS);
  }

  /** Nothing of the chat stays in this browser, whether it was looked up before or not. */
  wipeAll() {
    clearTimeout(this.#tailTimer);
    this.#write(async (store) => {
      await store.removeTail(this.chat);
      await store.remove((await store.entries(this.chat)).map(({ id }) => id));
    });
  }

  /** Nothing is written any more. */
  rest() {
    clearTimeout(this.#tailTimer);
  }

  /** @param {(store: import("./store.js").Store) => Promise<void>} work */
  #write(work) {
    this.store.then(work).catch(() => {}); // the browser's store refused; what is in memory goes on
  }
}

/** Whether it is of our making; its numbers and hashes are for the server to judge. @param {Tail} tail */
function isWhole({ state, events }) {
  return Array.isArray(state?.participants) && events.every(({ seq, data }, i) => seq === events[0].seq + i && data);
}

/**
 * @template T
 * @param {Promise<T>} work of the browser's store @param {T} otherwise what counts if it fails or does not answer
 * @returns {Promise<T>}
 */
async function inTime(work, otherwise) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */ let timer;
  const late = new Promise((/** @type {(value: T) => void} */ done) => (timer = setTimeout(done, STORE_MS, otherwise)));
  try {
    return await Promise.race([work, late]);
  } catch {
    return otherwise;
  } finally {
    clearTimeout(timer);
  }
}
