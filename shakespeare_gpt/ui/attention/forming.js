// Watch a head form: the chosen head on this text at several moments of the training, the loss then, and what the
// model would have written. An answer is asked for once and kept, and the other moments are fetched in the
// background, so that the slider moves without waiting.

import { answers } from "../core/answers.js";
import { session } from "../core/session.js";
import { rowStart, triangles } from "../core/decode.js";
import { focus } from "../core/focus.js";
import { finish, mapFigure } from "../core/head_figure.js";
import { strongest } from "../core/lenses.js";
import { CONFIG, withPlotly } from "../core/plotly.js";
import { at } from "../core/said.js";
import { checked, nullOr } from "../core/shape.js";
import { view } from "../core/store.js";
import { later } from "../core/tasks.js";
import { bar, element, four } from "../core/text.js";
import { onTheme } from "../core/theme.js";

const KEPT = 40; // maps; one of 256 characters takes 130 KB
const PAUSE = 200; // ms that the slider must rest before the model of that moment writes
const ask = answers(KEPT, {
  snapshot: { layer: "number", head: "number", weights: "string", text_loss: nullOr("number") },
  snapshot_text: { text: "string" },
});
let moments = [];
let vocabSize = 0;
let details, slider, said, map, written, parts;
let writing = 0;
let drawn = "";

export function mount(root, told) {
  ({ moments, vocab_size: vocabSize } = told);
  details = root.querySelector("#forming");
  slider = root.querySelector("#forming-slider");
  said = root.querySelector("#forming-said");
  map = root.querySelector("#forming-map");
  written = root.querySelector(".sg-written");
  parts = Object.fromEntries(
    ["line", "body", "steps", "heading", "row-heading"].map((name) => [
      name,
      root.querySelector(`.sg-forming-${name}`),
    ]),
  );
  parts.bars = root.querySelector(".sg-bars");
  const snapshots = moments.length > 2;
  parts.line.textContent = snapshots
    ? `Your text as the model saw it at ${moments.length} moments of its training, from random weights on the left to the finished model on the right.`
    : moments.length
      ? "There are no snapshots of this training, only its beginning and its end: the untrained model, made again from the seed, and the finished one."
      : "There is no record of the training of these weights, so earlier moments cannot be shown.";
  if (!moments.length) return;
  parts.body.hidden = false;
  slider.max = moments.length - 1;
  slider.value = chosenMoment();
  parts.steps.replaceChildren(...moments.map(({ step }) => element("span", {}, step.toLocaleString("en"))));
  slider.addEventListener("input", () => view.set({ training_step: moments[slider.value].step }));
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
  const { window } = session.get();
  const { layer, head } = view.get();
  const moment = moments[chosenMoment()];
  slider.value = chosenMoment();
  slider.setAttribute("aria-valuetext", `after ${moment.step.toLocaleString("en")} steps`);
  [...parts.steps.children].forEach((one, i) => one.classList.toggle("sg-now", i === chosenMoment()));
  parts.heading.textContent = `Layer ${layer} head ${head} ${when(moment)}`;
  const current = () =>
    window === session.get().window &&
    moment === moments[chosenMoment()] &&
    layer === view.get().layer &&
    head === view.get().head;
  try {
    const told = await ask("snapshot", window.text, moment.step, layer, head);
    if (!current()) return;
    const [weights] = triangles(told.weights, 1);
    checked(weights.length, rowStart(window.length));
    said.textContent = sentence(moment, told);
    drawRow(weights);
    drawMap(weights, JSON.stringify([window.start, window.text, moment.step, layer, head]));
    clearTimeout(writing);
    writing = setTimeout(() => write(window, moment, current), PAUSE);
  } catch (error) {
    if (current()) said.textContent = error.message;
  }
}

const when = ({ step }) =>
  step === 0
    ? "before the training"
    : step === moments.at(-1).step
      ? "as it is now"
      : `after ${step.toLocaleString("en")} steps`;

function sentence(moment, told) {
  const loss =
    moment.validation_loss === null
      ? `validation loss not measured (guessing evenly would give ${Math.log(vocabSize).toFixed(2)})`
      : `validation loss ${moment.validation_loss.toFixed(4)}`;
  const own = told.text_loss === null ? "" : `; on your text ${told.text_loss.toFixed(2)}`;
  const read = moment.step
    ? `after ${moment.step.toLocaleString("en")} steps and ${moment.characters.toLocaleString("en")} characters read`
    : "before the first step";
  return `Layer ${told.layer} head ${told.head} ${read}: ${loss}${own}.`;
}

/** The strongest links of the chosen character at that moment. */
function drawRow(weights) {
  const { window } = session.get();
  const { chosen } = focus();
  const q = chosen - window.start;
  const row = weights.subarray(rowStart(q), rowStart(q + 1));
  parts["row-heading"].textContent = `${at(chosen)} looked at`;
  parts.bars.replaceChildren(
    ...strongest(row, 5).map((k) => bar(at(k + window.start), row[k], four(row[k]))),
  );
}

function drawMap(weights, question) {
  const width = map.clientWidth;
  if (!width) return;
  const { window } = session.get();
  const { scale } = view.get();
  const now = JSON.stringify([question, width, scale, getComputedStyle(map).color]);
  if (now === drawn) return;
  drawn = now;
  const row = (q) => weights.subarray(rowStart(q), rowStart(q + 1));
  const name = (i) => at(window.start + i, window);
  const hover = (q, k) =>
    k > q ? undefined : [`${name(q)} looks at ${name(k)}`, `weight ${four(row(q)[k])}`];
  const figure = mapFigure(
    window.characters.map((_, q) => row(q)),
    hover,
  );
  finish(figure.layout, map, { scale });
  figure.layout.coloraxis.showscale = false;
  Object.assign(figure.layout, { width, height: Math.min(width, 520), dragmode: false });
  withPlotly(map, ({ react }) => react(map, figure.data, figure.layout, CONFIG));
}

async function write(window, moment, current) {
  if (!current()) return;
  written.setAttribute("aria-busy", "true");
  try {
    const told = await ask("snapshot_text", window.text, moment.step);
    if (!current()) return;
    written.replaceChildren(element("span", { class: "sg-quiet" }, window.text.slice(-24)), told.text);
    prefetch(window, current);
  } catch (error) {
    if (current()) written.textContent = error.message;
  } finally {
    written.removeAttribute("aria-busy");
  }
}

/** The other moments of this head, one after the other, as long as nobody looks at something else. */
async function prefetch(window, current) {
  const { layer, head } = view.get();
  for (const { step } of moments) {
    if (!current()) return;
    await ask("snapshot", window.text, step, layer, head).catch(() => {});
  }
}
