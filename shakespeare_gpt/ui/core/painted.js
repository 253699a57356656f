// Figures of heatmaps painted on a canvas while Plotly is not here yet: the same cells at the same places in the same
// colours, so that nothing moves when Plotly takes the place over. The mouse finds the cells here too.

import { element } from "./text.js";

/** @import { Axis, Figure, Spec, Specification } from "./types.d.ts" */

/**
 * @typedef {object} Listeners
 * @property {(row: number, column: number, number: number) => void} hover a cell, of the number-th trace, from 0
 * @property {() => void} leave
 * @property {(row: number, column: number, number: number) => void} click
 */

/** @type {WeakMap<Figure, Record<string, Axis>>} */
const axes = new WeakMap(); // of what is painted

/** The axes of a figure, as Plotly would tell them: xaxis, yaxis, xaxis2, ... @param {Figure} figure @returns {Spec | undefined} */
export const axesOf = (figure) => figure._fullLayout ?? axes.get(figure);

/** Is it painted, and not Plotly's? @param {Figure} figure */
const canvasOf = (figure) => {
  const found = figure.querySelector("canvas.sg-painted");
  return found instanceof HTMLCanvasElement ? found : null;
};

/**
 * Paint a figure.
 * @param {Figure} place
 * @param {Specification} figure
 * @param {Listeners} on
 */
export function paint(place, { data, layout }, on) {
  const { width, height } = layout;
  const canvas = canvasOf(place) ?? place.appendChild(element("canvas", { class: "sg-painted" }));
  const ratio = devicePixelRatio || 1;
  Object.assign(canvas, { width: width * ratio, height: height * ratio });
  canvas.style.cssText = `display: block; width: ${width}px; height: ${height}px`;
  const pen = canvas.getContext("2d");
  if (!pen) return;
  pen.scale(ratio, ratio);
  /** @type {Record<string, Axis>} */
  const found = {};
  const maps = data.map((trace) => {
    const [x, y] = placed(layout, trace.xaxis ?? "x", trace.yaxis ?? "y");
    found[nameOf(trace.xaxis ?? "x")] = x;
    found[nameOf(trace.yaxis ?? "y")] = y;
    cells(pen, trace.z, layout.coloraxis, x, y);
    return { x, y, first: trace.x0, count: trace.z.length };
  });
  axes.set(place, found);
  const { fontFamily } = getComputedStyle(place);
  if (layout.xaxis.visible !== false) letters(pen, layout, found.xaxis, found.yaxis, fontFamily);
  if (layout.coloraxis.showscale) bar(pen, layout, found.xaxis, fontFamily);
  const cellAt = (/** @type {PointerEvent | MouseEvent} */ event) => {
    const box = canvas.getBoundingClientRect();
    for (const [number, { x, y, first, count }] of maps.entries()) {
      const [column, row] = [event.clientX - box.left, event.clientY - box.top].map((px, i) => {
        const axis = [x, y][i];
        return Math.floor((count * (px - axis._offset)) / axis._length);
      });
      if (first !== undefined && row >= 0 && row < count && column >= 0 && column <= row)
        return /** @type {[number, number, number]} */ ([row, column, number]);
    }
    return null;
  };
  canvas.onpointermove = (event) => {
    const cell = cellAt(event);
    if (cell) on.hover(...cell);
    else on.leave();
  };
  canvas.onpointerleave = on.leave;
  canvas.onclick = (event) => {
    const cell = cellAt(event);
    if (cell) on.click(...cell);
  };
}

/** Plotly takes the place over. @param {Figure} place */
export function unpaint(place) {
  if (!canvasOf(place)) return;
  place.replaceChildren();
  axes.delete(place);
}

/** "x2" -> "xaxis2" @param {string} axis */
const nameOf = (axis) => `${axis[0]}axis${axis.slice(1)}`;

/**
 * Where the axes of a map lie: Plotly's own arithmetic, for what figures.py asks of it (`constraintoward` left and top).
 * @param {Spec} layout
 * @param {string} xName
 * @param {string} yName
 * @returns {[x: Axis, y: Axis]}
 */
