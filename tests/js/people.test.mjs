import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { Reach, Typers } from "../../resume/widget/people.js";

test("a message is read, delivered or stored by how far the other side has come", () => {
  const reach = new Reach();
  reach.measure([{ role: "agent", delivered: 5, read: 3 }, { role: "customer", delivered: 9, read: 9 }], "customer");
  assert.deepEqual([3, 5, 6].map((seq) => reach.fate(seq)), ["read", "delivered", "stored"]);
});

test("marks only rise, also when the one who read leaves", () => {
  const reach = new Reach();
  reach.measure([{ role: "agent", delivered: 5, read: 5 }], "customer");
  reach.measure([], "customer");
  reach.measure([{ role: "agent", delivered: 1, read: 0 }], "customer");
  assert.equal(reach.fate(5), "read");
});

test("whoever stops without a word stops typing after a while", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  let changes = 0;
  const typers = new Typers(() => (changes += 1));
  typers.starts("p_robin", 5_000);
  mock.timers.tick(4_000);
  typers.starts("p_robin", 5_000);
  mock.timers.tick(4_999);
  assert.deepEqual(typers.ids, ["p_robin"]);
  mock.timers.tick(1);
  assert.deepEqual(typers.ids, []);
  assert.equal(changes, 2);
  mock.timers.reset();
});
