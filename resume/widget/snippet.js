/**
 * Reads the snippets of search results: HTML-escaped text in which `<mark>` and `</mark>` are the only tags. They become
 * pieces of plain text; nothing of them is ever read as markup. Pure.
 */

const TAG = /(<\/?mark>)/;
const ENTITY = /&(amp|lt|gt|quot|#39|#x27|#34);/gi;

/** @type {Record<string, string>} */
const SIGNS = { amp: "&", lt: "<", gt: ">", quot: '"', "#34": '"', "#39": "'", "#x27": "'" };

/** @param {string} snippet @returns {Array<{text: string, marked: boolean}>} */
export function piecesOf(snippet) {
  const pieces = [];
  let marked = false;
  for (const part of snippet.split(TAG)) {
    if (part === "<mark>" || part === "</mark>") marked = part === "<mark>";
    else if (part !== "") pieces.push({ text: plain(part), marked });
  }
  return pieces;
}

/** @param {string} escaped */
function plain(escaped) {
  return escaped.replace(ENTITY, (_, name) => SIGNS[name.toLowerCase()]);
}
