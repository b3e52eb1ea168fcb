/**
 * The HTTP calls of the customer's pages (protocol 5). Each returns the answer, or throws a Refusal with the code of the
 * problem document; "offline" when there was no answer at all.
 */

import { Refusal } from "./acts.js";

const ROOT = "/api/v1";

/**
 * @typedef {{name?: string, email?: string, page?: string, locale?: string, time_zone?: string,
 *   message: {id: string, data: {text: string}}}} Beginning
 * @param {Beginning} beginning
 * @param {string} [origin] of the service, if it is not that of the page
 * @returns {Promise<{chat: string, token: string}>}
 */
export async function startChat(beginning, origin = "") {
  return (await call("/chats", { method: "POST", body: JSON.stringify(beginning) }, origin)).json();
}

/**
 * @param {string} link the secret of a link @param {string} nonce kept for retries: the same one gets the same answer
 * @returns {Promise<{chat: string, token: string}>}
 */
export async function redeemLink(link, nonce) {
  return (await call("/links/redeem", { method: "POST", body: JSON.stringify({ link, nonce }) })).json();
}

/** Has a code mailed to the address of the chat. @param {string} link the secret of a link that opens no more */
export async function mailCode(link) {
  await call("/links/code", { method: "POST", body: JSON.stringify({ link }) });
}

/** @param {string} chat @param {string} token @returns {Promise<Blob>} the transcript as text */
export async function fetchTranscript(chat, token) {
  const headers = { Authorization: `Bearer ${token}` };
  return (await call(`/chats/${encodeURIComponent(chat)}/transcript?format=text`, { headers })).blob();
}

/**
 * @typedef {{chat: string, seq: number, at: string, by: string, role: string | null, name: string | null, snippet: string}} Hit
 * @param {string} q @param {string} token @param {string | null} cursor @param {AbortSignal} signal
 * @returns {Promise<{items: Hit[], total: number, next: string | null, suggestion: string | null, partial?: boolean,
 *   degraded?: boolean}>} of the chats that the token may see
 */
export async function searchMessages(q, token, cursor, signal) {
  const query = new URLSearchParams({ q, ...(cursor ? { cursor } : {}) });
  return (await call(`/search?${query}`, { headers: { Authorization: `Bearer ${token}` }, signal })).json();
}

/** Asks for the transcript by mail. @param {string} chat @param {string} token @returns {Promise<{delivery: string}>} */
export async function askForCopy(chat, token) {
  const headers = { Authorization: `Bearer ${token}` };
  return (await call(`/chats/${encodeURIComponent(chat)}/transcript`, { method: "POST", headers, body: "{}" })).json();
}

/**
 * @param {string} chat @param {string} token
 * @returns {Promise<{kind: string, to: string, state: string, reason: string}[]>} what was mailed, the newest first
 */
export async function fetchDeliveries(chat, token) {
  const headers = { Authorization: `Bearer ${token}` };
  return (await (await call(`/chats/${encodeURIComponent(chat)}/deliveries`, { headers })).json()).items;
}

/** @param {string} path @param {RequestInit} request @param {string} [origin] @returns {Promise<Response>} */
async function call(path, request, origin = "") {
  const headers = { "Content-Type": "application/json", ...request.headers };
  const options = { ...request, headers, cache: "no-store", credentials: "omit", referrerPolicy: "no-referrer" };
  const answer = await fetch(origin + ROOT + path, /** @type {RequestInit} */ (options)).catch(() => {
    throw new Refusal({ code: "offline" });
  });
  if (!answer.ok) throw new Refusal(await answer.json().catch(() => ({ code: "internal" })));
  return answer;
}
