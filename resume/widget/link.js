/**
 * The page that a one-time link opens. The secret leaves the address before anything else happens, and only a press on the
 * button redeems it: mail scanners open pages, and must use nothing up. Where the link opens no more, be it that the mail
 * was forwarded, a code that goes to the chat's address shows who is there.
 */

import { mailCode, redeemLink } from "./api.js";
import { newId } from "./ids.js";
import { session } from "./session.js";

const CODE_SIGN = "."; // stands between the link's secret and the code

const secret = location.hash.slice(1);
history.replaceState(null, "", location.pathname);
addEventListener("hashchange", () => location.reload()); // another link was opened in the same tab

const nonce = newId(); // the same for every press, so that an answer that got lost can be asked for again
const card = /** @type {HTMLElement} */ (document.querySelector("main"));
const open = /** @type {HTMLButtonElement} */ (document.querySelector("#open"));
const problem = /** @type {HTMLElement} */ (document.querySelector("[role=alert]"));
const check = /** @type {HTMLElement} */ (document.querySelector("#check"));
const mail = /** @type {HTMLButtonElement} */ (document.querySelector("#mail"));
const prove = /** @type {HTMLFormElement} */ (document.querySelector("#prove"));
const status = /** @type {HTMLElement} */ (document.querySelector("[role=status]"));

open.disabled = secret === "";
if (secret === "") say("invalid");

open.addEventListener("click", () =>
  tries(
    open,
    () => enter(secret),
    (code) => {
      say(code);
      if (code !== "conflict" && code !== "not_found") return;
      open.hidden = true;
      check.hidden = false;
    },
  ),
);

mail.addEventListener("click", () =>
  tries(mail, async () => {
    await mailCode(secret);
    mail.hidden = true;
    prove.hidden = false;
    status.textContent = status.dataset.sent ?? "";
    prove.code.focus();
  }),
);

prove.addEventListener("submit", (event) => {
  event.preventDefault();
  const button = /** @type {HTMLButtonElement} */ (prove.querySelector("button"));
  const isWrong = /** @param {string} code */ (code) => code === "conflict" || code === "not_found";
  tries(
    button,
    () => enter(secret + CODE_SIGN + prove.code.value),
    (code) => say(isWrong(code) ? "code" : code),
  );
});

/** Redeems, and goes on in the chat. @param {string} link */
async function enter(link) {
  session.keep(await redeemLink(link, nonce));
  location.replace(card.dataset.chat ?? "");
}

/**
 * One press on a button, which cannot be pressed meanwhile.
 * @param {HTMLButtonElement} button @param {() => Promise<void>} act @param {(code: string) => void} [failed]
 */
async function tries(button, act, failed = say) {
  button.disabled = true;
  problem.hidden = true;
  try {
    await act();
  } catch (error) {
    failed(/** @type {{code?: string}} */ (error).code ?? "internal");
  }
  button.disabled = false;
}

/** @param {string} code of the problem document */
function say(code) {
  problem.textContent = problem.dataset[code] ?? problem.dataset.internal ?? "";
  problem.hidden = false;
}
