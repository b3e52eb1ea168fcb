// The state machine of the connection, with transports that a test plays and a clock that it moves.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { Line } from "../../resume/widget/line.js";
import { SOCKET_AGAIN_MS, Ways } from "../../resume/widget/ways.js";

const REDIAL_MS = 30_300; // the longest pause between two dials

let clock_ms;

beforeEach(() => {
  clock_ms = 1_000;
  mock.timers.enable({ apis: ["setTimeout"] });
});
afterEach(() => mock.timers.reset());

function pass(ms) {
  for (let left = ms; left > 0; left -= 100) {
    clock_ms += Math.min(left, 100);
    mock.timers.tick(Math.min(left, 100));
  }
}

/** Until one more is dialled; how long that took. */
function untilDialled(dialled) {
  const before = dialled.length;
  let waited = 0;
  for (; dialled.length === before && waited <= REDIAL_MS; waited += 100) pass(100);
  assert.equal(dialled.length, before + 1);
  return waited;
}

/** A line whose transports stand in `dialled`, each with what it was told and a way to speak for the server. */
function lineWith({ sockets = true, visible = () => true, random = () => 0 } = {}) {
  const dialled = [];
  const page = {};
  const heard = { frames: [], statuses: [], lost: 0 };
  const open = (way) => (ears) => {
    const transport = { way, reached: false, open: true, sent: [], closedWith: null };
    transport.send = (frame) => transport.sent.push(frame);
    transport.close = (code) => Object.assign(transport, { open: false, closedWith: code });
    transport.opens = () => (transport.reached = true);
    transport.says = (frame) => ears.frame(frame);
    transport.welcomes = () => {
      transport.opens();
      transport.says({ type: "welcome", chats: [] });
    };
    transport.ends = (code = 1006) => {
      transport.open = false;
      ears.closed(code);
    };
    dialled.push(transport);
    return transport;
  };
  const line = new Line(
    {
      frame: (frame) => heard.frames.push(frame),
      lost: () => (heard.lost += 1),
      status: (status) => heard.statuses.push(status),
      marks: () => ({ "chat-1": 7 }),
    },
    {
      open: { socket: open("socket"), poll: open("poll") },
      ways: new Ways(sockets),
      follow: (ears) => {
        Object.assign(page, ears);
        return () => (page.left = true);
      },
      visible,
      now: () => clock_ms,
      random,
    },
  );
  line.start();
  return { line, dialled, page, heard, last: () => dialled.at(-1), words: () => heard.statuses.map(({ status }) => status) };
}

test("nothing goes out before the welcome", () => {
  const { line, last } = lineWith();
  last().opens();
  assert.equal(line.send({ type: "read" }), false);
  last().welcomes();
  assert.equal(line.send({ type: "read" }), true);
  assert.deepEqual(last().sent, [{ type: "read" }]);
});

test("a lost connection is dialled again, later with each try, and anew after ten seconds of calm", () => {
  const { dialled, last, heard } = lineWith({ random: () => 1 });
  const pauses = [];
  for (let turn = 0; turn < 3; turn++) {
    last().welcomes();
    last().ends();
    pauses.push(untilDialled(dialled));
  }
  assert.deepEqual(pauses, [800, 1_300, 2_300]);
  assert.equal(heard.lost, 3);
  last().welcomes();
  pass(10_000);
  last().ends();
  pass(800);
  assert.equal(dialled.length, 5);
});

test("a short break is not told, a longer one is: connecting after 3 s, offline after 10 s", () => {
  const { last, words } = lineWith();
  last().welcomes();
  last().ends();
  pass(2_900);
  assert.deepEqual(words(), ["online"]);
  pass(100);
  assert.deepEqual(words(), ["online", "connecting"]);
  pass(7_000);
  assert.deepEqual(words(), ["online", "connecting", "offline"]);
  last().welcomes();
  assert.equal(words().at(-1), "online");
});

test("thirty seconds without a frame: another connection, and the silent one is not waited for", () => {
  const { dialled, last, heard } = lineWith();
  const silent = last();
  silent.welcomes();
  pass(29_900);
  silent.says({ type: "ping", n: 1 });
  assert.deepEqual(silent.sent, [{ type: "pong", n: 1, have: { "chat-1": 7 } }]);
  pass(30_000);
  assert.equal(silent.closedWith, 1000);
  assert.equal(heard.lost, 1);
  pass(300);
  assert.equal(dialled.length, 2);
  const frames = heard.frames.length;
  silent.says({ type: "event" });
  assert.equal(heard.frames.length, frames, "who was let go is not heard");
});

test("a page that wakes asks whether the connection lives, and takes another after 3 s", () => {
  const { dialled, last, page } = lineWith();
  last().welcomes();
  page.wakes();
  assert.deepEqual(last().sent, [{ type: "ping", n: 1 }]);
  last().says({ type: "pong", n: 1 });
  pass(5_000);
  assert.equal(dialled.length, 1);
  page.wakes();
  pass(3_300);
  assert.equal(dialled.length, 2);
});

test("a page that wakes does not wait for its turn to dial", () => {
  const { dialled, last, page } = lineWith({ random: () => 1 });
  last().ends();
  page.wakes();
  assert.equal(dialled.length, 2);
});

test("a page that is left lets go with 3001 and dials when it is seen again", () => {
  const { dialled, last, page } = lineWith();
  last().welcomes();
  page.hides();
  assert.equal(last().closedWith, 3001);
  pass(60_000);
  assert.equal(dialled.length, 1);
  page.wakes();
  assert.equal(dialled.length, 2);
});

