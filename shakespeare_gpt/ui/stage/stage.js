// Large, for a projector: one press, and one press back. The browser remembers it for the next time.

import { find } from "../core/text.js";

/** @import { Figure } from "../core/types.d.ts" */

const KEPT = "shakespeare-projector";

/** @param {HTMLElement} root */
export function mount(root) {
  const button = find(root, "#projector");
  const show = (/** @type {boolean} */ large) => {
    document.documentElement.classList.toggle("sg-large", large);
    button.setAttribute("aria-pressed", String(large));
  };
  button.addEventListener("click", () => {
    const large = button.getAttribute("aria-pressed") !== "true";
    show(large);
    remember(large);
  });
  show(remembered());
  addEventListener("beforeprint", measure);
}

/** How wide each figure was drawn: the style sheet of the paper fits it to the paper. */
function measure() {
  /** @type {NodeListOf<Figure>} */
  const figures = document.querySelectorAll(".js-plotly-plot");
  for (const figure of figures)
    figure.style.setProperty("--drawn", `${figure._fullLayout?.width ?? figure.clientWidth}px`);
}

/** @param {boolean} large */
function remember(large) {
  try {
    localStorage.setItem(KEPT, large ? "1" : "0");
  } catch {
    // A browser may keep nothing: then the next visit is as usual.
  }
}

function remembered() {
  try {
    return localStorage.getItem(KEPT) === "1";
  } catch {
    return false;
  }
}
