/**
 * The ways to the service of one origin, for `line.js`: a WebSocket, and long polls where there is none. Used by
 * `stillhere.js`.
 */

import { openPoll } from "./poll.js";
import { openSocket } from "./socket.js";
import { Ways } from "./ways.js";

const LIVE_PATH = "/api/v1/live";
const SYNC_PATH = "/api/v1/sync";

/**
 * @typedef {import("./ways.js").Way} Way
 * @param {object} platform
 * @param {string} [platform.origin]
 * @param {typeof globalThis.WebSocket | null} [platform.WebSocket]
 * @param {typeof globalThis.fetch} [platform.fetch]
 * @param {RequestCredentials} credentials
 * @param {(way: Way) => import("./socket.js").Greeting} greeting
 * @returns {Pick<import("./line.js").Means, "open" | "ways">}
 */
export function makeTransports(platform, credentials, greeting) {
  const { origin = globalThis.location?.origin, WebSocket = globalThis.WebSocket ?? null, fetch = globalThis.fetch } = platform;
  const socketUrl = new URL(LIVE_PATH, origin).href.replace(/^http/, "ws");
  const door = { fetch, url: new URL(SYNC_PATH, origin).href, credentials };
  return {
    open: {
      socket: (ears) => openSocket(/** @type {typeof globalThis.WebSocket} */ (WebSocket), socketUrl, greeting("socket"), ears),
      poll: (ears) => openPoll(door, greeting("poll"), ears),
    },
    ways: new Ways(WebSocket !== null),
  };
}
