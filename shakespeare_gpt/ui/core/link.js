// The View as the fragment of an address, and back.
//
// A fragment (what follows #) never reaches a server, has no limit that matters, and the frame of a Space passes it on
// at the first load. Only what differs from the defaults is written, under the View's own names, percent-encoded:
//   #text=ROMEO%3A&layer=3&head=2
// The same names are read from the query string too, for links that people write by hand. Every value is checked; what
// cannot be read stays as it usually is, and is named.

import { facts } from "./facts.js";
import { canonical } from "./intervention.js";
import { session } from "./session.js";
import { VIEW, view as shownView } from "./store.js";

/** @import { Run, Step, View } from "./types.d.ts" */

const { choices, flags, limits, sampling } = facts;
const LAST = ["layer", "head"]; // so that no link ends with a sign that a chat program takes for its own
const NAMES = new Set([
  ...[
    "text",
    "other_text",
    "generated_from",
    "run",
    "step",
    "position",
    "until",
    "lesson",
    "training_step",
    "model",
    ...LAST,
  ],
  ...[choices, facts.intervention, sampling].flatMap(Object.keys),
  ...flags,
]);

/** Does it say anything that a link says? @param {URLSearchParams} given */
export const isLink = (given) => [...given.keys()].some((name) => NAMES.has(name));

/** Is the text, with the runs that wrote it, more than a link carries? @param {string} text @param {Run[]} runs */
export const tooLong = (text, runs) => text.length > limits.link || runs.length > limits.runs;

/**
 * The runs that wrote a text, of the steps of its writing.
 * @param {readonly Pick<Step, "run" | "seed" | "settings">[]} steps
 * @returns {Run[]}
 */
export function runsOf(steps) {
  /** @type {Run[]} */
  const found = [];
  let latest = null;
  for (const { run, settings, seed } of steps) {
    if (run !== latest) found.push([0, settings.temperature, settings.top_k, settings.top_p, seed ?? -1]);
    found[found.length - 1][0]++;
    latest = run;
  }
  return found;
}

/**
 * What differs from the defaults.
 * @param {View} view
 * @param {Run[]} runs that wrote the end of its text
 * @param {string | null} checkpoint sha256 of the model
 */
export function parameters(view, runs, checkpoint) {
  const out = new URLSearchParams();
  const put = (/** @type {string} */ name, /** @type {unknown} */ value) => out.set(name, String(value));
  const written = view.generated_from === null ? [] : runs;
  const whole = !tooLong(view.text, written);
  put("text", whole ? view.text : view.text.slice(-limits.prompt));
  if (view.generated_from !== null && whole) {
    put("generated_from", view.generated_from);
    for (const run of written) out.append("run", run.join("_"));
    if (view.step) put("step", view.step);
  }
  if (view.position && whole) {
    put("position", view.position);
    if (view.until) put("until", view.until);
  }
  for (const name of named(choices)) if (view[name] !== VIEW[name]) put(name, view[name]);
  if (view.other_text) put("other_text", view.other_text);
  for (const name of flags) if (view[name]) put(name, 1);
  if (view.lesson) put("lesson", view.lesson);
  if (view.training_step) put("training_step", view.training_step);
  for (const [name, value] of Object.entries(canonical(view.intervention))) {
    const pairs = Array.isArray(value) && value.map((entry) => [entry].flat().join("-"));
    put(name, pairs ? pairs.join(".") : 1); // 1-3.2-1 are two heads, 2.5 two layers
  }
  for (const name of named(sampling)) {
    const value = view.sampling[name] ?? VIEW.sampling[name]; // a number field may be empty
    if (value !== VIEW.sampling[name]) put(name, value);
  }
  if (checkpoint) put("model", checkpoint.slice(0, 8));
  put("layer", view.layer);
  put("head", view.head);
  return out;
}

/** The address of the page itself. */
export const page = () =>
  facts.space ? `https://huggingface.co/spaces/${facts.space}` : location.origin + location.pathname;

/** The whole address of a View. */
export function url(view = shownView.get()) {
  const { steps, window: seen } = session.get();
  return `${page()}#${parameters(view, runsOf(steps), seen?.checkpoint ?? null)}`;
}

/** @template {object} Named @param {Named} object */
const named = (object) => /** @type {(keyof Named)[]} */ (Object.keys(object));

/**
 * @callback Reader What a parameter says; undefined if it says nothing that is known.
 * @param {string} said
 * @returns {any}
 */

/** @param {string} said @param {number} least @param {number} most */
const number = (said, least, most) => {
  const value = Number(said);
  return /^-?\d{1,10}(\.\d{1,6})?$/.test(said) && value >= least && value <= most ? value : undefined;
};

/** @type {typeof number} */
const integer = (said, least, most) => (/^-?\d{1,10}$/.test(said) ? number(said, least, most) : undefined);

