// The chosen layer's heads side by side (#layer-maps), and one head large (#head-map): Plotly heatmaps whose z are
// the weights themselves. Each figure is drawn in a task of its own, and only when what it shows has changed.

import { current, session } from "../core/session.js";
import { focus, layerNow } from "../core/focus.js";
import { NARROW, fill, finish, headFigure, setRange } from "../core/head_figure.js";
import { SCALES, lensNames } from "../core/lenses.js";
import { CONFIG, copy, withPlotly } from "../core/plotly.js";
import { NOTHING, pointer, view, zoom } from "../core/store.js";
import { later } from "../core/tasks.js";
import { element } from "../core/text.js";
import { onTheme } from "../core/theme.js";
import { cursor, names } from "../core/cursor.js";

const MEDIUM = 900; // px: below, the heads of a layer stand in two rows

let layerMaps, headMap, heading, layerHeading, note, layerNote, layerScale, trouble, layerTrouble;
let drawn = { layer: "", head: "" }; // what is on the screen, as a string to compare
let begun = null; // the layer's figure in the making: {now, figure, filled}
let waiting = 0;

export function mount(root) {
  layerMaps = root.querySelector("#layer-maps");
  headMap = root.querySelector("#head-map");
  heading = root.querySelector("#head-map-heading");
  layerHeading = root.querySelector("#layer-maps-heading");
  layerScale = root.querySelector("#layer-scale");
  [note, layerNote] = [".sg-one", ".sg-layer"].map((part) => root.querySelector(`${part} .sg-lens-note`));
  [trouble, layerTrouble] = [headMap, layerMaps].map((place) => {
    const line = element("p", { class: "sg-error", role: "status", hidden: true });
    place.before(line);
    return line;
  });
  new ResizeObserver(draw).observe(root);
  headMap.addEventListener("keydown", key);
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
  if (!session.get().window) return;
  // What stands there is another text's, or another layer's, until what belongs here has arrived.
  const here = current();
  headMap.classList.toggle("sg-stale", !here || !layerNow(focus().layer));
  layerMaps.classList.toggle("sg-stale", !here || !layerNow(view.get().layer));
  say(trouble, focus().layer);
  say(layerTrouble, view.get().layer);
  later("head map", drawHeadMap);
  later("layer maps", drawLayerMaps);
}

/** Says that a layer is missing because it could not be had, until it is here. */
function say(line, layer) {
  const { state, error } = session.get().layers[layer - 1];
  if (state === "loading" && line.dataset.layer === String(layer)) return; // asked for again
  line.hidden = state !== "failed";
  line.dataset.layer = layer;
  const again = element("button", { type: "button", onclick: () => session.layer(layer) }, "Try again");
  if (state === "failed")
    line.replaceChildren(`The numbers of layer ${layer} did not arrive. ${error} `, again);
}

/** Everything besides the numbers of the window that a figure depends on. */
const circumstances = (element, lens) => [
  element.clientWidth,
  getComputedStyle(element).color,
  lens.hide_first,
  lens.keep_most,
  lens.by_moved,
  lens.scale,
];

const windowKey = () => `${session.get().window.start}:${session.get().window.text}`;

function drawLayerMaps() {
  const { window } = session.get();
  const chosen = view.get();
  const width = layerMaps.clientWidth;
  const layer = layerNow(chosen.layer);
  if (!layer || width === 0 || globalThis.innerWidth < NARROW) return;
  const lens = { ...chosen, over: "head" };
  const now = JSON.stringify([windowKey(), chosen.layer, circumstances(layerMaps, lens)]);
  if (now === drawn.layer) return drawCursors();
  const columns = width < MEDIUM ? Math.ceil(window.n_head / 2) : window.n_head;
  if (begun?.now !== now) begun = { now, figure: copy(session.get().figures.layer_maps[columns]), filled: 0 };
  const { figure } = begun;
  if (begun.filled < window.n_head) {
    const head = ++begun.filled; // one a task: through the lenses, six full windows at once would hold up the page
    fill(figure.data[head - 1], chosen.layer, head, layer, lens);
    return later("layer maps", drawLayerMaps);
  }
  [drawn.layer, begun] = [now, null];
  layerHeading.textContent = `The heads of layer ${chosen.layer} side by side`;
  layerScale.textContent = `Colour follows ${SCALES[lens.scale]}, on one scale for all heads.`;
  label(layerNote, lens);
  for (let i = 0; i < window.n_head; i++) setRange(figure.layout, i + 1);
  finish(figure.layout, layerMaps, lens);
  Object.assign(figure.layout, { width, height: squareHeight(figure.layout, width), dragmode: false });
  const whose = (point) => ({ layer: chosen.layer, head: point.curveNumber + 1 });
  const titles = figure.data.map((_, i) => `head ${i + 1}`);
  react(layerMaps, figure, whose, () => names(layerMaps, titles));
}

