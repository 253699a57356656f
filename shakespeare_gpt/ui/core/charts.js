// Two kinds of Plotly figure that the tabs share: a heatmap of signed numbers, and bars over the text.

import { pageColours } from "./colours.js";
import { facts } from "./facts.js";
import { windowNow } from "./session.js";
import { CONFIG, withPlotly } from "./plotly.js";
import { escaped, glyph } from "./text.js";
import { fontSize, isDark, onTheme } from "./theme.js";

/** @import { Figure, Listeners, Spec, Window } from "./types.d.ts" */

/** The colour scale of signed numbers, for Plotly. */
export const signedScale = () =>
  facts.colours.signed[isDark() ? "dark" : "light"].map((colour, i) => [i / 4, colour]);

/**
 * What every figure shares.
 * @param {HTMLElement} element
 * @param {Spec} more of Plotly's layout
 */
export function layout(element, more) {
  const { ink, line } = pageColours(element);
  const size = fontSize(element);
  const { l, r, t, b } = more.margin ?? { l: 46, r: 6, t: 4, b: 24 };
  return {
    width: element.clientWidth,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: ink, family: "inherit", size },
    dragmode: false,
    hovermode: "closest",
    hoverlabel: { align: "left", bgcolor: "#1c2230", bordercolor: "#1c2230", font: { color: "#fff" } },
    showlegend: false,
    bargap: 0.15,
    ...more,
    margin: { l: (l * size) / 12, r: (r * size) / 12, t, b: (b * size) / 12 }, // they hold words
    xaxis: { showgrid: false, zeroline: false, ticks: "", fixedrange: true, ...more.xaxis },
    yaxis: { gridcolor: line, zerolinecolor: line, ticks: "", fixedrange: true, ...more.yaxis },
  };
}

const LETTER = 9; // px that a character of 12 px needs at an axis

/** The whole of a window on an axis that counts its characters, from 1 in the whole text. */
export const wholeRange = ({ start, length } = windowNow()) => [start + 0.5, start + length + 0.5];

/**
 * What stands at an axis that counts the characters of a window: each one where it fits, else numbers. Equal characters
 * stay apart, because it counts positions.
 * @param {number} px of the axis
 * @param {number[]} range that it shows, in either direction
 * @param {Pick<Window, "start" | "length" | "characters">} [window]
 * @param {number} [largest] px of its letters, at most
 */
export function axisNames(px, range, { start, length, characters } = windowNow(), largest = 12) {
  const [low, high] = [Math.min(...range), Math.max(...range)];
  if ((px * 12) / largest < LETTER * (high - low)) return { tickmode: "auto", tickfont: {} };
  const size = Math.min(largest, Math.floor(px / (high - low)) - 1); // px: they stand under each other, too
  const first = Math.max(Math.ceil(low), start + 1);
  const last = Math.min(Math.floor(high), start + length);
  const positions = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
  return {
    tickmode: "array",
    tickvals: positions,
    ticktext: positions.map((position) => escaped(glyph(characters[position - start - 1]))),
    tickangle: 0,
    ticklabeloverflow: "allow", // all names fit; to measure each of them takes longer than to draw the figure
    tickfont: { family: "monospace", size },
  };
}

/** An axis of so many px that shows a whole window. @param {number} px */
export function characterAxis(px, seen = windowNow()) {
  const range = wholeRange(seen);
  return { range, ...axisNames(px, range, seen) };
}

/** @type {WeakMap<HTMLElement, Listeners>} */
const listeners = new WeakMap();

/**
 * Draw a figure.
 * @param {Figure} element
 * @param {Spec[]} traces
 * @param {Spec} laidOut
 * @param {Listeners} on they may change from time to time
 */
export function draw(element, traces, laidOut, on = {}) {
  withPlotly(element, ({ react }) => {
    if (!element.clientWidth) return; // hidden meanwhile: see whenShown
    const first = !element.on; // Plotly's own; taken away with the figure, and its listeners, by purge
    listeners.set(element, on);
    react(element, traces, laidOut, CONFIG);
    if (!first) return;
    element.on?.("plotly_hover", ({ points: [point] }) => listeners.get(element)?.hover?.(point));
    element.on?.("plotly_unhover", () => listeners.get(element)?.leave?.());
    element.on?.("plotly_click", ({ points: [point] }) => listeners.get(element)?.click?.(point));
  });
}

/** An end of a colour scale, in two digits. @param {number} number */
export const short = (number) => String(Number(number.toPrecision(2))).replace("-", "−");

/**
 * Signed numbers as a heatmap, with 0 in the middle of the scale.
 * @param {Figure} element
 * @param {object} how
 * @param {number[][]} how.z [row][column]
 * @param {(row: number, column: number) => string[]} how.hover gives the lines of text
 * @param {number} how.height px
 * @param {boolean} [how.named] count the rows as characters of the window
 * @param {number | null} [how.marked] index of a row to frame
 * @param {Listeners} [how.on]
 */