/** A list such as 2.5 without doubles; undefined if an entry is not read. @param {string} said @param {Reader} entry */
function list(said, entry) {
  const entries = said.split(".").map(entry);
  return entries.includes(undefined) || new Set(entries.map(String)).size < entries.length
    ? undefined
    : entries;
}

/**
 * What the parameters say: a whole View, the runs that wrote its end, and the names of what could not be read.
 * @param {URLSearchParams} given
 * @param {string} shown the text that stays if the link has none
 * @param {{n_layer: number, n_head: number}} model
 */
export function read(given, shown, model = facts.model) {
  /** @type {string[]} */
  const bad = [];
  /**
   * Reads one parameter, if it is there; what `how` does not understand is noted.
   * @param {string} name @param {Reader} how @param {any} usual
   */
  const take = (name, how, usual) => {
    const said = given.get(name);
    if (said === null) return usual;
    const value = given.getAll(name).length === 1 ? how(said) : undefined;
    if (value === undefined) bad.push(name);
    return value ?? usual;
  };
  /** @type {Reader} */
  const flag = (said) => (said === "1" ? true : said === "0" ? false : undefined);
  /** @type {Reader} */
  const layer = (said) => integer(said, 1, model.n_layer);
  /** @type {Reader} */
  const head = (said) => integer(said, 1, model.n_head);
  /** @type {Reader} */
  const pair = (said) => {
    const [, of = "", which = ""] = /^(\d+)-(\d+)$/.exec(said) ?? [];
    return layer(of) && head(which) ? [Number(of), Number(which)] : undefined;
  };
  /** @type {Record<string, Reader>} */
  const kinds = { flag, heads: (said) => list(said, pair), layers: (said) => list(said, layer) };

  const text = take("text", (said) => (said.length <= limits.link ? said : undefined), null);
  /** @type {Record<string, any>} */
  const found = { ...VIEW, text: text ?? shown, sampling: { ...VIEW.sampling } };
  found.other_text = take("other_text", (said) => (said.length <= limits.prompt ? said : undefined), "");
  found.layer = take("layer", layer, VIEW.layer);
  found.head = take("head", head, VIEW.head);
  for (const name of named(choices)) {
    const known = (/** @type {string} */ said) => {
      const today = Object.hasOwn(facts.renamed, said) ? facts.renamed[said] : said;
      return choices[name].includes(today) ? today : undefined;
    };
    found[name] = take(name, known, VIEW[name]);
  }
  for (const name of flags) found[name] = take(name, flag, VIEW[name]);
  found.lesson = take("lesson", (said) => integer(said, 1, facts.lessons), null);
  found.training_step = take("training_step", (said) => integer(said, 0, 1e9), VIEW.training_step);
  /** @type {Record<string, any>} */
  const off = {};
  for (const [name, { kind }] of Object.entries(facts.intervention))
    off[name] = take(name, kinds[kind], false);
  found.intervention = canonical(off);
  for (const name of named(sampling)) {
    const { least, most, step } = sampling[name];
    const value = (/** @type {string} */ said) => (step === 1 ? integer : number)(said, least, most);
    found.sampling[name] = take(name, value, VIEW.sampling[name]);
  }
  // The text as it is read may be longer than as it is given.
  const inText = (/** @type {string} */ said) => (text === null ? undefined : integer(said, 1, limits.link));
  found.position = take("position", inText, null);
  found.until = take(
    "until",
    (said) => integer(said, (found.position ?? limits.link) + 1, limits.link),
    null,
  );
  const typed = (/** @type {string} */ said) =>
    text === null ? undefined : integer(said, 1, text.length - 1);
  const from = take("generated_from", typed, null);
  const runs = from === null ? null : readRuns(given.getAll("run"), text.length - from);
  if (from !== null && !runs) bad.push("run");
  found.generated_from = runs && from;
  found.step = take("step", (said) => (runs ? integer(said, 1, text.length - from) : undefined), null);
  return { view: /** @type {View} */ (found), runs, bad };
}

/**
 * The runs that together wrote `count` characters; null if they did not.
 * @param {string[]} given
 * @param {number} count
 * @returns {Run[] | null}
 */
function readRuns(given, count) {
  const { temperature, top_k, top_p } = sampling;
  /** @type {Run[]} */
  const runs = [];
  for (const said of given.slice(0, limits.runs)) {
    const [n = "", t = "", k = "", p = "", seed = "", ...more] = said.split("_");
    const run = [
      integer(n, 1, count),
      number(t, temperature.least, temperature.most),
      integer(k, top_k.least, top_k.most),
      number(p, top_p.least, top_p.most),
      integer(seed, -1, limits.seed),
    ];
    if (more.length || run.includes(undefined)) return null;
    runs.push(/** @type {Run} */ (run));
  }
  return runs.length && runs.reduce((sum, [n]) => sum + n, 0) === count ? runs : null;
}
