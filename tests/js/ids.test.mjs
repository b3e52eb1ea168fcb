import assert from "node:assert/strict";
import { test } from "node:test";

import { makeIdSource, newId } from "../../resume/widget/ids.js";

const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const ones = (bytes) => bytes.fill(0xff);

test("an id is a UUIDv7 in text form, so 36 characters that the server takes", () => {
  for (let i = 0; i < 100; i++) assert.match(newId(), UUID7);
});

test("an id begins with its time in milliseconds", () => {
  const id = makeIdSource(() => 0x0123456789ab, ones)();
  assert.equal(id.slice(0, 13), "01234567-89ab");
});

test("ids of one millisecond rise", () => {
  const next = makeIdSource(() => 1_000, ones);
  const ids = Array.from({ length: 5_000 }, next);
  assert.deepEqual(ids, [...ids].sort());
  assert.equal(new Set(ids).size, ids.length);
  ids.forEach((id) => assert.match(id, UUID7));
});

test("ids rise while the clock falls back", () => {
  const clock = [2_000, 1_000, 500, 2_001];
  const next = makeIdSource(() => clock.shift(), ones);
  const ids = [next(), next(), next(), next()];
  assert.deepEqual(ids, [...ids].sort());
});
