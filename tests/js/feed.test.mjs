import assert from "node:assert/strict";
import { test } from "node:test";

import { Feed } from "../../resume/widget/feed.js";
import { event, range, seqs } from "./events.mjs";

function feedWith(...pages) {
  const feed = new Feed();
  pages.forEach((page) => feed.log.take(page));
  return feed;
}

test("with all at hand there is nothing to ask", () => {
  const feed = feedWith(range(1, 5));
  feed.known(5);
  assert.equal(feed.next(), null);
});

test("a higher head asks for what came after the mark", () => {
  const feed = feedWith(range(1, 5));
  feed.known(9);
  assert.deepEqual(feed.next(), { after: 5, limit: 200 });
});

test("one question is open at a time, and a lost connection closes it", () => {
  const feed = feedWith(range(1, 5));
  feed.known(9);
  feed.next();
  assert.equal(feed.next(), null);
  feed.lost();
  assert.deepEqual(feed.next(), { after: 5, limit: 200 });
});

test("a long way behind, pages follow each other until the head", () => {
  const feed = feedWith(range(1, 5));
  feed.known(300);
  feed.next();
  feed.page(range(6, 205), 0);
  assert.deepEqual(feed.next(), { after: 205, limit: 200 });
  feed.page(range(206, 300), 0);
  assert.equal(feed.next(), null);
});

test("a gap is filled newest first, to its exact size", () => {
  const feed = feedWith(range(1, 100), range(451, 500));
  assert.deepEqual(feed.next(), { before: 451, limit: 200 });
  feed.page(range(251, 450), 0);
  assert.deepEqual(feed.next(), { before: 251, limit: 150 });
  feed.page(range(101, 250), 0);
  assert.equal(feed.next(), null);
  assert.equal(feed.log.events().length, 500);
});

test("older pages come when the reader wants them, after gaps", async () => {
  const feed = feedWith(range(101, 110), range(113, 120));
  const older = feed.older();
  assert.deepEqual(feed.next(), { before: 113, limit: 2 });
  feed.page(range(111, 112), 0);
  await older;
  const more = feed.older();
  assert.deepEqual(feed.next(), { before: 101, limit: 50 });
  feed.page(range(51, 100), 0);
  await more;
  assert.equal(seqs(feed.log)[0], 51);
  assert.equal(feed.next(), null);
});

test("an empty older page means that there is nothing older", async () => {
  const feed = feedWith(range(11, 20));
  const older = feed.older();
  feed.next();
  feed.page([], 0);
  await older;
  assert.equal(feed.log.hasOlder, false);
  await feed.older();
  assert.equal(feed.next(), null);
});

test("an empty answer to a head that was wrong ends the asking", () => {
  const feed = feedWith(range(1, 5));
  feed.known(1_000);
  feed.next();
  feed.page([], 0);
  assert.equal(feed.next(), null);
});

test("a live event during a question for what came after is not lost", () => {
  const feed = feedWith(range(1, 5));
  feed.known(7);
  feed.next();
  assert.equal(feed.log.append(event(8)), "ahead");
  feed.known(8);
  feed.page(range(6, 7), 0);
  assert.deepEqual(feed.next(), { after: 7, limit: 200 });
});

test("another log on the server starts from nothing, and nobody waits for the old one", async () => {
  const feed = feedWith(range(51, 60));
  const older = feed.older();
  feed.startOver();
  await older;
  assert.deepEqual(feed.log.mark, { have: 0, hash: "" });
  assert.equal(feed.next(), null);
});