function placed({ width, height, margin, ...layout }, xName, yName) {
  const [x, y] = [layout[nameOf(xName)], layout[nameOf(yName)]];
  const [[left, right], [bottom, top]] = [x.domain ?? [0, 1], y.domain ?? [0, 1]];
  const [w, h] = [width - margin.l - margin.r, height - margin.t - margin.b];
  let [across, down] = [(right - left) * w, (top - bottom) * h];
  if (y.scaleanchor) across = down = Math.min(across, down);
  const axis = (
    /** @type {number} */ offset,
    /** @type {number} */ length,
    /** @type {[number, number]} */ range,
    /** @type {[number, number]} */ [from, to],
  ) => ({
    _offset: offset,
    _length: length,
    range,
    l2p: (/** @type {number} */ position) => (length * (position - from)) / (to - from),
  });
  return [
    axis(margin.l + left * w, across, x.range, x.range),
    axis(margin.t + (1 - top) * h, down, y.range, [y.range[1], y.range[0]]),
  ];
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {Float32Array[]} z [row][column], NaN where there is nothing
 * @param {Spec} coloraxis
 * @param {Axis} x
 * @param {Axis} y
 */
function cells(pen, z, { colorscale, cmin, cmax }, x, y) {
  const size = z.length;
  const image = new ImageData(size, size);
  const { data: rgba } = image;
  const colour = colours(colorscale);
  z.forEach((row, q) => {
    for (let k = 0; k <= q; k++) {
      if (Number.isNaN(row[k])) continue;
      const at = 4 * (q * size + k);
      colour((row[k] - cmin) / (cmax - cmin), rgba, at);
      rgba[at + 3] = 255;
    }
  });
  const small = element("canvas", { width: size, height: size });
  small.getContext("2d")?.putImageData(image, 0, 0);
  pen.imageSmoothingEnabled = false;
  pen.drawImage(small, x._offset, y._offset, x._length, y._length);
}

/**
 * A function (share, out, at) that writes a colour of a scale as three bytes into `out`.
 * @param {[stop: number, colour: string][]} scale
 */
function colours(scale) {
  const stops = scale.map(([stop]) => stop);
  const channels = scale.map(([, colour]) => (colour.match(/[\d.]+/g) ?? []).map(Number));
  return (/** @type {number} */ share, /** @type {Uint8ClampedArray} */ out, /** @type {number} */ at) => {
    let after = 1;
    while (after < stops.length - 1 && stops[after] < share) after++;
    const part = Math.min(1, Math.max(0, (share - stops[after - 1]) / (stops[after] - stops[after - 1])));
    for (let c = 0; c < 3; c++)
      out[at + c] = channels[after - 1][c] + part * (channels[after][c] - channels[after - 1][c]);
  };
}

const LETTER = 12; // px of the type at the axes, as in charts.js; titles are larger by a sixth

/**
 * The letters or numbers, and the titles, of the axes: near to where Plotly will put them.
 * @param {CanvasRenderingContext2D} pen
 * @param {Spec} layout
 * @param {Axis} x
 * @param {Axis} y
 * @param {string} family of the page's type
 */
function letters(pen, { font, xaxis, yaxis }, x, y, family) {
  const [right, bottom] = [x._offset + x._length, y._offset + y._length];
  const type = (/** @type {string} */ name, px = LETTER) => Object.assign(pen, { font: `${px}px ${name}` });
  Object.assign(pen, { fillStyle: font.color, textAlign: "center", textBaseline: "alphabetic" });
  type(xaxis.tickmode === "array" ? "monospace" : family);
  for (const [position, text] of ticks(xaxis, x, 80))
    pen.fillText(text, x._offset + x.l2p(position), bottom + 2 + LETTER);
  pen.textAlign = "right";
  for (const [position, text] of ticks(yaxis, y, 40))
    pen.fillText(text, x._offset - 2, y._offset + y.l2p(position) + 4);
  type(family, Math.round(LETTER * 1.2));
  pen.textAlign = "center";
  pen.fillText(xaxis.title.text, (x._offset + right) / 2, bottom + 25);
  pen.save();
  pen.translate(13, (y._offset + bottom) / 2);
  pen.rotate(-Math.PI / 2);
  pen.fillText(yaxis.title.text, 0, 0);
  pen.restore();
}

/**
 * What stands at an axis: [position, text]. Where it is left to Plotly, round numbers as far apart as Plotly has them.
 * @param {Spec} axis
 * @param {Axis} place
 * @param {number} least px between two
 * @returns {[number, string][]}
 */
function ticks(axis, { _length, range }, least) {
  if (axis.tickmode === "array")
    return axis.tickvals.map((/** @type {number} */ at, /** @type {number} */ i) => [
      at,
      plain(axis.ticktext[i]),
    ]);
  const [low, high] = [Math.min(...range), Math.max(...range)];
  const rough = (high - low) / (Math.min(9, Math.max(4, _length / least)) + 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, power * ([2, 5, 10].find((one) => one >= rough / power) ?? 10));
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => {
    const at = (first + i) * step;
    return [at, String(at)];
  });
}

/** What stands there, and not how Plotly wants it written. @param {string} text */
const plain = (text) => text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");

/**
 * The bar that says which colour is which weight, at the lower edge.
 * @param {CanvasRenderingContext2D} pen
 * @param {Spec} layout
 * @param {Axis} x
 * @param {string} family of the page's type
 */
function bar(pen, { height, font, coloraxis: { colorbar, colorscale } }, x, family) {
  const colour = colours(colorscale);
  const [left, length] = [x._offset + 10, x._length - 20];
  const [top, rgb] = [height - 24 - colorbar.thickness, new Uint8ClampedArray(3)];
  for (let px = 0; px < length; px++) {
    colour(px / length, rgb, 0);
    pen.fillStyle = `rgb(${rgb.join(" ")})`;
    pen.fillRect(left + px, top, 1, colorbar.thickness);
  }
  Object.assign(pen, { fillStyle: font.color, textAlign: "center", font: `${LETTER}px ${family}` });
  pen.fillText(colorbar.title.text, left + length / 2, top - 1);
  let end = -Infinity; // of the number before: one that would touch it is left out
  for (const [i, value] of colorbar.tickvals.entries()) {
    const [at, half] = [left + value * length, pen.measureText(colorbar.ticktext[i]).width / 2];
    if (at - half < end + 2) continue;
    pen.fillText(colorbar.ticktext[i], at, top + colorbar.thickness + 2 + LETTER);
    end = at + half;
  }
}
