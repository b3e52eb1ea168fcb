/**
 * The loader for other people's pages: `<script src="https://chat.example/widget.js" async></script>`.
 *
 * Makes a round button and, once wanted, a frame of our origin with the chat in it. It reads nothing of the page but its
 * title and its address without query and fragment, and speaks with the frame by `open`, `close` and `unread` only.
 */

(() => {
  const ORIGIN = new URL(/** @type {HTMLScriptElement} */ (document.currentScript).src).origin;
  const REMEMBERED = "stillhere.widget"; // "open" or "closed" once the customer has used it
  const PAGE_LETTERS = 500;
  const SVG = "http://www.w3.org/2000/svg";
  const STYLE = `
    :host { all: initial; }
    button { position: fixed; inset-block-end: 20px; inset-inline-end: 20px; z-index: 2147483646; inline-size: 60px; block-size: 60px;
      padding: 0; border: 0; border-radius: 50%; background: #1f6f5c; color: #fff; cursor: pointer; transition: transform 140ms ease-out;
      box-shadow: 0 2px 6px rgb(33 31 28 / 18%), 0 10px 28px rgb(33 31 28 / 22%); }
    button:hover { background: #185849; transform: translateY(-2px); }
    button:focus-visible { outline: 3px solid #fff; box-shadow: 0 0 0 6px #1f6f5c; }
    svg { inline-size: 28px; block-size: 28px; fill: none; stroke: currentcolor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round;
      vertical-align: middle; }
    b { position: absolute; inset-block-start: -2px; inset-inline-end: -2px; min-inline-size: 22px; block-size: 22px; padding-inline: 5px;
      box-sizing: border-box; border-radius: 11px; background: #b3261e; color: #fff; font: 600 12px/22px system-ui, sans-serif; }
    iframe { position: fixed; inset-block-end: 96px; inset-inline-end: 20px; z-index: 2147483647; border: 0; border-radius: 18px;
      inline-size: 392px; block-size: min(640px, 100dvh - 120px); background: Canvas; color-scheme: light dark;
      box-shadow: 0 4px 12px rgb(33 31 28 / 10%), 0 18px 56px rgb(33 31 28 / 22%); }
    [hidden] { display: none; }
    @media (max-width: 480px) {
      iframe { inset: 0; inline-size: 100%; block-size: 100dvh; border-radius: 0; }
      button[aria-expanded="true"] { display: none; }
    }
    @media (prefers-reduced-motion: reduce) { button { transition: none; } }`;

  let unread = 0;
  let loaded = false;
  let greetsLater = false;
  /** @type {HTMLIFrameElement | null} */ let frame = null;

  const root = document.createElement("div").attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];
  const button = document.createElement("button");
  const badge = document.createElement("b");
  button.type = "button";
  button.append(bubble(), badge);
  button.addEventListener("click", () => (isOpen() ? close() : open({ focus: true })));
  root.append(button);
  show();

  window.addEventListener("message", ({ source, origin, data }) => {
    if (!frame || source !== frame.contentWindow || origin !== ORIGIN || data?.stillhere !== 1) return;
    if (data.type === "close") close();
    if (data.type === "unread") {
      unread = Number(data.count) || 0;
      show();
    }
  });
  root.addEventListener("keydown", (event) => {
    if (/** @type {KeyboardEvent} */ (event).key === "Escape" && isOpen()) close();
  });

  if (document.body) start();
  else document.addEventListener("DOMContentLoaded", start);

  function start() {
    document.body.append(root.host);
    const remembered = recall();
    if (remembered === "open") open({ focus: false });
    else if (remembered === "closed") load(); // somebody who has used it sees new answers counted
  }

  /** @param {{focus: boolean}} options */
  function open({ focus }) {
    load().hidden = false;
    remember("open");
    show();
    if (focus && loaded) greet();
    greetsLater = focus && !loaded;
  }

  function close() {
    if (frame) frame.hidden = true;
    remember("closed");
    show();
    button.focus();
  }

  /** The frame, made at the first use. @returns {HTMLIFrameElement} */
  function load() {
    if (frame) return frame;
    frame = document.createElement("iframe");
    frame.hidden = true;
    frame.title = "Chat";
    frame.id = "chat";
    frame.src = `${ORIGIN}/widget#${new URLSearchParams({ host: location.origin, page: pageWords() })}`;
    frame.addEventListener("load", () => {
      loaded = true;
      if (greetsLater) greet();
    });
    root.insertBefore(frame, button);
    button.setAttribute("aria-controls", frame.id);
    return frame;
  }

  function greet() {
    frame?.focus();
    frame?.contentWindow?.postMessage({ stillhere: 1, type: "open" }, ORIGIN);
  }

  function isOpen() {
    return frame !== null && !frame.hidden;
  }

  function show() {
    const count = isOpen() ? 0 : unread;
    badge.hidden = count === 0;
    badge.textContent = count > 99 ? "99+" : String(count);
    button.setAttribute("aria-expanded", String(isOpen()));
    const news = count === 0 ? "" : `, ${count} unread ${count === 1 ? "message" : "messages"}`;
    button.setAttribute("aria-label", isOpen() ? "Close chat" : `Open chat${news}`);
  }

  function pageWords() {
    const address = location.origin + location.pathname;
    return `${document.title.slice(0, PAGE_LETTERS / 4)} ${address}`.trim().slice(0, PAGE_LETTERS);
  }

  /** @param {"open" | "closed"} state */
  function remember(state) {
    try {
      localStorage.setItem(REMEMBERED, state);
    } catch {
      // The host page may have no storage; then the chat starts closed on the next page.
    }
  }

  function recall() {
    try {
      return localStorage.getItem(REMEMBERED);
    } catch {
      return null;
    }
  }

  function bubble() {
    const svg = document.createElementNS(SVG, "svg");
    const path = document.createElementNS(SVG, "path");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    path.setAttribute("d", "M4 11.5a7.5 7.5 0 0 1 7.5-7.5h1a7.5 7.5 0 0 1 0 15H5l1.6-2.600A7.5 7.5 0 0 1 4 11.5zM9 10.5h6M9 13.5h4");
    svg.append(path);
    return svg;
  }
})();
