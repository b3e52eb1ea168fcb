/**
 * Elements and icons, made without any markup: what people wrote reaches the page as text nodes only.
 */

const SVG = "http://www.w3.org/2000/svg";

/** Drawn on a grid of 24 by 24, as lines. */
const ICONS = {
  send: "M5 12h13M12 5l7 7-7 7",
  search: "M10.5 4a6.5 6.5 0 1 1 0 13a6.5 6.5 0 0 1 0-13M15.2 15.2L20 20",
  close: "M6 6l12 12M18 6L6 18",
  download: "M12 4v11m0 0l-4-4m4 4l4-4M5 20h14",
  end: "M9 4H6a2 2 0 0 0-2 2v12a2 2 0 0 0 2 2h3M15 8l4 4-4 4M19 12H10",
  down: "M12 5v14M6 13l6 6 6-6",
  clock: "M12 3a9 9 0 1 1 0 18a9 9 0 0 1 0-18M12 7v5l3 2",
  stored: "M5 12.5l4.5 4.5L19 7.5",
  delivered: "M2 12.5l4.5 4.5L16 7.5M12 16l1 1L22.5 7.5",
  alert: "M12 7v6M12 16.5v.5M12 3a9 9 0 1 1 0 18a9 9 0 0 1 0-18",
};

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} [properties] `on…` are listeners, the rest attributes; null and false are left out
 * @param {...(Node | string | null)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** @param {keyof typeof ICONS} name @returns {SVGElement} an icon that screen readers pass over */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("icon");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** @param {keyof typeof ICONS} name @param {string} label @param {() => void} press @param {string} [look] */
export function iconButton(name, label, press, look = "quiet") {
  return h("button", { type: "button", class: `button round ${look}`, "aria-label": label, title: label, onclick: press }, icon(name));
}