test("after drain the client comes back in its slot, not before, even if the page wakes", () => {
  const { dialled, last, page } = lineWith();
  last().welcomes();
  last().says({ type: "drain", after_ms: 8_000 });
  last().says({ type: "bye", code: 1012, detail: "restart" });
  pass(7_900);
  page.wakes();
  assert.equal(dialled.length, 1);
  pass(100);
  assert.equal(dialled.length, 2);
});

test("who is told to wait, waits as long as was said", () => {
  const { dialled, last } = lineWith();
  last().says({ type: "bye", code: 4101, detail: "many", retry_ms: 4_000 });
  pass(3_900);
  assert.equal(dialled.length, 1);
  pass(100);
  assert.equal(dialled.length, 2);
});

for (const code of [4002, 4201, 4202, 4203, 4303, 4304, 4310, 4326]) {
  test(`${code} stops and says so, until somebody starts again`, () => {
    const { line, dialled, last, heard, page } = lineWith();
    last().welcomes();
    last().says({ type: "bye", code, detail: "no more" });
    page.wakes();
    pass(REDIAL_MS);
    assert.equal(dialled.length, 1);
    assert.deepEqual(heard.statuses.at(-1), { status: "stopped", code, detail: "no more" });
    line.start();
    assert.equal(dialled.length, 2);
  });
}

test("a hidden page that the server sent away comes back when it is seen", () => {
  let seen = false;
  const { dialled, last, page } = lineWith({ visible: () => seen });
  last().welcomes();
  last().ends(1001);
  pass(REDIAL_MS);
  assert.equal(dialled.length, 1);
  seen = true;
  page.wakes();
  assert.equal(dialled.length, 2);
});

test("a page never gives up", () => {
  const { dialled, last } = lineWith({ random: () => 1 });
  for (let turn = 0; turn < 50; turn++) {
    last().ends();
    untilDialled(dialled);
  }
});

test("three sockets that do not open lead to polling, and what was on its way is in doubt", () => {
  const { dialled, last, heard } = lineWith();
  for (let turn = 0; turn < 3; turn++) {
    last().ends();
    pass(300);
  }
  assert.deepEqual(dialled.map(({ way }) => way), ["socket", "socket", "socket", "poll"]);
  last().welcomes();
  assert.deepEqual(heard.statuses.at(-1), { status: "online", way: "poll" });
});

test("a socket that opens and stays silent leads to polling after ten seconds", () => {
  const { dialled, last } = lineWith();
  last().opens();
  pass(10_300);
  assert.deepEqual(dialled.map(({ way }) => way), ["socket", "poll"]);
});

test("a socket that is cut within seconds, again and again, leads to polling", () => {
  const { dialled, last } = lineWith();
  for (let turn = 0; turn < 3; turn++) {
    last().welcomes();
    pass(2_000);
    last().ends();
    pass(300);
  }
  assert.deepEqual(dialled.map(({ way }) => way), ["socket", "socket", "socket", "poll"]);
});

test("a server that closes with a word of its own is no reason to leave the socket", () => {
  const { dialled, last } = lineWith();
  for (let turn = 0; turn < 5; turn++) {
    last().welcomes();
    last().says({ type: "bye", code: 1012, detail: "restart" });
    pass(300);
  }
  assert.ok(dialled.every(({ way }) => way === "socket"));
});

function polling() {
  const told = lineWith();
  told.last().opens();
  pass(10_300);
  told.last().welcomes();
  return told;
}

test("while polling works a socket is tried every five minutes, and taken once it brings a welcome", () => {
  const { line, dialled, last, heard } = polling();
  const poll = last();
  for (let waited = 0; waited < SOCKET_AGAIN_MS; waited += 20_000) {
    assert.equal(dialled.length, 2);
    pass(20_000);
    poll.says({ type: "welcome", chats: [] });
  }
  const probe = last();
  assert.equal(probe.way, "socket");
  assert.equal(poll.closedWith, null, "polling goes on meanwhile");
  probe.opens();
  line.send({ type: "read" });
  assert.deepEqual([poll.sent, probe.sent], [[{ type: "read" }], []]);
  const lost = heard.lost;
  probe.welcomes();
  assert.equal(poll.closedWith, 1000);
  assert.equal(heard.lost, lost + 1);
  assert.deepEqual(heard.statuses.at(-1), { status: "online", way: "socket" });
});

test("a socket that is tried in vain disturbs nothing, and a page that wakes tries the next", () => {
  const { dialled, last, page, words } = polling();
  const poll = last();
  page.wakes();
  poll.says({ type: "pong", n: 1 });
  assert.equal(last().way, "socket");
  last().opens();
  pass(10_000);
  assert.equal(last().closedWith, 1000);
  assert.equal(poll.closedWith, null);
  assert.deepEqual(words().slice(-1), ["online"]);
  page.wakes();
  assert.equal(dialled.length, 4);
});

test("when polling breaks too, both ways are tried until one leads to the server", () => {
  const { dialled, last } = polling();
  last().ends();
  for (let turn = 0; turn < 4; turn++) {
    untilDialled(dialled);
    last().ends();
  }
  assert.deepEqual(dialled.slice(2).map(({ way }) => way), ["poll", "socket", "poll", "socket"]);
});

test("without WebSocket the line polls at once, and never tries one", () => {
  const { dialled, last, page } = lineWith({ sockets: false });
  last().welcomes();
  page.wakes();
  pass(SOCKET_AGAIN_MS);
  assert.ok(dialled.every(({ way }) => way === "poll"));
});
