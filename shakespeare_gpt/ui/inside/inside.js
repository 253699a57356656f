// Inside a head: every step of one head at one character, with the model's numbers (endpoints /inside, /arithmetic,
// /residual). What is shown follows the View: its text, layer, head and held character.

import { answers } from "../core/answers.js";
import { bars, draw as plot, heat, layout, signedScale, whenShown } from "../core/charts.js";
import { pageColours } from "../core/colours.js";
import { session } from "../core/session.js";
import { held } from "../core/focus.js";
import { at } from "../core/said.js";
import { checked, nullOr, rowOf } from "../core/shape.js";
import { NOTHING, pointer, view } from "../core/store.js";
import { later } from "../core/tasks.js";
import { bar, element, escaped, four, glyph, percent } from "../core/text.js";

const SHOWN = 6; // characters made more, or less, likely
const NUMBERS = ["number"];
const BY_CHARACTER = { keys: [NUMBERS], values: [NUMBERS], scores: NUMBERS, weights: NUMBERS }; // of the window
const ask = answers(24, {
  inside: {
    ...{ ...BY_CHARACTER, scaled: [nullOr("number")], masked: [nullOr("number")] },
    ...{
      layer: "number",
      head: "number",
      head_size: "number",
      query: NUMBERS,
      output: NUMBERS,
      write: NUMBERS,
    },
    adds: [rowOf("string", "number")],
  },
  arithmetic: { steps: [rowOf("string", "string")] },
  residual: {
    ...{ stream: NUMBERS, attention: NUMBERS, feed_forward: NUMBERS },
    ...{ characters: ["string"], probabilities: NUMBERS, logits: NUMBERS },
    parts: { token: NUMBERS, place: NUMBERS, heads: [[NUMBERS]], feed_forward: [NUMBERS] },
  },
});

let root, slider, pair, problem;
let shown = null; // what /inside answered, with `window`
let stream = null; // what /residual answered
let followed = null; // index in the window of the character that is followed through the steps
let question = "";
let drawing = 0;

export function mount(piece) {
  root = piece;
  [slider, pair, problem] = ["#inside-key", "#inside-pair", "#inside-problem"].map((s) =>
    root.querySelector(s),
  );
  slider.addEventListener("input", () => follow(Number(slider.value) - 1 - session.get().window.start));
  root.querySelector("#inside-next").addEventListener("change", () => later("inside parts", drawParts));
  view.subscribe(update);
  session.subscribe(update);
  whenShown(root, () => {
    update();
    drawAll();
  });
}

/** The character that is looked into, as an index into the window. */
function chosen() {
  const { window } = session.get();
  const index = (held() ?? Infinity) - window.start;
  return Math.min(Math.max(index, 0), window.length - 1);
}

/** Ask for what the View says, if that is something new and somebody sees it. */
async function update() {
  const { window } = session.get();
  if (!window || !root.clientWidth || session.get().streaming) return;
  const { layer, head } = view.get();
  const position = chosen() + 1;
  const now = JSON.stringify([window.text, window.start, layer, head, position]);
  if (now === question) {
    if (shown?.question === now) shown.window = window; // the same text, asked for again
    return;
  }
  question = now;
  root.setAttribute("aria-busy", "true");
  try {
    const [head_, stream_] = await Promise.all([
      ask("inside", window.text, layer, head, position),
      ask("residual", window.text, position),
    ]);
    if (now !== question) return;
    for (const name of Object.keys(BY_CHARACTER)) checked(head_[name].length, window.length);
    problem.hidden = true;
    [shown, stream] = [{ ...head_, window, query_: position - 1, question: now }, stream_];
    followed = largest(shown.weights);
    drawAll();
  } catch (error) {
    if (now !== question) return;
    question = "";
    problem.textContent = error.message;
    problem.hidden = false;
    root.removeAttribute("aria-busy");
  }
}

const largest = (values) => values.indexOf(Math.max(...values));
const name = (index) => at(shown.window.start + index, shown.window);
const figure = (name) => root.querySelector(`[data-figure="${name}"]`);

function follow(index) {
  followed = Math.min(Math.max(index, 0), shown.window.length - 1);
  drawPair();
}

