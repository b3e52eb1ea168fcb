import assert from "node:assert/strict";
import { test } from "node:test";

import { linesOf, partsOf } from "../../resume/widget/lines.js";

const ME = "p_me";
const ROBIN = "p_robin";
const NAMES = { [ME]: "Ada", [ROBIN]: "Robin" };
const READER = { locale: "en-GB", timeZone: "UTC", now_ms: Date.parse("2026-11-24T18:00:00Z") };

let seq = 0;

function event(kind, by, at, data) {
  seq += 1;
  return { seq, hash: `h${seq}`, kind, by, id: `id-${seq}`, thread: 1, at, data };
}

function message(by, at, text) {
  return event("message", by, at, { text });
}

function lines(events, outgoing = [], fate = () => "stored") {
  return linesOf({ events, outgoing, me: ME, fate, nameOf: (id) => NAMES[id] }, READER);
}

function texts(events, outgoing) {
  return lines(events, outgoing).map(({ text }) => text);
}

test("each day begins with its name", () => {
  const shown = texts([
    message(ME, "2026-11-20T09:00:00.000Z", "a"),
    message(ME, "2026-11-23T23:59:00.000Z", "b"),
    message(ME, "2026-11-24T00:01:00.000Z", "c"),
  ]);
  assert.deepEqual(shown, ["20 November 2026", "a", "Yesterday", "b", "Today", "c"]);
});

test("a second thread starts with the date on which it was continued", () => {
  const shown = texts([
    message(ME, "2026-11-23T09:00:00.000Z", "a"),
    event("close", ME, "2026-11-23T10:00:00.000Z", { reason: "customer", by_name: "Ada" }),
    event("reopen", ME, "2026-11-24T09:00:00.000Z", { reason: "customer" }),
    message(ME, "2026-11-24T09:00:00.000Z", "b"),
  ]);
  assert.deepEqual(shown, ["Yesterday", "a", "You ended the chat", "Continued · 24 November 2026", "b"]);
});

test("messages of one author in five minutes are a group", () => {
  const shown = lines([
    message(ROBIN, "2026-11-24T09:00:00.000Z", "a"),
    message(ROBIN, "2026-11-24T09:04:59.000Z", "b"),
    message(ROBIN, "2026-11-24T09:10:00.000Z", "c"),
    message(ME, "2026-11-24T09:10:01.000Z", "d"),
  ]).filter(({ type }) => type === "message");
  assert.deepEqual(shown.map(({ first }) => first), [true, false, true, true]);
  assert.deepEqual(shown.map(({ followed }) => followed), [true, false, false, false]);
  assert.deepEqual(shown.map(({ author }) => author), ["Robin", "Robin", "Robin", "You"]);
});

test("within a group the last message of each fate shows it", () => {
  const events = [
    message(ME, "2026-11-24T09:00:00.000Z", "a"),
    message(ME, "2026-11-24T09:00:01.000Z", "b"),
    message(ME, "2026-11-24T09:00:02.000Z", "c"),
  ];
  const shown = lines(events, [], ({ id }) => (id === events[2].id ? "stored" : "read")).slice(1);
  assert.deepEqual(shown.map(({ fate }) => fate), ["read", "read", "stored"]);
  assert.deepEqual(shown.map(({ followed }) => followed), [true, false, false]);
});

test("what was not sent says so, each one for itself", () => {
  const at = Date.parse("2026-11-24T09:00:00Z");
  const shown = lines([], [
    { id: "x", data: { text: "a" }, composed_ms: at, status: "refused", detail: "too odd" },
    { id: "y", data: { text: "b" }, composed_ms: at, status: "refused", detail: "too odd" },
  ]).slice(1);
  assert.deepEqual(shown.map(({ followed }) => followed), [false, false]);
  assert.equal(shown[0].detail, "too odd");
});

test("an own message keeps its key from the key press to the event", () => {
  const stored = message(ME, "2026-11-24T09:00:00.000Z", "a");
  const [, before] = lines([], [{ id: stored.id, data: stored.data, composed_ms: Date.parse(stored.at), status: "sending" }]);
  const [, after] = lines([stored]);
  assert.equal(before.key, after.key);
  assert.deepEqual([before.fate, after.fate], ["sending", "stored"]);
  assert.deepEqual([before.seq, after.seq], [null, stored.seq]);
});

test("an agent who accepts is announced once, a later one by name", () => {
  const shown = texts([
    event("join", ROBIN, "2026-11-24T09:00:00.000Z", { participant: { id: ROBIN, role: "agent", name: "Robin" } }),
    event("assign", ROBIN, "2026-11-24T09:00:00.000Z", { agent: ROBIN }),
    event("assign", ROBIN, "2026-11-24T09:01:00.000Z", { agent: null, from: ROBIN }),
    event("assign", ROBIN, "2026-11-24T09:02:00.000Z", { agent: ROBIN }),
  ]);
  assert.deepEqual(shown, ["Robin joined the chat", "You are back in line", "Robin is taking care of you"]);
});

test("what customers need not read, and unknown kinds, are shown as nothing", () => {
  const shown = texts([
    event("join", ME, "2026-11-24T09:00:00.000Z", { participant: { id: ME, role: "customer", name: "Ada" } }),
    event("redact", ROBIN, "2026-11-24T09:00:00.000Z", { seq: 1, reason: "card number" }),
    event("confetti", ROBIN, "2026-11-24T09:00:00.000Z", { text: "surprise" }),
  ]);
  assert.deepEqual(shown, []);
});

test("a redacted message shows that it was removed, and nothing of what it said", () => {
  const [, shown] = lines([event("message", ROBIN, "2026-11-24T09:00:00.000Z", { redacted: true })]);
  assert.equal(shown.redacted, true);
  assert.equal(shown.text, "This message was removed");
});

const LINKS = [
  ["see https://example.org/a?b=c. Bye", ["see ", "https://example.org/a?b=c*", ". Bye"]],
  ["(http://example.org)", ["(", "http://example.org*", ")"]],
  ["https://a.example,https://b.example", ["https://a.example,https://b.example*"]],
  ["javascript:alert(1) data:text/html,x", ["javascript:alert(1) data:text/html,x"]],
  ["https://", ["https://"]],
  ["no address here", ["no address here"]],
];
for (const [text, parts] of LINKS) {
  test(`addresses in ${JSON.stringify(text)}`, () => {
    assert.deepEqual(partsOf(text).map((part) => (part.href ? `${part.text}*` : part.text)), parts);
  });
}

test("only http and https become addresses, and no character of the text is lost", () => {
  const text = "a javascript:x https://example.org/<b> HTTP://EXAMPLE.ORG ftp://example.org";
  const parts = partsOf(text);
  assert.equal(parts.map((part) => part.text).join(""), text);
  for (const { href } of parts.filter((part) => part.href)) assert.match(new URL(href).protocol, /^https?:$/);
});

test("a message that came by mail says so, and ends its group's foot", () => {
  const typed = message(ME, "2026-11-24T09:00:00.000Z", "a");
  const mailed = event("message", ME, "2026-11-24T09:01:00.000Z", { text: "b", by_mail: { id: "m", proof: "proven", whole: true } });
  const shown = lines([typed, mailed]).filter((line) => line.type === "message");
  assert.deepEqual(shown.map((line) => [line.way, line.followed]), [["", false], ["by e-mail", false]]);
});
