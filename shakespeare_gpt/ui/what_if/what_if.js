// What if? The model as trained (left) beside the model with something switched off (right), on the text of the page
// (endpoints /what_if, /what_if_continuation). The switches are in switches.js, the textbook's claims in claims.js.

import { answers } from "../core/answers.js";
import { bars, draw as plot, short, signedScale, whenShown } from "../core/charts.js";
import * as claims from "./claims.js";
import { MARK, pageColours } from "../core/colours.js";
import { session } from "../core/session.js";
import { rowStart, triangles } from "../core/decode.js";
import { held } from "../core/focus.js";
import { at } from "../core/said.js";
import { checked, listOf, nullOr, rowOf } from "../core/shape.js";
import { NOTHING, pointer, view } from "../core/store.js";
import * as switches from "./switches.js";
import { mapFigure } from "../core/head_figure.js";
import { later } from "../core/tasks.js";
import { element, four, glyph, percent } from "../core/text.js";

const SHOWN = 8; // next characters
const LENGTH = 100; // of the two continuations
const PAUSE = 250; // ms that the switches must rest: a text that nobody will read is not written
const SEED = 1; // of both, where the page's settings draw one each time
const NUMBERS = ["number"];
const PAIR = listOf("number", 2);
const ask = answers(12, {
  what_if: {
    ...{
      layer: "number",
      head: "number",
      intervention: "object",
      next: [rowOf("string", "number", "number")],
    },
    ...{ divergence: NUMBERS, loss: nullOr(PAIR), price: nullOr({ price: "number", loss: "number" }) },
    ...{ entropy: listOf(NUMBERS, 2), largest: listOf(NUMBERS, 2), future: NUMBERS },
    ...{ mean: { entropy: PAIR, largest: PAIR, future: "number" } },
    attention: { before: "string", after: "string", full: "boolean" },
  },
  what_if_continuation: { before: "string", after: "string" },
});

let root, result, problem, prices;
let shown = null; // what /what_if answered, with its maps unpacked
let drawing = 0;
let asked = { comparison: "", writing: "" };

export function mount(piece, told) {
  root = piece;
  prices = told.prices;
  result = root.querySelector("#what-if-result");
  problem = root.querySelector("#what-if-problem");
  switches.mount(root, told);
  claims.mount(root, told);
  view.subscribe(update);
  session.subscribe(update);
  whenShown(root, () => {
    update();
    drawFigures();
  });
}

const find = (id) => root.querySelector(`#what-if-${id}`);

function update() {
  if (!session.get().window || !root.clientWidth || session.get().streaming) return;
  find("nothing").hidden = switches.changed();
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
  const { window } = session.get();
  return Math.min(Math.max((held() ?? Infinity) - window.start, 0), window.length - 1);
}

async function compare() {
  const { window } = session.get();
  const { intervention, layer, head } = view.get();
  const index = chosen();
  const now = JSON.stringify([window.start, window.text, intervention, layer, head, index]);
  if (now === asked.comparison) {
    if (shown?.question === now) shown.window = window; // the same text, asked for again
    return later("what if maps", drawMaps);
  }
  asked.comparison = now;
  result.setAttribute("aria-busy", "true");
  try {
    const told = await ask("what_if", window.text, intervention, layer, head, index + 1);
    if (now !== asked.comparison) return;
    problem.hidden = true;
    shown = { ...told, window, index, question: now, maps: unpack(told.attention, window.length) };
    drawNext();
    drawNumbers();
    drawFigures();
  } catch (error) {
    failed(error, "comparison", now);
  }
}

function failed(error, what, now) {
  if (now !== asked[what]) return;
  asked[what] = "";
  result.removeAttribute("aria-busy");
  problem.textContent = error.message;
  problem.hidden = false;
}

