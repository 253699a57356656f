// All characters that could have stood at a place, with what became of each: logit, temperature, cut, probability.

import { answers } from "../core/answers.js";
import { besidesNumbers, promptLength, session, windowNow } from "../core/session.js";
import { nullOr } from "../core/shape.js";
import { view } from "../core/store.js";
import { element, find, glyph, messageOf, named } from "../core/text.js";

/** @import { Candidate, Sampling } from "../core/types.d.ts" */

/**
 * @typedef {object} Place A place in the text, with what could have stood there.
 * @property {boolean} generated was it drawn from these?
 * @property {Sampling} settings that they were drawn with, or would be
 * @property {string | null} character that stands there
 * @property {Candidate[]} candidates
 */

const ask = answers(60, {
  candidates: {
    candidates: [
      {
        character: "string",
        logit: "number",
        tempered: "number",
        kept: "boolean",
        cut_by: nullOr("string"),
        probability: "number",
      },
    ],
  },
});

/** The place whose candidates are asked for: the replayed or held character, else the one that would come next. */
export function place() {
  const { position, step } = view.get();
  if (position) return position - 1;
  return step ? promptLength() + step - 1 : session.get().text.length;
}

/**
 * A promise of a place; null where nothing came before. For a generated character its candidates are the distribution
 * that it was drawn from; elsewhere the one that the settings on the page would give.
 * @param {number} position
 * @returns {Promise<Place> | null}
 */
export function candidatesAt(position) {
  const { text, steps } = session.get();
  const step = steps[position - promptLength()];
  const { start, context_length } = windowNow();
  const from = step ? step.start : Math.max(Math.min(start, position), position - context_length);
  const before = text.slice(from, position);
  if (!before) return null;
  const settings = step?.settings ?? view.get().sampling;
  const { temperature, top_k, top_p } = settings;
  return ask("candidates", before, temperature, top_k, top_p).then(({ candidates }) => ({
    generated: Boolean(step),
    settings,
    character: text[position] ?? null,
    candidates,
  }));
}

/** @type {HTMLDetailsElement} */
let details;
let [summary, body] = /** @type {HTMLElement[]} */ ([]); // see mount
/** @type {Promise<Place> | null} */
let wanted = null;

/** @param {HTMLElement} root */
export function mount(root) {
  details = find(root, "#candidates", HTMLDetailsElement);
  [summary, body] = [find(details, "summary"), find(details, ".sg-candidates")];
  details.addEventListener("toggle", draw);
  view.subscribe((chosen, changed) => {
    // Who asks how sure the model was wants to see between what it chose.
    if (changed.has("direction") && chosen.direction === "how sure") details.open = true;
    draw();
  });
  session.subscribe((_, changed) => besidesNumbers(changed) && draw());
  draw();
}

async function draw() {
  if (!session.get().window || session.get().streaming) return;
  const position = place();
  const next = position >= session.get().text.length;
  summary.textContent = next
    ? "Candidates for the next character"
    : `Candidates for ${named(session.get().text[position], position)}`;
  if (!details.open) return;
  const asked = (wanted = candidatesAt(position));
  body.setAttribute("aria-busy", "true");
  const parts = await asked
    ?.then((told) => [explanation(told), table(told)])
    .catch((error) => [element("p", { class: "sg-error" }, messageOf(error))]);
  if (asked !== wanted) return; // another place was chosen meanwhile
  body.replaceChildren(
    ...(parts ?? [element("p", {}, "Nothing before it was seen: it was not chosen from candidates.")]),
  );
  body.setAttribute("aria-busy", "false");
}

/** @param {Place} place */
function explanation({ generated, settings }) {
  const cuts = [
    settings.top_k ? `top-k ${settings.top_k}` : "",
    settings.top_p < 1 ? `top-p ${settings.top_p}` : "",
  ].filter(Boolean);
  const how = `temperature ${settings.temperature}, ${cuts.length ? cuts.join(" and ") : "nothing cut"}`;
  return element(
    "p",
    {},
    generated ? `What this character was drawn from: ${how}.` : `With the settings on this page: ${how}.`,
  );
}

/**
 * The lines of the table, as words, in the order of the server: the likeliest first.
 * @param {Pick<Place, "character" | "candidates">} place
 */
export const linesOf = ({ character, candidates }) =>
  candidates.map(({ character: name, logit, tempered, kept, cut_by, probability }) => ({
    name: glyph(name),
    here: name === character,
    kept,
    probability,
    cells: [
      logit.toFixed(3),
      tempered.toFixed(4),
      kept ? "kept" : `cut by ${cut_by}`,
      probability.toFixed(4),
    ],
  }));

/** @param {Place} shown */
function table(shown) {
  const head = ["character", "logit", "after temperature", "kept or cut", "probability"];
  const rows = linesOf(shown).map(({ name, here, kept, probability, cells }) =>
    element(
      "tr",
      { class: [here ? "sg-chosen-row" : "", kept ? "" : "sg-cut"].join(" ") },
      element("th", { scope: "row" }, name, ...(here ? [element("small", {}, " stands here")] : [])),
      ...cells.slice(0, -1).map((cell) => element("td", {}, cell)),
      element("td", { style: `--share:${probability}` }, cells[cells.length - 1]),
    ),
  );
  return element(
    "div",
    { class: "sg-scroll", tabindex: 0, role: "region", "aria-label": "Candidates" },
    element(
      "table",
      {},
      element("thead", {}, element("tr", {}, ...head.map((title) => element("th", { scope: "col" }, title)))),
      element("tbody", {}, ...rows),
    ),
  );
}
