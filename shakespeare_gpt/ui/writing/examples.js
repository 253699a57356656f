// The texts to begin with: a button each.

import { facts } from "../core/facts.js";
import { fillBox, setText } from "../gradio_seam/pickers.js";

/** @param {HTMLElement} root */
export function mount(root) {
  root.addEventListener("click", ({ target }) => {
    const name = target instanceof HTMLElement ? target.dataset.example : undefined;
    if (!name) return;
    setText(facts.examples[name]);
    fillBox(facts.examples[name]);
  });
}
