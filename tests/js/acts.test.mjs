import assert from "node:assert/strict";
import { test } from "node:test";

import { Acts, Refusal } from "../../resume/widget/acts.js";

const NOW = 1_790_000_000_000;

function wire() {
  const frames = [];
  return { frames, send: (frame) => frames.push(frame) > 0 };
}

test("an act goes out once, and its ack is the answer", async () => {
  const [acts, { frames, send }] = [new Acts(), wire()];
  const answer = acts.add({ chat: "chat-1", action: "close" });
  acts.sendAll(send, NOW);
  acts.sendAll(send, NOW);
  assert.equal(frames.length, 1);
  assert.equal(acts.acked({ id: frames[0].id, seq: 9 }), true);
  assert.deepEqual(await answer, { id: frames[0].id, seq: 9 });
});

test("an act in doubt goes out again with the same id", () => {
  const [acts, { frames, send }] = [new Acts(), wire()];
  acts.add({ chat: "chat-1", action: "accept" });
  acts.sendAll(send, NOW);
  acts.lost();
  acts.sendAll(send, NOW);
  assert.equal(frames.length, 2);
  assert.equal(frames[0].id, frames[1].id);
});

test("an act that could not be sent waits", () => {
  const [acts, { frames, send }] = [new Acts(), wire()];
  acts.add({ chat: "chat-1", action: "accept" });
  acts.sendAll(() => false, NOW);
  acts.sendAll(send, NOW);
  assert.equal(frames.length, 1);
});

test("a refusal that may pass is tried again after its pause", () => {
  const [acts, { frames, send }] = [new Acts(), wire()];
  acts.add({ chat: "chat-1", action: "close" });
  acts.sendAll(send, NOW);
  acts.nacked({ id: frames[0].id, code: "busy", retry: true, after_ms: 2_000 }, NOW);
  assert.equal(acts.next_ms, NOW + 2_000);
  acts.sendAll(send, NOW + 1_999);
  assert.equal(frames.length, 1);
  acts.sendAll(send, NOW + 2_000);
  assert.equal(frames.length, 2);
});

test("a lost race rejects with the code and how things are now", async () => {
  const [acts, { frames, send }] = [new Acts(), wire()];
  const answer = acts.add({ chat: "chat-1", action: "accept" });
  acts.sendAll(send, NOW);
  const state = { status: "active", rev: 8 };
  acts.nacked({ id: frames[0].id, code: "conflict", retry: false, detail: "Somebody was first", state }, NOW);
  await assert.rejects(answer, (error) => {
    assert.ok(error instanceof Refusal);
    assert.equal(error.code, "conflict");
    assert.deepEqual(error.state, state);
    return true;
  });
});

test("answers to other ids are not for acts", () => {
  const acts = new Acts();
  assert.equal(acts.acked({ id: "message-1" }), false);
  assert.equal(acts.nacked({ id: "message-1", code: "busy", retry: true }, NOW), false);
});

test("when nobody follows the chat any more, open acts are rejected", async () => {
  const acts = new Acts();
  const answer = acts.add({ chat: "chat-1", action: "close" });
  acts.abandon("left", "The chat is not followed any more");
  await assert.rejects(answer, { code: "left" });
});
