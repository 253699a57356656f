// Gradio's text box and the View, kept the same in both directions; and the native controls of this page: the layer, the
// head, what the strip is shaded by, and the lenses.

import { promptLength, session } from "../core/session.js";
import { lensNames } from "../core/lenses.js";
import { pointer, NOTHING, VIEW, view } from "../core/store.js";
import { around, find } from "../core/text.js";
import { onDraw } from "./dom.js";

/** @import { Lens, Timer, View } from "../core/types.d.ts" */

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

/** Put what was typed of the text on the page into the box. */
export const showPrompt = () => fillBox(view.get().text.slice(0, view.get().generated_from ?? undefined));

/** Gradio draws the text box in its own time, and sometimes again; so the document listens. */
export function mountGradio() {
  document.addEventListener("input", (event) => {
    const box = around(event, "#prompt textarea");
    if (filling || !(box instanceof HTMLTextAreaElement)) return;
    forget();
    typing = setTimeout(() => setText(box.value), PAUSE);
  });
  view.subscribe((chosen, changed) => {
    if (changed.has("text") && chosen.generated_from === null) fillBox(chosen.text);
  });
  const seen = new WeakSet();
  onDraw(() => {
    const box = textBox();
    if (!box || seen.has(box) || !view.get().text) return;
    seen.add(box);
    showPrompt(); // a link may have been opened before its box was there
  });
}

/** @returns {HTMLTextAreaElement | null} */
const textBox = () => document.querySelector("#prompt textarea");
/** @param {Element} element */
const isInput = (element) => element instanceof HTMLInputElement;

/**
 * Native controls with data-view="name of a View entry"; a checkbox is true or false, the others have a value: a word, or a
 * number where the entry is one.
 * @param {HTMLElement} root
 */
export function mountControls(root) {
  const controls = [...root.querySelectorAll("[data-view]")].filter(isControl);
  for (const control of controls) {
    control.addEventListener("change", () => {
      const name = entryOf(control);
      const flag = isInput(control) && control.type === "checkbox";
      const value = typeof VIEW[name] === "number" ? Number(control.value) : control.value;
      view.set({ [name]: flag ? control.checked : value });
    });
  }
  const draw = (/** @type {View} */ chosen) => {
    for (const control of controls) {
      const value = chosen[entryOf(control)];
      if (!isInput(control)) control.value = String(value);
      else control.checked = control.type === "checkbox" ? value === true : control.value === String(value);
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
    badge.classList.toggle("sg-spoken", names.length === 0); // for the eye the plain case needs no words
    plain.hidden = !names.length;
  };
  view.subscribe(draw);
  draw(view.get());
}
