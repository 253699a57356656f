// A head's weights as a Plotly heatmap, without its size: for the maps on the page and for the pictures to take away.

import { facts } from "./facts.js";
import { axisNames, wholeRange } from "./charts.js";
import { session, windowNow } from "./session.js";
import { matrix } from "./lenses.js";
import { copy, hoverTexts } from "./plotly.js";
import { linkLines } from "./said.js";
import { escaped } from "./text.js";

const { narrow: NARROW } = facts.breakpoints;

/** @import { Focus, Layer, Lens, Spec, Window } from "./types.d.ts" */

const BAR = 46; // px of the colour bar with its numbers and its title

/** @typedef {(query: number, key: number) => string[] | undefined} Hover The lines that are told of a cell. */

/**
 * A map of a window, but for its size and the colours of the page.
 * @param {Float32Array[]} z [query][key]
 * @param {Hover} hover
 */
export function mapFigure(z, hover, seen = windowNow()) {
  const figure = copy(session.get().figures.head_map);
  Object.assign(figure.data[0], cells(z, hover, seen));
  setRange(figure.layout, 1, seen);
  return figure;
}

/**
 * The large map of a head.
 * @param {Focus} now
 * @param {Layer} layer its numbers
 * @param {number} px of a side of the map
 */
export function headFigure(now, layer, px) {
  const seen = windowNow();
  const z = matrix(layer, now.head - 1, seen.length, now.lens);
  const { data, layout } = mapFigure(z, linesOf(now.layer, now.head, now.lens));
  for (const axis of [layout.xaxis, layout.yaxis]) Object.assign(axis, axisNames(px, wholeRange(seen), seen));
  const { colorbar, colorbar_titles } = session.get().figures;
  Object.assign(layout.coloraxis, { showscale: true, colorbar: copy(colorbar) });
  layout.coloraxis.colorbar.title.text = colorbar_titles[now.lens.scale];
  layout.margin.b += BAR;
  return { data, layout };
}

/**
 * One of the maps of a layer.
 * @param {object} trace
 * @param {number} layerNumber
 * @param {number} head
 * @param {Layer} layer
 * @param {Lens} lens
 */
export function fill(trace, layerNumber, head, layer, lens) {
  const seen = windowNow();
  const z = matrix(layer, head - 1, seen.length, lens);
  Object.assign(trace, cells(z, linesOf(layerNumber, head, lens), seen));
}

/**
 * The cells of a map: positions count from 1 in the whole text.
 * @param {Float32Array[]} z
 * @param {Hover} hover
 * @param {Window} window
 */
const cells = (z, hover, { start }) => ({
  z,
  x0: start + 1,
  dx: 1,
  y0: start + 1,
  dy: 1,
  hovertext: hoverTexts((q, k) => hover(q, k)?.flatMap(folded).map(escaped).join("<br>")),
});

/**
 * What is told on hover, of a cell that has a weight.
 * @param {number} layerNumber
 * @param {number} head
 * @param {Lens} lens
 * @returns {Hover}
 */
const linesOf = (layerNumber, head, lens) => (q, k) => {
  const { start, length } = windowNow();
  return k > q || q >= length ? undefined : linkLines(layerNumber, head, start + q, start + k, lens);
};

/** On a narrow screen a long line in two: Plotly lets a hover label run over the edge. @param {string} line */
function folded(line) {
  if (globalThis.innerWidth >= NARROW || line.length <= 40) return [line];
  const end = line.lastIndexOf(" ", 40);
  return [line.slice(0, end), line.slice(end + 1)];
}

/** The axes of a map of a figure: rows from the top. @param {Spec} layout @param {number} number from 1 */
export function setRange(layout, number, seen = windowNow()) {
  const range = wholeRange(seen);
  const suffix = number > 1 ? number : "";
  layout[`xaxis${suffix}`].range = range;
  layout[`yaxis${suffix}`].range = [...range].reverse();
}

/** The colours of the page. @param {Spec} layout @param {HTMLElement} element @param {Lens} lens */
export function finish(layout, element, { scale }) {
  layout.font = { color: getComputedStyle(element).color, family: "inherit", size: 12 };
  layout.coloraxis.colorscale = facts.colours.weights[scale];
}
