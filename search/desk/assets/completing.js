/**
 * What may stand where the caret is in a search: operators, and the values that they take. Pure; `combobox.js` shows it.
 */

import { quoted } from "./searching.js";

const MONTHS_SHOWN = 12;
const MOST = 8;
const AT_CARET = /(?:^|[\s(])-?(?:([a-z]+):)?("[^"]*|[^\s"()]*)$/i;

/** @type {Array<[string, string]>} */
const OPERATORS = [
  ["from", "who wrote it"],
  ["agent", "who helped"],
  ["customer", "whose chat it is"],
  ["is", "how the chat is, or a note"],
  ["has", "what is in it"],
  ["in", "by which way it came"],
  ["during", "in a month or on a day"],
  ["after", "from a day on"],
  ["before", "until a day"],
  ["on", "on a day"],
  ["rating", "how it was rated"],
  ["lang", "the customer's language"],
  ["chat", "in one chat"],
  ["sort", "in which order"],
];

/** @type {Record<string, Array<[string, string]>>} */
const VALUES = {
  from: [
    ["me", "I wrote it"],
    ["customer", "any customer"],
    ["agent", "any agent"],
  ],
  agent: [["me", "I helped"]],
  is: [
    ["open", "not ended"],
    ["closed", "ended"],
    ["waiting", "in the queue"],
    ["unassigned", "nobody is in charge"],
    ["note", "only the team sees it"],
  ],
  has: [
    ["link", "an address of the web"],
    ["order", "an order's number"],
    ["phone", "a telephone number"],
    ["email", "an e-mail address"],
    ["file", "anything attached"],
    ["image", "a picture"],
    ["note", "only the team sees it"],
  ],
  in: [
    ["web", "written in the chat"],
    ["email", "written as an e-mail"],
  ],
  sort: [
    ["new", "newest first"],
    ["old", "oldest first"],
    ["best", "best first"],
  ],
  rating: ["5", "4", "3", "2", "1"].map((score) => [score, `${score} of 5`]),
};
const DAYS = [
  ["today", ""],
  ["yesterday", ""],
  ["7d", "the last seven days"],
  ["30d", "the last thirty days"],
];
const TIMES = ["during", "after", "before", "on"];
const NAMES = { from: ["agent", "customer"], agent: ["agent"], customer: ["customer"] };

/**
 * @typedef {{text: string, label: string, hint: string, whole: boolean}} Choice whole: nothing more belongs to it
 * @typedef {{from: number, choices: Choice[], name: string | null}} Completions `from`: where what is replaced begins;
 *   `name`: the beginning of a person's name, if people may be meant
 */

/**
 * @param {string} text before the caret
 * @param {object} known
 * @param {Array<{name: string, role: string}>} known.people
 * @param {number} known.now_ms
 * @param {string} [known.locale]
 * @returns {Completions}
 */
export function completionsAt(text, { people, now_ms, locale }) {
  const [, name, typed = ""] = AT_CARET.exec(text) ?? [];
  const from = text.length - typed.length;
  const begun = typed.replace(/^"/, "").toLowerCase();
  if (name === undefined) return { from, choices: begun && !typed.startsWith('"') ? operators(begun) : [], name: null };
  const operator = name.toLowerCase();
  const roles = /** @type {Record<string, string[]>} */ (NAMES)[operator] ?? [];
  const values = [...(VALUES[operator] ?? []), ...(TIMES.includes(operator) ? times(operator, now_ms, locale) : [])];
  const named = people.filter(({ role }) => roles.includes(role)).map(({ name, role }) => [name, role]);
  const choices = [
    ...values.filter(([value, hint]) => value.startsWith(begun) || hint.toLowerCase().startsWith(begun)),
    ...named.filter(([person]) => beginsIn(person, begun)),
  ].map(([value, hint]) => ({ text: quoted(value), label: value, hint, whole: true }));
  return { from, choices: unlessDone(choices, typed), name: roles.length > 0 ? begun : null };
}

/** @param {string} begun @returns {Choice[]} */
function operators(begun) {
  return OPERATORS.filter(([name]) => name.startsWith(begun)).map(([name, hint]) => ({ text: `${name}:`, label: `${name}:`, hint, whole: false }));
}

/** @param {string} operator @param {number} now_ms @param {string} [locale] */
function times(operator, now_ms, locale) {
  const now = new Date(now_ms);
  const format = new Intl.DateTimeFormat(locale, { month: "long", year: "numeric", timeZone: "UTC" });
  const months = Array.from({ length: MONTHS_SHOWN }, (_, back) => new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - back)));
  const named = months.map((month) => [month.toISOString().slice(0, 7), format.format(month)]);
  return operator === "on" ? DAYS.slice(0, 2) : [...DAYS, ...named];
}

/** @param {string} name @param {string} begun */
function beginsIn(name, begun) {
  return name.toLowerCase().startsWith(begun) || name.toLowerCase().includes(` ${begun}`);
}

/** @param {Choice[]} choices @param {string} typed */
function unlessDone(choices, typed) {
  return choices.length === 1 && choices[0].text === typed ? [] : choices.slice(0, MOST);
}
