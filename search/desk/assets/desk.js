/**
 * The desk's page: finds out who is here, opens the live connection, and lets the address bar decide which chat is open and
 * what is searched for.
 */

import { connect } from "/assets/stillhere.js";

import { readAddress, searchAddress } from "./address.js";
import { get, post } from "./api.js";
import { fetchCard, showCard } from "./customer.js";
import { Finder } from "./finder.js";
import { Mails } from "./mails.js";
import { byId, say } from "./page.js";
import { Queue } from "./queue.js";
import { fetchSimilar, showSimilar } from "./similar.js";
import { Talk } from "./talk.js";
import { lineWords, wantsSignIn } from "./words.js";

const WATCH_MOST = 90; // a connection may watch a hundred
const RETRY_MS = 3_000;

enter();

async function enter() {
  try {
    const me = await get("/api/v1/me");
    if (me.role === "agent") work(me);
    else signedOut();
  } catch (refusal) {
    if (/** @type {any} */ (refusal).code === "unauthorized") signedOut();
    else setTimeout(enter, RETRY_MS);
  }
}

function signedOut() {
  byId("desk").hidden = true;
  byId("signed-out").hidden = false;
}

/** @param {{name: string}} me */
function work({ name }) {
  const client = connect({ role: "agent" });
  const queue = new Queue(client);
  const talk = new Talk({ client });
  const finder = new Finder(searched);
  const mails = new Mails();
  /** @type {string | null} */ let open = null;
  let thread = "";

  byId("desk").hidden = false;
  byId("agent").textContent = name;
  byId("initial").textContent = [...name][0]?.toUpperCase() ?? "";
  client.on("status", showStatus);
  client.on("error", ({ code, chat }) => code === "erased" && chat === open && talk.fail("This chat was erased."));
  client.on("chat", ({ chat }) => chat.id === open && sawThread(chat.state));
  client.on("queue", follow);
  client.queue();
  window.addEventListener("popstate", route);
  window.addEventListener("beforeunload", (event) => client.unsent() > 0 && event.preventDefault());
  document.addEventListener("click", stayOrGo);
  document.addEventListener("keydown", shortcut);
  byId("sign-out").addEventListener("click", signOut);
  byId("skip").addEventListener("click", () => talk.focus());
  for (const button of views()) button.addEventListener("click", () => showView(button.dataset.go ?? ""));
  route();

  /** The open chat and the search are what the address says. */
  function route() {
    const { q, chat, spot } = readAddress(location.href);
    finder.search(q);
    if (chat !== open) turnTo(chat);
    if (chat) talk.open(client.chat(chat), spot);
    showView(chat ? "talk" : q ? "finder" : "queue");
  }

  /** @param {string | null} chat */
  function turnTo(chat) {
    open = chat;
    queue.mark(chat);
    follow();
    showCard(null, "");
    showSimilar([]);
    mails.open(chat);
    if (chat) {
      showCustomer(chat);
      showAlike(chat);
    } else talk.open(null, null);
  }

  /** A thread that ends or goes on changes what is mailed. @param {any} state */
  function sawThread(state) {
    const now = `${state?.status} ${state?.thread}`;
    if (now !== thread) mails.look();
    thread = now;
  }

  /** @param {string} chat */
  async function showCustomer(chat) {
    try {
      const card = await fetchCard(chat);
      if (chat === open) showCard(card, chat);
    } catch (refusal) {
      if (chat === open && /** @type {any} */ (refusal).code === "not_found") talk.fail("There is no such chat.");
    }
  }

  /** @param {string} chat */
  async function showAlike(chat) {
    const items = await fetchSimilar(chat).catch(() => []); // a help, which may be missing
    if (chat === open) showSimilar(items);
  }

  /** Watches the open chat and the agent's own; keeps those from which something is still on its way. */
  function follow() {
    const wanted = new Set([...(open ? [open] : []), ...queue.mine].slice(0, WATCH_MOST));
    const left = client.chats().filter((chat) => !wanted.has(chat.id) && chat.outgoing.length === 0);
    client.unwatch(left.map((chat) => chat.id));
    client.watch([...wanted]);
  }

  /** @param {string} q */
  function searched(q) {
    byId("finder").classList.toggle("finds", q !== "");
    history.replaceState(null, "", searchAddress(location.href, q));
  }

  /** A link to where we are already shows the place again. @param {MouseEvent} event */
  function stayOrGo(event) {
    const link = /** @type {Element} */ (event.target).closest("a[href^='#chat/']");
    if (link && /** @type {HTMLAnchorElement} */ (link).hash === location.hash) route();
  }

  /** @param {KeyboardEvent} event */
  function shortcut(event) {
    const writes = /** @type {Element} */ (event.target).closest("input[type=search], textarea") !== null;
    if (event.key !== "/" || writes || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    showView("finder");
    finder.focus();
  }

  /** @param {{status: string, code?: number, detail?: string}} status */
  function showStatus(status) {
    say(byId("line"), lineWords(status));
    if (status.status === "stopped" && wantsSignIn(status.code)) leave();
    if (status.status === "offline") checkStillSignedIn();
  }

  /** A browser is not told why it may not open a socket; this tells whether the twelve hours are over. */
  async function checkStillSignedIn() {
    await get("/api/v1/me").catch((refusal) => refusal.code === "unauthorized" && leave());
  }

  async function signOut() {
    try {
      await post("/desk/sign-out", {});
      history.replaceState(null, "", location.pathname);
      leave();
    } catch {
      say(byId("line"), "The server did not answer. Please try again.");
    }
  }

  function leave() {
    client.close();
    signedOut();
  }
}

/** @returns {HTMLElement[]} the buttons that choose what narrow screens show */
function views() {
  return [...document.querySelectorAll("[data-go]")].map((button) => /** @type {HTMLElement} */ (button));
}

/** @param {string} view */
function showView(view) {
  byId("desk").dataset.view = view;
  for (const button of views()) button.setAttribute("aria-current", String(button.dataset.go === view));
}
