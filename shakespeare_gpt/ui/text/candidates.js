// All characters that could have stood at a place, with what became of each: logit, temperature, cut, probability.

import { answers } from "../core/answers.js";
import { besidesNumbers, promptLength, session, windowNow } from "../core/session.js";
import { nullOr } from "../core/shape.js";
import { view } from "../core/store.js";
import { element, find, glyph, messageOf, named } from "../core/text.js";

/** @import { Candidate, Sampling } from "../core/types.d.ts" */

const ask = answers(60, {
  candidates: {
    candidates: [
      {
        ...{ character: "string", logit: "number", tempered: "number", kept: "boolean" },
        ...{ cut_by: nullOr("string"), probability: "number" },
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
 * @typedef {object} Told
 * @property {number} position
 * @property {boolean} generated
 * @property {Sampling} settings that it was drawn with, or that the page has
 * @property {string | null} character that stands there
 * @property {Candidate[]} candidates
 */

/**
 * What could have stood at a place; null where nothing came before. For a generated character it is the distribution that
 * it was drawn from; elsewhere the one that the settings on the page would give.
 * @param {number} position
 * @returns {Promise<Told> | null}
 */
export function candidatesAt(position) {
  const { steps, text: whole } = session.get();
  const window = windowNow();
  const step = steps[position - promptLength()];
  const generated = Boolean(step);
  const from = step?.start ?? Math.max(Math.min(window.start, position), position - window.context_length);
  const text = whole.slice(from, position);
  if (!text) return null;
  const settings = step?.settings ?? view.get().sampling;
  const { temperature, top_k, top_p } = settings;
  return ask("candidates", text, temperature, top_k, top_p).then((told) => ({
    position,
    generated,
    settings,
    character: whole[position] ?? null,
    candidates: told.candidates,
  }));
}

/** @type {HTMLDetailsElement} */
let details;
/** @type {HTMLElement} */
let summary;
/** @type {HTMLElement} */
let body;
/** @type {Promise<Told> | null} */
let wanted = null;

/** @param {HTMLElement} root */
export function mount(root) {
  details = find(root, "#candidates", HTMLDetailsElement);
  summary = find(details, "summary");
  body = find(details, ".sg-candidates");
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

/** @param {Told} told */
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

/** @param {Told} told */
function table({ character, candidates }) {
  const head = ["character", "logit", "after temperature", "kept or cut", "probability"];
  const rows = candidates.map((candidate) => {
    const chosen = candidate.character === character;
    return element(
      "tr",
      { class: [chosen ? "sg-chosen-row" : "", candidate.kept ? "" : "sg-cut"].join(" ") },
      element(
        "th",
        { scope: "row" },
        glyph(candidate.character),
        ...(chosen ? [element("small", {}, " stands here")] : []),
      ),
      element("td", {}, candidate.logit.toFixed(3)),
      element("td", {}, candidate.tempered.toFixed(4)),
      element("td", {}, candidate.kept ? "kept" : `cut by ${candidate.cut_by}`),
      element("td", { style: `--share:${candidate.probability}` }, candidate.probability.toFixed(4)),
    );
  });
  return element(
    "div",
    { class: "sg-scroll", tabindex: 0, role: "region", "aria-label": "Candidates" },
    element(
      "table",
      {},
      element("thead", {}, element("tr", {}, ...head.map((name) => element("th", { scope: "col" }, name)))),
      element("tbody", {}, ...rows),
    ),
  );
}
