/**
 * The words that customers read, in one place. Names and texts of people come in as arguments and go out as plain text.
 */

export const WORDS = {
  hello: "Hello! How can we help?",
  promise: "Write to us right here. You may leave at any time: your chat stays, and so does every answer.",
  write: "Write a message …",
  message: "Your message",
  send: "Send",
  about: "Add your name or e-mail (optional)",
  name: "Your name",
  email: "E-mail for the transcript",
  emailHint: "When the chat ends we send you what was said, with a way back to it.",
  badEmail: "Please check your e-mail address, or leave it out.",
  notStarted: "This could not be sent. Please try again.",
  loading: "Your chat is loading",
  messages: "Messages",
  close: "Close chat",
  end: "End chat",
  endSure: "End this chat?",
  endHint: "You can continue it later, here or from your e-mail.",
  endNot: "Keep chatting",
  download: "Download transcript",
  downloadFailed: "The transcript could not be downloaded. Please try again.",
  mailCopy: "E-mail me the transcript",
  mailAsked: "The transcript is on its way to you.",
  actFailed: "This did not work. Please try again.",
  ended: "This chat has ended.",
  endedHint: "Write to continue it.",
  newest: "New messages",
  redacted: "This message was removed",
  today: "Today",
  yesterday: "Yesterday",
  you: "You",
  byMail: "by e-mail",
  again: "Send again",
  drop: "Delete",
  tooLong: "This message is too long. Please split it into several.",
  connecting: "Connecting …",
  offline: "Offline. Your message will be sent.",
  soon: "With you shortly",
  team: "Chat with our team",
  reload: "Load again",
  search: "Search your messages",
  searchHint: "Any word that was ever said here",
  searchEnd: "Back to the chat",
  searchNone: "Nothing found.",
  searchFailed: "This could not be searched. Please try again.",
  searchRecent: "Only the newest messages could be searched just now.",
  searchInstead: "Did you mean",
  more: "More",
};

/** What an own message has become. */
export const FATES = {
  sending: "Sending",
  stored: "Sent",
  delivered: "Delivered",
  read: "Read",
  refused: "Not sent",
};

/** Why the connection ended for good, by close code. @param {number | undefined} code */
export function stopWords(code) {
  if (code === 4310) return "This chat was erased.";
  if (code === 4326) return "This page is out of date. Please load it again.";
  if (code === 4002) return "This chat was opened again elsewhere. Load this page again to use it here.";
  if (code === 4203) return "Please open this chat from the link in your e-mail.";
  return "Your earlier chat can no longer be opened on this device. You can start a new one here. If you gave us your e-mail address, the link in our mail leads to the old one.";
}

/** @param {number} position */
export function placeWords(position) {
  return position === 1 ? "You are next in line" : `You are number ${position} in line`;
}

/** @param {string[]} names */
export function typingWords(names) {
  return names.length === 1 ? `${names[0]} is writing …` : `${names.join(", ")} are writing …`;
}

/** @param {number} total @param {boolean} partial there may be more */
export function foundWords(total, partial) {
  if (total === 0) return WORDS.searchNone;
  const count = `${total.toLocaleString()} ${total === 1 ? "message" : "messages"}`;
  return partial ? `At least ${count}` : count;
}

/**
 * What became of a mail with the transcript; empty for what need not be said.
 * @param {{kind: string, to: string, state: string} | undefined} mail
 */
export function mailWords(mail) {
  if (!mail || ["away", "confirm", "code"].includes(mail.kind)) return "";
  if (["sent", "confirmed"].includes(mail.state)) return `The transcript was mailed to ${mail.to}.`;
  if (["ready", "leased", "started"].includes(mail.state)) return `The transcript is mailed to ${mail.to} in a moment.`;
  if (["failed", "dead", "bounced"].includes(mail.state)) return `The transcript could not be mailed to ${mail.to}.`;
  return "";
}

/** @param {string} name */
export function withYouWords(name) {
  return `${name} is with you`;
}

/** @param {string} date */
export function continuedWords(date) {
  return `Continued · ${date}`;
}

/**
 * What a system line says, or null for what a customer need not read.
 * @param {import("./log.js").Event} event @param {(id: string) => string} nameOf @param {string | null} me
 * @returns {string | null}
 */
export function systemWords({ kind, data, by }, nameOf, me) {
  switch (kind) {
    case "join":
      return data.participant?.role === "agent" ? `${data.participant.name} joined the chat` : null;
    case "leave":
      return data.participant?.role === "agent" ? `${data.participant.name} left the chat` : null;
    case "assign":
    case "transfer":
      return data.agent ? `${nameOf(data.agent)} is taking care of you` : "You are back in line";
    case "close":
      return closeWords(data.reason, by === me, data.by_name || nameOf(by));
    case "rating":
      return `Rated ${"★".repeat(data.score)}${"☆".repeat(5 - data.score)}`;
    case "notice":
      return data.text ?? null;
    default:
      return null;
  }
}

/** @param {string} reason @param {boolean} mine @param {string} name */
function closeWords(reason, mine, name) {
  if (mine) return "You ended the chat";
  return reason === "agent" ? `${name} ended the chat` : "The chat ended because it was quiet";
}
