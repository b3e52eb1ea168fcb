import assert from "node:assert/strict";
import { test } from "node:test";

import { KEEP_STORED_MS, Outbox, WINDOW } from "../../resume/widget/outbox.js";

const NOW = 1_790_000_000_000;

function outboxWith(...ids) {
  const outbox = new Outbox("chat-1", true);
  ids.forEach((id) => compose(outbox, id));
  return outbox;
}

function compose(outbox, id, stream = "public") {
  outbox.compose({ id, data: { text: `text of ${id}` }, stream }, NOW);
  outbox.kept(id);
}

function sent(outbox, now = NOW) {
  return outbox.take(now).map(({ id }) => id);
}

function restart(outbox) {
  const next = new Outbox("chat-1", true);
  next.adopt(structuredClone(outbox.entries));
  return next;
}

/** A server that keeps the order by `prev`, and refuses an id as often as told. */
function deliver(outbox, busy = {}) {
  const log = [];
  for (let now = NOW, turn = 0; outbox.unsent.length > 0; now += 60_000, turn++) {
    assert.ok(turn < 100, "the outbox does not get empty");
    for (const { id, prev } of outbox.take(now).map((entry) => ({ ...entry }))) {
      if (busy[id]-- > 0) outbox.refused({ id, code: "busy", retry: true }, now);
      else if (prev && !log.includes(prev)) outbox.refused({ id, code: "prev_missing", retry: true, need: prev }, now);
      else {
        if (!log.includes(id)) log.push(id);
        outbox.stored(id, log.indexOf(id) + 1);
      }
    }
  }
  return log;
}

test("a message is not sent before the browser has stored it", () => {
  const outbox = new Outbox("chat-1", true);
  outbox.compose({ id: "a", data: { text: "hello" } }, NOW);
  assert.deepEqual(sent(outbox), []);
  outbox.kept("a");
  assert.deepEqual(sent(outbox), ["a"]);
});

test("a message that is not stored yet is not overtaken", () => {
  const outbox = new Outbox("chat-1", true);
  outbox.compose({ id: "a", data: { text: "first" } }, NOW);
  compose(outbox, "b");
  assert.deepEqual(sent(outbox), []);
});

test("each message names the one composed before, in its own stream", () => {
  const outbox = outboxWith("a", "b");
  compose(outbox, "n", "internal");
  compose(outbox, "c");
  const prevs = Object.fromEntries(outbox.entries.map(({ id, prev }) => [id, prev]));
  assert.deepEqual(prevs, { a: null, b: "a", n: null, c: "b" });
});

test("at most eight are in flight", () => {
  const outbox = outboxWith(..."abcdefghij");
  assert.equal(sent(outbox).length, WINDOW);
  assert.deepEqual(sent(outbox), []);
  outbox.stored("a", 1);
  assert.deepEqual(sent(outbox), ["i"]);
});

test("after a refusal that may pass, one at a time from the oldest", () => {
  const outbox = outboxWith("a", "b", "c");
  sent(outbox);
  outbox.refused({ id: "a", code: "busy", retry: true, after_ms: 1_000 }, NOW);
  outbox.refused({ id: "b", code: "prev_missing", retry: true, need: "a" }, NOW);
  outbox.refused({ id: "c", code: "prev_missing", retry: true, need: "b" }, NOW);
  assert.deepEqual(sent(outbox, NOW + 999), []);
  assert.equal(outbox.next_ms, NOW + 1_000);
  assert.deepEqual(sent(outbox, NOW + 1_000), ["a"]);
  assert.deepEqual(sent(outbox, NOW + 1_000), []);
  outbox.stored("a", 1);
  assert.deepEqual(sent(outbox, NOW + 1_000), ["b"]);
});

test("once all is stored, eight may fly again", () => {
  const outbox = outboxWith("a");
  sent(outbox);
  outbox.refused({ id: "a", code: "rate", retry: true, after_ms: 0 }, NOW);
  sent(outbox);
  outbox.stored("a", 1);
  ["b", "c", "d"].forEach((id) => compose(outbox, id));
  assert.deepEqual(sent(outbox), ["b", "c", "d"]);
});

test("refused in the middle, messages still arrive in the order of composing", () => {
  assert.deepEqual(deliver(outboxWith(..."abcdefghijkl"), { c: 2, f: 1, l: 3 }), [..."abcdefghijkl"]);
});

