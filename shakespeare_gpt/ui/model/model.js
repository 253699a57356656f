// The tab "The model": the drawing whose parts lead to the views, the embeddings, the training, samples.

import { facts } from "../core/facts.js";
import { call } from "../core/api.js";
import { rowStart, triangles } from "../core/decode.js";
import { CONFIG, copy, withPlotly } from "../core/plotly.js";
import { checked, nullOr, rowOf } from "../core/shape.js";
import { reveal } from "../gradio_seam/tabs.js";
import { around, element, escaped, find, glyph, messageOf, plural } from "../core/text.js";
import { isDark, onTheme } from "../core/theme.js";

/** @import { About, Samples, Specification } from "../core/types.d.ts" */

const [ATTENTION, INSIDE_TAB, WHAT_IF_TAB] = facts.tabs;
// Where each part of the drawing leads: a tab, and what to bring into sight there.
const INSIDE = { tab: INSIDE_TAB, at: '[data-piece="inside"]', says: "“Inside a head”, step by step" };
const WHAT_IF = {
  tab: WHAT_IF_TAB,
  at: '[data-piece="what-if"]',
  says: "“What if?”, where it can be switched off",
};
/** @type {Record<string, {tab?: string, at: string, says: string}>} */
export const LEADS = {
  text: { at: "#text-strip", says: "the text" },
  token_embedding: { at: "#character-map", says: "the map of the characters" },
  position_embedding: { at: "#position-map", says: "the likeness of the places" },
  residual: INSIDE,
  layers: { tab: ATTENTION, at: "#head-grid", says: "every head of every layer" },
  norm: WHAT_IF,
  query: INSIDE,
  key: INSIDE,
  value: INSIDE,
  scores: INSIDE,
  softmax: { tab: ATTENTION, at: "#head-map", says: "the map of the weights" },
  mix: INSIDE,
  projection: INSIDE,
  norm_2: WHAT_IF,
  feed_forward: WHAT_IF,
  final_norm: { tab: ATTENTION, at: "#logit-lens", says: "what it would say after each layer" },
  head: { tab: ATTENTION, at: "#logit-lens", says: "what it would say after each layer" },
  draw: { at: "#next-character", says: "the next character, and what it is drawn from" },
};

const ABOUT = {
  shape: {
    n_layer: "number",
    n_head: "number",
    n_embd: "number",
    head_size: "number",
    context_length: "number",
  },
  parameters: "number",
  checkpoint: nullOr("string"),
  vocabulary: "string",
  positions: "string",
  training: nullOr({
    characters: "number",
    seconds: "number",
    validation_loss: "number",
    history: ["object"],
  }),
  text: nullOr({ loss: nullOr("number"), of: "string", compares: "boolean", guessing: "number" }),
  limits: ["string"],
  data: "string",
  others: [{ name: "string", loss: "string" }],
  characters: {
    points: [rowOf("number", "number")],
    explained: rowOf("number", "number"),
    nearest: [[rowOf("string", "number")]],
  },
};
const SAMPLES = { seed: "number", temperature: "number", samples: [{ prompt: "string", text: "string" }] };

/** @type {HTMLElement} */
let root;
/** @type {Record<"characters" | "positions" | "loss", Specification>} */
let figures;
/** @type {About | null} */
let about = null;
let asked = false;

/** @param {HTMLElement} piece @param {{figures: typeof figures}} told */
export function mount(piece, told) {
  root = piece;
  figures = told.figures;
  mountDrawing();
  // Asked for when it is first seen: the tab may never be opened.
  new ResizeObserver(() => root.clientWidth && (asked ? drawFigures() : load())).observe(root);
  onTheme(drawFigures);
}

// --- the drawing -----------------------------------------------------------------------------------------------