function drawAll() {
  if (!shown || shown.window !== session.get().window || !root.clientWidth) return;
  const { layer, head, head_size, write } = shown;
  root.querySelector("#inside-heading").textContent = `Layer ${layer} head ${head}, at ${name(shown.query_)}`;
  const fill = {
    character: name(shown.query_),
    head_size,
    root: Math.sqrt(head_size).toFixed(4),
    n_embd: write.length,
  };
  for (const place of root.querySelectorAll("[data-fill]")) place.textContent = fill[place.dataset.fill];
  slider.min = shown.window.start + 1;
  slider.max = shown.window.start + shown.window.length;
  later("inside query", () => vector("query", shown.query, "query, number"));
  later("inside output", () => vector("output", shown.output, "sum, number"));
  later("inside write", () => vector("write", shown.write, "added, number"));
  later("inside adds", drawAdds);
  later("inside sizes", drawSizes);
  fillNext();
  later("inside parts", drawParts);
  drawPair();
}

/** Everything that shows which character is followed. */
function drawPair() {
  if (!shown || shown.window !== session.get().window) return;
  slider.value = shown.window.start + followed + 1;
  slider.setAttribute("aria-valuetext", name(followed));
  const masked = shown.masked[followed] === null;
  pair.textContent =
    `${name(shown.query_)} looks at ${name(followed)}: score ${four(shown.scores[followed])}, scaled ` +
    `${four(shown.scaled[followed])}, ` +
    (masked ? "hidden by the mask, weight 0." : `weight ${four(shown.weights[followed])}.`);
  later("inside keys", () => table("keys", shown.keys, "key of"));
  later("inside scores", () => row("scores", "score"));
  later("inside scaled", () => row("scaled", "scaled score"));
  later("inside masked", () => row("masked", "score after the mask"));
  later("inside weights", () => row("weights", "weight"));
  later("inside values", () => table("values", shown.values, "value of"));
  const weighted = shown.values.map((value, k) => value.map((x) => x * shown.weights[k]));
  later("inside weighted", () => table("weighted", weighted, "weight times value of"));
  const hiddenCount = shown.window.length - 1 - shown.query_;
  note(
    "masked",
    hiddenCount
      ? `${hiddenCount} later ${hiddenCount === 1 ? "character is" : "characters are"} hidden.`
      : "Nothing comes later here: this is the last character.",
  );
  note("keys", `The frame is ${name(followed)}.`);
  note(
    "weights",
    `The largest weight is on ${name(largest(shown.weights))}: ${four(Math.max(...shown.weights))}.`,
  );
  const mine = ++drawing; // a key of its own, so that it stands behind all the others
  later(
    `inside drawn ${mine}`,
    () => mine === drawing && shown.question === question && root.removeAttribute("aria-busy"),
  );
  explain();
}

const note = (step, text) => (root.querySelector(`[data-note="${step}"]`).textContent = text);

/** What pointing at a character of the text and clicking it does, in every figure. */
const on = (indexOf) => ({
  hover: (point) => {
    const key = indexOf(point);
    if (key <= shown.query_)
      pointer.set({ ...NOTHING, query: shown.window.start + shown.query_, key: shown.window.start + key });
  },
  leave: () => pointer.set(NOTHING),
  click: (point) => follow(indexOf(point)),
});

/** One vector as a strip; a long one in rows of 64. */
function vector(where, values, what) {
  const width = values.length > 64 && values.length % 64 === 0 ? 64 : values.length;
  const z = Array.from({ length: values.length / width }, (_, r) => values.slice(r * width, (r + 1) * width));
  heat(figure(where), {
    z,
    height: 42 + 18 * z.length,
    hover: (r, c) => [`${what} ${r * width + c + 1}`, four(z[r][c])],
  });
}

/** One vector a character. */
function table(where, z, what) {
  heat(figure(where), {
    z,
    named: true,
    marked: followed,
    height: Math.min(Math.max(10 * z.length, 130), 420) + 28,
    hover: (r, c) => [`${what} ${name(r)}`, `number ${c + 1}: ${four(z[r][c])}`],
    on: on((point) => point.pointIndex[0]),
  });
}

/** One number a character. */
function row(where, what) {
  const { accent, quiet, line } = pageColours(root);
  const y = where === "weights" ? shown.weights.map((w, k) => (k > shown.query_ ? null : w)) : shown[where];
  bars(figure(where), {
    y,
    later: where === "masked" || where === "weights" ? shown.window.length - 1 - shown.query_ : 0,
    colour: (k) => (k === followed ? accent : k > shown.query_ ? line : quiet),
    hover: (k) => [name(k), y[k] === null ? "hidden by the mask: −∞, weight 0" : `${what} ${four(y[k])}`],
    on: on((point) => point.pointIndex),
  });
}

