// How characters, positions and weights are written.

/** @type {Record<string, string>} */
const GLYPHS = { " ": "␣", "\n": "⏎" };

/** A character so that it can be seen. @param {string} character */
export const glyph = (character) => GLYPHS[character] ?? character;

/**
 * 'E' at 5
 * @param {string} character
 * @param {number} position from 0; it is written from 1
 */
export const named = (character, position) => `'${glyph(character)}' at ${position + 1}`;

/** A weight as the page always writes it. @param {number} weight */
export const four = (weight) => weight.toFixed(4);

/** A weight in a sentence: two decimals, or as many as tell it from 1. @param {number} weight */
export const two = (weight) => weight.toFixed(weight < 1 && weight >= 0.995 ? (weight < 0.9995 ? 3 : 4) : 2);

/**
 * "head" or "heads", after a number.
 * @param {string} noun
 * @param {number} count
 */
export const plural = (noun, count) => (count === 1 ? noun : `${noun}s`);

/** A probability in words that fit: 31%, 0.4%, <0.1% @param {number} p */
export function percent(p) {
  if (p >= 0.0995) return `${Math.round(p * 100)}%`;
  return p < 0.001 ? (p === 0 ? "0%" : "<0.1%") : `${(p * 100).toFixed(1)}%`;
}

/** Plotly reads its texts as simple HTML. @param {string} text */
export const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

/** What an error says. @param {unknown} error */
export const messageOf = (error) => (error instanceof Error ? error.message : String(error));

/**
 * An element with attributes and children; strings become text nodes. An attribute that is null, undefined or false is left out, and
 * a function is a listener: {onclick: () => ...}.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | number | boolean | null | undefined | ((event: any) => void)>} attributes
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false)
      made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children);
  return made;
}

/**
 * The element that a template has for this purpose; an Error that names it, if it has none, or one of another kind.
 * @template {Element} [Kind=HTMLElement]
 * @param {ParentNode} root
 * @param {string} selector
 * @param {new () => Kind} [kind] such as HTMLInputElement
 * @returns {Kind}
 */
export function find(root, selector, kind) {
  const found = root.querySelector(selector);
  if (found instanceof (kind ?? HTMLElement)) return /** @type {Kind} */ (found);
  throw new Error(`The template has ${found ? "another kind of" : "no"} ${selector}.`);
}

/**
 * The element around what an event happened to.
 * @param {Event} event
 * @param {string} selector
 * @returns {HTMLElement | null}
 */
export const around = ({ target }, selector) => (target instanceof Element ? target.closest(selector) : null);

/**
 * One line of a bar list.
 * @param {string} name
 * @param {number} share from 0 to 1
 * @param {string} figure
 * @param {() => void} [press] what a click on it does
 */
export function bar(name, share, figure, press) {
  const filled = element("span", { class: "sg-bar", "aria-hidden": "true" });
  filled.style.setProperty("--share", String(share));
  return element(
    "li",
    { class: press ? "sg-pressable" : null, onclick: press },
    press
      ? element("button", { type: "button", class: "sg-name" }, name)
      : element("span", { class: "sg-name" }, name),
    filled,
    element("span", { class: "sg-figure" }, figure),
  );
}
