// The settings of the sampler: native controls with data-setting="name of a setting", wherever on the page they stand. What
// they show is the View's.

import { facts } from "./facts.js";
import { view } from "./store.js";

/** @import { Settings } from "./types.d.ts" */

/** Of these settings this value is no limit. @type {Partial<Settings>} */
const OFF = { top_k: 0, top_p: 1 };

/** @param {HTMLElement} root */
export function mountSettings(root) {
  for (const control of root.querySelectorAll("[data-setting]")) {
    if (control instanceof HTMLInputElement || control instanceof HTMLSelectElement) bind(control);
  }
}

/** @param {HTMLInputElement | HTMLSelectElement} control */
function bind(control) {
  const name = /** @type {keyof Settings} */ (control.dataset.setting);
  const { least, most, step } = facts.sampling[name];
  if (control instanceof HTMLInputElement)
    Object.assign(control, { min: String(least), max: String(most), step: String(step) });
  const output = control.closest("label")?.querySelector("output");
  const draw = () => {
    const value = view.get().sampling[name];
    if (control.value === "" || Number(control.value) !== value) control.value = String(value);
    const said = OFF[name] === value ? "off" : String(value);
    if (output) output.textContent = said;
    control.setAttribute("aria-valuetext", said);
  };
  control.addEventListener("input", () => {
    // A field that is being emptied says nothing yet.
    if (control.value !== "")
      view.set({ sampling: { ...view.get().sampling, [name]: Number(control.value) } });
  });
  control.addEventListener("change", draw); // one that was left empty shows again what holds
  view.subscribe((_, changed) => changed.has("sampling") && draw());
  draw();
}
