// The strongest links of the chosen character as arcs over the text.

import { strength } from "./colours.js";
import { windowNow } from "./session.js";
import { strongest } from "./lenses.js";
import { view } from "./store.js";

const COUNT = 5;
const LEAST = 0.05; // of the strongest: a weaker link gets no arc
const SVG = "http://www.w3.org/2000/svg";

/** @import { Focus } from "./types.d.ts" */

/** @typedef {{x: number, y: number}} Point */

/** The characters of the window that get an arc. @param {Float32Array} weights one for each */
export function linked(weights) {
  const shown = strongest(weights, COUNT);
  return shown.filter((each) => weights[each] >= LEAST * weights[shown[0]]);
}

/**
 * An arc between two points, as an SVG path without colour.
 * @param {Point} from
 * @param {Point} to
 * @param {number} weight
 */
export function arc(from, to, weight) {
  const path = document.createElementNS(SVG, "path");
  const across = Math.abs(to.x - from.x);
  const top = Math.min(from.y, to.y) - Math.min(34, 9 + across * 0.09);
  path.setAttribute(
    "d",
    across < 1 && from.y === to.y
      ? `M${from.x - 4} ${from.y} c-7 -15 15 -15 8 0` // a character that looks at itself
      : `M${from.x} ${from.y} C${from.x} ${top} ${to.x} ${top} ${to.x} ${to.y}`,
  );
  const shade = strength(weight, view.get().scale);
  path.setAttribute("stroke-width", (1 + 2.5 * shade).toFixed(2));
  path.setAttribute("stroke-opacity", Math.max(0.25, shade).toFixed(3));
  return path;
}

/**
 * Draw the arcs over the text. Where an end is scrolled away there is none.
 * @param {SVGElement} svg
 * @param {HTMLElement} strip
 * @param {HTMLElement[]} cells of the strip, one for each character of the text
 * @param {Focus} now
 * @param {Float32Array | null} weights one for each character of the window, or null for no arcs
 */
export function drawArcs(svg, strip, cells, now, weights) {
  const paths = [];
  if (weights) {
    const frame = svg.getBoundingClientRect();
    const visible = strip.getBoundingClientRect();
    const middle = (/** @type {number} */ position) => {
      const box = cells[position].getBoundingClientRect();
      return {
        x: box.left + box.width / 2 - frame.left,
        y: box.top - frame.top + 3,
        seen: box.bottom > visible.top && box.top < visible.bottom,
      };
    };
    const from = middle(now.chosen);
    for (const index of linked(weights)) {
      const to = middle(index + windowNow().start);
      if (from.seen && to.seen) paths.push(arc(from, to, weights[index]));
    }
  }
  svg.replaceChildren(...paths);
}
