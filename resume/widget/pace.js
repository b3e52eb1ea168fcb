/**
 * When to dial again, and what a close code asks of the client (protocol 4.4, 4.5). Pure: random comes in as an argument.
 */

export const REDIAL_FLOOR_MS = 300;
export const REDIAL_STEP_MS = 500;
export const REDIAL_CEILING_MS = 30_000;
export const ADMISSION_WAIT_MS = 5_000;

/**
 * @param {number} tries dials without ten seconds of calm since
 * @param {number} random from 0 to 1
 * @returns {number} milliseconds to wait before the next dial
 */
export function redialDelay(tries, random) {
  return REDIAL_FLOOR_MS + random * growing(tries);
}

/**
 * @param {number} tries
 * @returns {number} milliseconds: doubled with each try, up to a ceiling
 */
export function growing(tries) {
  return Math.min(REDIAL_CEILING_MS, REDIAL_STEP_MS * 2 ** tries);
}

/**
 * What to do after a close.
 * @param {number} code
 * @returns {"retry" | "visible" | "wait" | "credentials" | "stop"}
 *   retry: with a growing delay; visible: once the page is seen; wait: as long as the server said;
 *   credentials: with a new token only; stop: not at all
 */
export function afterClose(code) {
  if (code === 1000 || code === 1001 || code === 3001) return "visible";
  if (code === 4002 || (code >= 4300 && code < 4400)) return "stop";
  if (code >= 4100 && code < 4200) return "wait";
  if (code >= 4200 && code < 4300) return "credentials";
  return "retry";
}
