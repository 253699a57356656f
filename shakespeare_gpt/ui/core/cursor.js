// Marks over a Plotly figure: the chosen row or column, the cell that is pointed at, the chosen head; and names. Plain
// elements on top of the figure: asking Plotly for shapes would draw the figure again at every move of the mouse.

import { axesOf } from "./painted.js";
import { windowNow } from "./session.js";
import { element } from "./text.js";

/** @import { Axis, Figure, Focus } from "./types.d.ts" */

/** @typedef {[left: number, top: number, right: number, bottom: number, className: string]} Mark */

/**
 * What is marked in a map, in positions from 1: the chosen row or column, and the cell that is pointed at.
 * @param {Focus} now
 * @returns {Mark[]}
 */
export function selected(now) {
  const { start, length } = windowNow();
  const first = start + 0.5;
  const [from, to] = [now.chosen + 0.5, now.end + 1.5];
  /** @type {Mark} */
  const row =
    now.direction === "looked at by"
      ? [from, from, to, first + length, "sg-row"]
      : [first, from, to, to, "sg-row"];
  if (now.query === null || now.key === null) return [row];
  return [row, [now.key + 0.5, now.query + 0.5, now.key + 1.5, now.query + 1.5, "sg-cell"]];
}

/**
 * Mark what is chosen.
 * @param {Figure} figure
 * @param {Focus} now
 * @param {number | null} head the subplot to frame, from 1
 */
export function cursor(figure, now, head) {
  const layout = axesOf(figure);
  if (!layout) return;
  const overlay = over(figure, "sg-overlay");
  /** @type {Mark[]} */
  const marks = [];
  const { start, length } = windowNow();
  const first = start + 0.5;
  const last = first + length;
  for (let number = 1; layout[axisName("x", number)]; number++) {
    const [x, y] = [layout[axisName("x", number)], layout[axisName("y", number)]];
    const at = (/** @type {Axis} */ axis, /** @type {number} */ position) =>
      axis._offset + axis.l2p(position);
    const box = (/** @type {Mark} */ [left, top, right, bottom, name], margin = 0) => {
      // Within the axes: a zoomed figure may not show the whole row.
      const l = Math.max(at(x, left), x._offset),
        r = Math.min(at(x, right), x._offset + x._length);
      const t = Math.max(at(y, top), y._offset),
        b = Math.min(at(y, bottom), y._offset + y._length);
      if (r > l && b > t) marks.push([l - margin, t - margin, r - l + 2 * margin, b - t + 2 * margin, name]);
    };
    for (const mark of selected(now)) box(mark);
    if (number === head) box([first, first, last, last, "sg-frame"], 3);
  }
  overlay.replaceChildren(
    ...marks.map(([left, top, width, height, name]) =>
      element("div", {
        class: name,
        style: `left:${left}px;top:${top}px;width:${width}px;height:${height}px`,
      }),
    ),
  );
}

/**
 * Frame one cell of a figure with a single map; an index below 0 frames none.
 * @param {Figure} figure
 * @param {number} start index of the first character of its window
 * @param {number} query index in the window
 * @param {number} key
 */
export function frameCell(figure, start, query, key) {
  const { xaxis: x, yaxis: y } = figure._fullLayout ?? {};
  if (!x || !y) return;
  const at = (/** @type {Axis} */ axis, /** @type {number} */ position) => axis._offset + axis.l2p(position);
  const [left, top] = [at(x, start + key + 0.5), at(y, start + query + 0.5)];
  const size = at(x, start + key + 1.5) - left;
  const style = `left:${left}px;top:${top}px;width:${size}px;height:${size}px`;
  const marks = query < 0 || key < 0 ? [] : [element("div", { class: "sg-cell", style })];
  over(figure, "sg-overlay").replaceChildren(...marks);
}

/**
 * Names above the subplots of a figure, one each. Plotly's annotations cost a sixth of drawing six maps.
 * @param {Figure} figure
 * @param {string[]} texts
 */
export function names(figure, texts) {
  const layout = axesOf(figure) ?? {};
  over(figure, "sg-names").replaceChildren(
    ...texts.map((text, i) => {
      const [x, y] = [layout[axisName("x", i + 1)], layout[axisName("y", i + 1)]];
      return element("div", { style: `left:${x._offset + x._length / 2}px;top:${y._offset}px` }, text);
    }),
  );
}

/** A layer of plain elements over the figure, below what Plotly tells on hover. @param {Figure} figure @param {string} name */
function over(figure, name) {
  const found = figure.querySelector(`.${name}`);
  if (found) return found;
  const layer = element("div", { class: name });
  const above = figure.querySelector(".hoverlayer")?.closest(".main-svg"); // none while it is painted
  if (above) above.before(layer);
  else figure.append(layer);
  return layer;
}

/** @param {"x" | "y"} letter @param {number} number */
const axisName = (letter, number) => `${letter}axis${number > 1 ? number : ""}`;
