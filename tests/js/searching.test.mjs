// The desk's search as text: conditions in and out, and what may stand at the caret.

import assert from "node:assert/strict";
import { test } from "node:test";

import { completionsAt } from "../../search/desk/assets/completing.js";
import { quoted, sortOf, withCondition, withSort, without } from "../../search/desk/assets/searching.js";

const KNOWN = {
  people: [
    { name: "Mira Stone", role: "agent" },
    { name: "Ann Miller", role: "customer" },
  ],
  now_ms: Date.parse("2026-03-15T12:00:00Z"),
  locale: "en-GB",
};

function labels(text) {
  return completionsAt(text, KNOWN).choices.map(({ label }) => label);
}

test("a condition is put in once, and a time or order in place of another", () => {
  assert.equal(withCondition("red coat", "is:open"), "red coat is:open");
  assert.equal(withCondition("is:open coat", "is:open"), "coat is:open");
  assert.equal(withCondition('"is:open x" coat', "is:open"), '"is:open x" coat is:open');
  assert.equal(withCondition("coat during:2026-01", "during:2026-02"), "coat during:2026-02");
  assert.equal(withCondition("", "from:agent"), "from:agent");
});

test("a chip is taken out, and nothing else", () => {
  assert.equal(without("red from:ann coat", "from:ann"), "red coat");
  assert.equal(without('from:"a b" coat', 'from:"a b"'), "coat");
  assert.equal(without("coat coat", "coat"), "coat");
  assert.equal(without("coat", "hat"), "coat");
});

test("the order is part of the search", () => {
  assert.equal(withSort("coat", "best"), "coat sort:best");
  assert.equal(withSort("sort:old coat", "best"), "coat sort:best");
  assert.equal(withSort("coat sort:best", "new"), "coat");
  assert.deepEqual(["coat", "coat sort:old", "sort:BEST coat", "coat sort:x"].map(sortOf), ["new", "old", "best", "new"]);
});

test("values with blanks are quoted", () => {
  assert.equal(quoted("Mira Stone"), '"Mira Stone"');
  assert.equal(quoted('a "b" (c)'), '"a  b  (c)"');
  assert.equal(quoted("mira"), "mira");
});

test("operators and their values are offered where they may stand", () => {
  assert.deepEqual(labels("fr"), ["from:"]);
  assert.deepEqual(labels("coat -h"), ["has:"]);
  assert.deepEqual(labels("coat (i"), ["is:", "in:"]);
  assert.deepEqual(labels("is:w"), ["waiting"]);
  assert.deepEqual(labels("-has:"), ["link", "order", "phone", "email", "file", "image", "note"]);
  assert.deepEqual(labels("coat"), []);
  assert.deepEqual(labels('"fr'), []);
  assert.deepEqual(labels(""), []);
  assert.deepEqual(labels("is:waiting"), []);
});

test("people are offered by the beginning of each word of their name", () => {
  assert.deepEqual(labels("from:mi"), ["Mira Stone", "Ann Miller"]);
  assert.deepEqual(labels("agent:mi"), ["Mira Stone"]);
  assert.deepEqual(labels('customer:"ann m'), ["Ann Miller"]);
  assert.equal(completionsAt("agent:mi", KNOWN).choices[0].text, '"Mira Stone"');
  assert.equal(completionsAt("agent:mi", KNOWN).name, "mi");
  assert.equal(completionsAt("is:o", KNOWN).name, null);
});

test("months are offered by their number and by their name", () => {
  assert.deepEqual(labels("during:2026-0"), ["2026-03", "2026-02", "2026-01"]);
  assert.deepEqual(labels("after:december"), ["2025-12"]);
  assert.deepEqual(labels("on:"), ["today", "yesterday"]);
});

test("what is typed is replaced from where it begins", () => {
  assert.equal(completionsAt("coat from:mi", KNOWN).from, 10);
  assert.equal(completionsAt("coat fr", KNOWN).from, 5);
});
