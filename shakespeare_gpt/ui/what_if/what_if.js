// What if? The model as trained (left) beside the model with something switched off (right), on the text of the page
// (endpoints /what_if, /what_if_continuation). The switches are in switches.js, the textbook's claims in claims.js.

import { facts } from "../core/facts.js";
import { answers } from "../core/answers.js";
import { bars, draw as plot, signedScale, whenShown } from "../core/charts.js";
import * as claims from "./claims.js";
import { MARK, pageColours } from "../core/colours.js";
import { session, windowNow } from "../core/session.js";
import { rowStart, triangles } from "../core/decode.js";
import { held } from "../core/focus.js";
import { at } from "../core/said.js";
import { checked, listOf, nullOr, rowOf } from "../core/shape.js";
import { NOTHING, pointer, view } from "../core/store.js";
import * as switches from "./switches.js";
import { besideOthers, mapFigure } from "../core/head_figure.js";
import { later } from "../core/tasks.js";
import { element, find, four, glyph, messageOf, percent } from "../core/text.js";

/** @import { Comparison, Continuations, Figure, Price, Window } from "../core/types.d.ts" */

/**
 * What the tab's template is filled with.
 * @typedef {object} Told
 * @property {number} n_layer
 * @property {number} n_head
 * @property {{claim: string, title: string}[]} claims
 * @property {{as_trained: {loss: number}, prices: Price[]} | null} prices
 *
 * @typedef {{left: Float32Array[], right: Float32Array[], difference: Float32Array[]}} Maps
 * @typedef {Comparison & {window: Window, index: number, question: string, maps: Maps}} Shown What /what_if answered, with
 *   its maps unpacked; the index in the window of the character that the prediction is compared behind
 */

const SHOWN = 8; // next characters
const LENGTH = 100; // of the two continuations
const PAUSE = 250; // ms that the switches must rest: a text that nobody will read is not written
const SEED = 1; // of both, where the page's settings draw one each time
const NUMBERS = ["number"];
const PAIR = listOf("number", 2);
const ask = answers(12, {
  what_if: {
    layer: "number",
    head: "number",
    intervention: "object",
    next: [rowOf("string", "number", "number")],
    divergence: NUMBERS,
    loss: nullOr(PAIR),
    price: nullOr({ price: "number", loss: "number" }),
    entropy: listOf(NUMBERS, 2),
    largest: listOf(NUMBERS, 2),
    future: NUMBERS,
    mean: { entropy: PAIR, largest: PAIR, future: "number" },
    attention: { before: "string", after: "string", full: "boolean" },
    alone: [{ intervention: "object", loss: "number" }],
  },
  what_if_continuation: { before: "string", after: "string" },
});

let [root, result, problem] = /** @type {HTMLElement[]} */ ([]); // see mount
/** @type {Told["prices"]} */
let prices;
/** @type {Shown | null} */
let shown = null;
/** @type {HTMLInputElement} */
let most; // is the attention of the head that changed most compared, or that of the chosen one?
let drawing = 0;
let asked = { comparison: "", writing: "" };

/** @param {HTMLElement} piece @param {Told} told */
export function mount(piece, told) {
  root = piece;
  prices = told.prices;
  [result, problem] = [part("result"), part("problem")];
  switches.mount(root, told);
  claims.mount(root, told);
  most = find(root, "[name=wi-whose][value=most]", HTMLInputElement);
  for (const choice of root.querySelectorAll("[name=wi-whose]")) choice.addEventListener("change", update);
  view.subscribe(update);
  session.subscribe(update);
  whenShown(root, () => {
    update();
    drawFigures();
  });
}

/** @param {string} id @returns {Figure} */
const part = (id) => find(root, `#what-if-${id}`);

function update() {
  if (!session.get().window || !root.clientWidth || session.get().streaming) return;
  part("nothing").hidden = switches.changed();
  result.hidden = !switches.changed();
  if (!switches.changed()) {
    asked = { comparison: "", writing: "" };
    shown = null;
    problem.hidden = true;
    return;
  }
  compare();
  write();
}

/** The chosen character: held, else the last one; an index into the window. */
function chosen() {
  const { start, length } = windowNow();
  return Math.min(Math.max((held() ?? Infinity) - start, 0), length - 1);
}

