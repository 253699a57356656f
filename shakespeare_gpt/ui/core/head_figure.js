// A head's weights as a Plotly heatmap, without its size: for the maps on the page and for the pictures to take away.

import { characterAxis } from "./charts.js";
import { session } from "./session.js";
import { matrix } from "./lenses.js";
import { copy, hoverTexts } from "./plotly.js";
import { linkLines } from "./said.js";
import { escaped } from "./text.js";

export const NARROW = 560; // px: below, one head at a time

/** A map of the window, z[query][key], but for its size and the colours of the page. hover(query, key): the lines of a cell. */
export function mapFigure(z, hover, window = session.get().window) {
  const figure = copy(session.get().figures.head_map);
  Object.assign(figure.data[0], cells(z, hover, window));
  setRange(figure.layout, 1, window);
  return figure;
}

/** The large map of a head. now: from focus(); layer: its numbers. */
export function headFigure(now, layer) {
  const { window, figures } = session.get();
  const z = matrix(layer, now.head - 1, window.length, now.lens);
  const { data, layout } = mapFigure(z, linesOf(now.layer, now.head, now.lens));
  const { range, ...letters } = characterAxis(window); // named as soon as they fit
  Object.assign(layout.xaxis, letters);
  Object.assign(layout.yaxis, letters);
  layout.coloraxis.colorbar.title.text = figures.colorbar_titles[now.lens.scale];
  return { data, layout };
}

/** One of the maps of a layer. */
export function fill(trace, layerNumber, head, layer, lens) {
  const { window } = session.get();
  const z = matrix(layer, head - 1, window.length, lens);
  Object.assign(trace, cells(z, linesOf(layerNumber, head, lens), window));
}

/** The cells of a map: positions count from 1 in the whole text. */
const cells = (z, hover, { start }) => ({
  ...{ z, x0: start + 1, dx: 1, y0: start + 1, dy: 1 },
  hovertext: hoverTexts((q, k) => hover(q, k)?.flatMap(folded).map(escaped).join("<br>")),
});

/** What is told on hover, of a cell that has a weight. */
const linesOf = (layerNumber, head, lens) => (q, k) => {
  const { start, length } = session.get().window;
  return k > q || q >= length ? undefined : linkLines(layerNumber, head, start + q, start + k, lens);
};

/** On a narrow screen a long line in two: Plotly lets a hover label run over the edge. */
function folded(line) {
  if (globalThis.innerWidth >= NARROW || line.length <= 40) return [line];
  const end = line.lastIndexOf(" ", 40);
  return [line.slice(0, end), line.slice(end + 1)];
}

/** The axes of the `number`th map of a figure: rows from the top. */
export function setRange(layout, number, window = session.get().window) {
  const { range } = characterAxis(window);
  const suffix = number > 1 ? number : "";
  layout[`xaxis${suffix}`].range = range;
  layout[`yaxis${suffix}`].range = [...range].reverse();
}

/** The colours of the page. */
export function finish(layout, element, { scale }) {
  layout.font = { color: getComputedStyle(element).color, family: "inherit", size: 12 };
  layout.coloraxis.colorscale = session.get().figures.colorscales[scale];
}
