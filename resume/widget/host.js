/**
 * The page around the chat. In a frame the host page hears three words, `open`, `close` and `unread`, and says the first
 * two; its origin stands in the frame's fragment, so each message goes to and comes from exactly that origin.
 */

/**
 * @typedef {object} Host
 * @property {boolean} embedded
 * @property {string | undefined} page where the customer came from: title and address
 * @property {() => void} close asks the host to put the frame away
 * @property {(count: number) => void} unread
 * @property {(listener: () => void) => void} onOpen
 */

/** @returns {Host} */
export function findHost() {
  const given = new URLSearchParams(location.hash.slice(1));
  const origin = given.get("host");
  if (window.parent === window || origin === null) return alone();

  const say = (/** @type {Record<string, any>} */ word) => window.parent.postMessage({ stillhere: 1, ...word }, origin);
  return {
    embedded: true,
    page: given.get("page") ?? undefined,
    close: () => say({ type: "close" }),
    unread: (count) => say({ type: "unread", count }),
    onOpen: (listener) =>
      window.addEventListener("message", ({ source, origin: from, data }) => {
        if (source === window.parent && from === origin && data?.stillhere === 1 && data.type === "open") listener();
      }),
  };
}

/** @returns {Host} */
function alone() {
  return { embedded: false, page: undefined, close: () => {}, unread: () => {}, onOpen: () => {} };
}
