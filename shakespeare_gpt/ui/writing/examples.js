// The texts to begin with: a button each. And the settings, which lie over the page while they are open.

import { facts } from "../core/facts.js";
import { around, element, find } from "../core/text.js";
import { fillBox, setText } from "../gradio_seam/pickers.js";

/** @param {HTMLElement} root */
export function mount(root) {
  find(root, ".sg-begin").append(
    ...Object.keys(facts.examples).map((name) =>
      element("button", { type: "button", "data-example": name }, name),
    ),
  );
  root.addEventListener("click", ({ target }) => {
    const name = target instanceof HTMLElement ? target.dataset.example : undefined;
    if (!name) return;
    setText(facts.examples[name]);
    fillBox(facts.examples[name]);
  });
  const settings = find(root, "#settings", HTMLDetailsElement);
  document.addEventListener("pointerdown", (event) => {
    if (!around(event, "#settings")) settings.open = false;
  });
  settings.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape") return;
    settings.open = false;
    find(settings, "summary").focus();
  });
}
