// Under the text: the sentence #said about what is shown, which a screen reader speaks.

import { session } from "../core/session.js";
import { altered } from "../core/lenses.js";
import { mattered } from "../core/mattered.js";
import { sentence } from "../core/said.js";
import { pointer, view } from "../core/store.js";
import { perFrame } from "../core/tasks.js";
import { find } from "../core/text.js";

/** @import { Timer } from "../core/types.d.ts" */

const PAUSE = 150; // ms: a sentence that changes faster than this can be neither heard nor read
/** @type {HTMLElement} */
let said;
/** @type {Timer} */
let speaking;

/** @param {HTMLElement} root */
export function mount(root) {
  said = find(root, "#said");
  const draw = perFrame(() => {
    clearTimeout(speaking);
    if (session.get().streaming)
      speak(); // news come faster than the pause
    else speaking = setTimeout(speak, PAUSE);
  });
  view.subscribe(draw);
  pointer.subscribe(draw);
  session.subscribe(draw);
  mattered.subscribe(draw);
  draw();
}

function speak() {
  const text = session.get().streaming
    ? `Layer ${view.get().layer} head ${view.get().head}: follows when the writing has ended.`
    : sentence();
  said.classList.toggle("sg-longer", altered(view.get())); // it names the lenses: room for them at all times
  if (said.textContent !== text) said.textContent = text;
}