async function write() {
  const { window } = session.get();
  const { intervention, sampling } = view.get();
  const seed = sampling.seed >= 0 ? sampling.seed : SEED;
  const now = JSON.stringify([window.text, intervention, sampling, seed]);
  if (now === asked.writing) return;
  asked.writing = now;
  const sides = ["before", "after"].map((side) => find(`written-${side}`));
  for (const side of sides) {
    side.classList.add("wi-old");
    side.textContent ||= "…";
  }
  find("seed").textContent = `after the text; both with seed ${seed} and the page's settings`;
  await new Promise((resolve) => setTimeout(resolve, PAUSE));
  if (now !== asked.writing) return;
  try {
    const { temperature, top_k, top_p } = sampling;
    const told = await ask(
      "what_if_continuation",
      window.text,
      intervention,
      LENGTH,
      temperature,
      top_k,
      top_p,
      seed,
    );
    if (now !== asked.writing) return;
    sides.forEach((side, i) => {
      const text = [told.before, told.after][i];
      side.textContent = text;
      if (text.length < LENGTH)
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

const name = (index) => at(shown.window.start + index, shown.window);

function drawNext() {
  find("next-heading").textContent = `What comes after ${name(shown.index)}`;
  const listed = [...shown.next].sort((a, b) => Math.max(b[1], b[2]) - Math.max(a[1], a[2])).slice(0, SHOWN);
  const side = (p) => {
    const filled = element("span", { class: "sg-bar", "aria-hidden": "true" });
    filled.style.setProperty("--share", p);
    return [filled, element("span", { class: "sg-figure" }, percent(p))];
  };
  const heading = element(
    "li",
    { class: "sg-quiet", "aria-hidden": "true" },
    ...["", "as trained", "changed"].map((text) => element("span", {}, text)),
  );
  find("next").replaceChildren(
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

function drawNumbers() {
  const { index, loss, price, divergence, entropy, largest, future, mean, layer, head } = shown;
  const rowOf = `Row of ${name(index)} in layer ${layer} head ${head}`;
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
    [`KL divergence of the prediction after ${name(index)}, nats`, "", divergence[index].toFixed(4)],
    ["KL divergence, mean over this text", "", average.toFixed(4)],
    [`${rowOf}: entropy, nats`, four(entropy[0][index]), four(entropy[1][index])],
    [`${rowOf}: largest weight`, four(largest[0][index]), four(largest[1][index])],
    [`${rowOf}: weight on later characters`, four(0), four(future[index])],
    ["All rows and heads: mean entropy, nats", ...mean.entropy.map(four)],
    ["All rows and heads: mean largest weight", ...mean.largest.map(four)],
    ["All rows and heads: mean weight on later characters", four(0), four(mean.future)],
  ];
  find("numbers").tBodies[0].replaceChildren(
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

const signed = (x, digits) => `${x < 0 ? "−" : "+"}${Math.abs(x).toFixed(digits)}`;

// --- pictures ----------------------------------------------------------------------------------------------------

/** The two maps as rows of numbers: NaN where nobody may look. */
function unpack({ before, after, full }, length) {
  const triangle = (packed) => {
    const [flat] = triangles(packed, 1);
    checked(flat.length, rowStart(length));
    return Array.from({ length }, (_, q) => {
      const row = new Float32Array(length).fill(NaN);
      row.set(flat.subarray(rowStart(q), rowStart(q) + q + 1));
      return row;
    });
  };
  const left = triangle(before);
  const [flat] = full ? triangles(after, 1) : [null];
  if (full) checked(flat.length, length ** 2);
  const right = full
    ? Array.from({ length }, (_, q) => flat.subarray(q * length, (q + 1) * length))
    : triangle(after);
  // As trained, nothing flows to later characters; where that is changed, the change is the whole weight.
  const difference = right.map((row, q) => row.map((weight, k) => weight - (k > q ? 0 : left[q][k])));
  return { left, right, difference };
}

function drawFigures() {
  if (!shown || shown.window !== session.get().window || !root.clientWidth) return;
  later("what if maps", drawMaps);
  later("what if divergence", drawDivergence);
  const mine = ++drawing; // a key of its own, so that it stands behind all the others
  later(
    `what if drawn ${mine}`,
    () => mine === drawing && shown?.question === asked.comparison && result.removeAttribute("aria-busy"),
  );
}

function drawMaps() {
  if (!shown || shown.window !== session.get().window) return;
  const { left, right, difference } = shown.maps;
  const { scale } = view.get();
  find("maps-heading").textContent = `Attention in layer ${shown.layer} head ${shown.head}`;
  const most =
    difference.reduce((found, row) => row.reduce((a, b) => (Math.abs(b) > a ? Math.abs(b) : a), found), 0) ||
    1e-9;
  const off = shown.intervention.heads_off?.some(
    ([layer, head]) => layer === shown.layer && head === shown.head,
  );
  find("difference-caption").textContent =
    "changed less as trained" +
    (most > 1e-9 ? "" : ": no difference in this head") +
    (off ? "; a head that is off still looks, but what it finds is dropped" : "");
  const weights = { cmin: 0, cmax: 1, colorscale: session.get().figures.colorscales[scale] };
  const title = `weight (colour follows ${scale === "sqrt" ? "its square root" : "it"})`;
  map(find("before"), left, { ...weights, title, tickvals: [0, 0.1, 0.25, 0.5, 1] });
  map(find("after"), right, { ...weights, title, tickvals: [0, 0.1, 0.25, 0.5, 1] });
  map(find("difference"), difference, {
    cmin: -most,
    cmax: most,
    colorscale: signedScale(),
    title: "change of the weight",
    tickvals: most > 1e-9 ? [-most, 0, most] : [0],
  });
}

function map(where, z, { title, tickvals, ...coloraxis }) {
  const { window } = shown;
  const width = where.clientWidth;
  const figure = mapFigure(z, lines, window);
  const { range } = figure.layout.xaxis;
  figure.layout.xaxis.title = figure.layout.yaxis.title = undefined;
  Object.assign(figure.layout.coloraxis, coloraxis, {
    colorbar: {
      orientation: "h",
      y: -0.1,
      yanchor: "top",
      thickness: 10,
      outlinewidth: 0,
      tickmode: "array",
      tickvals,
      ticktext: tickvals.map(short),
      title: { text: title, side: "bottom" },
    },
  });
  Object.assign(figure.layout, {
    width,
    height: width + 66,
    dragmode: false,
    margin: { l: 34, r: 8, t: 4, b: 78 },
    font: { color: pageColours(root).ink, family: "inherit", size: 12 },
    shapes: [
      {
        type: "rect",
        x0: range[0],
        x1: range[1],
        y0: window.start + shown.index + 0.5,
        y1: window.start + shown.index + 1.5,
        line: { color: MARK, width: 1 },
      },
    ],
  });
  plot(where, figure.data, figure.layout, {
    hover: ({ pointIndex: [q, k] }) => {
      if (!shown) return;
      find("pointed").textContent = lines(q, k).join("; ");
      if (k <= q) pointer.set({ ...NOTHING, query: window.start + q, key: window.start + k });
    },
    leave: () => pointer.set(NOTHING),
    click: ({ pointIndex: [q] }) => view.set({ position: window.start + q + 1 }),
  });
}

/** Everything about one cell of the maps. */
function lines(q, k) {
  if (!shown) return []; // everything is on again, and the mouse still rests on a map
  const { left, right, difference } = shown.maps;
  const weight = (map) => (Number.isNaN(map[q][k]) ? "hidden by the mask" : four(map[q][k]));
  const change = Number.isNaN(difference[q][k]) ? "" : signed(difference[q][k], 4);
  return [
    `${name(q)} looks at ${name(k)}`,
    `as trained ${weight(left)}`,
    `changed ${weight(right)}`,
    `difference ${change || "none"}`,
  ];
}

function drawDivergence() {
  if (!shown || shown.window !== session.get().window) return;
  const { accent, quiet } = pageColours(root);
  bars(find("divergence"), {
    y: shown.divergence,
    height: 150,
    colour: (i) => (i === shown.index ? accent : quiet),
    hover: (i) => [`after ${name(i)}`, `${shown.divergence[i].toFixed(4)} nats`],
    on: {
      hover: ({ pointIndex }) => shown && pointer.set({ ...NOTHING, query: shown.window.start + pointIndex }),
      leave: () => pointer.set(NOTHING),
      click: ({ pointIndex }) => shown && view.set({ position: shown.window.start + pointIndex + 1 }),
    },
  });
}
