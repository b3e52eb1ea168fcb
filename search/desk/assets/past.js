/**
 * The part of a chat that lies before what the connection follows: pages that the agent scrolled up to, or the surroundings
 * of a message that was jumped to. It is fetched over HTTP and joined to the live events where the two touch.
 */

import { get } from "./api.js";

const PAGE_EVENTS = 50;
const AROUND_EVENTS = 25; // shown behind the message that was jumped to

/** @typedef {import("./entries.js").Event} Event */

export class Past {
  /** @type {Event[]} ascending, without a hole */ #events = [];
  #more = true;
  #busy = false;

  /** @param {{id: string, events: Event[], hasOlder: boolean}} chat of the client library @param {() => void} changed */
  constructor(chat, changed) {
    this.chat = chat;
    this.changed = changed;
  }

  /** What is shown: past and live as one, or the past alone while they do not touch. @returns {Event[]} */
  get events() {
    const live = this.chat.events;
    if (this.#events.length === 0) return live;
    const first = live[0]?.seq ?? Infinity;
    const before = withRedactions(this.#events, live).filter((event) => event.seq < first);
    return this.isApart ? before : [...before, ...live];
  }

  /** Whether newer events exist that are not shown. */
  get isApart() {
    const last = this.#events.at(-1);
    return last !== undefined && last.seq < (this.chat.events[0]?.seq ?? Infinity) - 1;
  }

  get hasOlder() {
    return this.#events.length > 0 ? this.#more : this.chat.hasOlder;
  }

  /** Shows the surroundings of an event. @param {number} seq */
  async goTo(seq) {
    if (this.events.some((event) => event.seq === seq)) return;
    await this.#fetch({ before: seq + AROUND_EVENTS + 1 }, (items, more) => {
      this.#events = items;
      this.#more = more;
    });
  }

  async older() {
    const before = this.events[0]?.seq;
    if (before === undefined || !this.hasOlder) return;
    await this.#fetch({ before }, (items, more) => {
      this.#events = [...items, ...this.#events];
      this.#more = more;
    });
  }

  async newer() {
    const after = this.#events.at(-1)?.seq;
    if (after === undefined || !this.isApart) return;
    await this.#fetch({ after }, (items) => (this.#events = [...this.#events, ...items]));
  }

  /** Back to what is live. */
  leave() {
    this.#events = [];
    this.#more = true;
    this.changed();
  }

  /** One question at a time. @param {Record<string, number>} bound @param {(items: Event[], more: boolean) => void} take */
  async #fetch(bound, take) {
    if (this.#busy) return;
    this.#busy = true;
    try {
      const query = new URLSearchParams(Object.entries({ ...bound, limit: PAGE_EVENTS }).map(([key, value]) => [key, String(value)]));
      const { items, more } = await get(`/api/v1/chats/${this.chat.id}/events?${query}`);
      take(items, more);
      this.changed();
    } finally {
      this.#busy = false;
    }
  }
}

/** What was redacted since the page was fetched must not be shown. @param {Event[]} events @param {Event[]} live */
function withRedactions(events, live) {
  const redacted = new Set(live.filter((event) => event.kind === "redact").map((event) => event.data.seq));
  return events.map((event) => (redacted.has(event.seq) ? { ...event, data: { redacted: true } } : event));
}
