// A chat and its sender over a connection that the test plays.

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import { Chat } from "../../resume/widget/chat.js";
import { memoryStore } from "../../resume/widget/store.js";
import { event, range } from "./events.mjs";

const ME = "p_me";
const NOW = 1_790_000_000_000;

beforeEach(() => mock.timers.reset());

/** A chat that has been told where the server stands, and what goes out of it. */
async function following({ events = range(1, 3), store = memoryStore(), frameBytes = 65_536, ...more } = {}) {
  const told = { frames: [], errors: [], words: [], checks: 0 };
  const chat = new Chat("chat-1", {
    role: "customer",
    online: () => true,
    send: (frame) => told.frames.push(frame) > 0,
    emit: (name, detail) => name === "error" && told.errors.push(detail),
    tell: (word) => told.words.push(word),
    check: () => (told.checks += 1),
    now: () => NOW,
    frameBytes: () => frameBytes,
    store: Promise.resolve(store),
    ...more,
  });
  await chat.load(true);
  chat.resume(resumeOf(events));
  await settled();
  const sent = (type) => told.frames.filter((frame) => frame.type === type);
  return { chat, told, sent, store };
}

function resumeOf(events, more = {}) {
  const state = { rev: 1, status: "open", participants: [{ id: ME, role: "customer", read: 0, delivered: 0 }] };
  return { me: ME, state, head: events.at(-1)?.seq ?? 0, floor: 0, events, reset: null, ...more };
}

/** All that is stored or looked up has been. */
async function settled() {
  for (let turn = 0; turn < 10; turn++) await new Promise((done) => setImmediate(done));
}

function own(seq, id, more = {}) {
  return event(seq, { by: ME, id, ...more });
}

test("a message is in the browser's store before its first try, and other tabs are told", async () => {
  const store = memoryStore();
  const order = [];
  const keep = store.keep;
  store.keep = async (entries) => {
    order.push("stored");
    return keep(entries);
  };
  const { chat, told } = await following({ store, send: (frame) => frame.type === "send" && order.push("sent") });
  chat.send("hello");
  await settled();
  assert.deepEqual(order, ["stored", "sent"]);
  assert.deepEqual(told.words, [{ chat: "chat-1", outbox: true }]);
});

test("a store that fails, or never answers, holds no message back", async () => {
  for (const keep of [async () => Promise.reject(new Error("full")), () => new Promise(() => {})]) {
    const { chat, sent } = await following({ store: { ...memoryStore(), keep } });
    mock.timers.enable({ apis: ["setTimeout"] });
    chat.send("hello");
    await settled();
    mock.timers.tick(2_000);
    await settled();
    mock.timers.reset();
    assert.equal(sent("send").length, 1);
  }
});

test("what the browser kept of a broken copy is not believed", async () => {
  const state = resumeOf([]).state;
  for (const tail of [{ state, events: [event(1), event(3)] }, { state: {}, events: [] }]) {
    const { chat } = await following({ store: { ...memoryStore(), tail: async () => tail } });
    assert.deepEqual(chat.events, range(1, 3));
  }
});

test("a frame that the server would end the connection for is refused here", async () => {
  const { chat, sent } = await following({ frameBytes: 200 });
  chat.send("x".repeat(200));
  await settled();
  assert.equal(sent("send").length, 0);
  assert.deepEqual(chat.outgoing.map(({ status, code }) => [status, code]), [["refused", "too_big"]]);
});

test("an ack never moves the mark, the own event does", async () => {
  const { chat } = await following();
  const id = chat.send("hello");
  await settled();
  chat.ack({ type: "ack", id, seq: 4 });
  assert.equal(chat.top, 3);
  assert.deepEqual(chat.outgoing.map(({ status }) => status), ["stored"]);
  chat.event({ type: "event", chat: "chat-1", stream: "public", ...own(4, id) });
  assert.equal(chat.top, 4);
  assert.deepEqual(chat.outgoing, []);
});

test("an event further ahead is asked for, and counts once the rest is there", async () => {
  const { chat, sent } = await following();
  chat.event({ type: "event", chat: "chat-1", stream: "public", ...event(6) });
  assert.equal(chat.top, 3);
  assert.deepEqual(sent("get").map(({ after }) => after), [3]);
  chat.page({ stream: "public", events: range(4, 6), floor: 0 });
  assert.equal(chat.top, 6);
});

