/**
 * Solved chats that are like the open one, with the words that they share: an answer that was found once helps again.
 */

import { h } from "/assets/element.js";

import { chatAddress } from "./address.js";
import { get } from "./api.js";
import { byId } from "./page.js";
import { UNNAMED, makeClock } from "./words.js";

/**
 * @param {string} chat
 * @returns {Promise<any[]>} closed chats, the most alike first; rejects with a Refusal
 */
export async function fetchSimilar(chat) {
  return (await get(`/api/v1/chats/${chat}/similar`)).items;
}

/** @param {any[]} items empty for none */
export function showSimilar(items) {
  const clock = makeClock(Date.now());
  byId("similar").hidden = items.length === 0;
  byId("alike").replaceChildren(...items.map((item) => similarElement(item, clock)));
}

/** @param {any} item @param {import("./words.js").Clock} clock */
function similarElement({ chat, seq, at, customer, subject, score, text, words }, clock) {
  const rated = score ? `Rated ${score} of 5` : null;
  return h(
    "li",
    {},
    h(
      "a",
      { href: chatAddress(chat, { stream: "public", seq }) },
      h(
        "span",
        { class: "about" },
        h("b", { dir: "auto" }, subject || customer.name || UNNAMED),
        h("time", { datetime: at }, [rated, clock.brief(Date.parse(at))].filter(Boolean).join(" · ")),
      ),
      h("span", { class: "extract", dir: "auto" }, text),
      h("span", { class: "reasons" }, "Both say ", h("span", { dir: "auto" }, words.join(", "))),
    ),
  );
}
