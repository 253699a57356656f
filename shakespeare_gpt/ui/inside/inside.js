// Inside a head: every step of one head at one character, with the model's numbers (endpoints /inside, /arithmetic,
// /residual). What is shown follows the View: its text, layer, head and held character.

import { facts } from "../core/facts.js";
import { answers } from "../core/answers.js";
import { bars, draw as plot, heat, layout, signedScale, whenShown } from "../core/charts.js";
import { pageColours } from "../core/colours.js";
import { session, windowNow } from "../core/session.js";
import { held } from "../core/focus.js";
import { at } from "../core/said.js";
import { checked, nullOr, rowOf } from "../core/shape.js";
import { NOTHING, pointer, view } from "../core/store.js";
import { later } from "../core/tasks.js";
import { bar, element, escaped, find, four, glyph, messageOf, percent } from "../core/text.js";

/** @import { Arithmetic, Figure, HeadAccount, Listeners, Residual, Timer, Window } from "../core/types.d.ts" */

/**
 * What is shown: an answer of /inside with that of /residual, and what they were asked for.
 * @typedef {object} Shown
 * @property {HeadAccount} account
 * @property {Residual} stream
 * @property {Window} window
 * @property {number} query of the character that is looked into, in the window
 * @property {string} question
 */

const SHOWN = 6; // characters made more, or less, likely
const NUMBERS = ["number"];
const ask = answers(24, {
  inside: {
    keys: [NUMBERS],
    values: [NUMBERS],
    scores: NUMBERS,
    weights: NUMBERS,
    scaled: [nullOr("number")],
    masked: [nullOr("number")],
    layer: "number",
    head: "number",
    head_size: "number",
    query: NUMBERS,
    output: NUMBERS,
    write: NUMBERS,
    adds: [rowOf("string", "number")],
  },
  arithmetic: { steps: [rowOf("string", "string")] },
  residual: {
    stream: NUMBERS,
    attention: NUMBERS,
    feed_forward: NUMBERS,
    characters: ["string"],
    probabilities: NUMBERS,
    logits: NUMBERS,
    parts: { token: NUMBERS, place: NUMBERS, heads: [[NUMBERS]], feed_forward: [NUMBERS] },
  },
});

let [root, pair, problem] = /** @type {HTMLElement[]} */ ([]); // see mount
/** @type {HTMLInputElement} */
let slider;
/** @type {HTMLSelectElement} */
let next;
/** @type {Shown | null} */
let shown = null;
let followed = 0; // index in the window of the character that is followed through the steps
let question = "";
let drawing = 0;
/** @type {Timer} */
let explaining;

/** @param {HTMLElement} piece */
export function mount(piece) {
  root = piece;
  [pair, problem] = ["#inside-pair", "#inside-problem"].map((selector) => find(root, selector));
  slider = find(root, "#inside-key", HTMLInputElement);
  next = find(root, "#inside-next", HTMLSelectElement);
  slider.addEventListener("input", () => follow(Number(slider.value) - 1 - windowNow().start));
  next.addEventListener("change", () => later("inside parts", drawn(drawParts)));
  view.subscribe(update);
  session.subscribe(update);
  whenShown(root, () => {
    update();
    drawAll();
  });
}

/** The character that is looked into, as an index into the window. */
function chosen() {
  const { start, length } = windowNow();
  return Math.min(Math.max((held() ?? Infinity) - start, 0), length - 1);
}

/** Ask for what the View says, if that is something new and somebody sees it. */
async function update() {
  const { window: seen, streaming } = session.get();
  if (!seen || !root.clientWidth || streaming) return;
  const { layer, head } = view.get();
  const query = chosen();
  const now = JSON.stringify([seen.text, seen.start, layer, head, query]);
  if (now === question) {
    if (shown?.question === now) shown = { ...shown, window: seen }; // the same text, asked for again
    return;
  }
  question = now;
  root.setAttribute("aria-busy", "true");
  try {
    /** @type {[HeadAccount, Residual]} */
    const [account, stream] = await Promise.all([
      ask("inside", seen.text, layer, head, query + 1),
      ask("residual", seen.text, query + 1),
    ]);
    if (now !== question) return;
    const { keys, values, scores, weights } = account;
    for (const each of [keys, values, scores, weights]) checked(each.length, seen.length);
    problem.hidden = true;
    shown = { account, stream, window: seen, query, question: now };
    followed = largest(weights);
    drawAll();
  } catch (error) {
    if (now !== question) return;
    question = "";
    problem.textContent = messageOf(error);
    problem.hidden = false;
    root.removeAttribute("aria-busy");
  }
}

