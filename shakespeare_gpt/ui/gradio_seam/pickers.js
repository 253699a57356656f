// Gradio's own controls and the View, kept the same in both directions: the text box, the layer, the head; and the
// native controls of this page: what the strip is shaded by, and the lenses.

import { promptLength, session } from "../core/session.js";
import { lensNames } from "../core/lenses.js";
import { pointer, NOTHING, VIEW, view } from "../core/store.js";
import { onDraw } from "./dom.js";

const PAUSE = 300; // ms without a key before a typed text is looked at
let typing = 0; // the timer of a text that was typed and is not looked at yet
let filling = false; // the text box is being filled by us
let filled = null; // with this, of which Gradio will tell us

/** What was typed a moment ago need not be looked at. */
function forget() {
  clearTimeout(typing);
  typing = 0;
}

/** A text that the visitor wrote or picked; drops what was generated. */
export function setText(text) {
  forget();
  // Another prompt while the model still writes on from the old one: it need not.
  if (text !== session.get().text.slice(0, promptLength())) stopWriting();
  pointer.set(NOTHING);
  view.set({ text, generated_from: null, step: null, position: null });
}

/** End the writing: on the page at once (writing/run.js hears the click), on the server when Gradio has passed it on. */
export function stopWriting() {
  if (session.get().streaming) document.querySelector("#stop")?.click();
}

/** A run has begun from the text in the box: what was typed just before is no longer looked at, or it would drop it. */
export function taken() {
  forget();
}

/** Gradio tells that the text in the box has changed: an example, Clear, our own doing, or keys, which are heard here. */
export function gradioText(text) {
  const own = text === filled;
  filled = null;
  if (!own && document.activeElement !== textBox()) setText(text);
}

/** What stands in the box; a text that was typed a moment ago is looked at now. */
export function boxText() {
  const box = textBox();
  if (typing && box) setText(box.value);
  return box?.value;
}

/** Put a text into the box that is on the page already. */
export function fillBox(text) {
  const box = textBox();
  if (!box || box.value === text) return;
  forget();
  [box.value, filled, filling] = [text, text, true];
  box.dispatchEvent(new Event("input", { bubbles: true }));
  filling = false;
}

/** Gradio draws the text box and the radio buttons in its own time, and sometimes again; so the document listens. */
export function mountGradio() {
  document.addEventListener("input", (event) => {
    if (filling || !event.target.closest?.("#prompt textarea")) return;
    forget();
    const { target } = event;
    typing = setTimeout(() => setText(target.value), PAUSE);
  });
  document.addEventListener("change", (event) => {
    for (const name of ["layer", "head"]) {
      if (event.target.closest?.(`#${name}`)) view.set({ [name]: radios(name).indexOf(event.target) + 1 });
    }
  });
  // Gradio gives each radio button a name of its own, again at every choice. With one name the browser makes them one
  // stop of the Tab key and moves with the arrow keys; so they get it just before it looks.
  document.addEventListener("keydown", () => {
    for (const name of ["layer", "head"]) for (const radio of radios(name)) radio.name = name;
  });
  view.subscribe((chosen, changed) => {
    for (const name of ["layer", "head"]) if (changed.has(name)) show(name, chosen);
    if (changed.has("text") && chosen.generated_from === null) fillBox(chosen.text);
  });
  const seen = new WeakSet();
  onDraw(() => {
    // A link may have been opened before its box was there.
    for (const name of ["prompt", "layer", "head"]) {
      const control = document.querySelector(`#${name} :is(textarea, input)`);
      if (!control || seen.has(control) || !view.get().text) continue;
      seen.add(control);
      show(name, view.get());
    }
  });
}

/** Let one of Gradio's controls show what the View says. */
function show(name, chosen) {
  if (name === "prompt") return fillBox(chosen.text.slice(0, chosen.generated_from ?? undefined));
  const radio = radios(name)[chosen[name] - 1];
  if (radio && !radio.checked) radio.click();
}

const textBox = () => document.querySelector("#prompt textarea");
const radios = (name) => [...document.querySelectorAll(`#${name} input[type="radio"]`)];

/** Native controls with data-view="name of a View entry"; a checkbox is true or false, the others have a value. */
export function mountControls(root) {
  const controls = [...root.querySelectorAll("[data-view]")];
  for (const control of controls) {
    control.addEventListener("change", () => {
      const value = control.type === "checkbox" ? control.checked : control.value;
      view.set({ [control.dataset.view]: value });
    });
  }
  const draw = (chosen) => {
    for (const control of controls) {
      const value = chosen[control.dataset.view];
      if (control.type === "checkbox") control.checked = value;
      else if (control.type === "radio") control.checked = control.value === value;
      else control.value = value;
    }
  };
  view.subscribe(draw);
  draw(view.get());
}

const LENSES = ["hide_first", "keep_most", "by_moved", "over", "scale"];

/** The label that says which lenses are on, and the button that takes them off. */
export function mountLenses(root) {
  const badge = root.querySelector("#lens-badge");
  const plain = root.querySelector("#lens-plain");
  plain.addEventListener("click", () => {
    view.set(Object.fromEntries(LENSES.map((name) => [name, VIEW[name]])));
    root.querySelector("input").focus();
  });
  const draw = (chosen) => {
    const names = lensNames(chosen);
    badge.textContent = names.length ? `Altered view: ${names.join("; ")}` : "Plain weights";
    badge.classList.toggle("sg-altered", names.length > 0);
    plain.hidden = !names.length;
  };
  view.subscribe(draw);
  draw(view.get());
}