function mountDrawing() {
  const svg = find(root, ".sg-drawing svg", SVGElement);
  const said = find(root, "#part-said");
  const partOf = (/** @type {Event} */ event) => around(event, "[data-part]")?.dataset.part;
  const tell = (/** @type {Event} */ event) => {
    const part = partOf(event);
    if (part) said.textContent = `${facts.drawing[part].sentence} Leads to ${LEADS[part].says}.`;
  };
  const go = (/** @type {Event} */ event) => {
    const part = partOf(event);
    if (part) reveal(LEADS[part], { focus: true });
  };
  svg.addEventListener("pointerover", tell);
  svg.addEventListener("focusin", tell);
  svg.addEventListener("click", go);
  svg.addEventListener("keydown", (event) => {
    if ((event.key !== "Enter" && event.key !== " ") || !partOf(event)) return;
    event.preventDefault();
    go(event);
  });
}

// --- facts, tables and texts -----------------------------------------------------------------------------------

async function load() {
  asked = true;
  try {
    about = checked(await call("about"), ABOUT);
  } catch (error) {
    asked = false; // the next time the tab is opened
    find(root, ".sg-model-error").textContent = messageOf(error);
    return;
  }
  if (!about) return;
  find(root, ".sg-model-error").textContent = "";
  writeFacts(about);
  writeCharacters(about);
  writeOthers(about);
  drawFigures();
  writeSamples();
}

/** @param {number} value */
const number = (value) => value.toLocaleString("en");

/** @param {number} seconds */
function duration(seconds) {
  const minutes = Math.round(seconds / 60);
  return minutes < 1
    ? `${Math.round(seconds)} s`
    : minutes < 120
      ? `${minutes} min`
      : `${(minutes / 60).toFixed(1)} h`;
}

/** @param {About} about */
function writeFacts({ shape, parameters, training, checkpoint, text, limits, data }) {
  const lines = [
    ["Learned numbers", number(parameters)],
    ["Layers × heads", `${shape.n_layer} × ${shape.n_head}`],
    ["Width", `${shape.n_embd} numbers a character, ${shape.head_size} in a head`],
  ];
  if (training)
    lines.push(
      [
        "Training",
        `${number(training.steps)} ${plural("step", training.steps)}, ${number(training.characters)} characters read, ${duration(training.seconds)}`,
      ],
      ...(training.teachers
        ? [
            [
              "Teachers",
              `${training.teachers} earlier ${training.teachers > 1 ? "runs" : "run"}, whose probabilities it learned too, ${duration(training.teachers_seconds)}`,
            ],
          ]
        : []),
      ...(training.calibration !== 1
        ? [
            [
              "Calibration",
              `logits divided by ${training.calibration} at the end: it was surer of itself than it may be`,
            ],
          ]
        : []),
    );
  if (text && text.loss !== null)
    lines.push([
      "Loss",
      `${text.loss.toFixed(4)} nats a character, on ${text.of} (guessing evenly: ${text.guessing.toFixed(2)})`,
    ]);
  if (checkpoint) lines.push(["Weights", `sha256 ${checkpoint.slice(0, 12)}…`]);
  find(root, ".sg-facts").replaceChildren(
    ...lines.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]),
  );
  find(root, ".sg-limits").replaceChildren(...limits.map((limit) => element("li", {}, limit)));
  find(root, ".sg-data").textContent = data;
  for (const place of root.querySelectorAll("[data-fact]"))
    place.textContent = String(shape[place.getAttribute("data-fact") ?? ""]);
  find(root, ".sg-loss-line").textContent = training?.history.length
    ? "The loss on text that it never saw and on the text that it learns from, over the characters that it had read." +
      (training.calibration === 1 ? "" : " The drop at the end is its calibration.")
    : "There is no record of the training of these weights.";
}

/** @param {About} about */
function writeCharacters({ vocabulary, characters: { nearest } }) {
  const rows = [...vocabulary].map((character, i) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, glyph(character)),
      element(
        "td",
        {},
        nearest[i].map(([other, cosine]) => `${glyph(other)} ${cosine.toFixed(2)}`).join(", "),
      ),
    ),
  );
  find(root, "#character-list tbody").replaceChildren(...rows);
}

