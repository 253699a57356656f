// A head's weights as a Plotly heatmap, without its size: for the maps on the page and for the pictures to take away.

import { facts } from "./facts.js";
import { axisNames, short, wholeRange } from "./charts.js";
import { pageColours } from "./colours.js";
import { session, windowNow } from "./session.js";
import { matrix } from "./lenses.js";
import { copy, hoverTexts } from "./plotly.js";
import { knownRows } from "./mattered.js";
import { linkLines } from "./said.js";
import { fontSize } from "./theme.js";
import { escaped } from "./text.js";

const { narrow: NARROW } = facts.breakpoints;

/** @import { Focus, Layer, Lens, Spec, Specification, Window } from "./types.d.ts" */

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
 * Let a map stand beside others: as wide as its place and as high, bare axes, its colours explained below it.
 * @param {Specification} figure
 * @param {HTMLElement} place
 * @param {object} coloraxis its ends and its colours
 * @param {number[]} tickvals
 * @param {string} [title] of the colours
 */
export function besideOthers({ layout }, place, coloraxis, tickvals, title = "") {
  const width = place.clientWidth;
  const below = title ? 78 : 48; // px
  layout.xaxis.title = layout.yaxis.title = undefined;
  Object.assign(layout.coloraxis, coloraxis, {
    showscale: true,
    colorbar: {
      orientation: "h",
      y: -0.1,
      yanchor: "top",
      thickness: 10,
      outlinewidth: 0,
      tickmode: "array",
      tickvals,
      ticktext: tickvals.map(short),
      ...(title && { title: { text: title, side: "bottom" } }),
    },
  });
  Object.assign(layout, {
    width,
    height: width + below - 12,
    dragmode: false,
    margin: { l: 34, r: 8, t: 4, b: below },
    font: { color: pageColours(place).ink, family: "inherit", size: 12 },
  });
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
 * Let the large map show the effects of the head's links in place of their weights, as far as they are known: a row is asked
 * for when it is looked at. In the colour of effects, the largest one full.
 * @param {Specification} figure the map of the head
 * @param {Focus} now
 * @param {string} colour of the largest effect, "r g b"
 */
export function showEffects({ data, layout }, now, colour) {
  const rows = knownRows(now.layer, now.head);
  const most = rows.reduce((found, row) => Math.max(found, ...(row ?? [])), 0) || 1;
  const { length } = rows;
  const ticks = [0, 0.1, 0.25, 0.5, 1].map((share) => share * most);
  Object.assign(data[0], {
    z: rows.map((row, query) =>
      Float32Array.from({ length }, (_, key) => (key > query ? NaN : (row?.[key] ?? 0))),
    ),
    hovertext: hoverTexts((query, key) => {
      const { start } = windowNow();
      if (key > query) return undefined;
      const effect = rows[query]?.[key];
      const moved =
        effect === undefined
          ? "its effect is being worked out"
          : `without this link the prediction moves by ${effect.toFixed(4)} nats`;
      return [...linkLines(now.layer, now.head, start + query, start + key, now.lens).slice(0, 2), moved]
        .flatMap(folded)
        .map(escaped)
        .join("<br>");
    }),
  });
  // The colour follows the square root: more stops at the beginning of the scale.
  const shares = Array.from({ length: 17 }, (_, i) => i / 16);
  Object.assign(layout.coloraxis, { cmin: 0, cmax: most });
  layout.coloraxis.colorscale = shares.map((share) => [share ** 2, mixed(colour, share)]);
  Object.assign(layout.coloraxis.colorbar, {
    tickvals: ticks,
    ticktext: ticks.map((tick) => tick.toFixed(3)),
    tickangle: 0,
  });
  layout.coloraxis.colorbar.title.text = "effect in nats (the colour follows its square root)";
}

/** From nothing to a colour, "r g b". @param {string} colour @param {number} share */
const mixed = (colour, share) => `rgba(${colour.split(/\s+/).join(",")},${(0.06 + 0.94 * share).toFixed(3)})`;

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
  const size = fontSize(element);
  layout.font = { color: getComputedStyle(element).color, family: "inherit", size };
  if (layout.coloraxis.colorbar) layout.coloraxis.colorbar.title.font = { size };
  for (const side of ["l", "b"]) layout.margin[side] *= size / 12; // they hold words
  layout.coloraxis.colorscale = facts.colours.weights[scale];
}
