// Where the cells of the large map are too small to be told apart, those around the one that is pointed at stand large in
// its upper right corner, which is empty: no character looks at a later one.

import { MARK, cividis, strength } from "../core/colours.js";
import { layerNow } from "../core/focus.js";
import { matrix } from "../core/lenses.js";
import { axesOf } from "../core/painted.js";
import { windowNow } from "../core/session.js";
import { element, glyph } from "../core/text.js";

/** @import { Figure, Focus } from "../core/types.d.ts" */

const AROUND = 6; // cells on each side of the one that is pointed at
const CELL = 13; // px
const EDGE = 16; // px for the letters, on the left and below
const SIDE = EDGE + (2 * AROUND + 1) * CELL;
const SMALL = 9; // px: cells below this are magnified

/**
 * Show the cells around the one that is pointed at, or nothing.
 * @param {Figure} map
 * @param {Focus} now
 */
export function magnify(map, now) {
  const layout = axesOf(map);
  const layer = layerNow(now.layer);
  const found = map.querySelector(".sg-magnifier");
  const canvas = found instanceof HTMLCanvasElement ? found : null;
  const { query, key } = now;
  const small =
    layout && layout.xaxis._length < SMALL * Math.abs(layout.xaxis.range[1] - layout.xaxis.range[0]);
  if (!layer || !small || query === null || key === null) {
    if (canvas) canvas.hidden = true;
    return;
  }
  const shown =
    canvas ?? map.appendChild(element("canvas", { class: "sg-magnifier", "aria-hidden": "true" }));
  shown.hidden = false;
  draw(shown, matrix(layer, now.head - 1, windowNow().length, now.lens), query, key, now);
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Float32Array[]} rows of the map
 * @param {number} query index into the whole text, as is
 * @param {number} key
 * @param {Focus} now
 */
function draw(canvas, rows, query, key, { lens }) {
  const { start, length, characters } = windowNow();
  const scale = devicePixelRatio || 1;
  canvas.width = canvas.height = SIDE * scale;
  const pen = canvas.getContext("2d");
  if (!pen) return;
  pen.scale(scale, scale);
  const style = getComputedStyle(canvas);
  Object.assign(pen, { textAlign: "center", textBaseline: "middle", font: `12px ${style.fontFamily}` });
  const colours = cividis();
  const inWindow = (/** @type {number} */ index) => index >= 0 && index < length;
  for (let step = 0; step <= 2 * AROUND; step++) {
    const [q, k] = [query - start - AROUND + step, key - start - AROUND + step];
    const middle = (step + 0.5) * CELL;
    pen.fillStyle = style.color;
    if (inWindow(q)) pen.fillText(glyph(characters[q]), EDGE / 2, middle);
    if (inWindow(k)) pen.fillText(glyph(characters[k]), EDGE + middle, SIDE - EDGE / 2);
    for (let across = 0; across <= 2 * AROUND && inWindow(q); across++) {
      const at = key - start - AROUND + across;
      if (!inWindow(at) || at > q) continue;
      const [red, green, blue] = colours[Math.round(255 * strength(rows[q][at], lens.scale))];
      pen.fillStyle = `rgb(${red} ${green} ${blue})`;
      pen.fillRect(EDGE + across * CELL, step * CELL, CELL, CELL);
    }
  }
  Object.assign(pen, { strokeStyle: MARK, lineWidth: 2 });
  pen.strokeRect(EDGE + AROUND * CELL, AROUND * CELL, CELL, CELL);
}
