// One head large: a Plotly heatmap whose z are the weights themselves, drawn in a task of its own, and only when what it
// shows has changed.

import { current, session, windowNow } from "../core/session.js";
import { axisNames } from "../core/charts.js";
import { pageColours } from "../core/colours.js";
import { focus, layerNow } from "../core/focus.js";
import { finish, headFigure, showEffects } from "../core/head_figure.js";
import { knockout, knownRows, mattered } from "../core/mattered.js";
import { withPlotly } from "../core/plotly.js";
import { NOTHING, pointer, view, zoom } from "../core/store.js";
import { later } from "../core/tasks.js";
import { around, find } from "../core/text.js";
import { fontSize, onTheme } from "../core/theme.js";
import { cursor } from "../core/cursor.js";
import { magnify } from "./magnifier.js";
import { circumstances, hold, label, react, say, troubleLine, windowKey } from "./figures.js";

/** @import { Figure, Focus, Timer } from "../core/types.d.ts" */

/** @type {Figure} */
let map;
let [heading, note, trouble] = /** @type {HTMLElement[]} */ ([]); // see mount
let drawn = ""; // what is on the screen, as a string to compare
/** @type {Timer} */
let waiting;

/** @param {HTMLElement} root */
export function mount(root) {
  map = find(root, "#head-map");
  [heading, note] = ["#head-map-heading", ".sg-one .sg-lens-note"].map((selector) => find(root, selector));
  trouble = troubleLine(map);
  new ResizeObserver(draw).observe(map);
  map.addEventListener("keydown", press);
  root.addEventListener("pointerover", (event) => {
    const input = around(event, "#layer label")?.querySelector("input"); // whoever points at it may press it
    if (input) void session.layer(Number(input.value));
  });
  view.subscribe(draw);
  session.subscribe(draw);
  pointer.subscribe(() => {
    // A head that is only pointed at is drawn when the mouse rests on it.
    clearTimeout(waiting);
    waiting = setTimeout(draw, 60);
    mark();
  });
  // Plotly writes colours into its figure, so a change of theme draws it again.
  onTheme(draw);
  mattered.subscribe(() => view.get().map === "effect" && draw());
  draw();
}

function draw() {
  const now = focus();
  if (!now) return;
  // What stands there is another text's, or another layer's, until what belongs here has arrived.
  map.classList.toggle("sg-stale", !current() || !layerNow(now.layer));
  say(trouble, now.layer);
  later("head map", drawMap);
}

function drawMap() {
  const now = focus();
  const layer = now && layerNow(now.layer);
  const width = map.clientWidth;
  if (!layer || width === 0) return;
  title(now);
  const { map: shown } = view.get();
  // A row of effects is asked for when it is looked at; when it is here, the map is drawn again.
  if (shown === "effect") knockout(now.chosen, now.layer, now.head);
  const question = JSON.stringify([
    windowKey(),
    now.layer,
    now.head,
    now.lens.over,
    shown === "effect" && knownRows(now.layer, now.head).map(Boolean),
    circumstances(map, now.lens),
  ]);
  if (question === drawn) {
    mark();
    return;
  }
  drawn = question;
  const size = fontSize(map);
  const figure = headFigure(now, layer, ((width - 46) * 12) / size);
  finish(figure.layout, map, now.lens);
  if (shown === "effect") showEffects(figure, now, pageColours(map).mattered);
  Object.assign(figure.layout, {
    width,
    height: map.clientHeight, // the style sheet's, so that nothing moves when it is drawn
    // On a touch screen a drag scrolls the page; with a mouse it zooms, and a double click shows all again.
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
    uirevision: windowKey(), // the zoom stays while heads and layers change
  });
  react(map, figure, () => ({}), placed); // it shows what is chosen, through all lenses; pointing changes neither
}

/** @param {Focus} now */
function title(now) {
  const chosen = view.get();
  const preview = now.layer !== chosen.layer || now.head !== chosen.head;
  const over =
    now.lens.over === "head"
      ? `head ${now.head}`
      : `${now.lens.over === "mean" ? "mean" : "maximum"} over all heads`;
  heading.textContent = `Layer ${now.layer}, ${over}${preview ? " (preview: click to keep it)" : ""}`;
  label(note, now.lens);
}

function placed() {
  zoom.set({ x: map.layout?.xaxis.range ?? null, y: map.layout?.yaxis.range ?? null });
  name();
  mark();
}

/** Letters at the axes as soon as they fit: also after zooming in, and no longer after zooming out. */
function name() {
  const { layout, _fullLayout: full } = map;
  if (!layout || !full) return;
  /** @type {Record<string, unknown>} */
  const news = {};
  for (const axis of ["xaxis", "yaxis"]) {
    const { _length: px, range } = full[axis];
    for (const [key, value] of Object.entries(axisNames(px, range, windowNow(), fontSize(map))))
      if (JSON.stringify(layout[axis][key]) !== JSON.stringify(value)) news[`${axis}.${key}`] = value;
  }
  if (Object.keys(news).length) withPlotly(map, ({ relayout }) => relayout(map, news));
}

/** @type {Record<string, [down: number, right: number]>} */
const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** Arrow keys move from cell to cell of the large map; Enter holds, Escape lets go. @param {KeyboardEvent} event */
function press(event) {
  const now = focus();
  if (!now) return;
  const from = now.query ?? now.chosen;
  const to = now.key ?? from;
  const move = MOVES[event.key];
  if (move) {
    const { start, length } = windowNow();
    const row = Math.min(Math.max(from + move[0], start), start + length - 1);
    pointer.set({ ...NOTHING, query: row, key: Math.min(Math.max(to + move[1], start), row) });
  } else if (event.key === "Enter" || event.key === " ") hold({}, { query: from, key: to });
  else if (event.key === "Escape") {
    pointer.set(NOTHING);
    view.set({ position: null });
  } else return;
  event.preventDefault();
}

/** Mark the chosen row (or column) and the cell that is pointed at, and put it under the magnifier. */
function mark() {
  const now = focus();
  if (!now) return;
  cursor(map, now, null);
  magnify(map, now);
}