/** @param {About} about */
function writeOthers({ training, parameters, others, text }) {
  if (!others.length) {
    const table = find(root, "#others").parentElement;
    if (table) table.hidden = true;
    find(root, ".sg-others-line").textContent =
      text && text.loss !== null
        ? `Losses compare on the same text alone, and nobody else's is known on this one: ${text.of}.`
        : "No loss is recorded of this model that would compare with others'.";
    return;
  }
  const rows = others.map((one) => ({ ...one, value: parseFloat(one.loss), own: false }));
  const loss = training?.validation_loss ?? text?.loss;
  if (typeof loss === "number") {
    const time = training
      ? duration(training.seconds + training.teachers_seconds) +
        (training.teachers ? " with its teachers" : "")
      : "";
    const where = [training?.hardware, time].filter(Boolean).join(", ");
    rows.push({
      name: "This model",
      loss: loss.toFixed(4),
      parameters: `${(parameters / 1e6).toFixed(2)}M`,
      hardware: where,
      source: "every character of the last tenth",
      value: loss,
      own: true,
    });
  }
  rows.sort((a, b) => b.value - a.value);
  find(root, "#others tbody").replaceChildren(
    ...rows.map((row) =>
      element(
        "tr",
        { class: row.own && "sg-chosen-row" },
        element("th", { scope: "row" }, row.name, element("small", {}, row.source)),
        element("td", {}, row.loss),
        element("td", {}, row.parameters || "–"),
        element("td", {}, row.hardware),
      ),
    ),
  );
}

async function writeSamples() {
  const place = find(root, ".sg-samples");
  if (place.childElementCount) return;
  const line = find(root, ".sg-samples-line");
  line.textContent = "The model is writing three samples …";
  try {
    /** @type {Samples} */
    const { samples, seed, temperature } = checked(await call("samples"), SAMPLES);
    line.textContent = `Written by this model, not picked: seed ${seed}, temperature ${temperature}. What was given to it is in bold.`;
    place.replaceChildren(
      ...samples.map(({ prompt, text }) =>
        element("div", { class: "sg-sample" }, element("b", {}, prompt), text),
      ),
    );
  } catch (error) {
    line.textContent = messageOf(error);
  }
}

// --- figures ---------------------------------------------------------------------------------------------------

let drawn = "";

function drawFigures() {
  if (!about || !root.clientWidth) return;
  const told = about;
  const colour = getComputedStyle(root).color;
  const places = ["#character-map", "#position-map", "#loss-curve"].map((id) => find(root, id));
  const now = JSON.stringify([colour, places.map((place) => place.clientWidth)]);
  if (now === drawn) return;
  drawn = now;
  [characterMap, positionMap, lossCurve].forEach((make, i) => {
    const figure = make(told, places[i].clientWidth);
    if (!figure) return;
    Object.assign(figure.layout, {
      width: places[i].clientWidth,
      font: { color: colour, family: "inherit", size: 12 },
    });
    for (const axis of ["xaxis", "yaxis"])
      Object.assign(figure.layout[axis], { zerolinecolor: LINE, gridcolor: LINE });
    withPlotly(places[i], ({ react }) => react(places[i], figure.data, figure.layout, CONFIG));
  });
}

const { figure: NARROW } = facts.breakpoints;
const LINE = "rgba(128, 136, 152, 0.35)";

// Colours that colour-blind readers can tell apart (Okabe and Ito 2008), each dark enough or light enough to read.
/** @type {[name: string, characters: RegExp, light: string, dark: string][]} */
const KINDS = [
  ["small vowels", /[aeiouàâäåæèéêëìíîïòóôöøùúûüœаеёиоуыэюяіїєαεηιουω]/, "#b34a00", "#ff9d5c"],
  ["other small letters", /\p{Ll}/u, "#1b5fa8", "#7cc0ff"],
  ["capitals", /\p{Lu}/u, "#00724f", "#4fd6a8"],
  ["space, line break, signs", /[^]/, "#6b4a78", "#d7a6e8"],
];

