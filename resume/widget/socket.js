/**
 * A connection over a WebSocket. One of the two transports of `line.js`; the other is `poll.js`.
 */

export const SUBPROTOCOL = "stillhere.v1";
const OPEN = 1; // WebSocket.OPEN, which a stand-in may lack
const LOST = 1006;
const LEFT = 3001;
const DONE = 1000;

/**
 * @typedef {Record<string, any>} Frame
 * @typedef {object} Greeting what a connection begins with
 * @property {() => Frame} hello the first frame
 * @property {() => Frame[]} follow what an agent wants to follow, after the welcome
 * @property {() => Record<string, number>} marks for pongs: chat -> highest number applied
 * @typedef {object} TransportEars never called from inside a call to the transport
 * @property {(frame: Frame) => void} frame
 * @property {(code: number) => void} closed it is over, with a close code of protocol 4.5; 1006: no answer
 * @typedef {object} Transport one connection, from its first try to its end; it never tries again by itself
 * @property {boolean} reached whether something has answered
 * @property {boolean} open whether frames can go out
 * @property {(frame: Frame) => void} send
 * @property {(code: number) => void} close nobody waits for it to be confirmed
 */

/**
 * @param {typeof WebSocket} Socket @param {string} url @param {Greeting} greeting @param {TransportEars} ears
 * @returns {Transport}
 */
export function openSocket(Socket, url, greeting, ears) {
  const socket = dial(Socket, url);
  if (!socket) queueMicrotask(() => ears.closed(LOST));
  const say = (/** @type {Frame} */ frame) => socket?.send(JSON.stringify(frame));
  let reached = false;

  if (socket) {
    socket.onopen = () => {
      reached = true;
      say(greeting.hello());
    };
    socket.onmessage = ({ data }) => {
      const frame = parse(data);
      if (frame?.type === "welcome") greeting.follow().forEach(say);
      if (frame) ears.frame(frame);
    };
    socket.onclose = ({ code }) => ears.closed(code);
  }
  return {
    get reached() {
      return reached;
    },
    get open() {
      return socket?.readyState === OPEN;
    },
    send: say,
    close: (code) => {
      if (!socket) return;
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close(code === LEFT ? LEFT : DONE);
    },
  };
}

/** @param {typeof WebSocket} Socket @param {string} url @returns {WebSocket | null} null where the page may have none */
function dial(Socket, url) {
  try {
    return new Socket(url, SUBPROTOCOL);
  } catch {
    return null;
  }
}

/** @param {any} data @returns {Frame | null} null for what something between here and the server has put in */
function parse(data) {
  try {
    const frame = JSON.parse(data);
    return typeof frame === "object" ? frame : null;
  } catch {
    return null;
  }
}