test("a question that was refused is asked again after its pause", async () => {
  const { chat, sent } = await following();
  mock.timers.enable({ apis: ["setTimeout"] });
  chat.known(5);
  chat.nack({ type: "nack", chat: "chat-1", id: null, code: "busy", retry: true, after_ms: 700 });
  mock.timers.tick(699);
  assert.equal(sent("get").length, 1);
  mock.timers.tick(1);
  assert.deepEqual(sent("get").map(({ after }) => after), [3, 3]);
});

test("another log on the server: the copy goes, the page is taken, own messages that it lacks are offered", async () => {
  const { chat, sent } = await following({ events: [event(1), own(2, "kept-by-both"), event(3)] });
  const ids = ["first", "second"].map((text) => chat.send(text));
  await settled();
  ids.forEach((id, i) => chat.ack({ id, seq: 4 + i }));
  const page = [event(1, { hash: "other" }), own(2, ids[1], { hash: "other" })];
  chat.resume(resumeOf(page, { reset: "diverged", state: { ...resumeOf([]).state, rev: 0 } }));
  assert.deepEqual(chat.events, page);
  assert.equal(chat.state.rev, 0, "a state of the past is the truth now");
  assert.deepEqual(sent("send").map(({ id }) => id), [...ids, ids[0]]);
});

test("below the floor nothing stays, in the log or in the outbox", async () => {
  const store = memoryStore();
  const { chat } = await following({ store });
  const id = chat.send("hello");
  await settled();
  chat.ack({ id, seq: 4 });
  chat.event({ type: "event", chat: "chat-1", stream: "public", ...own(4, id) });
  chat.resume(resumeOf([event(5)], { floor: 4 }));
  await settled();
  assert.deepEqual(chat.events, [event(5)]);
  assert.deepEqual(await store.entries("chat-1"), []);
});

test("a redacted message leaves the log and the browser's store", async () => {
  const { chat, store } = await following();
  const id = chat.send("4111 1111 1111 1111");
  await settled();
  chat.ack({ id, seq: 4 });
  for (const one of [own(4, id), event(5, { kind: "redact", data: { seq: 4, reason: "card" } }), event(6, { kind: "confetti" })]) {
    chat.event({ type: "event", chat: "chat-1", stream: "public", ...one });
  }
  await settled();
  assert.deepEqual(chat.events[3].data, { redacted: true });
  assert.deepEqual(await store.entries("chat-1"), []);
  assert.equal(chat.top, 6);
});

test("an erased chat leaves nothing behind, however that is told", async () => {
  for (const tell of [(chat) => chat.resume({ reset: "erased" }), (chat) => chat.nack({ id: "x", code: "erased", retry: false })]) {
    const { chat, told, store } = await following();
    chat.send("hello");
    await settled();
    tell(chat);
    await settled();
    assert.deepEqual([chat.events, chat.outgoing, await store.entries("chat-1")], [[], [], []]);
    assert.equal(await store.tail("chat-1"), undefined);
    tell(chat);
    assert.deepEqual(told.errors.map(({ code }) => code), ["erased"]);
  }
});

test("what an earlier page left of an erased chat goes too, though it is looked up only now", async () => {
  const store = memoryStore();
  await store.keep([{ id: "left-behind", chat: "chat-1", stream: "public", data: { text: "hello" }, state: "waiting", composed_ms: NOW }]);
  await store.keepTail({ chat: "chat-1", me: ME, ...resumeOf(range(1, 3)) });
  await store.keepTail({ chat: "chat-2", me: ME, ...resumeOf(range(1, 3)) });
  const wire = { role: "customer", emit: () => {}, now: () => NOW, store: Promise.resolve(store) };
  const chat = new Chat("chat-1", /** @type {any} */ (wire));
  const loading = chat.load(true);
  chat.resume({ reset: "erased" });
  await loading;
  await settled();
  assert.deepEqual([chat.events, chat.outgoing, await store.entries("chat-1")], [[], [], []]);
  assert.equal(await store.tail("chat-1"), undefined);
  assert.ok(await store.tail("chat-2"), "another chat's copy stays");
});

test("another tab's news lead to a question only if they do not come by themselves", async () => {
  const { chat, told, sent } = await following();
  mock.timers.enable({ apis: ["setTimeout"] });
  chat.hearsOf(4);
  chat.event({ type: "event", chat: "chat-1", stream: "public", ...event(4) });
  mock.timers.tick(1_000);
  assert.deepEqual([told.checks, sent("get").length], [0, 0]);
  chat.hearsOf(6);
  mock.timers.tick(1_000);
  assert.deepEqual([told.checks, sent("get").length], [1, 1]);
  chat.page({ stream: "public", events: [], floor: 0 });
  assert.equal(sent("get").length, 1, "a number that was wrong leads nowhere");
});
