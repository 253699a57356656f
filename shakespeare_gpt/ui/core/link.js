// The View as the fragment of an address, and back.
//
// A fragment (what follows #) never reaches a server, has no limit that matters, and the frame of a Space passes it on
// at the first load. Only what differs from the defaults is written, under the View's own names, percent-encoded:
//   #text=ROMEO%3A&layer=3&head=2
// The same names are read from the query string too, for links that people write by hand. Every value is checked; what
// cannot be read stays as it usually is, and is named.

import { canonical } from "./intervention.js";
import { VIEW } from "./store.js";

export const LONGEST = 4000; // characters that a link carries, prompt and continuation
export const TYPED = 2000; // and of those that the page reads as a typed text
export const RUNS = 50; // and how many runs may have written it
const FLAGS = ["hide_first", "keep_most", "by_moved"];
const CHOICES = {
  direction: ["looks at", "looked at by", "how sure"],
  over: ["head", "mean", "max"],
  scale: ["sqrt", "linear"],
  tab: ["Attention", "Inside a head", "What if?", "The model"], // as demo.py names them
};
const SWITCHES = ["no_scale", "no_mask", "no_positions", "uniform_attention"];
const LAYERS = ["feed_forward_off", "residual_off", "norm_off"]; // 2.5 is the layers 2 and 5
export const SETTINGS = ["samples", "length", "temperature", "top_k", "top_p", "seed"];
const HALVES = ["temperature", "top_p"]; // the settings that need not be whole numbers

const NAMES = new Set([
  ...[
    "text",
    "generated_from",
    "run",
    "step",
    "position",
    "layer",
    "head",
    "training_step",
    "heads_off",
    "model",
  ],
  ...[...Object.keys(CHOICES), ...FLAGS, ...SWITCHES, ...LAYERS, ...SETTINGS],
]);

/**
 * @typedef {Record<string, any>} View see store.js
 *
 * @typedef {[count: number, temperature: number, top_k: number, top_p: number, seed: number]} Run
 *   What wrote `count` characters of a text.
 *
 * @typedef {object} Ranges What a link may say.
 * @property {number} n_layer
 * @property {number} n_head
 * @property {Record<string, {least: number, most: number, usual: number}>} settings of the sampler
 * @property {number} max_seed
 */

/** Does it say anything that a link says? @param {URLSearchParams} given */
export const isLink = (given) => [...given.keys()].some((name) => NAMES.has(name));

/** Is the text, with the runs that wrote it, more than a link carries? @param {string} text @param {Run[]} runs */
export const tooLong = (text, runs) => text.length > LONGEST || runs.length > RUNS;

/**
 * The runs that wrote a text, of the steps of its writing.
 * @param {readonly {run: string, seed: number, settings: {temperature: number, top_k: number, top_p: number}}[]} steps
 * @returns {Run[]}
 */
