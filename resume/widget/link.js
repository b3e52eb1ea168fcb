/**
 * The page that a one-time link opens. The secret leaves the address before anything else happens, and only a press on the
 * button redeems it: mail scanners open pages, and must use nothing up.
 */

import { redeemLink } from "./api.js";
import { newId } from "./ids.js";
import { session } from "./session.js";

const PROBLEMS = {
  not_found: "We do not know this link, or it has expired. Please use the newest mail from us, or start a new chat.",
  erased: "This chat was erased.",
  conflict: "This link was used already. It works once; please use the newest mail from us.",
  invalid: "This address is not complete. Please open the whole link from the mail.",
  rate: "Too many tries. Please wait a minute and try again.",
  offline: "We could not reach the server. Please check your connection and try again.",
  internal: "Something went wrong on our side. Please try again.",
};

const secret = location.hash.slice(1);
history.replaceState(null, "", location.pathname);

const nonce = newId(); // the same for every press, so that an answer that got lost can be asked for again
const button = /** @type {HTMLButtonElement} */ (document.querySelector("button"));
const problem = /** @type {HTMLElement} */ (document.querySelector("[role=alert]"));

button.disabled = secret === "";
if (secret === "") say("invalid");
button.addEventListener("click", async () => {
  button.disabled = true;
  problem.hidden = true;
  try {
    session.keep(await redeemLink(secret, nonce));
    location.replace(button.dataset.chat ?? "");
  } catch (error) {
    button.disabled = false;
    say(/** @type {{code?: string}} */ (error).code ?? "internal");
  }
});

/** @param {string} code of the problem document */
function say(code) {
  problem.textContent = PROBLEMS[/** @type {keyof typeof PROBLEMS} */ (code)] ?? PROBLEMS.internal;
  problem.hidden = false;
}
