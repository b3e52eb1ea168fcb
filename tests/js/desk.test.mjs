// The desk's pure parts: the address, snippets, entries of the log, and words.

import assert from "node:assert/strict";
import { test } from "node:test";

import { chatAddress, readAddress, searchAddress } from "../../search/desk/assets/address.js";
import { entriesOf } from "../../search/desk/assets/entries.js";
import { piecesOf } from "../../resume/widget/snippet.js";
import { aboutWords, agoWords, chatsWords, makeClock, refusalWords } from "../../search/desk/assets/words.js";
import { event, range } from "./events.mjs";

const DESK = "https://chat.example/desk";
const CHAT = "01a20ad4-d107-7039-b7f3-df53b2a9e660";
const CLOCK = makeClock(Date.parse(event(1).at), "en-GB", "UTC");

function entries(chat) {
  const empty = { events: [], notes: [], outgoing: [], me: "p_me", fromStart: false, toEnd: true };
  return entriesOf({ ...empty, fate: () => "stored", nameOf: (id) => id, ...chat }, CLOCK);
}

function texts(chat) {
  return entries(chat).filter((entry) => "mine" in entry).map((entry) => entry.text);
}

function note(seq, after, more = {}) {
  return event(seq, { kind: "note", by: "p_me", id: `note-of-mine-${seq}`, data: { text: `note ${seq}`, after }, ...more });
}

test("an address leads back to chat, message and search", () => {
  for (const spot of [null, { stream: "public", seq: 12 }, { stream: "internal", seq: 3 }]) {
    const href = searchAddress(`${DESK}${chatAddress(CHAT, spot ?? undefined)}`, 'from:ann "red pot" & #');
    assert.deepEqual(readAddress(href), { q: 'from:ann "red pot" & #', chat: CHAT, spot });
  }
});

test("an address that names no chat is the plain desk", () => {
  for (const hash of ["", "#chat/", "#chat/1/2", `#chat/${CHAT}/0`, `#chat/${CHAT}/x`, "#log"]) {
    assert.deepEqual(readAddress(DESK + hash), { q: "", chat: null, spot: null });
  }
});

test("only what was found is marked, and signs are themselves again", () => {
  assert.deepEqual(piecesOf("a &lt;b&gt; <mark>red</mark> &amp;amp; &#x27;pot&#39;"), [
    { text: "a <b> ", marked: false },
    { text: "red", marked: true },
    { text: " &amp; 'pot'", marked: false },
  ]);
});

test("no other markup of a snippet is read as such", () => {
  const pieces = piecesOf('<img src=x onerror="alert(1)"><MARK>x</MARK>');
  assert.deepEqual(pieces, [{ text: '<img src=x onerror="alert(1)"><MARK>x</MARK>', marked: false }]);
});

test("a note stands behind the message it was written after", () => {
  assert.deepEqual(texts({ events: range(1, 3), notes: [note(1, 1), note(2, 3), note(3, 3)], fromStart: true }), [
    "text 1",
    "note 1",
    "text 2",
    "text 3",
    "note 2",
    "note 3",
  ]);
});

test("notes of a part that is not shown are not shown either", () => {
  const notes = [note(1, 4), note(2, 10), note(3, 15)];
  assert.deepEqual(texts({ events: range(9, 11), notes, toEnd: false }), ["text 9", "text 10", "note 2", "text 11"]);
});

test("a note without a place goes by its time", () => {
  assert.deepEqual(texts({ events: range(1, 3), notes: [note(1, undefined, { at: event(2).at })] }), ["text 1", "text 2", "note 1", "text 3"]);
});

test("messages that are on their way stand at the end, unless the end is not shown", () => {
  const outgoing = [{ id: "x", stream: "public", data: { text: "mine" }, composed_ms: Date.parse(event(4).at), status: "sending" }];
  assert.deepEqual(texts({ events: range(1, 2), outgoing }), ["text 1", "text 2", "mine"]);
  assert.deepEqual(texts({ events: range(1, 2), outgoing, toEnd: false }), ["text 1", "text 2"]);
});

