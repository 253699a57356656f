// Watch a head form: the chosen head on this text at several moments of the training, the loss then, and what the
// model would have written. An answer is asked for once and kept, and the other moments are fetched in the
// background, so that the slider moves without waiting.

import { answers } from "../core/answers.js";
import { session, windowNow } from "../core/session.js";
import { rowStart, triangles } from "../core/decode.js";
import { focus } from "../core/focus.js";
import { finish, mapFigure } from "../core/head_figure.js";
import { strongest } from "../core/lenses.js";
import { CONFIG, withPlotly } from "../core/plotly.js";
import { at } from "../core/said.js";
import { checked, nullOr } from "../core/shape.js";
import { view } from "../core/store.js";
import { later } from "../core/tasks.js";
import { bar, element, find, four, messageOf, plural } from "../core/text.js";
import { onTheme } from "../core/theme.js";

/** @import { Figure, Snapshot, SnapshotText, Timer, Window } from "../core/types.d.ts" */

/** @typedef {{step: number, characters: number, validation_loss: number | null}} Moment of the training */

const KEPT = 40; // maps; one of 256 characters takes 130 KB
const PAUSE = 200; // ms that the slider must rest before the model of that moment writes
const ask = answers(KEPT, {
  snapshot: { layer: "number", head: "number", weights: "string", text_loss: nullOr("number") },
  snapshot_text: { text: "string" },
});
/** @type {Moment[]} */
let moments = [];
let vocabSize = 0;
/** @type {HTMLDetailsElement} */
let details;
/** @type {HTMLInputElement} */
let slider;
/** @type {Figure} */
let map;
let [said, written, steps, heading, rowHeading, bars] = /** @type {HTMLElement[]} */ ([]); // see mount
/** @type {Timer} */
let writing;
let drawn = "";

/** @param {number} step */
const inSteps = (step) => `${step.toLocaleString("en")} ${plural("step", step)}`;

/** @param {HTMLElement} root @param {{moments: Moment[], vocab_size: number}} told */
export function mount(root, told) {
  ({ moments, vocab_size: vocabSize } = told);
  details = find(root, "#forming", HTMLDetailsElement);
  slider = find(root, "#forming-slider", HTMLInputElement);
  map = find(root, "#forming-map");
  [said, written, steps, heading, rowHeading, bars] = [
    "#forming-said",
    ".sg-written",
    ".sg-forming-steps",
    ".sg-forming-heading",
    ".sg-forming-row-heading",
    ".sg-bars",
  ].map((selector) => find(root, selector));
  const snapshots = moments.length > 2;
  find(root, ".sg-forming-line").textContent = snapshots
    ? `Your text as the model saw it at ${moments.length} moments of its training, from random weights on the left to the finished model on the right.`
    : moments.length
      ? "There are no snapshots of this training, only its beginning and its end: the untrained model, made again from the seed, and the finished one."
      : "There is no record of the training of these weights (training.json, which training.train writes), so earlier moments cannot be shown.";
  if (!moments.length) return;
  find(root, ".sg-forming-body").hidden = false;
  slider.max = String(moments.length - 1);
  slider.value = String(chosenMoment());
  steps.replaceChildren(...moments.map(({ step }) => element("span", {}, step.toLocaleString("en"))));
  slider.addEventListener("input", () => view.set({ training_step: moments[Number(slider.value)].step }));
  details.addEventListener("toggle", draw);
  session.subscribe((_, changed) => changed.has("window") && draw());
  view.subscribe(draw);
  new ResizeObserver(draw).observe(map);
  onTheme(draw);
  draw();
}

/** Index of the moment in the View; without one, the first. */
function chosenMoment() {
  return Math.max(
    0,
    moments.findIndex(({ step }) => step === view.get().training_step),
  );
}

function draw() {
  if (details.open && session.get().window && !session.get().streaming) later("forming", show);
}

