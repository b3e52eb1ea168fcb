/**
 * Word between the tabs of one browser: "this chat goes on until number n", "look into the outbox". It only saves time.
 * Nothing that is said here is believed: numbers lead to a question to the server, the outbox is read from the browser's
 * store. There is no leader, and a tab that hears nothing misses nothing. Made by `stillhere.js`.
 */

import { followPage } from "./page.js";

const NAME = "stillhere";

/**
 * @typedef {{chat: string, head?: number, outbox?: true}} Word
 * @param {(word: Word) => void} hear
 * @returns {{tell: (word: Word) => void, close: () => void}}
 */
export function openTabs(hear) {
  /** @type {BroadcastChannel | null} */ let channel = null;

  const open = () => {
    if (channel) return;
    channel = openChannel();
    if (channel) channel.onmessage = ({ data }) => isWord(data) && hear(data);
  };
  const close = () => {
    channel?.close();
    channel = null;
  };
  const unfollow = followPage({ wakes: open, hides: close }); // an open channel may keep the page out of the browser's cache

  open();
  return {
    tell: (word) => {
      try {
        channel?.postMessage(word);
      } catch {
        channel = null; // somebody has closed it
      }
    },
    close: () => {
      unfollow();
      close();
    },
  };
}

/** @returns {BroadcastChannel | null} */
function openChannel() {
  if (typeof document === "undefined") return null; // outside of browsers there are no tabs
  try {
    return new BroadcastChannel(NAME);
  } catch {
    return null;
  }
}

/** @param {any} data @returns {data is Word} */
function isWord(data) {
  if (typeof data?.chat !== "string") return false;
  return data.outbox === true || (Number.isSafeInteger(data.head) && data.head > 0);
}
