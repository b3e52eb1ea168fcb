/**
 * What this browser keeps to find the way back: the resume token, the chat, an unfinished message, a chat's beginning. `localStorage`, or
 * memory where the browser refuses it; then the chat lives as long as the page.
 */

const TOKEN = "stillhere.token";
const CHAT = "stillhere.chat";
const DRAFT = "stillhere.draft";
const BEGINNING = "stillhere.beginning";

/** @type {Map<string, string>} */ const memory = new Map();

export const session = {
  get token() {
    return read(TOKEN);
  },
  get chat() {
    return read(CHAT);
  },
  /** @param {string | null} id */
  set chat(id) {
    write(CHAT, id);
  },
  get draft() {
    return read(DRAFT) ?? "";
  },
  /** @param {string} text */
  set draft(text) {
    write(DRAFT, text || null);
  },

  /** @returns {{id: string, text: string} | null} the first message of a chat, on its way; sent again it begins no other */
  get beginning() {
    return JSON.parse(read(BEGINNING) ?? "null");
  },
  /** @param {{id: string, text: string} | null} message */
  set beginning(message) {
    write(BEGINNING, message && JSON.stringify(message));
  },

  /** @param {{token: string, chat?: string}} right */
  keep({ token, chat }) {
    write(TOKEN, token);
    write(BEGINNING, null);
    if (chat) write(CHAT, chat);
  },

  forget() {
    write(TOKEN, null);
    write(CHAT, null);
  },
};

/** @param {string} key @returns {string | null} */
function read(key) {
  try {
    return localStorage.getItem(key) ?? memory.get(key) ?? null;
  } catch {
    return memory.get(key) ?? null;
  }
}

/** @param {string} key @param {string | null} value null removes */
function write(key, value) {
  if (value === null) memory.delete(key);
  else memory.set(key, value);
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // The browser keeps nothing; the page itself still does.
  }
}