test("an own message keeps its key when its event comes in", () => {
  const outgoing = [{ id: "x", stream: "public", data: { text: "mine" }, composed_ms: Date.parse(event(1).at), status: "sending" }];
  const [before] = entries({ outgoing }).slice(-1);
  const [after] = entries({ events: [event(1, { by: "p_me", id: "x" })] }).slice(-1);
  assert.equal(before.key, after.key);
});

test("threads are told apart, with who opened them", () => {
  const events = [event(1), event(2, { kind: "reopen", thread: 2, data: { reason: "customer" } }), event(3, { thread: 2 })];
  const threads = entries({ events, fromStart: true }).filter((entry) => entry.type === "thread");
  assert.deepEqual(threads.map((entry) => entry.text.replace(/·.*·/, "·")), ["Thread 1 · 21 September 2026", "Thread 2 · reopened by the customer"]);
});

test("who accepts a chat is not also said to have joined", () => {
  const join = event(1, { kind: "join", by: "p_ben", data: { participant: { id: "p_ben", role: "agent", name: "Ben" } } });
  const assign = event(2, { kind: "assign", by: "p_ben", data: { agent: "p_ben" } });
  const said = (events) => entries({ events }).filter((entry) => entry.type === "system").map((entry) => entry.text);
  assert.deepEqual(said([join, assign]), ["p_ben accepted the chat"]);
  assert.deepEqual(said([join, event(2)]), ["p_ben joined"]);
});

test("what was removed is not shown", () => {
  const [entry] = entries({ events: [event(1, { data: { redacted: true } })] }).slice(-1);
  assert.deepEqual([entry.text, entry.redacted], ["This message was removed", true]);
});

test("ages are said in the largest unit", () => {
  const minute = 60_000;
  const ages = [0, 59_999, minute, 59 * minute, 60 * minute, 24 * 60 * minute].map((ms) => agoWords(0, ms));
  assert.deepEqual(ages, ["now", "now", "1 min", "59 min", "1 h", "1 d"]);
  assert.equal(agoWords(1_000, 0), "now");
});

test("a message that came by mail says so, how far its sender is known, and which mail it was", () => {
  const mail = (by_mail) => entries({ events: [event(1, { data: { text: "x", by_mail } })] }).at(-1).mail;
  assert.deepEqual(mail({ id: "m", proof: "proven", whole: true }), { id: "m", words: "by e-mail" });
  assert.deepEqual(mail({ id: "m", proof: "unproven", whole: false }), { id: "m", words: "by e-mail, not proven, shortened" });
  assert.equal(mail({ id: "m", proof: "stranger", whole: true }).words, "by e-mail, from somebody else's address");
  assert.equal(mail(undefined), null);
});

test("a mail that is held back can be let through until it was", () => {
  const held = note(1, 1, { data: { text: "held back", service: true, by_mail: { id: "m", held: true } } });
  const mails = (notes) => entries({ events: [event(1)], notes }).flatMap((entry) => entry.mail ?? []);
  assert.deepEqual(mails([held]), [{ id: "m", words: "", held: true }]);
  assert.deepEqual(mails([held, note(2, 1, { data: { text: "let through", released: "m" } })]), [{ id: "m", words: "" }]);
});

test("what the service tells agents is not said by the customer", () => {
  const [entry] = entries({ events: [event(1)], notes: [note(1, 1, { data: { text: "came back", service: true } })] }).slice(-1);
  assert.deepEqual([entry.author, entry.text], ["Stillhere", "came back"]);
});

test("who was first is named", () => {
  const conflict = { code: "conflict", message: "Somebody else was first", state: { agent: { name: "Ben" } } };
  assert.equal(refusalWords(conflict), "Somebody else was first: Ben.");
  assert.equal(refusalWords({ ...conflict, state: undefined }), "Somebody else was first.");
});

test("what is estimated says so", () => {
  assert.equal(aboutWords(1200, false), (1200).toLocaleString());
  assert.equal(aboutWords(1200, true), `about ${(1200).toLocaleString()}`);
  assert.equal(chatsWords(70, 8, true), "in about 8 chats");
  assert.equal(chatsWords(70, 1), "in 1 chat");
});
