/**
 * From events to the lines that are shown: days, threads, system lines, messages in groups. Pure; `messages.js` draws them.
 */

import { WORDS, continuedWords, systemWords } from "./words.js";

const GROUP_MS = 5 * 60_000;
const DAY_MS = 24 * 3600_000;
const LINK = /https?:\/\/[^\s<>"']+/gi;
const LINK_TAIL = /[.,;:!?)\]}]+$/;

/**
 * @typedef {import("./log.js").Event} Event
 * @typedef {{key: string, type: "day" | "thread" | "system", text: string}} Mark
 * @typedef {object} Message
 * @property {string} key the message's id, so that an own message keeps its line when its event comes in
 * @property {"message"} type
 * @property {number | null} seq null while it is on its way
 * @property {boolean} mine
 * @property {boolean} first of a group of one author
 * @property {boolean} followed by one of the same group and fate, whose time and fate speak for both
 * @property {string} author
 * @property {string} text
 * @property {boolean} redacted
 * @property {string} way by which it came, in words; empty for the usual one
 * @property {string} time
 * @property {string} when date and time in full
 * @property {"sending" | "stored" | "delivered" | "read" | "refused" | null} fate of an own message
 * @property {string} detail why it was refused
 * @typedef {Mark | Message} Line
 */

/**
 * @param {object} chat
 * @param {Event[]} chat.events
 * @param {Array<{id: string, data: Record<string, any>, composed_ms: number, status: any, detail?: string}>} chat.outgoing
 * @param {string | null} chat.me
 * @param {(event: Event) => "stored" | "delivered" | "read"} chat.fate
 * @param {(id: string) => string} chat.nameOf
 * @param {{locale?: string, timeZone?: string, now_ms: number}} reader
 * @returns {Line[]}
 */
export function linesOf({ events, outgoing, me, fate, nameOf }, reader) {
  const clock = makeClock(reader);
  /** @type {Line[]} */ const lines = [];
  let day = "";
  let last = { by: "", at_ms: 0 };

  const showDay = (/** @type {number} */ at_ms) => {
    const date = clock.date(at_ms);
    if (date === day) return;
    day = date;
    last = { by: "", at_ms };
    lines.push({ key: `day ${date}`, type: "day", text: clock.day(at_ms) });
  };
  const showMessage = (/** @type {string} */ by, /** @type {number} */ at_ms, /** @type {any} */ message) => {
    showDay(at_ms);
    const first = by !== last.by || at_ms - last.at_ms > GROUP_MS;
    const before = lines.at(-1);
    if (!first && before?.type === "message") before.followed = before.fate === message.fate && before.way === message.way && message.fate !== "refused";
    last = { by, at_ms };
    const times = { time: clock.time(at_ms), when: clock.full(at_ms) };
    lines.push({ type: "message", first, followed: false, author: by === me ? WORDS.you : nameOf(by), ...times, ...message });
  };
  const showMark = (/** @type {"thread" | "system"} */ type, /** @type {Event} */ event, /** @type {string | null} */ text) => {
    if (text === null) return;
    last = { by: "", at_ms: 0 };
    lines.push({ key: `${type} ${event.seq}`, type, text });
  };

  events.forEach((event, i) => {
    const at_ms = Date.parse(event.at);
    if (event.kind === "message") {
      const mine = event.by === me;
      const { id: key, seq } = event;
      showMessage(event.by, at_ms, { key, seq, mine, ...content(event.data), fate: mine ? fate(event) : null, detail: "" });
    } else if (event.kind === "reopen") {
      day = clock.date(at_ms);
      showMark("thread", event, continuedWords(clock.long(at_ms)));
    } else if (!repeatsJoin(event, events[i - 1])) {
      showMark("system", event, systemWords(event, nameOf, me));
    }
  });
  for (const { id: key, data, composed_ms, status, detail = "" } of outgoing) {
    showMessage(me ?? "", composed_ms, { key, seq: null, mine: true, author: WORDS.you, ...content(data), fate: status, detail });
  }
  return lines;
}

/**
 * A text as plain parts and addresses of the web.
 * @param {string} text
 * @returns {Array<{text: string, href?: string}>}
 */
export function partsOf(text) {
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(LINK)) {
    const href = match[0].replace(LINK_TAIL, "");
    if (!URL.canParse(href)) continue;
    if (match.index > from) parts.push({ text: text.slice(from, match.index) });
    parts.push({ text: href, href });
    from = match.index + href.length;
  }
  if (from < text.length) parts.push({ text: text.slice(from) });
  return parts;
}

/** @param {Record<string, any>} data */
function content(data) {
  const way = data.by_mail ? WORDS.byMail : "";
  return { text: data.redacted ? WORDS.redacted : data.text, redacted: data.redacted === true, way };
}

/** An agent who accepts joins and is assigned in one breath: one line is enough. @param {Event} event @param {Event | undefined} before */
function repeatsJoin(event, before) {
  return event.kind === "assign" && before?.kind === "join" && before.data.participant?.id === event.data.agent;
}

/** @param {{locale?: string, timeZone?: string, now_ms: number}} reader */
function makeClock({ locale, timeZone, now_ms }) {
  const format = (/** @type {Intl.DateTimeFormatOptions} */ options) => {
    const formatter = new Intl.DateTimeFormat(locale, { ...options, timeZone });
    return (/** @type {number} */ at_ms) => formatter.format(at_ms);
  };
  const date = format({ dateStyle: "short" });
  const long = format({ dateStyle: "long" });
  const [today, yesterday] = [date(now_ms), date(now_ms - DAY_MS)];
  return {
    date,
    long,
    time: format({ timeStyle: "short" }),
    full: format({ dateStyle: "full", timeStyle: "medium" }),
    day: (/** @type {number} */ at_ms) => {
      if (date(at_ms) === today) return WORDS.today;
      return date(at_ms) === yesterday ? WORDS.yesterday : long(at_ms);
    },
  };
}
