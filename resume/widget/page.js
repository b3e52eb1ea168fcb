/**
 * What the page around the library tells: whether it is seen, when it wakes or its network changes, when it is left.
 * Outside of browsers there is no page: then it counts as seen and never wakes. Used by `line.js` and `tabs.js`.
 */

const WAKING = ["online", "offline", "pageshow", "focus"]; // a network that goes is a change like one that comes

export function isVisible() {
  return typeof document === "undefined" || document.visibilityState === "visible";
}

/**
 * @param {{wakes: () => void, hides: () => void}} ears hides: the page is left, perhaps to come back from the browser's cache
 * @returns {() => void} stops following
 */
export function followPage({ wakes, hides }) {
  if (typeof document === "undefined") return () => {};
  const end = new AbortController();
  const { signal } = end;
  document.addEventListener("visibilitychange", () => isVisible() && wakes(), { signal });
  for (const name of WAKING) window.addEventListener(name, wakes, { signal });
  window.addEventListener("pagehide", hides, { signal });
  return () => end.abort();
}
