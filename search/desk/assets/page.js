/**
 * What the parts of the desk's page share: finding an element, and lists whose unchanged rows keep their elements, so that
 * focus stays where it is and screen readers hear only what is new.
 */

/** @param {string} id @returns {HTMLElement} */
export function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/** @param {HTMLElement} element @param {string} text an empty text hides the element */
export function say(element, text) {
  element.hidden = text === "";
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Makes the children of `list` those of `rows`, in order. A row is drawn again only if it says something else than before.
 * @template {{key: string}} Row plain data
 * @param {HTMLElement} list @param {Row[]} rows @param {(row: Row) => HTMLElement} draw
 */
export function reconcile(list, rows, draw) {
  const focused = focusedKey(list);
  const said = new Map(rows.map((row) => [row.key, JSON.stringify(row)]));
  const kept = new Map();
  for (const child of /** @type {HTMLElement[]} */ ([...list.children])) {
    const { key = "", said: before } = child.dataset;
    if (said.get(key) === before) kept.set(key, child);
    else child.remove();
  }
  let place = list.firstElementChild;
  for (const row of rows) {
    const element = kept.get(row.key) ?? draw(row);
    Object.assign(element.dataset, { key: row.key, said: said.get(row.key) });
    if (element === place) place = place.nextElementSibling;
    else list.insertBefore(element, place);
  }
  if (focused !== undefined && !list.contains(document.activeElement)) focusOn(list, focused);
}

/** @param {HTMLElement} list @returns {string | undefined} */
function focusedKey(list) {
  const { activeElement } = document;
  if (!activeElement || !list.contains(activeElement)) return undefined;
  return /** @type {HTMLElement | null} */ (activeElement.closest("[data-key]"))?.dataset.key;
}

/** @param {HTMLElement} list @param {string} key */
function focusOn(list, key) {
  const row = [...list.children].find((child) => /** @type {HTMLElement} */ (child).dataset.key === key);
  /** @type {HTMLElement | null | undefined} */ (row?.querySelector("a, button"))?.focus({ preventScroll: true });
}