export function runsOf(steps) {
  /** @type {Run[]} */
  const found = [];
  let latest = null;
  for (const { run, settings, seed } of steps) {
    if (run !== latest) found.push([0, settings.temperature, settings.top_k, settings.top_p, seed]);
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
 * @param {Pick<Ranges, "settings">} usual
 */
export function parameters(view, runs, checkpoint, { settings }) {
  const out = new URLSearchParams();
  const put = (/** @type {string} */ name, /** @type {unknown} */ value) => out.set(name, String(value));
  const written = view.generated_from === null ? [] : runs;
  const whole = !tooLong(view.text, written);
  put("text", whole ? view.text : view.text.slice(-TYPED));
  if (view.generated_from !== null && whole) {
    put("generated_from", view.generated_from);
    for (const run of written) out.append("run", run.join("_"));
    if (view.step) put("step", view.step);
  }
  if (view.position && whole) put("position", view.position);
  for (const name of Object.keys(CHOICES)) if (view[name] !== defaults[name]) put(name, view[name]);
  for (const name of FLAGS) if (view[name]) put(name, 1);
  if (view.training_step) put("training_step", view.training_step);
  const { heads_off = [], ...off } = view.intervention;
  if (heads_off.length) {
    put("heads_off", heads_off.map((/** @type {number[]} */ pair) => pair.join("-")).join("."));
  }
  for (const name of SWITCHES) if (off[name]) put(name, 1);
  for (const name of LAYERS) if (off[name]?.length) put(name, off[name].join("."));
  for (const name of SETTINGS) {
    const usual = settings[name]?.usual;
    const value = view.sampling[name] ?? usual;
    if (value !== usual) put(name, value);
  }
  if (checkpoint) put("model", checkpoint.slice(0, 8));
  put("layer", view.layer); // last, so that no link ends with a sign that a chat program takes for its own
  put("head", view.head);
  return out;
}

/** @type {View} */
const defaults = VIEW;

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
 * @param {Ranges} ranges
 * @param {string} shown the text that stays if the link has none
 */
export function read(given, ranges, shown) {
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
  const layer = (said) => integer(said, 1, ranges.n_layer);
  /** @type {Reader} */
  const pair = (said) => {
    const [, of = "", head = ""] = /^(\d+)-(\d+)$/.exec(said) ?? [];
    return layer(of) && integer(head, 1, ranges.n_head) ? [Number(of), Number(head)] : undefined;
  };

  const text = take("text", (it) => (it.length <= LONGEST ? it : undefined), null);
  /** @type {View} */
  const found = { ...VIEW, text: text ?? shown };
  found.layer = take("layer", layer, VIEW.layer);
  found.head = take("head", (it) => integer(it, 1, ranges.n_head), VIEW.head);
  for (const [name, choices] of Object.entries(CHOICES)) {
    found[name] = take(name, (it) => (choices.includes(it) ? it : undefined), defaults[name]);
  }
  for (const name of FLAGS) found[name] = take(name, flag, defaults[name]);
  found.training_step = take("training_step", (it) => integer(it, 0, 1e9), VIEW.training_step);
  /** @type {Record<string, any>} */
  const off = { heads_off: take("heads_off", (it) => list(it, pair), []) };
  for (const name of SWITCHES) off[name] = take(name, flag, false);
  for (const name of LAYERS) off[name] = take(name, (it) => list(it, layer), []);
  found.intervention = canonical(off);
  found.sampling = { ...VIEW.sampling };
  for (const name of SETTINGS) {
    const { least, most } = ranges.settings[name];
    const value = take(name, (it) => (HALVES.includes(name) ? number : integer)(it, least, most), null);
    if (value !== null) found.sampling[name] = value;
  }
  // The text as it is read may be longer than as it is given.
  const inText = (/** @type {string} */ it) => (text === null ? undefined : integer(it, 1, LONGEST));
  found.position = take("position", inText, null);
  const typed = (/** @type {string} */ it) => (text === null ? undefined : integer(it, 1, text.length - 1));
  const from = take("generated_from", typed, null);
  const runs = from === null ? null : readRuns(given.getAll("run"), text.length - from, ranges);
  if (from !== null && !runs) bad.push("run");
  found.generated_from = runs && from;
  found.step = take("step", (it) => (runs ? integer(it, 1, text.length - from) : undefined), null);
  return { view: found, runs, bad };
}

/**
 * The runs that together wrote `count` characters; null if they did not.
 * @param {string[]} given
 * @param {number} count
 * @param {Ranges} ranges
 * @returns {Run[] | null}
 */
function readRuns(given, count, { settings: { temperature, top_k, top_p }, max_seed }) {
  /** @type {Run[]} */
  const runs = [];
  for (const said of given.slice(0, RUNS)) {
    const [n = "", t = "", k = "", p = "", seed = "", ...more] = said.split("_");
    const run = [
      integer(n, 1, count),
      number(t, temperature.least, temperature.most),
      integer(k, top_k.least, top_k.most),
      number(p, top_p.least, top_p.most),
      integer(seed, 0, max_seed),
    ];
    if (more.length || run.includes(undefined)) return null;
    runs.push(/** @type {Run} */ (run));
  }
  return runs.length && runs.reduce((sum, [n]) => sum + n, 0) === count ? runs : null;
}