async function compare() {
  const seen = windowNow();
  const { intervention, layer, head } = view.get();
  const index = chosen();
  const now = JSON.stringify([seen.start, seen.text, intervention, layer, head, index, most.checked]);
  if (now === asked.comparison) {
    if (shown?.question === now) shown = { ...shown, window: seen }; // the same text, asked for again
    later("what if maps", drawMaps);
    return;
  }
  asked.comparison = now;
  result.setAttribute("aria-busy", "true");
  part("verdict").textContent = "";
  try {
    const which = most.checked;
    /** @type {Comparison} */
    const compared = await ask("what_if", seen.text, intervention, layer, head, index + 1, which);
    if (now !== asked.comparison) return;
    problem.hidden = true;
    shown = {
      ...compared,
      window: seen,
      index,
      question: now,
      maps: unpack(compared.attention, seen.length),
    };
    part("verdict").textContent = verdict(shown);
    drawNext(shown);
    drawNumbers(shown);
    drawAlone(shown);
    drawFigures();
  } catch (error) {
    failed(error, "comparison", now);
  }
}

/** @param {unknown} error @param {"comparison" | "writing"} what @param {string} now the question */
function failed(error, what, now) {
  if (now !== asked[what]) return;
  asked[what] = "";
  result.removeAttribute("aria-busy");
  problem.textContent = messageOf(error);
  problem.hidden = false;
}

async function write() {
  const { text } = windowNow();
  const { intervention, sampling } = view.get();
  const seed = sampling.seed >= 0 ? sampling.seed : SEED;
  const now = JSON.stringify([text, intervention, sampling, seed]);
  if (now === asked.writing) return;
  asked.writing = now;
  const sides = ["before", "after"].map((side) => part(`written-${side}`));
  for (const side of sides) {
    side.classList.add("wi-old");
    side.textContent ||= "…";
  }
  part("seed").textContent = `after the text; both with seed ${seed} and the page's settings`;
  await new Promise((resolve) => setTimeout(resolve, PAUSE));
  if (now !== asked.writing) return;
  try {
    const { temperature, top_k, top_p } = sampling;
    /** @type {Continuations} */
    const { before, after } = await ask(
      "what_if_continuation",
      text,
      intervention,
      LENGTH,
      temperature,
      top_k,
      top_p,
      seed,
    );
    if (now !== asked.writing) return;
    sides.forEach((side, i) => {
      const continuation = [before, after][i];
      side.textContent = continuation;
      if (continuation.length < LENGTH)
        side.append(element("p", { class: "sg-quiet" }, "(ended early: it took too long)"));
    });
    for (const side of sides) side.classList.remove("wi-old");
  } catch (error) {
    if (now !== asked.writing) return;
    for (const side of sides) {
      side.replaceChildren(); // what stands there belongs to other switches
      side.classList.remove("wi-old");
    }
    failed(error, "writing", now);
  }
}

// --- words and numbers -------------------------------------------------------------------------------------------

/** @param {Shown} now @param {number} index in the window */
const name = (now, index) => at(now.window.start + index, now.window);

/** What came of it, in a line: it stands in the banner, in sight of the switches. @param {Shown} now */
function verdict(now) {
  const [character, p, q] = now.next[0]; // the likeliest as trained
  const next = `'${glyph(character)}' after ${name(now, now.index)} ${percent(p)} → ${percent(q)}`;
  if (!now.loss) return `${next}.`;
  const [before, after] = now.loss.map((loss) => loss.toFixed(2));
  const cost = now.price ? ` (on validation text ${signed(now.price.price, 2)})` : "";
  return `Loss on this text ${before} → ${after} nats a character${cost}; ${next}.`;
}

/** @param {Shown} now */
function drawNext(now) {
  part("next-heading").textContent = `What comes after ${name(now, now.index)}`;
  const listed = [...now.next].sort((a, b) => Math.max(b[1], b[2]) - Math.max(a[1], a[2])).slice(0, SHOWN);
  const side = (/** @type {number} */ p) => {
    const filled = element("span", { class: "sg-bar", "aria-hidden": "true" });
    filled.style.setProperty("--share", String(p));
    return [filled, element("span", { class: "sg-figure" }, percent(p))];
  };
  const heading = element(
    "li",
    { class: "sg-quiet", "aria-hidden": "true" },
    ...["", "as trained", "changed"].map((words) => element("span", {}, words)),
  );
  part("next").replaceChildren(
    heading,
    ...listed.map(([character, p, q]) =>
      element(
        "li",
        { title: `'${glyph(character)}': as trained ${four(p)}, changed ${four(q)}`, "data-next": character },
        element("span", { class: "sg-name" }, `'${glyph(character)}'`),
        ...side(p),
        ...side(q),
      ),
    ),
  );
}

