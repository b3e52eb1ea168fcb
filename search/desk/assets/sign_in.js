/**
 * The sign-in page: the one-time secret stands behind the `#`, so no server and no log sees it before the press on the
 * button, and programs that only open links do not use it up.
 */

import { Refusal } from "/assets/stillhere.js";

import { post } from "./api.js";
import { byId } from "./page.js";

const secret = location.hash.slice(1);
history.replaceState(null, "", location.pathname);

const button = /** @type {HTMLButtonElement} */ (byId("sign-in"));
button.addEventListener("click", signIn);
if (secret === "") {
  button.disabled = true;
  say("There is no secret in this link. Please open the whole link that you were given.");
}

async function signIn() {
  button.disabled = true;
  say("");
  try {
    await post("/desk/sign-in", { secret });
    location.replace("/desk");
  } catch (error) {
    button.disabled = false;
    say(error instanceof Refusal ? `${error.message}.` : "The server did not answer. Please try again.");
  }
}

/** @param {string} words */
function say(words) {
  byId("problem").textContent = words;
}
