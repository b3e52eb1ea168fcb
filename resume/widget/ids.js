/**
 * Message ids: UUIDv7 (RFC 9562), so that the server's unique index grows at its end.
 *
 * Ids of one page rise even if its clock falls back: 12 bits count within a millisecond (RFC 9562, section 6.2, method 1).
 * Pure but for `newId`, which takes the clock and the random of where it runs.
 */

// Pages and newer Nodes have it; Node 18 does not show it to modules by itself.
const source = globalThis.crypto ?? (await import("node:crypto")).webcrypto;

const COUNTER_LIMIT = 0x1000;
const COUNTER_SEED_LIMIT = 0x800; // the upper half stays free for counting

/**
 * @param {() => number} now milliseconds since 1970
 * @param {(bytes: Uint8Array) => Uint8Array} fill fills with random bytes
 * @returns {() => string} a source of rising UUIDv7 in text form
 */
export function makeIdSource(now, fill) {
  let ms = 0;
  let counter = 0;
  return () => {
    const random = fill(new Uint8Array(10));
    const at = now();
    if (at > ms) {
      ms = at;
      counter = ((random[8] << 8) | random[9]) % COUNTER_SEED_LIMIT;
    } else if (++counter === COUNTER_LIMIT) {
      ms += 1;
      counter = 0;
    }
    return uuid7(ms, counter, random.subarray(0, 8));
  };
}

/** @param {number} ms @param {number} counter 12 bits @param {Uint8Array} tail 8 bytes, of which 62 bits are used */
function uuid7(ms, counter, tail) {
  const time = ms.toString(16).padStart(12, "0");
  const count = (0x7000 | counter).toString(16);
  const variant = ((0x80 | (tail[0] & 0x3f)) << 8) | tail[1];
  const node = Array.from(tail.subarray(2), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${time.slice(0, 8)}-${time.slice(8)}-${count}-${variant.toString(16)}-${node}`;
}

/** A new UUIDv7. */
export const newId = makeIdSource(Date.now, (bytes) => source.getRandomValues(bytes));
