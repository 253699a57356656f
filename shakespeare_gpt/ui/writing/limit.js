// How long the text in the box may be, said under the box: a counter near the limit, and a refusal beyond it.

import { facts } from "../core/facts.js";
import { view } from "../core/store.js";
import { around, find } from "../core/text.js";

const { prompt: LONGEST } = facts.limits;
const NEAR = 0.9; // of the limit: from here on it counts

/** @param {HTMLElement} root */
export function mount(root) {
  const line = find(root, "#prompt-limit");
  const tell = (/** @type {string} */ text) => {
    const said = limit([...text].length);
    line.hidden = !said;
    line.classList.toggle("sg-error", said.includes("shorten"));
    if (line.textContent !== said) line.textContent = said;
  };
  document.addEventListener("input", (event) => {
    const box = around(event, "#prompt textarea");
    if (box instanceof HTMLTextAreaElement) tell(box.value);
  });
  view.subscribe(({ text, generated_from }, changed) => {
    if (changed.has("text")) tell(text.slice(0, generated_from ?? undefined));
  });
}

/** What is said of a text of so many characters; "" where there is no need. @param {number} length */
export function limit(length) {
  const [has, most] = [length, LONGEST].map((count) => count.toLocaleString("en"));
  if (length > LONGEST)
    return `${has} characters: at most ${most} are read. Please shorten it; what is shown is the text before.`;
  return length >= NEAR * LONGEST ? `${has} of ${most} characters` : "";
}
