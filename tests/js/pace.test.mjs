import assert from "node:assert/strict";
import { test } from "node:test";

import { afterClose, growing, redialDelay } from "../../resume/widget/pace.js";

test("a redial waits 0.3 s and a random part of a time that doubles up to 30 s", () => {
  assert.equal(redialDelay(0, 0), 300);
  assert.equal(redialDelay(0, 1), 800);
  assert.equal(redialDelay(3, 1), 4_300);
  assert.equal(redialDelay(3, 0.5), 2_300);
  assert.equal(redialDelay(6, 1), 30_300);
  assert.equal(redialDelay(1_000, 1), 30_300);
});

test("a pause after a refusal doubles up to 30 s", () => {
  assert.deepEqual([0, 1, 2, 10].map(growing), [500, 1_000, 2_000, 30_000]);
});

const ANSWERS = {
  visible: [1000, 1001, 3001],
  retry: [1005, 1006, 1009, 1011, 1012, 1013, 4000, 4001, 4008, 4009],
  wait: [4101, 4129, 4150],
  credentials: [4201, 4202, 4203],
  stop: [4002, 4303, 4304, 4310, 4326],
};
for (const [answer, codes] of Object.entries(ANSWERS)) {
  test(`close codes ${codes.join(", ")} mean: ${answer}`, () => {
    assert.deepEqual(codes.map(afterClose), codes.map(() => answer));
  });
}
