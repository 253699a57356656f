// The chosen layer's heads side by side (#layer-maps), and one head large (#head-map): Plotly heatmaps whose z are
// the weights themselves. Each figure is drawn in a task of its own, and only when what it shows has changed.

import { facts } from "../core/facts.js";
import { current, session, windowNow } from "../core/session.js";
import { focus, layerNow } from "../core/focus.js";
import { fill, finish, headFigure, setRange } from "../core/head_figure.js";
import { SCALES, lensNames } from "../core/lenses.js";
import { CONFIG, copy, withPlotly } from "../core/plotly.js";
import { NOTHING, pointer, view, zoom } from "../core/store.js";
import { later } from "../core/tasks.js";
import { element, find } from "../core/text.js";
import { onTheme } from "../core/theme.js";
import { cursor, names } from "../core/cursor.js";

/** @import { Figure, Focus, Lens, Spec, Specification, Timer } from "../core/types.d.ts" */

/** @typedef {{pointIndex: [row: number, column: number], curveNumber: number}} Cell of a map, as Plotly tells of it */
/** @typedef {{layer?: number, head?: number}} Whose Of which head a map is; none: of the one that is on show. */

const { narrow: NARROW, medium: MEDIUM } = facts.breakpoints; // px: below, one head at a time; in two rows

let [layerMaps, headMap] = /** @type {Figure[]} */ ([]); // see mount
let [heading, layerHeading, note, layerNote, layerScale, trouble, layerTrouble] =
  /** @type {HTMLElement[]} */ ([]);
const drawn = { layer: "", head: "" }; // what is on the screen, as a string to compare
/** @type {{now: string, figure: Specification, filled: number} | null} */
let begun = null; // the layer's figure in the making
/** @type {Timer} */
let waiting;
/** @type {WeakMap<Figure, (point: Cell) => Whose>} */
const owners = new WeakMap(); // of the maps of a figure

/** @param {HTMLElement} root */
export function mount(root) {
  [layerMaps, headMap] = [find(root, "#layer-maps"), find(root, "#head-map")];
  [heading, layerHeading, layerScale] = ["#head-map-heading", "#layer-maps-heading", "#layer-scale"].map(
    (id) => find(root, id),
  );
  [note, layerNote] = [".sg-one", ".sg-layer"].map((part) => find(root, `${part} .sg-lens-note`));
  [trouble, layerTrouble] = [headMap, layerMaps].map((place) => {
    const line = element("p", { class: "sg-error", role: "status", hidden: true });
    place.before(line);
    return line;
  });
  new ResizeObserver(draw).observe(root);
  headMap.addEventListener("keydown", press);
  view.subscribe(draw);
  session.subscribe(draw);
  pointer.subscribe(() => {
    // A head that is only pointed at is drawn when the mouse rests on it.
    clearTimeout(waiting);
    waiting = setTimeout(draw, 60);
    drawCursors();
  });
  // Plotly writes colours into its figure, so a change of theme draws it again.
  onTheme(draw);
  draw();
}

function draw() {
  const now = focus();
  if (!now) return;
  // What stands there is another text's, or another layer's, until what belongs here has arrived.
  const here = current();
  headMap.classList.toggle("sg-stale", !here || !layerNow(now.layer));
  layerMaps.classList.toggle("sg-stale", !here || !layerNow(view.get().layer));
  say(trouble, now.layer);
  say(layerTrouble, view.get().layer);
  later("head map", drawHeadMap);
  later("layer maps", drawLayerMaps);
}

/** Says that a layer is missing because it could not be had, until it is here. @param {HTMLElement} line @param {number} layer */
function say(line, layer) {
  const { state, error } = session.get().layers[layer - 1];
  if (state === "loading" && line.dataset.layer === String(layer)) return; // asked for again
  line.hidden = state !== "failed";
  line.dataset.layer = String(layer);
  const again = element("button", { type: "button", onclick: () => session.layer(layer) }, "Try again");
  if (state === "failed")
    line.replaceChildren(`The numbers of layer ${layer} did not arrive. ${error} `, again);
}

/** Everything besides the numbers of the window that a figure depends on. @param {Figure} place @param {Lens} lens */
const circumstances = (place, lens) => [
  place.clientWidth,
  getComputedStyle(place).color,
  lens.hide_first,
  lens.keep_most,
  lens.by_moved,
  lens.scale,
];

const windowKey = () => `${windowNow().start}:${windowNow().text}`;

