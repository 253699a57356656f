// How characters, positions and weights are written.

/** A character so that it can be seen. */
export const glyph = (character) => ({ " ": "␣", "\n": "⏎" })[character] ?? character;

/** 'E' at 5 (positions are given from 0 and written from 1) */
export const named = (character, position) => `'${glyph(character)}' at ${position + 1}`;

/** A weight as the page always writes it. */
export const four = (weight) => weight.toFixed(4);

/** A probability in words that fit: 31%, 0.4%, <0.1% */
export function percent(p) {
  if (p >= 0.0995) return `${Math.round(p * 100)}%`;
  return p < 0.001 ? (p === 0 ? "0%" : "<0.1%") : `${(p * 100).toFixed(1)}%`;
}

/** Plotly reads its texts as simple HTML. */
export const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

/** An element with attributes and children; strings become text nodes. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false)
      made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

/** One line of a bar list; share from 0 to 1. */
export function bar(name, share, figure) {
  const filled = element("span", { class: "sg-bar", "aria-hidden": "true" });
  filled.style.setProperty("--share", share);
  return element(
    "li",
    {},
    element("span", { class: "sg-name" }, name),
    filled,
    element("span", { class: "sg-figure" }, figure),
  );
}