/** @param {About} about @param {number} width px */
function characterMap({ characters: { points, nearest, explained }, vocabulary }, width) {
  const figure = copy(figures.characters);
  const characters = [...vocabulary];
  const kindOf = (/** @type {string} */ character) =>
    KINDS.findIndex(([, pattern]) => pattern.test(character));
  figure.data = KINDS.map(([name, , light, bright], kind) => {
    const own = characters.map((_, i) => i).filter((i) => kindOf(characters[i]) === kind);
    const hover = (/** @type {number} */ i) =>
      `${glyph(characters[i])}<br>most similar: ${nearest[i].map(([other, cosine]) => `${glyph(other)} ${cosine.toFixed(2)}`).join(", ")}`;
    return {
      type: "scatter",
      mode: "text",
      name,
      x: own.map((i) => points[i][0]),
      y: own.map((i) => points[i][1]),
      text: own.map((i) => escaped(glyph(characters[i]))),
      hovertext: own.map((i) => escaped(hover(i)).replaceAll("&lt;br&gt;", "<br>")),
      hoverinfo: "text",
      textfont: { size: 17, family: "monospace", color: isDark() ? bright : light },
    };
  });
  ["xaxis", "yaxis"].forEach((name, i) => {
    const title = `${Math.round(100 * explained[i])}%`;
    figure.layout[name].title.text += width < NARROW ? ` (${title})` : ` (${title} of the differences)`;
  });
  figure.layout.height = Math.min(width, 520) + 40;
  return figure;
}

/** @param {About} about @param {number} width px */
function positionMap({ shape, positions }, width) {
  const figure = copy(figures.positions);
  const count = shape.context_length;
  const [packed] = triangles(positions, 1); // (cosine + 1) / 2
  const cosine = (/** @type {number} */ i) => packed[i] * 2 - 1;
  const places = [...Array(count).keys()];
  figure.data[0].z = places.map((q) =>
    Float32Array.from(places, (k) => cosine(rowStart(Math.max(q, k)) + Math.min(q, k))),
  );
  figure.layout.height = Math.min(width, 520);
  return figure;
}

/** @param {About} about @param {number} width px */
function lossCurve({ training, others }, width) {
  const rows = training?.history ?? [];
  if (!rows.length) return null;
  const figure = copy(figures.loss);
  const read = rows.map(([characters]) => characters);
  const line = (/** @type {string} */ name, /** @type {1 | 2} */ column, /** @type {object} */ look) => ({
    type: "scatter",
    mode: "lines+markers",
    name,
    x: read,
    y: rows.map((row) => row[column]),
    line: look,
    marker: { size: 5 },
    hovertemplate: "%{y:.4f} after %{x:,} characters<extra></extra>",
  });
  const [strong, quiet] = isDark() ? ["#9db7ff", "#aab1c1"] : ["#2b4c9b", "#5a6172"];
  figure.data = [
    line("text it never saw", 2, { color: strong, width: 2.5 }),
    line("text it learns from", 1, { color: quiet, dash: "dash" }),
  ];
  const bounds = { x0: 0, x1: 1, xref: "paper" };
  const named = others.filter(
    ({ loss }) => /^\d\.\d+$/.test(loss) && parseFloat(loss) < 1.7 && parseFloat(loss) > 1.4,
  );
  const shown = named.length > 1 ? [named[0], named[named.length - 1]] : named;
  figure.layout.shapes = shown.map(({ loss }) => ({
    type: "line",
    ...bounds,
    y0: loss,
    y1: loss,
    line: { color: quiet, width: 1, dash: "dot" },
  }));
  // The curves cross the upper line early and the lower one late: each name stands where they are not.
  figure.layout.annotations = shown.map(({ name, loss }, i) => ({
    xref: "paper",
    x: i ? 0.01 : 0.99,
    xanchor: i ? "left" : "right",
    y: parseFloat(loss),
    yanchor: "bottom",
    showarrow: false,
    text: escaped(`${name} ${loss}`),
  }));
  figure.layout.height = Math.min(width, 400);
  return figure;
}