async function show() {
  const seen = windowNow();
  const { layer, head } = view.get();
  const moment = moments[chosenMoment()];
  slider.value = String(chosenMoment());
  slider.setAttribute("aria-valuetext", `after ${inSteps(moment.step)}`);
  [...steps.children].forEach((one, i) => one.classList.toggle("sg-now", i === chosenMoment()));
  heading.textContent = `Layer ${layer} head ${head} ${nameOf(moment)}`;
  const current = () =>
    seen === session.get().window &&
    moment === moments[chosenMoment()] &&
    layer === view.get().layer &&
    head === view.get().head;
  try {
    /** @type {Snapshot} */
    const snapshot = await ask("snapshot", seen.text, moment.step, layer, head);
    if (!current()) return;
    const [weights] = triangles(snapshot.weights, 1);
    checked(weights.length, rowStart(seen.length));
    said.textContent = sentence(moment, snapshot);
    drawRow(weights);
    drawMap(weights, JSON.stringify([seen.start, seen.text, moment.step, layer, head]));
    clearTimeout(writing);
    writing = setTimeout(() => write(seen, moment, current), PAUSE);
  } catch (error) {
    if (current()) said.textContent = messageOf(error);
  }
}

/** @param {Moment} moment */
const nameOf = ({ step }) =>
  step === 0
    ? "before the training"
    : step === moments.at(-1)?.step
      ? "as it is now"
      : `after ${inSteps(step)}`;

/** @param {Moment} moment @param {Snapshot} snapshot */
function sentence(moment, { layer, head, text_loss }) {
  const loss =
    moment.validation_loss === null
      ? `validation loss not measured (guessing evenly would give ${Math.log(vocabSize).toFixed(2)})`
      : `validation loss ${moment.validation_loss.toFixed(4)}`;
  const own = text_loss === null ? "" : `; on your text ${text_loss.toFixed(2)}`;
  const read = moment.step
    ? `after ${inSteps(moment.step)} and ${moment.characters.toLocaleString("en")} characters read`
    : "before the first step";
  return `Layer ${layer} head ${head} ${read}: ${loss}${own}.`;
}

/** The strongest links of the chosen character at that moment. @param {Float32Array} weights */
function drawRow(weights) {
  const now = focus();
  if (!now) return;
  const { start } = windowNow();
  const q = now.chosen - start;
  const row = weights.subarray(rowStart(q), rowStart(q + 1));
  rowHeading.textContent = `${at(now.chosen)} looked at`;
  bars.replaceChildren(...strongest(row, 5).map((k) => bar(at(k + start), row[k], four(row[k]))));
}

/** @param {Float32Array} weights @param {string} question that they answer */
function drawMap(weights, question) {
  const width = map.clientWidth;
  if (!width) return;
  const seen = windowNow();
  const lens = view.get();
  const now = JSON.stringify([question, width, lens.scale, getComputedStyle(map).color]);
  if (now === drawn) return;
  drawn = now;
  const row = (/** @type {number} */ q) => weights.subarray(rowStart(q), rowStart(q + 1));
  const name = (/** @type {number} */ i) => at(seen.start + i, seen);
  const hover = (/** @type {number} */ q, /** @type {number} */ k) =>
    k > q ? undefined : [`${name(q)} looks at ${name(k)}`, `weight ${four(row(q)[k])}`];
  const figure = mapFigure(
    seen.characters.map((_, q) => row(q)),
    hover,
  );
  finish(figure.layout, map, lens);
  Object.assign(figure.layout, { width, height: Math.min(width, 520), dragmode: false });
  withPlotly(map, ({ react }) => react(map, figure.data, figure.layout, CONFIG));
}

/** @param {Window} seen @param {Moment} moment @param {() => boolean} current Is this still what is shown? */
async function write(seen, moment, current) {
  if (!current()) return;
  written.setAttribute("aria-busy", "true");
  try {
    /** @type {SnapshotText} */
    const { text } = await ask("snapshot_text", seen.text, moment.step);
    if (!current()) return;
    written.replaceChildren(element("span", { class: "sg-quiet" }, seen.text.slice(-24)), text);
    prefetch(seen, current);
  } catch (error) {
    if (current()) written.textContent = messageOf(error);
  } finally {
    written.removeAttribute("aria-busy");
  }
}

/**
 * The other moments of this head, one after the other, as long as nobody looks at something else.
 * @param {Window} seen
 * @param {() => boolean} current
 */
async function prefetch(seen, current) {
  const { layer, head } = view.get();
  for (const { step } of moments) {
    if (!current()) return;
    await ask("snapshot", seen.text, step, layer, head).catch(() => {});
  }
}