test("a message that is wrong in itself is refused for good and stops no other", () => {
  const outbox = outboxWith("a", "b", "c");
  sent(outbox);
  outbox.stored("a", 1);
  outbox.refused({ id: "b", code: "invalid", retry: false, detail: "too odd" }, NOW);
  outbox.refused({ id: "c", code: "prev_missing", retry: true, need: "b" }, NOW);
  assert.equal(outbox.find("b").state, "refused");
  assert.equal(outbox.find("b").detail, "too odd");
  assert.deepEqual(sent(outbox), ["c"]);
  assert.equal(outbox.find("c").prev, "a");
});

test("a refused message goes again, or is given up", () => {
  const outbox = outboxWith("a", "b");
  sent(outbox);
  outbox.refused({ id: "a", code: "invalid", retry: false }, NOW);
  outbox.again("a");
  assert.deepEqual(sent(outbox), ["a"]);
  outbox.refused({ id: "a", code: "invalid", retry: false }, NOW);
  assert.equal(outbox.drop("a").id, "a");
  assert.equal(outbox.find("b").prev, null);
  assert.equal(outbox.drop("b"), undefined, "what is on its way cannot be given up");
});

test("a missing predecessor that the server once had goes first again", () => {
  const outbox = outboxWith("a");
  sent(outbox);
  outbox.stored("a", 1);
  compose(outbox, "b");
  sent(outbox);
  outbox.refused({ id: "b", code: "prev_missing", retry: true, need: "a" }, NOW);
  assert.deepEqual(sent(outbox), ["a"]);
  outbox.stored("a", 1);
  assert.deepEqual(sent(outbox), ["b"]);
});

test("a missing predecessor that nobody has is no longer waited for", () => {
  const outbox = outboxWith("a", "b");
  sent(outbox);
  outbox.stored("a", 1);
  const later = new Outbox("chat-1", true);
  later.adopt(structuredClone(outbox.entries.filter(({ id }) => id === "b")));
  sent(later);
  later.refused({ id: "b", code: "prev_missing", retry: true, need: "a" }, NOW);
  assert.equal(later.find("b").prev, null);
  assert.deepEqual(sent(later), ["b"]);
});

test("a server that never finds the predecessor is not asked without pause", () => {
  const outbox = outboxWith("a");
  sent(outbox);
  outbox.stored("a", 1);
  compose(outbox, "b");
  let pauses = 0;
  for (let turn = 0; turn < 20; turn++) {
    for (const id of sent(outbox)) {
      if (id === "a") outbox.stored("a", 1);
      else outbox.refused({ id, code: "prev_missing", retry: true, need: "a" }, NOW);
    }
    if (outbox.next_ms > NOW) pauses += 1;
  }
  assert.ok(pauses > 0);
});

test("a lost connection sends everything unacknowledged again, with the same ids and in order", () => {
  const outbox = outboxWith("a", "b", "c");
  sent(outbox);
  outbox.stored("b", 2);
  outbox.landed();
  assert.deepEqual(sent(outbox), ["a", "c"]);
});

test("a second ack for the same message is no news", () => {
  const outbox = outboxWith("a");
  sent(outbox);
  assert.equal(outbox.stored("a", 1).seq, 1);
  assert.equal(outbox.stored("a", 1), undefined);
  assert.equal(outbox.stored("unknown", 1), undefined);
});

test("the event itself counts as an ack when the ack was lost", () => {
  const outbox = outboxWith("a");
  sent(outbox);
  outbox.landed();
  outbox.stored("a", 7);
  assert.deepEqual(sent(outbox), []);
});

test("a late nack for a stored message changes nothing", () => {
  const outbox = outboxWith("a");
  sent(outbox);
  outbox.stored("a", 1);
  assert.deepEqual(outbox.refused({ id: "a", code: "busy", retry: true }, NOW), []);
  assert.equal(outbox.find("a").state, "stored");
});

test("a customer's message into a chat closed meanwhile reopens it at the next try", () => {
  const outbox = outboxWith("a");
  sent(outbox);
  outbox.refused({ id: "a", code: "closed", retry: false }, NOW);
  const [again] = outbox.take(NOW);
  assert.equal(again.id, "a");
  assert.equal(again.reopen, true);
  outbox.refused({ id: "a", code: "closed", retry: false }, NOW);
  assert.equal(outbox.find("a").state, "refused", "a chat that refuses even so is not asked for ever");
});

