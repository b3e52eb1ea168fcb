/**
 * From events, notes and what is not sent yet to the entries of the log: days, threads, things that happened, messages and
 * notes, in groups of one author. Pure; `log.js` draws them.
 */

import { REDACTED, SERVICE, eventWords, mailWords, threadWords } from "./words.js";

const GROUP_MS = 5 * 60_000;

/**
 * @typedef {{seq: number, kind: string, by: string, id: string, thread: number, at: string, data: Record<string, any>}} Event
 * @typedef {{key: string, type: "day" | "thread" | "system", text: string}} Mark
 * @typedef {object} Message
 * @property {string} key
 * @property {"message" | "note"} type
 * @property {string} [id] of one that is not stored
 * @property {number | null} seq in its stream; null while it is on its way
 * @property {boolean} mine
 * @property {boolean} first of a group of one author
 * @property {string} author
 * @property {string} text
 * @property {boolean} redacted
 * @property {{id: string, words: string, held?: true} | null} mail by which it came, or which is held back
 * @property {string} time
 * @property {string} when date and time in full
 * @property {"sending" | "stored" | "delivered" | "read" | "refused" | null} fate of an own message
 * @property {string} [detail] why it was refused
 * @typedef {Mark | Message} Entry
 */

/**
 * @param {object} chat
 * @param {Event[]} chat.events in order, without a hole
 * @param {Event[]} chat.notes
 * @param {any[]} chat.outgoing
 * @param {string | null} chat.me
 * @param {(event: Event) => "stored" | "delivered" | "read"} chat.fate
 * @param {(id: string) => string} chat.nameOf
 * @param {boolean} chat.fromStart whether nothing precedes these events
 * @param {boolean} chat.toEnd whether nothing follows them
 * @param {import("./words.js").Clock} clock
 * @returns {Entry[]}
 */
export function entriesOf({ events, notes, outgoing, me, fate, nameOf, fromStart, toEnd }, clock) {
  /** @type {Entry[]} */ const entries = [];
  let day = "";
  let last = { group: "", at_ms: 0 };
  const released = new Set(notes.map((note) => note.data.released));

  /** @param {number} at_ms @param {string} [said] a heading that tells the day already */
  const turnDay = (at_ms, said) => {
    const date = clock.date(at_ms);
    if (date === day) return;
    day = date;
    last.group = "";
    if (!said) entries.push({ key: `day ${date}`, type: "day", text: clock.day(at_ms) });
  };
  /** @param {"thread" | "system"} type @param {Event} event @param {string | null} text */
  const addMark = (type, event, text) => {
    if (text === null) return;
    turnDay(Date.parse(event.at), type === "thread" ? text : undefined);
    last.group = "";
    entries.push({ key: `${type} ${event.seq}`, type, text });
  };
  /** @param {string} by @param {number} at_ms @param {"message" | "note"} type @param {Record<string, any>} data @param {any} more */
  const addMessage = (by, at_ms, type, data, more) => {
    turnDay(at_ms);
    const group = `${type} ${by}`;
    const first = group !== last.group || at_ms - last.at_ms > GROUP_MS;
    last = { group, at_ms };
    const text = data.redacted ? REDACTED : data.text;
    const mail = mailWords(data);
    if (mail && released.has(mail.id)) delete mail.held;
    const times = { time: clock.time(at_ms), when: clock.full(at_ms) };
    entries.push({ type, mine: by === me, first, author: data.service ? SERVICE : nameOf(by), text, redacted: data.redacted === true, mail, ...times, ...more });
  };
  /** @param {Event} note */
  const addNote = ({ by, at, id, seq, data }) =>
    addMessage(by, Date.parse(at), "note", data, { key: `note ${by} ${id}`, seq, fate: null });

  const behind = notesBehind(events, notes, fromStart, toEnd);
  behind(0).forEach(addNote);
  events.forEach((event, i) => {
    const { by, id, seq, data, thread } = event;
    const at_ms = Date.parse(event.at);
    if (i === 0 && fromStart) addMark("thread", event, threadWords(thread, clock.long(at_ms)));
    if (event.kind === "message") {
      addMessage(by, at_ms, "message", data, { key: `message ${by} ${id}`, seq, fate: by === me ? fate(event) : null });
    } else if (event.kind === "reopen") {
      addMark("thread", event, threadWords(thread, clock.long(at_ms), eventWords(event, nameOf) ?? ""));
    } else if (!isSaidByNext(event, events[i + 1])) addMark("system", event, eventWords(event, nameOf));
    behind(seq).forEach(addNote);
  });
  for (const { id, stream, data, composed_ms, status, detail } of toEnd ? outgoing : []) {
    const type = stream === "internal" ? "note" : "message";
    addMessage(me ?? "", composed_ms, type, data, { key: `${type} ${me} ${id}`, id, seq: null, fate: status, detail });
  }
  return entries;
}

/**
 * Which notes to show behind an event; behind 0 those that precede all of them.
 * @param {Event[]} events @param {Event[]} notes @param {boolean} fromStart @param {boolean} toEnd
 * @returns {(seq: number) => Event[]}
 */
function notesBehind(events, notes, fromStart, toEnd) {
  /** @type {Map<number, Event[]>} */ const behind = new Map();
  const [from, to] = [events[0]?.seq ?? 1, events.at(-1)?.seq ?? 0];
  for (const note of notes) {
    const after = note.data.after ?? events.findLast((event) => event.at <= note.at)?.seq ?? 0;
    if ((after < from && !fromStart) || (after > to && !toEnd)) continue;
    const place = after < from ? 0 : Math.min(after, to);
    behind.set(place, [...(behind.get(place) ?? []), note]);
  }
  return (seq) => behind.get(seq) ?? [];
}

/** An agent who accepts joins, and is assigned, in one breath: one line is enough. @param {Event} event @param {Event | undefined} next */
function isSaidByNext(event, next) {
  return event.kind === "join" && next?.kind === "assign" && event.data.participant?.id === next.data.agent;
}
