// Replaying the writing: at each generated character, the attention row that chose it, and its probability. The others that
// could have stood there are in the panel of the next character, whose Step and Play move the replay too.
//
// A step is exact: it shows the window in which the model really chose that character (its `start` is where that
// window begins). Attention is causal, so one pass over a window serves all its steps.

import { besidesNumbers, promptLength, session } from "../core/session.js";
import { view } from "../core/store.js";
import { find, named, percent, plural } from "../core/text.js";

let [box, what, end] = /** @type {HTMLElement[]} */ ([]); // see mount
/** @type {HTMLInputElement} */
let slider;

/** @param {HTMLElement} root */
export function mount(root) {
  box = find(root, "#scrub");
  slider = find(box, "input", HTMLInputElement);
  [what, end] = [".sg-step", "button"].map((selector) => find(box, selector));
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
  const { steps, streaming, text, window: seen } = session.get();
  const count = steps.length;
  box.classList.toggle("sg-nothing", !count);
  if (!count) return;
  slider.disabled = streaming;
  slider.max = String(count);
  slider.value = String(step ?? count);
  end.hidden = !step;
  if (!step) {
    const begun = seen?.start ? "; pale is what the model no longer saw" : "";
    what.textContent = streaming
      ? "follows when the writing has ended"
      : `${count} ${plural("character", count)} written${begun}`;
    slider.setAttribute("aria-valuetext", "not replaying");
    return;
  }
  const position = promptLength() + step - 1;
  const { probability, rank, entropy, start, seed } = steps[step - 1];
  const name = named(text[position], position);
  const how = `${seed === null ? "your choice" : "drawn"} at ${percent(probability)}, number ${rank}`;
  what.textContent = `${step} of ${count}: ${how}, ${entropy.toFixed(1)} bits; it saw ${start + 1} to ${position}`;
  slider.setAttribute(
    "aria-valuetext",
    `${step} of ${count}: ${name} was ${how} on the model's list, with ${entropy.toFixed(1)} bits of choice.` +
      ` The model saw the characters ${start + 1} to ${position}.`,
  );
}