export function heat(element, { z, hover, height, named = false, marked = null, on }) {
  const { ink } = pageColours(element);
  const most = z.reduce((found, row) => row.reduce((a, b) => Math.max(a, Math.abs(b)), found), 0) || 1;
  const first = named ? windowNow().start + 1 : 1;
  const { range: [from, to] = [0.5, z.length + 0.5], ...rows } = named
    ? characterAxis(height - 28)
    : { showticklabels: false };
  const trace = {
    type: "heatmap",
    z,
    x0: 1,
    dx: 1,
    y0: first,
    dy: 1,
    zmin: -most,
    zmax: most,
    colorscale: signedScale(),
    hoverinfo: "text",
    hovertext: z.map((row, r) => row.map((_, c) => hover(r, c).map(escaped).join("<br>"))),
    colorbar: {
      thickness: 10,
      outlinewidth: 0,
      xpad: 4,
      tickmode: "array",
      tickvals: [-most, 0, most],
      ticktext: [-most, 0, most].map(short),
    },
    showscale: named,
  };
  const frame =
    marked === null
      ? []
      : [
          {
            type: "rect",
            x0: 0.5,
            x1: z[0].length + 0.5,
            y0: first + marked - 0.5,
            y1: first + marked + 0.5,
            line: { color: ink, width: 1.5 },
          },
        ];
  draw(
    element,
    [trace],
    layout(element, {
      height,
      shapes: frame,
      margin: { l: 46, r: 58, t: 4, b: 24 }, // the columns of all vectors stand under each other
      xaxis: { range: [0.5, z[0].length + 0.5] },
      yaxis: { ...rows, range: [to, from], showgrid: false, zeroline: false },
    }),
    on,
  );
}

/**
 * Numbers over the characters of the window as bars. Plotly's own bars cost two elements each, 256 of them in each of several figures: here all bars of a colour are one
 * path, and an invisible line through their ends is what the mouse finds, from anywhere above or below.
 * @param {Figure} element
 * @param {object} how
 * @param {(number | null)[]} how.y null where there is none
 * @param {(index: number) => string[]} how.hover gives the lines of text
 * @param {(index: number) => string} how.colour of a bar
 * @param {number} [how.height] px
 * @param {number} [how.later] how many characters at the end are hidden
 * @param {Listeners} [how.on]
 * @param {[number, number]} [how.range] of the numbers
 */
export function bars(element, { y, hover, colour, height = 130, later = 0, on, range }) {
  const { start, length } = windowNow();
  const { line } = pageColours(element);
  const first = start + 1;
  const end = start + length + 0.5;
  const ends = {
    type: "scatter",
    mode: "lines",
    line: { width: 0 },
    x0: first,
    dx: 1,
    y,
    hoverinfo: "text",
    hovertext: y.map((_, i) => hover(i).map(escaped).join("<br>")),
  };
  /** @type {Map<string, {x: number[], y: number[]}>} */
  const paths = new Map();
  y.forEach((value, i) => {
    if (value === null) return;
    const path = paths.get(colour(i)) ?? { x: [], y: [] };
    paths.set(colour(i), path);
    const [left, right] = [first + i - 0.43, first + i + 0.43];
    path.x.push(left, left, right, right); // along the baseline to the next bar
    path.y.push(0, value, value, 0);
  });
  const filled = [...paths].map(([fillcolor, path]) => ({
    type: "scatter",
    mode: "lines",
    line: { width: 0 },
    fill: "toself",
    fillcolor,
    hoverinfo: "skip",
    ...path,
  }));
  const hidden = later
    ? [
        {
          type: "rect",
          layer: "below",
          yref: "paper",
          x0: end - later,
          x1: end,
          y0: 0,
          y1: 1,
          fillcolor: line,
          opacity: 0.6,
          line: { width: 0 },
        },
      ]
    : [];
  draw(
    element,
    [ends, ...filled],
    layout(element, {
      height,
      shapes: hidden,
      hovermode: "x",
      xaxis: characterAxis(element.clientWidth - 52),
      yaxis: { rangemode: "tozero", ...(range && { range }) },
    }),
    on,
  );
}

/**
 * Runs draw() when the element becomes visible or changes its width, and when the page turns dark or light. While it is
 * hidden, its figures are taken down: a page with every tab opened once stays light.
 * @param {HTMLElement} element
 * @param {() => void} run
 */
export function whenShown(element, run) {
  const takeDown = () =>
    element.querySelectorAll(".js-plotly-plot").forEach((figure) => globalThis.Plotly.purge(figure));
  new ResizeObserver(() => (element.clientWidth ? run() : takeDown())).observe(element);
  onTheme(() => element.clientWidth && run());
}
