// The chosen layer's heads side by side: Plotly heatmaps whose z are the weights themselves, drawn in tasks of their own,
// and only when what they show has changed.

import { facts } from "../core/facts.js";
import { current, session, windowNow } from "../core/session.js";
import { focus, layerNow } from "../core/focus.js";
import { fill, finish, setRange } from "../core/head_figure.js";
import { SCALES } from "../core/lenses.js";
import { copy } from "../core/plotly.js";
import { pointer, view } from "../core/store.js";
import { later } from "../core/tasks.js";
import { find } from "../core/text.js";
import { onTheme } from "../core/theme.js";
import { cursor, names } from "../core/cursor.js";
import { circumstances, label, react, say, troubleLine, windowKey } from "./figures.js";

/** @import { Figure, Lens, Spec, Specification } from "../core/types.d.ts" */
/** @import { Cell } from "./figures.js" */

const { narrow: NARROW, medium: MEDIUM } = facts.breakpoints; // px: below, none; in two rows

/** @type {Figure} */
let maps;
let [heading, note, scale, trouble] = /** @type {HTMLElement[]} */ ([]); // see mount
let drawn = ""; // what is on the screen, as a string to compare
/** @type {{now: string, figure: Specification, filled: number} | null} */
let begun = null; // the figure in the making

/** @param {HTMLElement} root */
export function mount(root) {
  maps = find(root, "#layer-maps");
  [heading, note, scale] = ["#layer-maps-heading", ".sg-lens-note", "#layer-scale"].map((selector) =>
    find(root, selector),
  );
  trouble = troubleLine(maps);
  new ResizeObserver(draw).observe(maps);
  view.subscribe(draw);
  session.subscribe(draw);
  pointer.subscribe(mark);
  onTheme(draw); // Plotly writes colours into its figure
  draw();
}

function draw() {
  if (!session.get().window) return;
  const { layer } = view.get();
  maps.classList.toggle("sg-stale", !current() || !layerNow(layer));
  say(trouble, layer);
  later("layer maps", drawMaps);
}

function drawMaps() {
  const { n_head } = windowNow();
  const chosen = view.get();
  const width = maps.clientWidth;
  const layer = layerNow(chosen.layer);
  if (!layer || width === 0 || globalThis.innerWidth < NARROW) return;
  /** @type {Lens} */
  const lens = { ...chosen, over: "head" };
  const now = JSON.stringify([windowKey(), chosen.layer, circumstances(maps, lens)]);
  if (now === drawn) {
    mark();
    return;
  }
  const columns = width < MEDIUM ? Math.ceil(n_head / 2) : n_head;
  if (begun?.now !== now) begun = { now, figure: copy(session.get().figures.layer_maps[columns]), filled: 0 };
  const { figure } = begun;
  if (begun.filled < n_head) {
    const head = ++begun.filled; // one a task: through the lenses, six full windows at once would hold up the page
    fill(figure.data[head - 1], chosen.layer, head, layer, lens);
    later("layer maps", drawMaps);
    return;
  }
  [drawn, begun] = [now, null];
  heading.textContent = `The heads of layer ${chosen.layer} side by side`;
  scale.textContent = `Colour follows ${SCALES[lens.scale]}, on one scale for all heads.`;
  label(note, lens);
  for (let i = 0; i < n_head; i++) setRange(figure.layout, i + 1);
  finish(figure.layout, maps, lens);
  Object.assign(figure.layout, { width, height: squareHeight(figure.layout, width), dragmode: false });
  const whose = (/** @type {Cell} */ point) => ({ layer: chosen.layer, head: point.curveNumber + 1 });
  const titles = figure.data.map((_, i) => `head ${i + 1}`);
  react(maps, figure, whose, () => {
    names(maps, titles);
    mark();
  });
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

/** Mark the chosen row (or column), the cell that is pointed at, and the chosen head. */
function mark() {
  const now = focus();
  if (now) cursor(maps, now, view.get().layer === now.layer ? now.head : null);
}