function drawLayerMaps() {
  const { n_head } = windowNow();
  const chosen = view.get();
  const width = layerMaps.clientWidth;
  const layer = layerNow(chosen.layer);
  if (!layer || width === 0 || globalThis.innerWidth < NARROW) return;
  /** @type {Lens} */
  const lens = { ...chosen, over: "head" };
  const now = JSON.stringify([windowKey(), chosen.layer, circumstances(layerMaps, lens)]);
  if (now === drawn.layer) {
    drawCursors();
    return;
  }
  const columns = width < MEDIUM ? Math.ceil(n_head / 2) : n_head;
  if (begun?.now !== now) begun = { now, figure: copy(session.get().figures.layer_maps[columns]), filled: 0 };
  const { figure } = begun;
  if (begun.filled < n_head) {
    const head = ++begun.filled; // one a task: through the lenses, six full windows at once would hold up the page
    fill(figure.data[head - 1], chosen.layer, head, layer, lens);
    later("layer maps", drawLayerMaps);
    return;
  }
  [drawn.layer, begun] = [now, null];
  layerHeading.textContent = `The heads of layer ${chosen.layer} side by side`;
  layerScale.textContent = `Colour follows ${SCALES[lens.scale]}, on one scale for all heads.`;
  label(layerNote, lens);
  for (let i = 0; i < n_head; i++) setRange(figure.layout, i + 1);
  finish(figure.layout, layerMaps, lens);
  Object.assign(figure.layout, { width, height: squareHeight(figure.layout, width), dragmode: false });
  const whose = (/** @type {Cell} */ point) => ({ layer: chosen.layer, head: point.curveNumber + 1 });
  const titles = figure.data.map((_, i) => `head ${i + 1}`);
  react(layerMaps, figure, whose, () => names(layerMaps, titles));
}

/**
 * The height at which the cells of the first map are as high as they are wide, in px.
 * @param {Spec} layout
 * @param {number} width px
 */
function squareHeight({ margin, xaxis, yaxis }, width) {
  const share = (/** @type {{domain: [number, number]}} */ { domain: [from, to] }) => to - from;
  const side = share(xaxis) * (width - margin.l - margin.r);
  return side / share(yaxis) + margin.t + margin.b;
}

function drawHeadMap() {
  const now = focus();
  const layer = now && layerNow(now.layer);
  const width = headMap.clientWidth;
  if (!layer || width === 0) return;
  title(now);
  const question = JSON.stringify([
    windowKey(),
    now.layer,
    now.head,
    now.lens.over,
    circumstances(headMap, now.lens),
  ]);
  if (question === drawn.head) {
    drawCursors();
    return;
  }
  drawn.head = question;
  const figure = headFigure(now, layer);
  finish(figure.layout, headMap, now.lens);
  const narrow = width < NARROW;
  if (narrow) lay(figure.layout.coloraxis.colorbar);
  Object.assign(figure.layout, {
    width,
    height: Math.min(width, 640) + (narrow ? 60 : -40),
    // On a touch screen a drag scrolls the page; with a mouse it zooms, and a double click shows all again.
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
    uirevision: windowKey(), // the zoom stays while heads and layers change
  });
  react(headMap, figure, () => ({}), setZoom); // it shows what is chosen, through all lenses; pointing changes neither
}

/** The colour bar below the map instead of beside it. @param {Spec} colorbar */
function lay(colorbar) {
  Object.assign(colorbar, { orientation: "h", y: -0.16, yanchor: "top", thickness: 10, tickangle: 0 });
  Object.assign(colorbar, { tickvals: [0, 0.25, 0.5, 0.75, 1], ticktext: ["0", "0.25", "0.5", "0.75", "1"] });
  Object.assign(colorbar.title, { side: "top", font: { size: 11 } });
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

/** Says which lenses are on in the figure below it. @param {HTMLElement} line @param {Lens} lens */
function label(line, lens) {
  const lenses = lensNames(lens);
  line.hidden = !lenses.length;
  line.textContent = `Altered view: ${lenses.join("; ")}. On hover, “weight” is still the plain weight.`;
}

/**
 * Draw, and on the first time connect the mouse.
 * @param {Figure} place
 * @param {Specification} figure
 * @param {(point: Cell) => Whose} whose
 * @param {() => void} then runs after it, and after each zoom
 */
function react(place, { data, layout }, whose, then) {
  withPlotly(place, (Plotly) => {
    const first = !place.classList.contains("js-plotly-plot");
    Plotly.react(place, data, layout, CONFIG);
    owners.set(place, whose);
    if (first) {
      place.on?.("plotly_hover", ({ points: [point] }) =>
        pointer.set({ ...NOTHING, ...owners.get(place)?.(point), ...cell(point) }),
      );
      place.on?.("plotly_unhover", () => pointer.set(NOTHING));
      place.on?.("plotly_click", ({ points: [point] }) =>
        hold(owners.get(place)?.(point) ?? {}, cell(point)),
      );
      place.on?.("plotly_relayout", () => {
        drawCursors();
        then();
      });
    }
    then();
    drawCursors();
  });
}

const setZoom = () => zoom.set({ x: headMap.layout?.xaxis.range, y: headMap.layout?.yaxis.range });

/** @param {Cell} point */
const cell = ({ pointIndex: [row, column] }) => ({
  query: row + windowNow().start,
  key: column + windowNow().start,
});

/**
 * A click keeps the head and holds the character of the cell whose links the strip shows; the next one lets go of it.
 * @param {Whose} chosen
 * @param {{query: number, key: number}} cell
 */
function hold(chosen, { query, key }) {
  if (!current()) return; // the picture is another text's
  const now = view.get();
  const position = (now.direction === "looked at by" ? key : query) + 1;
  const again = position === now.position && now.head === (chosen.head ?? now.head);
  view.set({ ...chosen, position: again ? null : position });
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

/** Mark the chosen row (or column) and the cell that is pointed at, over both figures. */
function drawCursors() {
  const now = focus();
  if (!now) return;
  cursor(layerMaps, now, view.get().layer === now.layer ? now.head : null);
  cursor(headMap, now, null);
}
