// The transport without WebSocket, against a server that the test plays.

import assert from "node:assert/strict";
import { test } from "node:test";

import { WAIT_MS, openPoll } from "../../resume/widget/poll.js";

const URL = "https://chat.example/api/v1/sync";
const HELLO = { type: "hello", token: "t", chats: [] };
const MARKS = { "chat-1": 7 };

/** A poll, the requests that it has made, and a way to answer the newest. */
function begin({ follow = [] } = {}) {
  const requests = [];
  const heard = { frames: [], closed: [] };
  const fetch = (url, { body, signal }) =>
    new Promise((resolve, reject) => {
      const request = { url, ...JSON.parse(body), calledOff: false };
      signal.addEventListener("abort", () => {
        request.calledOff = true;
        reject(new DOMException("called off", "AbortError"));
      });
      request.answer = (frames) => resolve(Response.json({ frames }));
      request.refuse = (status, content) => resolve(Response.json(content, { status }));
      request.fail = () => reject(new TypeError("Failed to fetch"));
      requests.push(request);
    });
  const transport = openPoll(
    { fetch, url: URL, credentials: "omit" },
    { hello: () => HELLO, follow: () => follow, marks: () => MARKS },
    { frame: (frame) => heard.frames.push(frame), closed: (code) => heard.closed.push(code) },
  );
  return { transport, requests, heard };
}

/** The newest of `count` requests. */
async function request(requests, count) {
  while (requests.length < count) await new Promise((done) => setTimeout(done, 5));
  return requests[count - 1];
}

test("the first request asks for a welcome at once, the next waits for news and tells how far we are", async (t) => {
  const { transport, requests, heard } = begin();
  t.after(() => transport.close());
  const first = await request(requests, 1);
  assert.deepEqual([first.url, first.frames, first.wait_ms], [URL, [HELLO], 0]);
  first.answer([{ type: "welcome" }]);
  const second = await request(requests, 2);
  assert.deepEqual(second.frames, [HELLO, { type: "pong", n: 0, have: MARKS }]);
  assert.equal(second.wait_ms, WAIT_MS);
  assert.deepEqual(heard.frames, [{ type: "welcome" }]);
});

test("what is said calls the waiting off and goes out in one request, in order", async (t) => {
  const { transport, requests } = begin();
  t.after(() => transport.close());
  requests[0].answer([]);
  const waiting = await request(requests, 2);
  transport.send({ type: "send", id: "a" });
  transport.send({ type: "send", id: "b" });
  const said = await request(requests, 3);
  assert.equal(waiting.calledOff, true);
  assert.deepEqual(said.frames.map(({ type, id }) => id ?? type), ["hello", "a", "b"]);
  assert.equal(said.wait_ms, 0);
});

test("what is said while something is on its way waits for the answer, and calls nothing off", async (t) => {
  const { transport, requests } = begin();
  t.after(() => transport.close());
  requests[0].answer([]);
  await request(requests, 2);
  transport.send({ type: "send", id: "a" });
  const said = await request(requests, 3);
  transport.send({ type: "send", id: "b" });
  assert.equal(said.calledOff, false);
  said.answer([{ type: "ack", id: "a" }]);
  const next = await request(requests, 4);
  assert.equal(next.frames[1].id, "b");
});

test("an agent says in each request what is followed", async (t) => {
  const watch = { type: "watch", chats: [] };
  const { transport, requests } = begin({ follow: [watch] });
  t.after(() => transport.close());
  assert.deepEqual((await request(requests, 1)).frames, [HELLO, watch]);
});

test("a request that fails ends the connection, once", async () => {
  const { transport, requests, heard } = begin();
  requests[0].fail();
  while (heard.closed.length === 0) await new Promise((done) => setTimeout(done, 5));
  assert.deepEqual(heard.closed, [1006]);
  assert.equal(transport.open, false);
  assert.equal(transport.reached, false);
});

for (const [status, content, code] of [
  [401, { code: "unauthorized" }, 4201],
  [429, { code: "rate" }, 1013],
  [503, { code: "busy" }, 1013],
  [200, { greeting: "of some proxy" }, 1013],
]) {
  test(`an answer ${status} ${JSON.stringify(content)} means ${code}`, async () => {
    const { requests, heard } = begin();
    requests[0].refuse(status, content);
    while (heard.closed.length === 0) await new Promise((done) => setTimeout(done, 5));
    assert.deepEqual(heard.closed, [code]);
  });
}

test("who is let go is not heard and does not ask again", async () => {
  const { transport, requests, heard } = begin();
  transport.close();
  await new Promise((done) => setTimeout(done, 20));
  assert.equal(requests[0].calledOff, true);
  assert.deepEqual([requests.length, heard.closed, heard.frames], [1, [], []]);
});
