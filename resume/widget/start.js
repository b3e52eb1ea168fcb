/**
 * The first screen: a greeting and a place to write. The chat begins with the first word; name and e-mail may be left out.
 */

import { startChat } from "./api.js";
import { Composer } from "./composer.js";
import { h } from "./element.js";
import { newId } from "./ids.js";
import { session } from "./session.js";
import { WORDS } from "./words.js";

/**
 * @param {object} options
 * @param {string} options.brand
 * @param {string | undefined} options.page where the customer came from
 * @param {string | null} options.notice something to say first
 * @param {string} options.text to go on with
 * @param {(begun: {chat: string, token: string}) => void} options.begun
 * @returns {{element: HTMLElement, focus: () => void}}
 */
export function makeStart({ brand, page, notice, text, begun }) {
  const name = h("input", { id: "name", autocomplete: "name", maxlength: "120", dir: "auto" });
  const email = h("input", { id: "email", type: "email", autocomplete: "email", maxlength: "254", "aria-describedby": "email-hint" });
  const composer = new Composer({ send });
  const message = session.beginning ?? { id: newId(), text: "" };
  composer.restore(text || (session.draft ? "" : message.text));
  let busy = false;

  /** The same text keeps its id over retries, and over pages. @param {string} words */
  async function send(words) {
    if (busy || !email.checkValidity()) return refuse(words, busy ? WORDS.notStarted : WORDS.badEmail);
    if (words !== message.text) Object.assign(message, { id: newId(), text: words });
    session.beginning = message;
    busy = true;
    element.setAttribute("aria-busy", "true");
    try {
      begun(await startChat(beginning()));
    } catch (error) {
      const { code } = /** @type {{code?: string}} */ (error);
      if (code === "id_conflict") message.id = newId(); // it has begun a chat that went on in another page
      refuse(words, code === "invalid" ? WORDS.badEmail : WORDS.notStarted);
    }
    busy = false;
    element.setAttribute("aria-busy", "false");
  }

  /** @param {string} words @param {string} problem */
  function refuse(words, problem) {
    composer.restore(words);
    composer.say(problem);
  }

  function beginning() {
    const { locale, timeZone } = Intl.DateTimeFormat().resolvedOptions();
    return {
      name: name.value.trim() || undefined,
      email: email.value.trim() || undefined,
      locale: navigator.language || locale,
      time_zone: timeZone,
      page: page ?? undefined,
      message: { id: message.id, data: { text: message.text } },
    };
  }

  const about = h(
    "details",
    { class: "about" },
    h("summary", {}, WORDS.about),
    h("label", { for: "name" }, WORDS.name),
    name,
    h("label", { for: "email" }, WORDS.email),
    email,
    h("p", { id: "email-hint", class: "hint" }, WORDS.emailHint),
  );
  const element = h(
    "section",
    { class: "start", "aria-label": brand },
    h("div", { class: "greeting" }, notice && h("p", { class: "notice", role: "status" }, notice), h("h2", {}, WORDS.hello), h("p", {}, WORDS.promise)),
    about,
    composer.element,
  );
  return { element, focus: () => composer.focus() };
}