/** @param {number[]} values */
const largest = (values) => values.indexOf(Math.max(...values));
/** @param {Shown} now @param {number} index in the window */
const name = (now, index) => at(now.window.start + index, now.window);
/** @param {string} which @returns {Figure} */
const figure = (which) => find(root, `[data-figure="${which}"]`);

/** Runs a drawing with what is shown, if that is still of the window on show, and is seen. @param {(now: Shown) => void} draw */
const drawn = (draw) => () => {
  if (shown && shown.window === session.get().window && root.clientWidth) draw(shown);
};

/** @param {number} index in the window */
function follow(index) {
  followed = Math.min(Math.max(index, 0), windowNow().length - 1);
  drawPair();
}

const drawAll = drawn((now) => {
  const { layer, head, head_size, query, output, write } = now.account;
  const character = name(now, now.query);
  find(root, "#inside-heading").textContent = `Layer ${layer} head ${head}, at ${character}`;
  /** @type {Record<string, string | number>} */
  const fill = { character, head_size, root: Math.sqrt(head_size).toFixed(4), n_embd: write.length };
  for (const place of root.querySelectorAll("[data-fill]"))
    place.textContent = String(fill[place.getAttribute("data-fill") ?? ""]);
  slider.min = String(now.window.start + 1);
  slider.max = String(now.window.start + now.window.length);
  later("inside query", () => vector("query", query, "query, number"));
  later("inside output", () => vector("output", output, "sum, number"));
  later("inside write", () => vector("write", write, "added, number"));
  later("inside adds", drawn(drawAdds));
  later("inside sizes", drawn(drawSizes));
  fillNext(now);
  later("inside parts", drawn(drawParts));
  drawPair();
});

/** Everything that shows which character is followed. */
const drawPair = drawn((now) => {
  const { account, query } = now;
  const { keys, values, scores, scaled, masked, weights } = account;
  slider.value = String(now.window.start + followed + 1);
  slider.setAttribute("aria-valuetext", name(now, followed));
  pair.textContent =
    `${name(now, query)} looks at ${name(now, followed)}: score ${four(scores[followed])}, scaled ` +
    `${four(scaled[followed] ?? NaN)}, ` +
    (masked[followed] === null ? "hidden by the mask, weight 0." : `weight ${four(weights[followed])}.`);
  const weighted = values.map((value, k) => value.map((x) => x * weights[k]));
  later("inside keys", () => table(now, "keys", keys, "key of"));
  later("inside scores", () => row(now, "scores", "score"));
  later("inside scaled", () => row(now, "scaled", "scaled score"));
  later("inside masked", () => row(now, "masked", "score after the mask"));
  later("inside weights", () => row(now, "weights", "weight"));
  later("inside values", () => table(now, "values", values, "value of"));
  later("inside weighted", () => table(now, "weighted", weighted, "weight times value of"));
  const hiddenCount = now.window.length - 1 - query;
  note(
    "masked",
    hiddenCount
      ? `${hiddenCount} later ${hiddenCount === 1 ? "character is" : "characters are"} hidden.`
      : "Nothing comes later here: this is the last character.",
  );
  note("keys", `The frame is ${name(now, followed)}.`);
  note("weights", `The largest weight is on ${name(now, largest(weights))}: ${four(Math.max(...weights))}.`);
  const mine = ++drawing; // a key of its own, so that it stands behind all the others
  later(`inside drawn ${mine}`, () => {
    if (mine === drawing && shown?.question === question) root.removeAttribute("aria-busy");
  });
  explain(now);
});

/** @param {string} step @param {string} text */
const note = (step, text) => (find(root, `[data-note="${step}"]`).textContent = text);

/**
 * What pointing at a character of the text and clicking it does, in every figure.
 * @param {Shown} now
 * @param {(point: import("../core/types.d.ts").Point) => number} indexOf
 * @returns {Listeners}
 */
const on = ({ window: { start }, query }, indexOf) => ({
  hover: (point) => {
    const key = indexOf(point);
    if (key <= query) pointer.set({ ...NOTHING, query: start + query, key: start + key });
  },
  leave: () => pointer.set(NOTHING),
  click: (point) => follow(indexOf(point)),
});

