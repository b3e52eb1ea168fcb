/**
 * A search as text: conditions are put in and taken out, so that field, chips, facets and the address always say the same.
 * Pure.
 */

/** @typedef {{text: string, condition: boolean}} Chip a part of the search, as the server has read it */

export const SORTS = [
  ["new", "Newest first"],
  ["old", "Oldest first"],
  ["best", "Best first"],
];

const SORT = /(?:^|\s)sort:(\w+)(?=\s|$)/gi;
const LONELY = ["on:", "during:", "sort:"]; // a search has one of these at most

/** @param {string} q @param {string} condition @returns {string} */
export function withCondition(q, condition) {
  const lonely = LONELY.find((name) => condition.startsWith(name));
  const parts = partsOf(q).filter((part) => part !== condition && !(lonely && part.toLowerCase().startsWith(lonely)));
  return [...parts, condition].join(" ");
}

/** @param {string} q @param {string} chip @returns {string} the search without one of its parts, the last of equal ones */
export function without(q, chip) {
  const at = q.lastIndexOf(chip);
  if (at < 0) return q;
  return tidy(`${q.slice(0, at)} ${q.slice(at + chip.length)}`);
}

/** @param {string} q @param {string} sort new, the usual order, is not written @returns {string} */
export function withSort(q, sort) {
  const rest = tidy(q.replace(SORT, " "));
  return sort === "new" ? rest : `${rest} sort:${sort}`.trim();
}

/** @param {string} q @returns {string} */
export function sortOf(q) {
  const named = [...q.matchAll(SORT)].at(-1)?.[1].toLowerCase();
  return SORTS.some(([sort]) => sort === named) ? /** @type {string} */ (named) : "new";
}

/** @param {string} value @returns {string} as it may stand behind an operator */
export function quoted(value) {
  return /[\s"()]/.test(value) ? `"${value.replaceAll('"', " ").trim()}"` : value;
}

/** Cut at blanks that stand in no quotes. @param {string} q @returns {string[]} */
function partsOf(q) {
  return q.match(/(?:"[^"]*"?|[^\s"])+/g) ?? [];
}

/** @param {string} q */
function tidy(q) {
  return q.replace(/\s+/g, " ").trim();
}