/** @param {Shown} now */
function drawNumbers(now) {
  const { index, loss, price, divergence, entropy, largest, future, mean, layer, head } = now;
  const character = name(now, index);
  const chosenRow = `Row of ${character} in layer ${layer} head ${head}`;
  const average = divergence.reduce((a, b) => a + b, 0) / divergence.length;
  const rows = [
    ["Loss on this text, nats a character", loss ? loss[0].toFixed(3) : "–", loss ? loss[1].toFixed(3) : "–"],
    [
      "Loss on validation text, nats a character",
      prices ? prices.as_trained.loss.toFixed(3) : "not measured",
      price ? price.loss.toFixed(3) : "not measured",
    ],
    ...(price
      ? [["What it costs there", "", `${signed(price.price, 3)} ± ${(price.standard_error ?? 0).toFixed(3)}`]]
      : []),
    [`KL divergence of the prediction after ${character}, nats`, "", divergence[index].toFixed(4)],
    ["KL divergence, mean over this text", "", average.toFixed(4)],
    [`${chosenRow}: entropy, nats`, four(entropy[0][index]), four(entropy[1][index])],
    [`${chosenRow}: largest weight`, four(largest[0][index]), four(largest[1][index])],
    [`${chosenRow}: weight on later characters`, four(0), four(future[index])],
    ["All rows and heads: mean entropy, nats", ...mean.entropy.map(four)],
    ["All rows and heads: mean largest weight", ...mean.largest.map(four)],
    ["All rows and heads: mean weight on later characters", four(0), four(mean.future)],
  ];
  find(part("numbers"), "tbody").replaceChildren(
    ...rows.map(([what, before, after]) =>
      element(
        "tr",
        {},
        element("th", { scope: "row" }, what),
        element("td", {}, before),
        element("td", {}, after),
      ),
    ),
  );
}

/** Where several things are off: what each costs alone, beside what they cost together. @param {Shown} now */
function drawAlone({ alone, loss }) {
  part("alone").hidden = !alone.length || !loss;
  if (!alone.length || !loss) return;
  const [before, after] = loss;
  const costs = alone.map((single) => single.loss - before);
  const sum = costs.reduce((a, b) => a + b, 0);
  const line = (/** @type {string} */ what, /** @type {number} */ cost, /** @type {string} */ name = "") =>
    element("tr", { class: name }, element("th", { scope: "row" }, what), element("td", {}, signed(cost, 3)));
  find(part("alone"), "tbody").replaceChildren(
    ...alone.map(({ intervention }, i) => line(switches.words(intervention), costs[i])),
    line("the sum of these", sum, "wi-sum"),
    line("all of them off together", after - before, "wi-sum"),
  );
  const gap = after - before - sum;
  part("alone-said").textContent =
    Math.abs(gap) < 0.01
      ? "On this text they add up: each does its work apart from the others."
      : gap > 0
        ? "Together they cost more than the sum: while only one is off, others take over a part of its work."
        : "Together they cost less than the sum: they need each other, so without one the other has less to do.";
}

/** @param {number} x @param {number} digits */
const signed = (x, digits) => `${x < 0 ? "−" : "+"}${Math.abs(x).toFixed(digits)}`;

// --- pictures ----------------------------------------------------------------------------------------------------

/**
 * The two maps, and their difference, as rows of numbers: NaN where nobody may look.
 * @param {Comparison["attention"]} attention
 * @param {number} length
 * @returns {Maps}
 */
function unpack({ before, after, full }, length) {
  const triangle = (/** @type {string} */ packed) => {
    const [weights] = triangles(packed, 1);
    checked(weights.length, rowStart(length));
    return Array.from({ length }, (_, q) => {
      const row = new Float32Array(length).fill(NaN);
      row.set(weights.subarray(rowStart(q), rowStart(q) + q + 1));
      return row;
    });
  };
  const left = triangle(before);
  const [flat] = full ? triangles(after, 1) : [];
  if (flat) checked(flat.length, length ** 2);
  const right = flat
    ? Array.from({ length }, (_, q) => flat.subarray(q * length, (q + 1) * length))
    : triangle(after);
  // As trained, nothing flows to later characters; where that is changed, the change is the whole weight.
  const difference = right.map((row, q) => row.map((weight, k) => weight - (k > q ? 0 : left[q][k])));
  return { left, right, difference };
}

