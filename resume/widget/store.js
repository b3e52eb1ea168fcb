/**
 * What the browser keeps of the chats: own messages (`outbox.js`) and the newest events of each chat, for a first screen
 * without waiting. IndexedDB; a browser that refuses it gets memory, and loses only what the page itself had unsent.
 *
 * Storage is never trusted: what it says is checked against the server by number and hash.
 */

const NAME = "stillhere";
const VERSION = 1;
const OPEN_MS = 2_000; // some browsers never answer an open

/**
 * @typedef {import("./outbox.js").Entry} Entry
 * @typedef {{chat: string, me: string | null, state: Record<string, any> | null, events: import("./log.js").Event[]}} Tail
 * @typedef {object} Store
 * @property {(chat: string) => Promise<Entry[]>} entries
 * @property {(entries: Entry[]) => Promise<void>} keep
 * @property {(ids: string[]) => Promise<void>} remove
 * @property {(chat: string) => Promise<Tail | undefined>} tail
 * @property {(tail: Tail) => Promise<void>} keepTail
 * @property {(chat: string) => Promise<void>} removeTail
 * @property {() => Promise<void>} clear
 */

/** @returns {Promise<Store>} */
export async function openStore() {
  try {
    return browserStore(await openDatabase());
  } catch {
    return memoryStore();
  }
}

/** @returns {Store} */
export function memoryStore() {
  /** @type {Map<string, Entry>} */ const outbox = new Map();
  /** @type {Map<string, Tail>} */ const tails = new Map();
  return {
    entries: async (chat) => [...outbox.values()].filter((entry) => entry.chat === chat),
    keep: async (entries) => entries.forEach((entry) => outbox.set(entry.id, entry)),
    remove: async (ids) => ids.forEach((id) => outbox.delete(id)),
    tail: async (chat) => tails.get(chat),
    keepTail: async (tail) => void tails.set(tail.chat, tail),
    removeTail: async (chat) => void tails.delete(chat),
    clear: async () => {
      outbox.clear();
      tails.clear();
    },
  };
}

/** @returns {Promise<IDBDatabase>} */
function openDatabase() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, VERSION);
    const deadline = setTimeout(() => reject(new Error("The browser's store does not open")), OPEN_MS);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("outbox", { keyPath: "id" }).createIndex("chat", "chat");
      request.result.createObjectStore("tails", { keyPath: "chat" });
    };
    request.onsuccess = () => {
      clearTimeout(deadline);
      request.result.onversionchange = () => request.result.close(); // a newer page must not have to wait for this one
      resolve(request.result);
    };
    request.onerror = request.onblocked = () => reject(request.error);
  });
}

/** @param {IDBDatabase} database @returns {Store} */
function browserStore(database) {
  /**
   * One transaction; done when it is on its way to the disk.
   * @template T
   * @param {"outbox" | "tails"} name @param {IDBTransactionMode} mode
   * @param {(store: IDBObjectStore) => IDBRequest<T> | void} work
   * @returns {Promise<T>}
   */
  function run(name, mode, work) {
    return new Promise((resolve, reject) => {
      const durability = name === "outbox" ? "strict" : "relaxed"; // the newest events can be fetched again
      const transaction = database.transaction(name, mode, { durability });
      const request = work(transaction.objectStore(name));
      transaction.oncomplete = () => resolve(/** @type {T} */ (request ? request.result : undefined));
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
  }

  return {
    entries: (chat) => run("outbox", "readonly", (store) => store.index("chat").getAll(chat)),
    keep: (entries) => run("outbox", "readwrite", (store) => entries.forEach((entry) => store.put(entry))),
    remove: (ids) => run("outbox", "readwrite", (store) => ids.forEach((id) => store.delete(id))),
    tail: (chat) => run("tails", "readonly", (store) => store.get(chat)),
    keepTail: (tail) => run("tails", "readwrite", (store) => void store.put(tail)),
    removeTail: (chat) => run("tails", "readwrite", (store) => void store.delete(chat)),
    clear: async () => {
      await run("outbox", "readwrite", (store) => void store.clear());
      await run("tails", "readwrite", (store) => void store.clear());
    },
  };
}
