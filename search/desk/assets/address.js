/**
 * What the address bar says: the search (`?q=`) and the open chat with the message looked at (`#chat/<id>/<seq>`; notes have
 * numbers of their own, `n<seq>`). An address can be shared with colleagues and loaded again. Pure.
 */

const PLACE = /^#chat\/([0-9a-f-]{36})(?:\/(n?)([1-9]\d{0,14}))?$/;

/**
 * @typedef {{stream: "public" | "internal", seq: number}} Spot
 * @typedef {{q: string, chat: string | null, spot: Spot | null}} Address
 */

/** @param {string} href @returns {Address} */
export function readAddress(href) {
  const url = new URL(href);
  const [, chat = null, note, seq] = PLACE.exec(url.hash) ?? [];
  const spot = seq === undefined ? null : { stream: note ? "internal" : "public", seq: Number(seq) };
  return { q: url.searchParams.get("q") ?? "", chat, spot: /** @type {Spot | null} */ (spot) };
}

/** @param {string} chat @param {Spot} [spot] @returns {string} an address of this page, whatever is searched for */
export function chatAddress(chat, spot) {
  if (!spot) return `#chat/${chat}`;
  return `#chat/${chat}/${spot.stream === "internal" ? "n" : ""}${spot.seq}`;
}

/** @param {string} href @param {string} q @returns {string} the same address with another search */
export function searchAddress(href, q) {
  const url = new URL(href);
  if (q) url.searchParams.set("q", q);
  else url.searchParams.delete("q");
  return url.href;
}
