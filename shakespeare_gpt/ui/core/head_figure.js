// A head's weights as a Plotly heatmap, without its size: for the maps on the page and for the pictures to take away.

import { session } from "./session.js";
import { matrix } from "./lenses.js";
import { copy, hoverTexts } from "./plotly.js";
import { linkLines } from "./said.js";
import { escaped, glyph } from "./text.js";

export const NARROW = 560; // px: below, one head at a time
const CHARACTERS = 40; // up to so many characters the large map names each one at its axes

/** The large map of a head, but for its size and the colours of the page. now: from focus(); layer: its numbers. */
export function headFigure(now, layer) {
  const figure = copy(session.get().figures.head_map);
  fill(figure.data[0], now.layer, now.head, layer, now.lens);
  setRange(figure.layout, 1);
  if (session.get().window.length <= CHARACTERS) nameCharacters(figure.layout);
  figure.layout.coloraxis.colorbar.title.text = session.get().figures.colorbar_titles[now.lens.scale];
  return figure;
}

export function fill(trace, layerNumber, head, layer, lens) {
  const { window } = session.get();
  trace.z = matrix(layer, head - 1, window.length, lens);
  Object.assign(trace, { x0: window.start + 1, dx: 1, y0: window.start + 1, dy: 1 });
  trace.hovertext = hoverRows(layerNumber, head, lens);
}

/** The hover text of each cell. */
function hoverRows(layerNumber, head, lens) {
  const { window } = session.get();
  return hoverTexts((q, k) => {
    if (k > q || q >= window.length) return undefined;
    const lines = linkLines(layerNumber, head, window.start + q, window.start + k, lens);
    return lines.flatMap(folded).map(escaped).join("<br>");
  });
}

/** On a narrow screen a long line in two: Plotly lets a hover label run over the edge. */
function folded(line) {
  if (globalThis.innerWidth >= NARROW || line.length <= 40) return [line];
  const end = line.lastIndexOf(" ", 40);
  return [line.slice(0, end), line.slice(end + 1)];
}

export function setRange(layout, number) {
  const { start, length } = session.get().window;
  const suffix = number > 1 ? number : "";
  layout[`xaxis${suffix}`].range = [start + 0.5, start + length + 0.5];
  layout[`yaxis${suffix}`].range = [start + length + 0.5, start + 0.5];
}

/** Every character at the axes; equal ones stay apart, because the axes count positions. */
function nameCharacters(layout) {
  const { window } = session.get();
  const tickvals = window.characters.map((_, i) => window.start + i + 1);
  const ticktext = window.characters.map((character) => escaped(glyph(character)));
  for (const axis of [layout.xaxis, layout.yaxis]) {
    Object.assign(axis, {
      tickmode: "array",
      tickvals,
      ticktext,
      tickangle: 0,
      tickfont: { family: "monospace" },
    });
  }
}

export function finish(layout, element, lens) {
  layout.font = { color: getComputedStyle(element).color, family: "inherit", size: 12 };
  layout.coloraxis.colorscale = session.get().figures.colorscales[lens.scale];
}
