// Before Gradio has drawn anything the document shows the page's name and its first text (document.py). The page itself
// comes into sight when its first screen stands, so nothing in it moves while it is put together.

import { later } from "../core/tasks.js";
import { onDraw } from "./dom.js";

const FIRST_SCREEN = [
  "#prompt textarea",
  "#generate",
  "#text-strip [data-position]",
  "#readout > *",
  "#head-grid canvas",
  "#head-map :is(canvas, .main-svg)",
];

/** The page takes the place of the opening. */
export const show = () => document.querySelectorAll("#opening, #blocked").forEach((part) => part.remove());

/** Where Gradio may not make functions of text it draws nothing: that is said at once. */
export function sayIfBlocked() {
  try {
    void new Function("");
  } catch {
    document.querySelector("#blocked")?.toggleAttribute("data-now", true);
  }
}

export function showWhenDrawn() {
  onDraw(() => {
    const stands = FIRST_SCREEN.every((part) => document.querySelector(part));
    if (stands && document.querySelector("#opening")) later("opening", () => requestAnimationFrame(show));
  });
}
