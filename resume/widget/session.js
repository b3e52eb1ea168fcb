/**
 * What this browser keeps to find the way back: the resume token, the chat, an unfinished message. `localStorage`, or
 * memory where the browser refuses it; then the chat lives as long as the page.
 */

const TOKEN = "stillhere.token";
const CHAT = "stillhere.chat";
const DRAFT = "stillhere.draft";

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

  /** @param {{token: string, chat?: string}} right */
  keep({ token, chat }) {
    write(TOKEN, token);
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
