// Replaying the writing: at each generated character, the attention row that chose it, its probability, the others.
//
// A step is exact: it shows the window in which the model really chose that character (its `start` is where that
// window begins). Attention is causal, so one pass over a window serves all its steps.

import { candidatesAt } from "./candidates.js";
import { besidesNumbers, promptLength, session } from "../core/session.js";
import { view } from "../core/store.js";
import { element, find, glyph, named, percent } from "../core/text.js";

/** @import { Timer } from "../core/types.d.ts" */

const PAUSE = 120; // ms that the slider must rest before the server is asked for the runners-up
let [box, what, others, end] = /** @type {HTMLElement[]} */ ([]); // see mount
/** @type {HTMLInputElement} */
let slider;
/** @type {Timer} */
let resting;

/** @param {HTMLElement} root */
export function mount(root) {
  box = find(root, "#scrub");
  slider = find(box, "input", HTMLInputElement);
  [what, others, end] = [".sg-step", ".sg-others", "button"].map((selector) => find(box, selector));
  const replay = () => view.set({ step: Number(slider.value), position: null });
  slider.addEventListener("input", replay);
  // It rests at the last character: to choose that one, or the only one, does not move it.
  slider.addEventListener("click", replay);
  slider.addEventListener("keydown", (event) => event.key === "Enter" && replay());
  end.addEventListener("click", () => {
    view.set({ step: null });
    slider.focus(); // the button goes away: the keyboard stays where it was
  });
  view.subscribe((_, changed) => changed.has("step") && draw());
  session.subscribe((_, changed) => besidesNumbers(changed) && draw());
  draw();
}

function draw() {
  const { step } = view.get();
  const count = session.get().steps.length;
  box.hidden = !count;
  if (box.hidden) return;
  slider.disabled = session.get().streaming;
  slider.max = String(count);
  slider.value = String(step ?? count);
  end.hidden = !step;
  clearTimeout(resting);
  if (!step) {
    what.textContent = session.get().streaming
      ? "Follows when the writing has ended."
      : `Move the slider to see how each of the ${count} written characters was chosen.`;
    others.replaceChildren();
    slider.setAttribute("aria-valuetext", "not replaying");
    return;
  }
  const position = promptLength() + step - 1;
  const { probability, rank, entropy, start } = session.get().steps[step - 1];
  const name = named(session.get().text[position], position);
  what.textContent =
    `Character ${step} of ${count}: ${name} was drawn with ${percent(probability)}` +
    ` (number ${rank} on the list; ${entropy.toFixed(1)} bits of choice).` +
    ` The model saw ${position === start + 1 ? "character" : "characters"} ${start + 1}${position > start + 1 ? ` to ${position}` : ""};` +
    ` ${named(session.get().text[position - 1], position - 1)}, the last of them, looks at what is shaded.`;
  slider.setAttribute("aria-valuetext", `${step} of ${count}, ${name}, ${percent(probability)}`);
  others.replaceChildren();
  resting = setTimeout(() => runnersUp(position, step), PAUSE);
}

/** @param {number} position @param {number} step */
async function runnersUp(position, step) {
  const told = await candidatesAt(position)?.catch(() => null);
  if (!told || view.get().step !== step) return;
  const best = told.candidates.filter((c) => c.character !== told.character && c.probability > 0).slice(0, 5);
  const items = best.map((c) =>
    element("li", {}, element("b", {}, glyph(c.character)), ` ${percent(c.probability)}`),
  );
  others.replaceChildren(
    ...(items.length
      ? [element("span", {}, "Runners-up:"), element("ul", {}, ...items)]
      : [element("span", {}, "There was no other candidate.")]),
  );
}
