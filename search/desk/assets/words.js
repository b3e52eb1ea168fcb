/**
 * The words that agents read, and times as they are said. Pure: now comes in as an argument.
 */

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const CREDENTIALS_CODES = [4201, 4202, 4203];

export const UNNAMED = "Customer";
export const SERVICE = "Stillhere"; // who tells agents what became of mails
export const REDACTED = "This message was removed";
const PROOFS = { proven: "by e-mail", unproven: "by e-mail, not proven", stranger: "by e-mail, from somebody else's address" };
export const FATES = { sending: "Sending", stored: "Sent", delivered: "Delivered", read: "Read", refused: "Not sent" };

const MAIL_KINDS = { transcript: "Transcript", away: "Unread answer", copy: "Copy", confirm: "Question for leave", code: "Code" };
const MAIL_STATES = {
  held: "Waits for leave",
  ready: "Waiting",
  leased: "Being sent",
  started: "Being sent",
  sent: "Sent",
  confirmed: "Delivered",
  cancelled: "Not sent",
  uncertain: "Perhaps sent",
  failed: "Refused",
  dead: "Given up",
  bounced: "Came back",
  complained: "Taken for spam",
};

/** What a mail is. @param {string} kind */
export function mailKind(kind) {
  return /** @type {Record<string, string>} */ (MAIL_KINDS)[kind] ?? kind;
}

/** What became of a mail. @param {string} state */
export function mailState(state) {
  return /** @type {Record<string, string>} */ (MAIL_STATES)[state] ?? state;
}

/** How long something has been so. @param {number} since_ms @param {number} now_ms */
export function agoWords(since_ms, now_ms) {
  const ms = Math.max(0, now_ms - since_ms);
  if (ms < MINUTE_MS) return "now";
  if (ms < HOUR_MS) return `${Math.floor(ms / MINUTE_MS)} min`;
  return ms < DAY_MS ? `${Math.floor(ms / HOUR_MS)} h` : `${Math.floor(ms / DAY_MS)} d`;
}

/**
 * @typedef {Record<"date" | "long" | "time" | "full" | "day" | "brief", (at_ms: number) => string>} Clock
 * @param {number} now_ms @param {string} [locale] @param {string} [timeZone] @returns {Clock}
 */
export function makeClock(now_ms, locale, timeZone) {
  const format = (/** @type {Intl.DateTimeFormatOptions} */ options) => {
    const formatter = new Intl.DateTimeFormat(locale, { ...options, timeZone });
    return (/** @type {number} */ at_ms) => formatter.format(at_ms);
  };
  const [date, long, time] = [format({ dateStyle: "medium" }), format({ dateStyle: "long" }), format({ timeStyle: "short" })];
  const [today, yesterday] = [date(now_ms), date(now_ms - DAY_MS)];
  const full = format({ dateStyle: "full", timeStyle: "medium" });
  const day = (/** @type {number} */ at_ms) => {
    if (date(at_ms) === today) return "Today";
    return date(at_ms) === yesterday ? "Yesterday" : long(at_ms);
  };
  const brief = (/** @type {number} */ at_ms) => (date(at_ms) === today ? time(at_ms) : date(at_ms));
  return { date, long, time, full, day, brief };
}

/** What the connection is like. @param {{status: string, code?: number, detail?: string}} status */
export function lineWords({ status, code, detail }) {
  if (status === "connecting") return "Connecting…";
  if (status === "offline") return "Offline. What you write will be sent.";
  if (status !== "stopped") return "";
  return code === 4326 ? "This page is out of date. Please load it again." : detail || "The connection was ended.";
}

/** Whether a close code means that the agent must sign in again. @param {number} [code] */
export function wantsSignIn(code) {
  return CREDENTIALS_CODES.includes(code ?? 0);
}

/** @param {Record<string, any>} state @param {string | null} me */
export function statusWords({ status, agent, queue, thread }, me) {
  const sitting = thread > 1 ? `Thread ${thread} · ` : "";
  if (status === "closed") return `${sitting}Closed`;
  if (agent) return agent.id === me ? `${sitting}With you` : `${sitting}With ${agent.name}`;
  return queue ? `${sitting}Waiting, number ${queue.position}` : `${sitting}Open`;
}

