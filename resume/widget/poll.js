/**
 * A connection without WebSocket (protocol 4.6): one request after the other, each beginning with hello. One of the two
 * transports of `line.js`; the other is `socket.js`.
 *
 * A request that carries something is answered soon; one that carries nothing waits for news, and is called off when there
 * is something to say. Nothing is lost with it: where this client stands is told again by the next hello.
 */

export const WAIT_MS = 20_000; // well below the silence after which the line looks for another connection
const DEADLINE_MS = WAIT_MS + 10_000;
const PACE_MS = 500; // from one wait for news to the next
const FOLLOWER_PACE_MS = 2_000; // what an agent follows is told again in each answer, so there is no waiting
const MOST_FRAMES = 16;
const LOST = 1006;
const OVERLOAD = 1013;
const CODES = { unauthorized: 4201, revoked: 4202, forbidden: 4303 };

/**
 * @typedef {import("./socket.js").Frame} Frame
 * @typedef {{fetch: typeof fetch, url: string, credentials: RequestCredentials}} Door
 * @param {Door} door
 * @param {import("./socket.js").Greeting} greeting
 * @param {import("./socket.js").TransportEars} ears
 * @returns {import("./socket.js").Transport}
 */
export function openPoll(door, greeting, ears) {
  const end = new AbortController();
  let wait = new AbortController();
  /** @type {Frame[]} */ const outgoing = [];
  let reached = false;

  function close() {
    end.abort();
    wait.abort();
  }

  /** @param {number} code */
  function over(code) {
    if (end.signal.aborted) return;
    close();
    ears.closed(code);
  }

  async function run() {
    await ask([], 0, end.signal); // a welcome at once
    while (!end.signal.aborted) {
      await null; // what is said in one breath goes together
      if (outgoing.length > 0) await ask(outgoing.splice(0, MOST_FRAMES), 0, end.signal);
      else await listen();
    }
  }

  async function listen() {
    wait = new AbortController();
    const paced = pause(greeting.follow().length > 0 ? FOLLOWER_PACE_MS : PACE_MS, wait.signal);
    await ask([{ type: "pong", n: 0, have: greeting.marks() }], WAIT_MS, wait.signal);
    await paced;
  }

  /** @param {Frame[]} frames @param {number} wait_ms @param {AbortSignal} signal */
  async function ask(frames, wait_ms, signal) {
    const body = JSON.stringify({ frames: [greeting.hello(), ...greeting.follow(), ...frames], wait_ms });
    const late = setTimeout(() => over(LOST), DEADLINE_MS);
    const answer = await post(door, body, signal);
    clearTimeout(late);
    if (signal.aborted) return;
    reached ||= answer.code !== LOST;
    for (const frame of answer.frames) if (!end.signal.aborted) ears.frame(frame);
    if (answer.code !== null) over(answer.code);
  }

  run();
  return {
    get reached() {
      return reached;
    },
    get open() {
      return !end.signal.aborted;
    },
    send: (frame) => {
      if (frame.type === "pong") return; // each wait for news begins with one
      outgoing.push(frame);
      wait.abort();
    },
    close,
  };
}

/**
 * @param {Door} door @param {string} body @param {AbortSignal} signal
 * @returns {Promise<{frames: Frame[], code: number | null}>} code: why nothing more can come this way
 */
async function post({ fetch, url, credentials }, body, signal) {
  const headers = { "Content-Type": "application/json" };
  try {
    const answer = await fetch(url, { method: "POST", headers, body, signal, credentials, cache: "no-store" });
    const content = await answer.json();
    if (answer.ok && Array.isArray(content.frames)) return { frames: content.frames, code: null };
    return { frames: [], code: CODES[/** @type {keyof typeof CODES} */ (content.code)] ?? OVERLOAD };
  } catch {
    return { frames: [], code: LOST };
  }
}

/** @param {number} ms @param {AbortSignal} signal ends it early @returns {Promise<void>} */
function pause(ms, signal) {
  return new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      done();
    });
  });
}