/** One vector as a strip; a long one in rows of 64. @param {string} where @param {number[]} values @param {string} what */
function vector(where, values, what) {
  const width = values.length > 64 && values.length % 64 === 0 ? 64 : values.length;
  const z = Array.from({ length: values.length / width }, (_, r) => values.slice(r * width, (r + 1) * width));
  heat(figure(where), {
    z,
    height: 42 + 18 * z.length,
    hover: (r, c) => [`${what} ${r * width + c + 1}`, four(z[r][c])],
  });
}

/** One vector a character. @param {Shown} now @param {string} where @param {number[][]} z @param {string} what */
function table(now, where, z, what) {
  heat(figure(where), {
    z,
    named: true,
    marked: followed,
    height: Math.min(Math.max(10 * z.length, 130), 420) + 28,
    hover: (r, c) => [`${what} ${name(now, r)}`, `number ${c + 1}: ${four(z[r][c])}`],
    on: on(now, (point) => point.pointIndex[0]),
  });
}

/**
 * One number a character.
 * @param {Shown} now
 * @param {"scores" | "scaled" | "masked" | "weights"} where
 * @param {string} what
 */
function row(now, where, what) {
  const { accent, quiet, line } = pageColours(root);
  const { account, query } = now;
  const y = where === "weights" ? account.weights.map((w, k) => (k > query ? null : w)) : account[where];
  const told = (/** @type {number} */ k) => {
    const value = y[k];
    return value === null ? "hidden by the mask: −∞, weight 0" : `${what} ${four(value)}`;
  };
  bars(figure(where), {
    y,
    later: where === "masked" || where === "weights" ? now.window.length - 1 - query : 0,
    colour: (k) => (k === followed ? accent : k > query ? line : quiet),
    hover: (k) => [name(now, k), told(k)],
    on: on(now, (point) => point.pointIndex),
  });
}

/** The characters that the head's addition favours and disfavours. @param {Shown} now */
function drawAdds({ account: { adds } }) {
  const most = Math.max(...adds.map(([, logit]) => Math.abs(logit))) || 1;
  const list = (/** @type {string} */ id, /** @type {HeadAccount["adds"]} */ pairs) =>
    find(root, id).replaceChildren(
      ...pairs.map(([character, logit]) =>
        bar(
          `'${glyph(character)}'`,
          Math.abs(logit) / most,
          `${logit > 0 ? "+" : "−"}${four(Math.abs(logit))}`,
        ),
      ),
    );
  list("#inside-more", adds.filter(([, logit]) => logit > 0).slice(0, SHOWN));
  list(
    "#inside-less",
    adds
      .filter(([, logit]) => logit < 0)
      .reverse()
      .slice(0, SHOWN),
  );
}

/** The arithmetic of the followed pair, from the server, where it is tested against the Trace. @param {Shown} now */
function explain(now) {
  const { account, query, window: seen } = now;
  const { layer, head } = account;
  const key = followed;
  clearTimeout(explaining);
  explaining = setTimeout(async () => {
    try {
      /** @type {Arithmetic} */
      const { steps } = await ask("arithmetic", seen.text, layer, head, query + 1, key + 1);
      if (shown?.account !== account || shown.window !== seen || followed !== key) return;
      find(root, "#inside-asked").textContent =
        `How much does ${name(now, query)} look at ${name(now, key)} in layer ${layer} head ${head}?`;
      find(root, "#inside-arithmetic").replaceChildren(
        ...steps.map(([sentence, sum]) => {
          const code = element("code", {}, sum);
          const button = element("button", { type: "button", onclick: () => copy(button, code) }, "Copy");
          return element(
            "li",
            {},
            element("p", {}, sentence),
            element("div", { class: "in-sum" }, code, button),
          );
        }),
      );
    } catch (error) {
      problem.textContent = messageOf(error);
      problem.hidden = false;
    }
  }, 120);
}

