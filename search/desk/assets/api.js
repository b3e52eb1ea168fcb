/**
 * The desk's HTTP calls: JSON in and out, with the cookie of this origin. Each throws a Refusal with the code of the
 * problem document, "offline" when there was no answer at all, and an AbortError when it was called off.
 */

import { Refusal } from "/assets/stillhere.js";

/** @param {string} path @param {AbortSignal} [signal] @returns {Promise<any>} */
export function get(path, signal) {
  return call(path, { signal });
}

/** @param {string} path @param {Record<string, any>} body @returns {Promise<any>} */
export function post(path, body) {
  return call(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

/** @param {string} path @param {RequestInit} request */
async function call(path, request) {
  const answer = await fetch(path, { ...request, cache: "no-store", credentials: "same-origin" }).catch((error) => {
    if (error.name === "AbortError") throw error;
    throw new Refusal({ code: "offline", detail: "The server did not answer" });
  });
  if (!answer.ok) throw new Refusal(await answer.json().catch(() => ({ code: "internal", detail: "Something went wrong" })));
  return answer.json();
}
