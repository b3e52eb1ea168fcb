import assert from "node:assert/strict";
import { test } from "node:test";

import { BAD_SOCKETS, SOCKET_AGAIN_MS, Ways } from "../../resume/widget/ways.js";

function after(...failures) {
  const ways = new Ways(true);
  failures.forEach((failure) => ways.socketFailed(failure));
  return ways;
}

test("a socket is tried first, and again after one or two failures", () => {
  assert.deepEqual([after(), after("refused"), after("cut", "refused")].map((ways) => ways.next), ["socket", "socket", "socket"]);
});

test("three failures in a row lead to polling, and so does one socket that opens and stays silent", () => {
  assert.equal(BAD_SOCKETS, 3);
  const led = [after("refused", "refused", "refused"), after("cut", "cut", "cut"), after("silent")];
  assert.deepEqual(led.map((ways) => ways.next), ["poll", "poll", "poll"]);
});

test("a socket that lived begins the count anew", () => {
  const ways = after("cut", "cut");
  ways.socketCalm();
  ways.socketFailed("cut");
  assert.equal(ways.next, "socket");
});

test("while nothing leads to the server, the two take turns", () => {
  const ways = after("refused", "refused", "refused");
  const taken = [];
  for (let turn = 0; turn < 4; turn++) {
    taken.push(ways.next);
    if (ways.next === "poll") ways.pollFailed(false);
    else ways.socketFailed("refused");
  }
  assert.deepEqual(taken, ["poll", "socket", "poll", "socket"]);
});

test("a poll that worked and broke is followed by another", () => {
  const ways = after("silent");
  ways.pollFailed(true);
  assert.equal(ways.next, "poll");
});

test("sockets that never opened are tried again at once when polling works, others after minutes", () => {
  assert.equal(after("refused", "refused", "refused").probe_ms, 0);
  assert.equal(after("silent").probe_ms, SOCKET_AGAIN_MS);
  assert.equal(after("refused", "cut", "cut").probe_ms, SOCKET_AGAIN_MS);
});

test("where there is no WebSocket, polling is the only way", () => {
  const ways = new Ways(false);
  assert.equal(ways.next, "poll");
  assert.equal(ways.probe_ms, null);
  ways.pollFailed(false);
  assert.equal(ways.next, "poll");
});
