/**
 * One stream of a chat as far as this client holds it: events by number, in runs without a hole between them.
 *
 * The newest run is what is shown; its last number is the mark that a resume starts from. Only events move that mark,
 * never an ack, a time or a head (protocol 4.4). Pure: it asks for nothing by itself, `chat.js` fills the holes.
 */

/**
 * @typedef {{seq: number, hash: string, kind: string, by: string, id: string, thread: number, at: string,
 *   data: Record<string, any>}} Event
 * @typedef {{from: number, to: number}} Run both ends included
 */

export class Log {
  /** @type {Map<number, Event>} */ #events = new Map();
  /** @type {Run[]} ascending, never touching each other */ #runs = [];
  #floor = 0;

  /** The highest number up to which the newest run is held. */
  get top() {
    return this.#runs.at(-1)?.to ?? this.#floor;
  }

  /** Whether the server holds events before the newest run. */
  get hasOlder() {
    const newest = this.#runs.at(-1);
    return newest !== undefined && newest.from > this.#floor + 1;
  }

  /** Where a resume starts: `have` 0 while nothing is held. */
  get mark() {
    const last = this.#events.get(this.top);
    return { have: last ? last.seq : 0, hash: last ? last.hash : "" };
  }

  /** The events of the newest run, ascending. @returns {Event[]} */
  events() {
    const newest = this.#runs.at(-1);
    if (!newest) return [];
    return Array.from({ length: newest.to - newest.from + 1 }, (_, i) => /** @type {Event} */ (this.#events.get(newest.from + i)));
  }

  /** The newest missing numbers between two runs, or null. @returns {Run | null} */
  hole() {
    const [before, newest] = [this.#runs.at(-2), this.#runs.at(-1)];
    return before && newest ? { from: before.to + 1, to: newest.from - 1 } : null;
  }

  /**
   * A live event. It counts only directly behind the mark.
   * @param {Event} event
   * @returns {"applied" | "known" | "ahead"} ahead: something between is missing and must be fetched
   */
  append(event) {
    if (event.seq <= this.top) return "known";
    if (event.seq > this.top + 1) return "ahead";
    this.take([event]);
    return "applied";
  }

  /**
   * A page from the server: ascending and without a hole in itself; it may overlap what is held.
   * @param {Event[]} page
   */
  take(page) {
    if (page.length === 0) return;
    for (const event of page) if (event.data.redacted || !this.#events.has(event.seq)) this.#events.set(event.seq, event);
    this.#runs = joined([...this.#runs, { from: page[0].seq, to: page[page.length - 1].seq }]);
    for (const event of page) if (event.kind === "redact") this.#redact(event.data.seq);
  }

  /** Events up to `floor` were erased: forget them. @param {number} floor */
  raiseFloor(floor) {
    if (!(floor > this.#floor)) return;
    this.#floor = floor;
    for (const seq of this.#events.keys()) if (seq <= floor) this.#events.delete(seq);
    this.#runs = this.#runs
      .filter((run) => run.to > floor)
      .map((run) => ({ from: Math.max(run.from, floor + 1), to: run.to }));
  }

  /** Forget everything: the server's log is another one. */
  clear() {
    this.#events.clear();
    this.#runs = [];
    this.#floor = 0;
  }

  /** @param {number} seq */
  #redact(seq) {
    const event = this.#events.get(seq);
    if (event) this.#events.set(seq, { ...event, data: { redacted: true } });
  }
}

/**
 * Runs that overlap or touch become one.
 * @param {Run[]} runs
 * @returns {Run[]} ascending
 */
function joined(runs) {
  /** @type {Run[]} */
  const result = [];
  for (const run of runs.sort((a, b) => a.from - b.from)) {
    const last = result.at(-1);
    if (last && run.from <= last.to + 1) last.to = Math.max(last.to, run.to);
    else result.push({ ...run });
  }
  return result;
}
