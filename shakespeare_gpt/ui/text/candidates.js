// All characters that could have stood at a place, with what became of each: logit, temperature, cut, probability.

import { answers } from "../core/answers.js";
import { besidesNumbers, promptLength, session } from "../core/session.js";
import { nullOr } from "../core/shape.js";
import { view } from "../core/store.js";
import { element, glyph, named } from "../core/text.js";

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
 * A promise of {position, character, settings, candidates}; null where nothing came before. For a generated character
 * it is the distribution that it was drawn from; elsewhere the one that the settings on the page would give.
 */
export function candidatesAt(position) {
  const written = position - promptLength();
  const generated = written >= 0 && written < session.get().steps.length;
  const start = generated
    ? session.get().steps[written].start
    : Math.min(session.get().window.start, position);
  const from = generated ? start : Math.max(start, position - session.get().window.context_length);
  const text = session.get().text.slice(from, position);
  if (!text) return null;
  const settings = (generated && session.get().steps[written].settings) || view.get().sampling;
  const { temperature, top_k, top_p } = settings;
  return ask("candidates", text, temperature, top_k, top_p).then((told) => ({
    position,
    generated,
    settings,
    character: session.get().text[position] ?? null,
    candidates: told.candidates,
  }));
}

let details, summary, body;
let wanted = null;

export function mount(root) {
  details = root.querySelector("#candidates");
  summary = details.querySelector("summary");
  body = details.querySelector(".sg-candidates");
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
    .catch((error) => [element("p", { class: "sg-error" }, error.message)]);
  if (asked !== wanted) return; // another place was chosen meanwhile
  body.replaceChildren(
    ...(parts ?? [element("p", {}, "Nothing before it was seen: it was not chosen from candidates.")]),
  );
  body.setAttribute("aria-busy", "false");
}

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