/** To the clipboard as a calculator wants it. @param {HTMLElement} button @param {HTMLElement} sum */
async function copy(button, sum) {
  const plain = (sum.textContent ?? "").split(" = ")[0].replaceAll("×", "*");
  try {
    await navigator.clipboard.writeText(plain);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Select and copy"; // in a frame the clipboard may be closed to scripts
    getSelection()?.selectAllChildren(sum);
  }
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

// --- the residual stream ---------------------------------------------------------------------------------------

/** @param {Shown} now */
function drawSizes({ stream }) {
  const { accent, quiet, ink } = pageColours(root);
  const place = figure("sizes");
  const narrow = place.clientWidth < facts.breakpoints.narrow;
  const layers = stream.attention.map((_, i) => `${narrow ? "" : "layer "}${i + 1}`);
  const start = narrow ? "start" : "embedding";
  const hover = (/** @type {string} */ what, /** @type {number[]} */ values) =>
    values.map((value) => `${what}: length ${four(value)}`);
  const group = (
    /** @type {string} */ label,
    /** @type {number[]} */ values,
    /** @type {string} */ colour,
  ) => ({
    type: "bar",
    name: label,
    x: layers,
    y: values,
    marker: { color: colour },
    hoverinfo: "text",
    textposition: "none",
    hovertext: hover(`${label} adds`, values),
  });
  const traces = [
    group("attention", stream.attention, accent),
    group("feed-forward", stream.feed_forward, quiet),
    {
      type: "scatter",
      mode: "lines+markers",
      name: "the stream itself",
      x: [start, ...layers],
      y: stream.stream,
      line: { color: ink, width: 2 },
      hoverinfo: "text",
      hovertext: hover("the stream", stream.stream),
    },
  ];
  plot(
    place,
    traces,
    layout(place, {
      height: narrow ? 300 : 240,
      showlegend: true,
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
      margin: { l: 46, r: 6, t: narrow ? 72 : 30, b: narrow ? 40 : 30 },
      xaxis: {
        categoryorder: "array",
        categoryarray: [start, ...layers],
        type: "category",
        title: narrow ? { text: "layer", standoff: 4 } : undefined,
      },
      yaxis: { rangemode: "tozero" },
    }),
  );
}

/** The likeliest next characters to choose from. @param {Shown} now */
function fillNext({ stream, question: asked }) {
  const before = next.value;
  next.replaceChildren(
    ...stream.characters.map((character, i) =>
      element("option", { value: character }, `'${glyph(character)}' (${percent(stream.probabilities[i])})`),
    ),
  );
  const keep = next.dataset.for === asked; // drawn again, not anew
  next.dataset.for = asked;
  next.value = keep ? before : stream.characters[0];
}

/** What every head, feed-forward and embedding adds to the logit of one next character. @param {Shown} now */
function drawParts({ stream }) {
  const c = Math.max(stream.characters.indexOf(next.value), 0);
  const { heads, feed_forward, token, place } = stream.parts;
  const z = heads.map((layer, i) => [...layer.map((logits) => logits[c]), feed_forward[i][c]]);
  const columns = [...heads[0].map((_, j) => `head ${j + 1}`), "feed-forward"];
  const rows = heads.map((_, i) => `layer ${i + 1}`);
  const most = Math.max(...z.flat().map(Math.abs)) || 1;
  const where = figure("parts");
  const narrow = where.clientWidth < facts.breakpoints.narrow;
  const trace = {
    type: "heatmap",
    z,
    x: columns,
    y: rows,
    zmin: -most,
    zmax: most,
    colorscale: signedScale(),
    showscale: !narrow,
    xgap: 2,
    ygap: 2,
    hoverinfo: "text",
    hovertext: z.map((line, r) =>
      line.map(
        (logit, k) => `${rows[r]}, ${columns[k]}<br>${four(logit)} for '${escaped(glyph(next.value))}'`,
      ),
    ),
    text: z.map((line) => line.map((logit) => logit.toFixed(2))),
    texttemplate: narrow ? "" : "%{text}",
    colorbar: { thickness: 10, outlinewidth: 0, nticks: 5 },
  };
  plot(
    where,
    [trace],
    layout(where, {
      height: (narrow ? 88 : 56) + 32 * rows.length,
      margin: { l: 58, r: 6, t: 4, b: narrow ? 84 : 28 },
      xaxis: { type: "category", tickangle: narrow ? -60 : 0 },
      yaxis: { type: "category", autorange: "reversed", showgrid: false, zeroline: false },
    }),
    { click: ({ pointIndex: [r, k] }) => k < heads[0].length && view.set({ layer: r + 1, head: k + 1 }) },
  );
  const sum = z.flat().reduce((a, b) => a + b, 0);
  find(root, "#inside-total").textContent =
    `Heads and feed-forwards ${four(sum)}, the character's own embedding ${four(token[c])}, its position ${four(place[c])}: together ` +
    `${four(sum + token[c] + place[c])}. The model's logit is ${four(stream.logits[c])}, beside the average character.`;
}
