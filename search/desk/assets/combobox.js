/**
 * The search field with what may stand at its caret listed below: a combobox as WAI-ARIA describes it. Arrows choose, Enter or
 * Tab takes, Escape puts the list away.
 */

import { h } from "/assets/element.js";

import { get } from "./api.js";
import { completionsAt } from "./completing.js";
import { byId } from "./page.js";

const ASK_MS = 150;

export class Combobox {
  #list = byId("choices");
  /** @type {import("./completing.js").Completions} */ #shown = { from: 0, choices: [], name: null };
  #active = -1;
  /** @type {Array<{name: string, role: string}>} */ #people = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #asking;
  #asked = "";

  /** @param {HTMLInputElement} field @param {() => void} taken something of the list was put into the field */
  constructor(field, taken) {
    this.field = field;
    this.taken = taken;
    field.addEventListener("input", () => this.#look());
    field.addEventListener("keydown", (event) => this.#pressed(event));
    field.addEventListener("blur", () => this.#hide());
    this.#list.addEventListener("mousedown", (event) => this.#clicked(event));
  }

  get isOpen() {
    return !this.#list.hidden;
  }

  hide() {
    this.#hide();
  }

  #look() {
    const before = this.field.value.slice(0, this.field.selectionStart ?? 0);
    this.#shown = completionsAt(before, { people: this.#people, now_ms: Date.now(), locale: navigator.language });
    this.#active = -1;
    this.#draw();
    clearTimeout(this.#asking);
    if (this.#shown.name && this.#shown.name !== this.#asked) this.#asking = setTimeout(() => this.#ask(this.#shown.name ?? ""), ASK_MS);
  }

  /** Who may be meant. @param {string} name */
  async #ask(name) {
    this.#asked = name;
    try {
      this.#people = (await get(`/api/v1/people?${new URLSearchParams({ name })}`)).items;
    } catch {
      return; // the search itself works without names
    }
    if (document.activeElement === this.field) this.#look();
  }

  #draw() {
    const { choices } = this.#shown;
    this.#list.hidden = choices.length === 0;
    this.field.setAttribute("aria-expanded", String(choices.length > 0));
    this.#list.replaceChildren(
      ...choices.map(({ label, hint }, i) =>
        h(
          "li",
          { role: "option", id: `choice-${i}`, "aria-selected": String(i === this.#active) },
          h("b", { dir: "auto" }, label),
          hint ? h("span", {}, hint) : null,
        ),
      ),
    );
    if (this.#active < 0) this.field.removeAttribute("aria-activedescendant");
    else this.field.setAttribute("aria-activedescendant", `choice-${this.#active}`);
    this.#list.children[this.#active]?.scrollIntoView({ block: "nearest" });
  }

  #hide() {
    this.#shown = { ...this.#shown, choices: [] };
    this.#active = -1;
    this.#draw();
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    const { length } = this.#shown.choices;
    if (length === 0 || event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.#active = this.#active < 0 && step < 0 ? length - 1 : (this.#active + step + length) % length;
    else if (event.key === "Escape") this.#hide();
    else if ((event.key === "Enter" || event.key === "Tab") && this.#active >= 0) this.#take(this.#active);
    else return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (step) this.#draw();
  }

  /** @param {MouseEvent} event */
  #clicked(event) {
    event.preventDefault(); // the field keeps the focus
    const option = /** @type {Element} */ (event.target).closest("[role=option]");
    if (option) this.#take([...this.#list.children].indexOf(option));
  }

  /** @param {number} i */
  #take(i) {
    const { from, choices } = this.#shown;
    const { text, whole } = choices[i];
    const { value } = this.field;
    const rest = value.slice(this.field.selectionStart ?? value.length).replace(/^\s+/, "");
    const begin = `${value.slice(0, from)}${text}${whole ? " " : ""}`;
    this.field.value = begin + rest;
    this.field.setSelectionRange(begin.length, begin.length);
    this.#hide();
    if (whole) this.taken();
    else this.#look();
  }
}