/** Runs a drawing with what is shown, if that is still of the window on show. @param {(now: Shown) => void} draw */
const drawn = (draw) => () => {
  if (shown && shown.window === session.get().window && root.clientWidth) draw(shown);
};

const drawFigures = drawn(() => {
  later("what if maps", drawMaps);
  later("what if divergence", drawDivergence);
  const mine = ++drawing; // a key of its own, so that it stands behind all the others
  later(`what if drawn ${mine}`, () => {
    if (mine === drawing && shown?.question === asked.comparison) result.removeAttribute("aria-busy");
  });
});

const drawMaps = drawn((now) => {
  const { left, right, difference } = now.maps;
  const { scale } = view.get();
  part("maps-heading").textContent = `Attention in layer ${now.layer} head ${now.head}`;
  const largest =
    difference.reduce((found, row) => row.reduce((a, b) => (Math.abs(b) > a ? Math.abs(b) : a), found), 0) ||
    1e-9;
  const off = now.intervention.heads_off?.some(([layer, head]) => layer === now.layer && head === now.head);
  part("difference-caption").textContent =
    "changed less as trained" +
    (largest > 1e-9 ? "" : `: no difference in ${most.checked ? "any" : "this"} head`) +
    (off ? "; a head that is off still looks, but what it finds is dropped" : "");
  const weights = { cmin: 0, cmax: 1, colorscale: facts.colours.weights[scale] };
  const title = `weight (colour follows ${scale === "sqrt" ? "its square root" : "it"})`;
  drawMap(now, "before", left, title, [0, 0.1, 0.25, 0.5, 1], weights);
  drawMap(now, "after", right, title, [0, 0.1, 0.25, 0.5, 1], weights);
  drawMap(
    now,
    "difference",
    difference,
    "change of the weight",
    largest > 1e-9 ? [-largest, 0, largest] : [0],
    {
      cmin: -largest,
      cmax: largest,
      colorscale: signedScale(),
    },
  );
});

/**
 * @param {Shown} now
 * @param {string} id of its place
 * @param {Float32Array[]} z
 * @param {string} title of the colours
 * @param {number[]} tickvals
 * @param {object} coloraxis
 */
function drawMap(now, id, z, title, tickvals, coloraxis) {
  const { start } = now.window;
  const where = part(id);
  const figure = mapFigure(z, lines, now.window);
  const { range } = figure.layout.xaxis;
  besideOthers(figure, where, coloraxis, tickvals, title);
  figure.layout.shapes = [
    {
      type: "rect",
      x0: range[0],
      x1: range[1],
      y0: start + now.index + 0.5,
      y1: start + now.index + 1.5,
      line: { color: MARK, width: 1 },
    },
  ];
  plot(where, figure.data, figure.layout, {
    hover: ({ pointIndex: [q, k] }) => {
      if (!shown) return;
      part("pointed").textContent = lines(q, k).join("; ");
      if (k <= q) pointer.set({ ...NOTHING, query: start + q, key: start + k });
    },
    leave: () => pointer.set(NOTHING),
    click: ({ pointIndex: [q] }) => view.set({ position: start + q + 1 }),
  });
}

/** Everything about one cell of the maps. @param {number} q @param {number} k */
function lines(q, k) {
  if (!shown) return []; // everything is on again, and the mouse still rests on a map
  const { left, right, difference } = shown.maps;
  const weight = (/** @type {Float32Array[]} */ rows) =>
    Number.isNaN(rows[q][k]) ? "hidden by the mask" : four(rows[q][k]);
  const change = Number.isNaN(difference[q][k]) ? "" : signed(difference[q][k], 4);
  return [
    `${name(shown, q)} looks at ${name(shown, k)}`,
    `as trained ${weight(left)}`,
    `changed ${weight(right)}`,
    `difference ${change || "none"}`,
  ];
}

const drawDivergence = drawn((now) => {
  const { accent, quiet } = pageColours(root);
  const { start } = now.window;
  bars(part("divergence"), {
    y: now.divergence,
    height: 150,
    colour: (i) => (i === now.index ? accent : quiet),
    hover: (i) => [`after ${name(now, i)}`, `${now.divergence[i].toFixed(4)} nats`],
    on: {
      hover: ({ pointIndex }) => {
        if (shown) pointer.set({ ...NOTHING, query: start + pointIndex });
      },
      leave: () => pointer.set(NOTHING),
      click: ({ pointIndex }) => {
        if (shown) view.set({ position: start + pointIndex + 1 });
      },
    },
  });
});
