// Gradio's own controls and the View, kept the same in both directions: the text box, the layer, the head; and the
// native controls of this page: what the strip is shaded by, and the lenses.

import { promptLength, session } from "../core/session.js";
import { lensNames } from "../core/lenses.js";
import { pointer, NOTHING, VIEW, view } from "../core/store.js";
import { around, find } from "../core/text.js";
import { onDraw } from "./dom.js";

/** @import { Lens, Timer, View } from "../core/types.d.ts" */

/** @type {("layer" | "head")[]} */
const PICKERS = ["layer", "head"];
const PAUSE = 300; // ms without a key before a typed text is looked at
/** @type {Timer} of a text that was typed and is not looked at yet */
let typing;
let filling = false; // the text box is being filled by us
/** @type {string | null} with this, of which Gradio will tell us */
let filled = null;

/** What was typed a moment ago need not be looked at. */
function forget() {
  clearTimeout(typing);
  typing = undefined;
}

/** A text that the visitor wrote or picked; drops what was generated. @param {string} text */
export function setText(text) {
  forget();
  // Another prompt while the model still writes on from the old one: it need not.
  if (text !== session.get().text.slice(0, promptLength())) stopWriting();
  pointer.set(NOTHING);
  view.set({ text, generated_from: null, step: null, position: null });
}

/** End the writing: on the page at once (writing/run.js hears the click), on the server when Gradio has passed it on. */
export function stopWriting() {
  if (session.get().streaming) find(document, "#stop").click();
}

/** A run has begun from the text in the box: what was typed just before is no longer looked at, or it would drop it. */
export function taken() {
  forget();
}

/**
 * Gradio tells that the text in the box has changed: an example, Clear, our own doing, or keys, which are heard here.
 * @param {string} text
 */
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

/** Put a text into the box that is on the page already. @param {string} text */
export function fillBox(text) {
  const box = textBox();
  if (!box || box.value === text) return;
  forget();
  box.value = filled = text;
  filling = true;
  box.dispatchEvent(new Event("input", { bubbles: true }));
  filling = false;
}

/** Gradio draws the text box and the radio buttons in its own time, and sometimes again; so the document listens. */
export function mountGradio() {
  document.addEventListener("input", (event) => {
    const box = around(event, "#prompt textarea");
    if (filling || !(box instanceof HTMLTextAreaElement)) return;
    forget();
    typing = setTimeout(() => setText(box.value), PAUSE);
  });
  document.addEventListener("change", (event) => {
    for (const name of PICKERS) {
      const radio = around(event, `#${name} input`);
      if (radio) view.set({ [name]: radios(name).findIndex((one) => one === radio) + 1 });
    }
  });
  // Gradio gives each radio button a name of its own, again at every choice. With one name the browser makes them one
  // stop of the Tab key and moves with the arrow keys; so they get it just before it looks.
  document.addEventListener("keydown", () => {
    for (const name of PICKERS) for (const radio of radios(name)) radio.name = name;
  });
  view.subscribe((chosen, changed) => {
    for (const name of PICKERS) if (changed.has(name)) show(name, chosen);
    if (changed.has("text") && chosen.generated_from === null) fillBox(chosen.text);
  });
  const seen = new WeakSet();
  onDraw(() => {
    // A link may have been opened before its box was there.
    for (const name of /** @type {const} */ (["prompt", ...PICKERS])) {
      const control = document.querySelector(`#${name} :is(textarea, input)`);
      if (!control || seen.has(control) || !view.get().text) continue;
      seen.add(control);
      show(name, view.get());
    }
  });
}

/**
 * Let one of Gradio's controls show what the View says.
 * @param {"prompt" | "layer" | "head"} name
 * @param {View} chosen
 */
function show(name, chosen) {
  if (name === "prompt") return fillBox(chosen.text.slice(0, chosen.generated_from ?? undefined));
  const radio = radios(name)[chosen[name] - 1];
  if (radio && !radio.checked) radio.click();
}

/** @returns {HTMLTextAreaElement | null} */
const textBox = () => document.querySelector("#prompt textarea");
/** @param {string} name @returns {HTMLInputElement[]} */
const radios = (name) => [...document.querySelectorAll(`#${name} input[type="radio"]`)].filter(isInput);
/** @param {Element} element */
const isInput = (element) => element instanceof HTMLInputElement;

/**
 * Native controls with data-view="name of a View entry"; a checkbox is true or false, the others have a value.
 * @param {HTMLElement} root
 */
export function mountControls(root) {
  const controls = [...root.querySelectorAll("[data-view]")].filter(isControl);
  for (const control of controls) {
    control.addEventListener("change", () => {
      const flag = isInput(control) && control.type === "checkbox";
      view.set({ [entryOf(control)]: flag ? control.checked : control.value });
    });
  }
  const draw = (/** @type {View} */ chosen) => {
    for (const control of controls) {
      const value = chosen[entryOf(control)];
      if (!isInput(control)) control.value = String(value);
      else control.checked = control.type === "checkbox" ? value === true : control.value === value;
    }
  };
  view.subscribe(draw);
  draw(view.get());
}

/** @param {Element} element */
const isControl = (element) => element instanceof HTMLInputElement || element instanceof HTMLSelectElement;
/** @param {HTMLElement} control */
const entryOf = (control) => /** @type {keyof View} */ (control.dataset.view);

/** @type {(keyof Lens)[]} */
const LENSES = ["hide_first", "keep_most", "by_moved", "over", "scale"];

/** The label that says which lenses are on, and the button that takes them off. @param {HTMLElement} root */
export function mountLenses(root) {
  const badge = find(root, "#lens-badge");
  const plain = find(root, "#lens-plain");
  plain.addEventListener("click", () => {
    view.set(Object.fromEntries(LENSES.map((name) => [name, VIEW[name]])));
    find(root, "input").focus();
  });
  const draw = (/** @type {View} */ chosen) => {
    const names = lensNames(chosen);
    badge.textContent = names.length ? `Altered view: ${names.join("; ")}` : "Plain weights";
    badge.classList.toggle("sg-altered", names.length > 0);
    plain.hidden = !names.length;
  };
  view.subscribe(draw);
  draw(view.get());
}