/** The characters that the head's addition favours and disfavours. */
function drawAdds() {
  const most = Math.max(...shown.adds.map(([, logit]) => Math.abs(logit))) || 1;
  const list = (id, pairs) =>
    root
      .querySelector(id)
      .replaceChildren(
        ...pairs.map(([character, logit]) =>
          bar(
            `'${glyph(character)}'`,
            Math.abs(logit) / most,
            `${logit > 0 ? "+" : "−"}${four(Math.abs(logit))}`,
          ),
        ),
      );
  list("#inside-more", shown.adds.filter(([, logit]) => logit > 0).slice(0, SHOWN));
  list(
    "#inside-less",
    shown.adds
      .filter(([, logit]) => logit < 0)
      .reverse()
      .slice(0, SHOWN),
  );
}

/** The arithmetic of the followed pair, from the server, where it is tested against the Trace. */
function explain() {
  const { window, layer, head, query_ } = shown;
  const key = followed;
  clearTimeout(explain.waiting);
  explain.waiting = setTimeout(async () => {
    try {
      const told = await ask("arithmetic", window.text, layer, head, query_ + 1, key + 1);
      if (
        !shown ||
        shown.window !== window ||
        followed !== key ||
        shown.query_ !== query_ ||
        shown.head !== head ||
        shown.layer !== layer
      )
        return;
      root.querySelector("#inside-asked").textContent =
        `How much does ${name(query_)} look at ${name(key)} in layer ${layer} head ${head}?`;
      root
        .querySelector("#inside-arithmetic")
        .replaceChildren(
          ...told.steps.map(([sentence, sum]) =>
            element(
              "li",
              {},
              element("p", {}, sentence),
              element(
                "div",
                { class: "in-sum" },
                element("code", {}, sum),
                element("button", { type: "button", onclick: (event) => copy(event.target, sum) }, "Copy"),
              ),
            ),
          ),
        );
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    }
  }, 120);
}

/** To the clipboard as a calculator wants it. */
async function copy(button, sum) {
  const plain = sum.split(" = ")[0].replaceAll("×", "*");
  try {
    await navigator.clipboard.writeText(plain);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Select and copy"; // in a frame the clipboard may be closed to scripts
    getSelection().selectAllChildren(button.previousSibling);
  }
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

// --- the residual stream ---------------------------------------------------------------------------------------

function drawSizes() {
  const { accent, quiet, ink } = pageColours(root);
  const place = figure("sizes");
  const narrow = place.clientWidth < 560;
  const layers = stream.attention.map((_, i) => `${narrow ? "" : "layer "}${i + 1}`);
  const start = narrow ? "start" : "embedding";
  const hover = (what, values) => values.map((value) => `${what}: length ${four(value)}`);
  const group = (label, values, colour) => ({
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

/** The likeliest next characters to choose from. */
function fillNext() {
  const select = root.querySelector("#inside-next");
  const before = select.value;
  select.replaceChildren(
    ...stream.characters.map((character, i) =>
      element("option", { value: character }, `'${glyph(character)}' (${percent(stream.probabilities[i])})`),
    ),
  );
  const keep = select.dataset.for === shown.question; // drawn again, not anew
  select.dataset.for = shown.question;
  select.value = keep ? before : stream.characters[0];
}

/** What every head, feed-forward and embedding adds to the logit of one next character. */
function drawParts() {
  const select = root.querySelector("#inside-next");
  const c = Math.max(stream.characters.indexOf(select.value), 0);
  const { heads, feed_forward, token, place } = stream.parts;
  const z = heads.map((layer, i) => [...layer.map((logits) => logits[c]), feed_forward[i][c]]);
  const columns = [...heads[0].map((_, j) => `head ${j + 1}`), "feed-forward"];
  const rows = heads.map((_, i) => `layer ${i + 1}`);
  const most = Math.max(...z.flat().map(Math.abs)) || 1;
  const where = figure("parts");
  const narrow = where.clientWidth < 560;
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
        (logit, k) => `${rows[r]}, ${columns[k]}<br>${four(logit)} for '${escaped(glyph(select.value))}'`,
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
  root.querySelector("#inside-total").textContent =
    `Heads and feed-forwards ${four(sum)}, the character's own embedding ${four(token[c])}, its position ${four(place[c])}: together ` +
    `${four(sum + token[c] + place[c])}. The model's logit is ${four(stream.logits[c])}, beside the average character.`;
}
