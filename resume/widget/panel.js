/**
 * The customer's page, in a frame (`/widget`) or on its own (`/chat`): the way back if this browser knows one, else the
 * first screen. Served with the brand in `data-brand` of the body.
 */

import { h, iconButton } from "./element.js";
import { findHost } from "./host.js";
import { session } from "./session.js";
import { makeStart } from "./start.js";
import { connect } from "./stillhere.js";
import { Talk } from "./talk.js";
import { WORDS, stopWords } from "./words.js";

const NO_SUCH_CHAT = 4304;
const FORGET = [4201, 4202, NO_SUCH_CHAT, 4310]; // what this browser keeps leads nowhere any more

const brand = document.body.dataset.brand ?? "";
const host = findHost();
const title = h("h1", { dir: "auto" });
const hint = h("p", { class: "hint", dir: "auto" });
const face = h("span", { class: "face", "aria-hidden": "true" });
const tools = h("div", { class: "tools" });
const header = h("header", {}, face, h("div", { class: "who" }, title, hint), tools);
const closeButton = host.embedded ? iconButton("close", WORDS.close, host.close) : null;
const main = /** @type {HTMLElement} */ (document.querySelector("main"));

main.append(header);
let view = session.token ? resume(session.token) : begin(null, "");

host.onOpen(() => view.focus());
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && host.embedded && !document.querySelector("dialog[open]")) host.close();
});

/** @param {string | null} notice @param {string} text to go on with */
function begin(notice, text) {
  showHead(brand, WORDS.team, []);
  host.unread(0);
  const start = makeStart({ brand, page: host.page, notice, text, begun });
  show(start.element);
  return start;
}

/** @param {{chat: string, token: string}} right */
function begun(right) {
  session.keep(right);
  view = resume(right.token);
  view.focus();
}

/** @param {string} token */
function resume(token) {
  const chats = session.chat ? [session.chat] : [];
  const client = connect({ role: "customer", token, chats });
  const talk = new Talk({ client, brand, head: showHead, unread: host.unread, turn });
  /** @param {string} chat @param {number} seq */
  function turn(chat, seq) {
    session.chat = chat;
    client.close();
    const there = resume(client.token ?? "");
    view = there;
    there.show(seq);
  }
  client.on("token", (/** @type {any} */ { token: rotated }) => session.keep({ token: rotated }));
  client.on("chat", (/** @type {any} */ { chat }) => session.chat !== chat.id && (session.chat = chat.id));
  client.on("error", (/** @type {any} */ { code }) => code === "erased" && leave(client, talk, 4310));
  client.on("status", (/** @type {any} */ { status, code }) => status === "stopped" && leave(client, talk, code));
  show(talk.element);
  return talk;
}

/** @param {any} client @param {Talk} talk @param {number} code */
async function leave(client, talk, code) {
  if (!FORGET.includes(code)) {
    show(makeStopped(stopWords(code)));
    return;
  }
  if (session.token && session.token !== client.token) {
    client.close();
    view = resume(session.token); // another tab has got a newer one
    return;
  }
  const text = talk.unsentText();
  session.forget();
  await client.forget();
  view = begin(stopWords(code), text);
}

/** @param {string} words */
function makeStopped(words) {
  const again = h("button", { type: "button", class: "button strong", onclick: () => location.reload() }, WORDS.reload);
  return h("section", { class: "stopped" }, h("p", { role: "alert" }, words), again);
}

/** @param {HTMLElement} element */
function show(element) {
  main.replaceChildren(header, element);
}

/** @param {string} name @param {string} words @param {HTMLElement[]} own tools of the view */
function showHead(name, words, own) {
  title.textContent = name;
  hint.textContent = words;
  face.textContent = [...name][0]?.toUpperCase() ?? "";
  const wanted = closeButton ? [...own, closeButton] : own;
  const same = wanted.length === tools.children.length && wanted.every((tool, i) => tools.children[i] === tool);
  if (!same) tools.replaceChildren(...wanted); // a button that is put in again loses the focus
}
