import assert from "node:assert/strict";
import { test } from "node:test";

import { Log } from "../../resume/widget/log.js";
import { event, range, seqs } from "./events.mjs";

function holding(...pages) {
  const log = new Log();
  pages.forEach((page) => log.take(page));
  return log;
}

test("an empty log asks for the newest page", () => {
  assert.deepEqual(new Log().mark, { have: 0, hash: "" });
  assert.equal(new Log().hasOlder, false);
  assert.deepEqual(new Log().events(), []);
});

test("an event counts directly behind the mark", () => {
  const log = holding(range(1, 3));
  assert.equal(log.append(event(4)), "applied");
  assert.deepEqual(log.mark, { have: 4, hash: event(4).hash });
});

test("an event that is held already changes nothing", () => {
  const log = holding(range(1, 3));
  assert.equal(log.append({ ...event(2), hash: "another" }), "known");
  assert.deepEqual(log.events(), range(1, 3));
});

test("an event further ahead is not taken, so the mark stays", () => {
  const log = holding(range(1, 3));
  assert.equal(log.append(event(5)), "ahead");
  assert.equal(log.top, 3);
  assert.deepEqual(seqs(log), [1, 2, 3]);
});

test("a newest page behind a gap moves the mark, and the gap is a hole", () => {
  const log = holding(range(1, 10), range(101, 150));
  assert.equal(log.top, 150);
  assert.deepEqual(log.hole(), { from: 11, to: 100 });
  assert.deepEqual(seqs(log), seqs(holding(range(101, 150))));
});

test("a hole closes from its newest end, and then all is one run", () => {
  const log = holding(range(1, 10), range(101, 150));
  log.take(range(51, 100));
  assert.deepEqual(log.hole(), { from: 11, to: 50 });
  log.take(range(11, 50));
  assert.equal(log.hole(), null);
  assert.equal(log.events().length, 150);
});

test("of several holes the newest is named first", () => {
  const log = holding(range(1, 2), range(5, 6), range(9, 10));
  assert.deepEqual(log.hole(), { from: 7, to: 8 });
  log.take(range(6, 9));
  assert.deepEqual(log.hole(), { from: 3, to: 4 });
});

test("pages that overlap are held once", () => {
  const log = holding(range(1, 6), range(4, 9), range(2, 3));
  assert.deepEqual(seqs(log), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("older events exist until the first number is held", () => {
  const log = holding(range(51, 100));
  assert.equal(log.hasOlder, true);
  log.take(range(1, 50));
  assert.equal(log.hasOlder, false);
});

test("events up to the floor were erased: they go, and none are older", () => {
  const log = holding(range(1, 10), range(21, 30));
  log.raiseFloor(24);
  assert.deepEqual(seqs(log), [25, 26, 27, 28, 29, 30]);
  assert.equal(log.hasOlder, false);
  assert.equal(log.hole(), null);
});

test("when all is erased the next event still counts", () => {
  const log = holding(range(1, 5));
  log.raiseFloor(5);
  assert.deepEqual(log.mark, { have: 0, hash: "" });
  assert.equal(log.append(event(6)), "applied");
});

test("a redaction empties the event it names, and advances the mark", () => {
  const log = holding(range(1, 3));
  log.append({ ...event(4), kind: "redact", data: { seq: 2, reason: "card number" } });
  assert.deepEqual(log.events()[1].data, { redacted: true });
  assert.equal(log.events()[1].hash, event(2).hash);
  assert.equal(log.top, 4);
});

test("a page that shows an event redacted takes the text from the one that is held", () => {
  const log = holding(range(1, 3));
  log.take([event(2, { data: { redacted: true } })]);
  assert.deepEqual(log.events()[1].data, { redacted: true });
});

test("unknown kinds are held like any other", () => {
  const log = holding(range(1, 1));
  assert.equal(log.append({ ...event(2), kind: "confetti" }), "applied");
  assert.equal(log.top, 2);
});

test("whatever order pages come in, the log ends the same", () => {
  const pages = [range(1, 4), range(3, 8), range(9, 9), range(10, 20)];
  for (let turn = 0; turn < pages.length; turn++) {
    pages.push(pages.shift());
    assert.deepEqual(holding(...pages).events(), range(1, 20));
  }
});