test("an agent's message into a closed chat waits for the agent's word", () => {
  const outbox = new Outbox("chat-1", false);
  compose(outbox, "a");
  sent(outbox);
  outbox.refused({ id: "a", code: "closed", retry: false }, NOW);
  assert.equal(outbox.find("a").state, "refused");
});

test("after a reload what was on its way goes out first, and new messages follow it", () => {
  const before = outboxWith("a", "b");
  sent(before);
  before.stored("a", 1);
  const after = restart(before);
  compose(after, "c");
  assert.deepEqual(sent(after), ["b", "c"]);
  assert.equal(after.find("c").prev, "b");
});

test("messages typed before the browser's store answered still follow what it held", () => {
  const before = outboxWith("a", "b");
  const after = new Outbox("chat-1", true);
  compose(after, "c");
  after.adopt(structuredClone(before.entries));
  assert.deepEqual(sent(after), ["a", "b", "c"]);
  assert.equal(after.find("c").prev, "b");
  assert.deepEqual(deliver(restart(after)), ["a", "b", "c"]);
});

test("a restored server is offered own messages of 30 days that it does not show, in order", () => {
  const outbox = outboxWith("old", "a", "b", "c");
  sent(outbox);
  ["old", "a", "b", "c"].forEach((id, i) => outbox.stored(id, i + 1));
  outbox.find("old").composed_ms = NOW - KEEP_STORED_MS;
  const offered = outbox.offerAgain(new Set(["b"]), 0, NOW);
  assert.deepEqual(offered.map(({ id }) => id), ["a", "c"]);
  assert.deepEqual(sent(outbox), ["a", "c"]);
});

test("what was acked, and is not where the ack said, is offered again; what lies before the shown events is not", () => {
  const outbox = outboxWith("a", "b", "c");
  sent(outbox);
  ["a", "b", "c"].forEach((id, i) => outbox.stored(id, i + 1));
  assert.deepEqual(outbox.offerAgain(new Set(["b"]), 1, NOW).map(({ id }) => id), ["c"]);
  assert.deepEqual(outbox.offerAgain(new Set(), 3, NOW), []);
});

test("a redacted message leaves the browser too, and is never offered again", () => {
  const outbox = outboxWith("a", "b");
  sent(outbox);
  outbox.stored("a", 4);
  const redacted = ({ seq }) => seq === 4;
  assert.deepEqual(outbox.forget(redacted).map(({ id }) => id), ["a"]);
  assert.deepEqual(outbox.forget(redacted), []);
  assert.deepEqual(outbox.offerAgain(new Set(), 0, NOW), []);
  assert.deepEqual(outbox.forget(() => true), [], "what the server does not keep yet stays");
});

test("what another tab has written is left to it for a while, then sent from here in its place", () => {
  const [here, there] = [outboxWith("a"), outboxWith("x", "y")];
  sent(here);
  here.stored("a", 1);
  here.meet(structuredClone(there.entries), NOW + 3_000);
  compose(here, "b");
  assert.deepEqual(sent(here), [], "nothing overtakes what was written before it");
  assert.equal(here.next_ms, NOW + 3_000);
  assert.deepEqual(sent(here, NOW + 3_000), ["x", "y", "b"]);
  assert.deepEqual([here.find("y").prev, here.find("b").prev], ["x", "a"], "each tab keeps its own chain");
});

test("what another tab has seen stored need not be sent from here", () => {
  const [here, there] = [outboxWith("a", "b"), outboxWith("a", "b")];
  sent(there);
  there.stored("a", 1);
  here.meet(structuredClone(there.entries), NOW);
  assert.deepEqual(sent(here), ["b"]);
});

test("meeting the same messages twice changes nothing", () => {
  const [here, there] = [outboxWith("a"), outboxWith("x")];
  here.meet(structuredClone(there.entries), NOW);
  assert.deepEqual(sent(here), ["a", "x"]);
  here.meet(structuredClone(there.entries), NOW);
  assert.deepEqual(here.entries.map(({ id }) => id), ["a", "x"]);
  assert.deepEqual(sent(here), []);
});
