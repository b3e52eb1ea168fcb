/**
 * The others in a chat, as far as it may be forgotten: who types now, and how far they have come. Used by `chat.js`.
 */

const TYPING_TTL_MS = 6_000;

/** Who types; a word that does not come again runs out by itself. */
export class Typers {
  /** @type {Map<string, ReturnType<typeof setTimeout>>} */ #timers = new Map();

  /** @param {() => void} changed */
  constructor(changed) {
    this.changed = changed;
  }

  get ids() {
    return [...this.#timers.keys()];
  }

  /** @param {string} id @param {number} [ttl_ms] */
  starts(id, ttl_ms = TYPING_TTL_MS) {
    const already = this.#timers.has(id);
    clearTimeout(this.#timers.get(id));
    this.#timers.set(id, setTimeout(() => this.stops(id), ttl_ms));
    if (!already) this.changed();
  }

  /** @param {string} id */
  stops(id) {
    clearTimeout(this.#timers.get(id));
    if (this.#timers.delete(id)) this.changed();
  }

  clear() {
    this.ids.forEach((id) => this.stops(id));
  }
}

/** How far the other side has come. Marks only rise, also when the person who read it leaves. */
export class Reach {
  #delivered = 0;
  #read = 0;

  /** @param {Array<Record<string, any>>} participants @param {string} ownRole */
  measure(participants, ownRole) {
    for (const { role, delivered, read } of participants) {
      if (role === ownRole) continue;
      this.#delivered = Math.max(this.#delivered, delivered, read);
      this.#read = Math.max(this.#read, read);
    }
  }

  /** @param {number} seq of an own message @returns {"stored" | "delivered" | "read"} */
  fate(seq) {
    if (seq <= this.#read) return "read";
    return seq <= this.#delivered ? "delivered" : "stored";
  }
}
