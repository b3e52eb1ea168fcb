/**
 * The customer of the open chat: who it is, and the other chats.
 */

import { h } from "/assets/element.js";

import { chatAddress } from "./address.js";
import { get } from "./api.js";
import { byId } from "./page.js";
import { UNNAMED, makeClock, statusWords } from "./words.js";

/**
 * @param {string} chat
 * @returns {Promise<any>} the card of its customer; rejects with a Refusal
 */
export function fetchCard(chat) {
  return get(`/api/v1/chats/${chat}/customer`);
}

/** @param {any} card null for none @param {string} open the chat that is open */
export function showCard(card, open) {
  const section = byId("customer");
  section.hidden = card === null;
  section.replaceChildren(...(card ? cardElements(card, open) : []));
}

/** @param {any} card @param {string} open */
function cardElements({ name, email, locale, time_zone, since, chats }, open) {
  const clock = makeClock(Date.now());
  const here = chats.find((/** @type {any} */ chat) => chat.chat === open);
  const facts = [
    ["E-mail", email],
    ["Page", here?.page],
    ["Language", locale],
    ["Local time", localTime(time_zone)],
    ["Customer since", clock.date(Date.parse(since))],
  ].filter(([, value]) => value);
  const others = chats.filter((/** @type {any} */ chat) => chat.chat !== open);
  return [
    h("h2", { dir: "auto" }, name || UNNAMED),
    h("dl", {}, ...facts.flatMap(([term, value]) => [h("dt", {}, term), h("dd", { dir: "auto", title: value }, value)])),
    h("h3", {}, "Other chats"),
    others.length === 0 ? h("p", { class: "none" }, "There are no others.") : h("ul", { class: "chats" }, ...others.map(chatElement)),
  ];
}

/** @param {any} state */
function chatElement(state) {
  const clock = makeClock(Date.now());
  const at_ms = Date.parse(state.updated_at);
  return h(
    "li",
    {},
    h(
      "a",
      { href: chatAddress(state.chat) },
      h("span", { dir: "auto" }, state.subject || statusWords(state, null)),
      h("time", { datetime: state.updated_at, title: clock.full(at_ms) }, clock.brief(at_ms)),
    ),
  );
}

/** The time on the customer's wall. @param {string} timeZone @returns {string} empty for a zone this browser does not know */
function localTime(timeZone) {
  try {
    return `${makeClock(Date.now(), undefined, timeZone).time(Date.now())} (${timeZone})`;
  } catch {
    return "";
  }
}