/** @param {Record<string, any> | undefined} customer a participant @param {number} now_ms */
export function presenceWords(customer, now_ms) {
  if (customer?.online) return "Online";
  if (!customer?.last_seen) return "Away";
  const ago = agoWords(Date.parse(customer.last_seen), now_ms);
  return ago === "now" ? "Seen just now" : `Seen ${ago} ago`;
}

/** What the text field says while it is empty. @param {Record<string, any>} state @param {string | null} me @param {string} stream */
export function promptWords({ status, agent }, me, stream) {
  if (stream === "internal") return "Write a note for the team";
  if (status === "closed") return "Write to reopen this chat";
  if (!agent) return "Write to accept this chat";
  return agent.id === me ? "Write a reply" : `${agent.name} is in charge; write to join in`;
}

/** @param {string[]} names */
export function typingWords(names) {
  if (names.length === 0) return "";
  return names.length === 1 ? `${names[0]} is typing…` : `${names.join(" and ")} are typing…`;
}

/** Why an act was refused. @param {{code: string, message: string, state?: Record<string, any>}} refusal */
export function refusalWords({ code, message, state }) {
  if (code !== "conflict") return `${message}.`;
  return state?.agent ? `Somebody else was first: ${state.agent.name}.` : `${message}.`;
}

/** @param {number} total @param {boolean} partial */
export function foundWords(total, partial) {
  if (total === 0) return partial ? "Nothing found so far; please narrow the search." : "Nothing found.";
  const count = `${total.toLocaleString()} ${total === 1 ? "message" : "messages"}`;
  return partial ? `At least ${count}; please narrow the search.` : count;
}

/** In how many chats it was found. @param {number} total @param {number} [chats] @param {boolean} [estimated] */
export function chatsWords(total, chats, estimated = false) {
  if (!chats || total === 0) return "";
  return `in ${aboutWords(chats, estimated)} ${chats === 1 ? "chat" : "chats"}`;
}

/** A number; one that is estimated says so. @param {number} count @param {boolean} estimated */
export function aboutWords(count, estimated) {
  return `${estimated ? "about " : ""}${count.toLocaleString()}`;
}

/** A thread's heading. @param {number} number @param {string} date @param {string} [how] */
export function threadWords(number, date, how) {
  return [`Thread ${number}`, date, how].filter(Boolean).join(" · ");
}

/**
 * What an event says by itself; null if agents need not read it.
 * @param {{kind: string, by: string, data: Record<string, any>}} event
 * @param {(id: string) => string} nameOf "You" for the reader
 * @returns {string | null}
 */
export function eventWords({ kind, by, data }, nameOf) {
  switch (kind) {
    case "join":
      return data.participant?.role === "agent" ? `${nameOf(data.participant.id)} joined` : null;
    case "leave":
      return data.participant ? `${nameOf(data.participant.id)} left` : null;
    case "assign":
      return data.agent ? `${nameOf(data.agent)} accepted the chat` : `${nameOf(by)} put the chat back in the queue`;
    case "transfer":
      return data.agent ? `The chat was handed to ${nameOf(data.agent)}` : "The chat was handed on";
    case "close":
      return data.reason === "idle" ? "Closed after a while without messages" : `${nameOf(by)} closed the chat`;
    case "reopen":
      return data.reason === "email" ? "continued by e-mail" : `reopened by ${data.reason === "customer" ? "the customer" : nameOf(by)}`;
    case "rating":
      return [`Rated ${data.score} of 5`, data.comment].filter(Boolean).join(": ");
    case "notice":
      return data.text ?? null;
    default:
      return null;
  }
}

/**
 * By which mail a message came, and how far its sender is known; null if it did not come by mail. A note may be about one
 * that is held back.
 * @param {Record<string, any>} data @returns {{id: string, words: string, held?: true} | null}
 */
export function mailWords({ by_mail: mail }) {
  if (!mail?.id) return null;
  const words = PROOFS[/** @type {keyof typeof PROOFS} */ (mail.proof)] ?? "";
  return { id: String(mail.id), words: mail.whole === false ? `${words}, shortened` : words, ...(mail.held && { held: true }) };
}
