// The one Plotly of the page: plotly.min.js beside this file, fetched when a figure needs it. It is large, and to start it
// holds up the browser for a moment: the maps that the page opens with are painted first (painted.js), and it comes when
// the browser has nothing else to do, or when the visitor turns to a figure. Where it cannot be loaded, each place of a
// figure says so, with a button; it is tried once more by itself.

import { later } from "./tasks.js";
import { element } from "./text.js";

const FAILED = "The maps could not be loaded.";
const PAUSE = 3000; // ms before it is tried once more
const QUIET = 10_000; // ms after the last painting, before it comes by itself: whoever reads first is not held up

/** @import { Timer } from "./types.d.ts" */

/** @typedef {(Plotly: any) => void} Draw */

/** @type {Map<HTMLElement, Draw>} places of figures that wait for Plotly, each with its drawing */
const waiting = new Map();
/** @type {Promise<any> | null} */
let loading = null;
let failed = false;
let again = true; // it may be tried once more by itself

/**
 * A promise of Plotly; it rejects with an Error for the visitor.
 * @returns {Promise<any>}
 */
export function plotly() {
  loading ??= load().then(arrived, missed);
  return loading;
}

function load() {
  if (globalThis.Plotly) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = new URL("./plotly.min.js", import.meta.url).href;
    script.addEventListener("load", resolve);
    script.addEventListener("error", reject);
    document.head.append(script);
  });
}

function arrived() {
  if (!globalThis.Plotly) return missed(); // what was loaded is not Plotly
  failed = false;
  for (const place of waiting.keys()) {
    place.querySelector(".sg-no-plotly")?.remove();
    later(place, () => waiting.has(place) && withPlotly(place, /** @type {Draw} */ (waiting.get(place))));
  }
  return globalThis.Plotly;
}

function missed() {
  [loading, failed] = [null, true];
  waiting.forEach((_, place) => say(place));
  if (again) setTimeout(retry, PAUSE);
  again = false;
  throw new Error(`${FAILED} Try again in a moment.`);
}

const retry = () => void plotly().catch(() => {}); // each place says what became of it

/** @param {HTMLElement} place */
function say(place) {
  if (place.querySelector(".sg-no-plotly")) return;
  const button = element("button", { type: "button", onclick: retry }, "Try again");
  place.append(element("p", { class: "sg-no-plotly sg-error", role: "status" }, `${FAILED} `, button));
}

/**
 * Runs draw(Plotly) now, or when Plotly is there. Of several that wait at one place the latest is drawn.
 * @param {HTMLElement} place
 * @param {Draw} draw
 */
export function withPlotly(place, draw) {
  waiting.delete(place);
  if (globalThis.Plotly) return draw(globalThis.Plotly);
  waiting.set(place, draw);
  if (failed) say(place);
  else retry();
}

/** @type {Timer} */
let quiet;

/**
 * The same for a figure that is painted already: Plotly comes when all is quiet, or when the visitor turns to the figure.
 * @param {HTMLElement} place
 * @param {Draw} draw
 */
export function whenQuiet(place, draw) {
  if (globalThis.Plotly || loading || failed) return withPlotly(place, draw);
  waiting.set(place, draw);
  for (const event of ["pointerover", "focusin", "touchstart"])
    place.addEventListener(event, retry, { once: true, passive: true });
  clearTimeout(quiet);
  quiet = setTimeout(() => (globalThis.requestIdleCallback ?? setTimeout)(retry), QUIET);
}

/** Nothing of Plotly's own around a figure: the page has its own controls. */
export const CONFIG = { displayModeBar: false, responsive: false, doubleClick: "reset", scrollZoom: false };

/**
 * A deep copy of a figure's specification, to be filled.
 * @template T
 * @param {T} specification
 */
export const copy = (specification) => structuredClone(specification);

/**
 * The hover texts of a heatmap, made when they are asked for: T x T prepared strings would cost more than the map.
 * Plotly reads hovertext[row][column], and that is all it does with it.
 * @param {(row: number, column: number) => string | undefined} text
 */
export const hoverTexts = (text) => indexed((row) => indexed((column) => text(row, column)));

/**
 * An array, empty by its length, whose i-th element is item(i).
 * @param {(index: number) => any} item
 */
const indexed = (item) =>
  new Proxy(/** @type {any[]} */ ([]), {
    get: (target, name) =>
      typeof name === "string" && /^\d+$/.test(name) ? item(Number(name)) : Reflect.get(target, name),
  });
