// What the two figures of attention share: when they are drawn again, what the mouse does in them, what is said above them.

import { current, session, windowNow } from "../core/session.js";
import { lensNames } from "../core/lenses.js";
import { paint, unpaint } from "../core/painted.js";
import { CONFIG, whenQuiet } from "../core/plotly.js";
import { NOTHING, pointer, view } from "../core/store.js";
import { element } from "../core/text.js";
import { fontSize } from "../core/theme.js";

/** @import { Figure, Lens, Specification } from "../core/types.d.ts" */

/** @typedef {{pointIndex: [row: number, column: number], curveNumber: number}} Cell of a map, as Plotly tells of it */
/** @typedef {{layer?: number, head?: number}} Whose Of which head a map is; none: of the one that is on show. */

/** @type {WeakMap<Figure, (point: Cell) => Whose>} */
const owners = new WeakMap(); // of the maps of a figure

/** A line above a figure for what keeps its numbers away. @param {HTMLElement} place */
export function troubleLine(place) {
  const line = element("p", { class: "sg-error", role: "status", hidden: true });
  place.before(line);
  return line;
}

/** Says that a layer is missing because it could not be had, until it is here. @param {HTMLElement} line @param {number} layer */
export function say(line, layer) {
  const { state, error } = session.get().layers[layer - 1];
  if (state === "loading" && line.dataset.layer === String(layer)) return; // asked for again
  line.hidden = state !== "failed";
  line.dataset.layer = String(layer);
  const again = element("button", { type: "button", onclick: () => session.layer(layer) }, "Try again");
  if (state === "failed")
    line.replaceChildren(`The numbers of layer ${layer} did not arrive. ${error} `, again);
}

/** Everything besides the numbers of the window that a figure depends on. @param {Figure} place @param {Lens} lens */
export const circumstances = (place, lens) => [
  place.clientWidth,
  getComputedStyle(place).color,
  fontSize(place),
  lens.hide_first,
  lens.keep_most,
  lens.by_moved,
  lens.scale,
];

export const windowKey = () => `${windowNow().start}:${windowNow().text}`;

/** Says which lenses are on in the figure below it. @param {HTMLElement} line @param {Lens} lens */
export function label(line, lens) {
  const lenses = lensNames(lens);
  line.hidden = !lenses.length;
  line.textContent = `Altered view: ${lenses.join("; ")}. In the numbers of a cell, “weight” is still the plain weight.`;
}

/**
 * Draw, or paint until Plotly is here, and on the first time connect the mouse.
 * @param {Figure} place
 * @param {Specification} figure
 * @param {(point: Cell) => Whose} whose
 * @param {() => void} then runs after it, and after each zoom
 */
export function react(place, { data, layout }, whose, then) {
  owners.set(place, whose);
  const hover = (/** @type {Cell} */ point) =>
    pointer.set({ ...NOTHING, ...owners.get(place)?.(point), ...cell(point) });
  const leave = () => pointer.set(NOTHING);
  const click = (/** @type {Cell} */ point) => hold(owners.get(place)?.(point) ?? {}, cell(point));
  if (!globalThis.Plotly) {
    const named =
      (/** @type {(point: Cell) => void} */ run) =>
      (/** @type {[number, number, number]} */ ...at) =>
        run({ pointIndex: [at[0], at[1]], curveNumber: at[2] });
    paint(place, { data, layout }, { hover: named(hover), leave, click: named(click) });
    then();
  }
  whenQuiet(place, (Plotly) => {
    const first = !place.classList.contains("js-plotly-plot");
    unpaint(place);
    Plotly.react(place, data, layout, CONFIG);
    if (first) {
      place.on?.("plotly_hover", ({ points: [point] }) => hover(point));
      place.on?.("plotly_unhover", leave);
      place.on?.("plotly_click", ({ points: [point] }) => click(point));
      place.on?.("plotly_relayout", then);
    }
    then();
  });
}

/** @param {Cell} point */
const cell = ({ pointIndex: [row, column] }) => ({
  query: row + windowNow().start,
  key: column + windowNow().start,
});

/**
 * A click keeps the head and holds the character of the cell whose links the strip shows; the next one lets go of it.
 * @param {Whose} chosen
 * @param {{query: number, key: number}} cell
 */
export function hold(chosen, { query, key }) {
  if (!current()) return; // the picture is another text's
  const now = view.get();
  const position = (now.direction === "looked at by" ? key : query) + 1;
  const again = position === now.position && now.head === (chosen.head ?? now.head);
  view.set({ ...chosen, position: again ? null : position });
}