/** The height at which the cells of the first map are as high as they are wide, in px. */
function squareHeight({ margin, xaxis, yaxis }, width) {
  const share = ({ domain: [from, to] }) => to - from;
  const side = share(xaxis) * (width - margin.l - margin.r);
  return side / share(yaxis) + margin.t + margin.b;
}

function drawHeadMap() {
  const now = focus();
  const layer = layerNow(now.layer);
  const width = headMap.clientWidth;
  if (!layer || width === 0) return;
  title(now);
  const key = JSON.stringify([
    windowKey(),
    now.layer,
    now.head,
    now.lens.over,
    circumstances(headMap, now.lens),
  ]);
  if (key === drawn.head) return drawCursors();
  drawn.head = key;
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

/** The colour bar below the map instead of beside it. */
function lay(colorbar) {
  Object.assign(colorbar, { orientation: "h", y: -0.16, yanchor: "top", thickness: 10, tickangle: 0 });
  Object.assign(colorbar, { tickvals: [0, 0.25, 0.5, 0.75, 1], ticktext: ["0", "0.25", "0.5", "0.75", "1"] });
  Object.assign(colorbar.title, { side: "top", font: { size: 11 } });
}

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

/** Says which lenses are on in the figure below it. */
function label(element, lens) {
  const names = lensNames(lens);
  element.hidden = !names.length;
  element.textContent = `Altered view: ${names.join("; ")}. On hover, “weight” is still the plain weight.`;
}

/** Draw, and on the first time connect the mouse; then() runs after it, and after each zoom. */
function react(place, { data, layout }, whose, then) {
  withPlotly(place, (Plotly) => {
    const first = !place.classList.contains("js-plotly-plot");
    Plotly.react(place, data, layout, CONFIG);
    place.sgWhose = whose;
    if (first) {
      place.on("plotly_hover", ({ points: [point] }) =>
        pointer.set({ ...NOTHING, ...place.sgWhose(point), ...cell(point) }),
      );
      place.on("plotly_unhover", () => pointer.set(NOTHING));
      place.on("plotly_click", ({ points: [point] }) => hold(place.sgWhose(point), cell(point)));
      place.on("plotly_relayout", () => {
        drawCursors();
        then();
      });
    }
    then();
    drawCursors();
  });
}

const setZoom = () => zoom.set({ x: headMap.layout.xaxis.range, y: headMap.layout.yaxis.range });

const cell = (point) => ({
  query: point.pointIndex[0] + session.get().window.start,
  key: point.pointIndex[1] + session.get().window.start,
});

/** A click keeps the head and holds the character of the cell whose links the strip shows; the next one lets go of it. */
function hold(chosen, { query, key }) {
  if (!current()) return; // the picture is another text's
  const now = view.get();
  const position = (now.direction === "looked at by" ? key : query) + 1;
  const again = position === now.position && now.head === (chosen.head ?? now.head);
  view.set({ ...chosen, position: again ? null : position });
}

/** Arrow keys move from cell to cell of the large map; Enter holds, Escape lets go. */
function key(event) {
  const now = focus();
  if (!now) return;
  const query = now.query ?? now.chosen;
  const key = now.key ?? query;
  const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[
    event.key
  ] ?? [0, 0];
  if (down || right) {
    const first = session.get().window.start;
    const row = Math.min(Math.max(query + down, first), first + session.get().window.length - 1);
    pointer.set({ ...NOTHING, query: row, key: Math.min(Math.max(key + right, first), row) });
  } else if (event.key === "Enter" || event.key === " ") hold({}, { query, key });
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
