// The link: the View of store.js as the fragment of an address, and back.
//
// A fragment (what follows #) never reaches a server, has no limit that matters, and the frame of a Space passes it on
// at the first load. Only what differs from the defaults is written, under the View's own names, percent-encoded:
//   #text=ROMEO%3A&layer=3&head=2
// The same names are read from the query string too, for links that people write by hand; the fragment wins. Every
// value is checked; what cannot be read stays as it usually is, and the page says which.

import { call } from "../core/api.js";
import { session } from "../core/session.js";
import { fillBox, stopWriting } from "../gradio_seam/pickers.js";
import { canonical } from "../core/intervention.js";
import { NOTHING, pointer, VIEW, view } from "../core/store.js";

const LONGEST = 4000; // characters that a link carries, prompt and continuation
const TYPED = 2000; // and of those that the page reads as a typed text
const RUNS = 50; // and how many runs may have written it
const FLAGS = ["hide_first", "keep_most", "by_moved"];
const CHOICES = {
  direction: ["looks at", "looked at by", "how sure"],
  over: ["head", "mean", "max"],
  scale: ["sqrt", "linear"],
  tab: ["Attention", "Inside a head", "What if?", "The model"], // as demo.py names them
};
const SWITCHES = ["no_scale", "no_mask", "no_positions", "uniform_attention"];
const LAYERS = ["feed_forward_off", "residual_off", "norm_off"]; // 2.5 is the layers 2 and 5
const SETTINGS = ["samples", "length", "temperature", "top_k", "top_p", "seed"];
const HALVES = ["temperature", "top_p"]; // the settings that need not be whole numbers

let told = { space: null, settings: {}, max_seed: 0 };
let notes, field, button;
let applying = 0; // so that a second link overtakes the first

// --- writing a link --------------------------------------------------------------------------------------------

/** What differs from the defaults, as URLSearchParams. `chosen` is a View; of the text on show it tells the runs too. */
export function parameters(chosen) {
  const out = new URLSearchParams();
  const written = chosen.generated_from === null ? [] : runs();
  const whole = chosen.text.length <= LONGEST && written.length <= RUNS;
  const text = whole ? chosen.text : chosen.text.slice(-TYPED);
  out.set("text", text);
  if (chosen.generated_from !== null && whole) {
    out.set("generated_from", chosen.generated_from);
    for (const run of written) out.append("run", run.join("_"));
    if (chosen.step) out.set("step", chosen.step);
  }
  if (chosen.position && whole) out.set("position", chosen.position);
  for (const name of Object.keys(CHOICES)) if (chosen[name] !== VIEW[name]) out.set(name, chosen[name]);
  for (const name of FLAGS) if (chosen[name]) out.set(name, "1");
  if (chosen.training_step) out.set("training_step", chosen.training_step);
  const { heads_off = [], ...off } = chosen.intervention;
  if (heads_off.length) out.set("heads_off", heads_off.map((pair) => pair.join("-")).join("."));
  for (const name of SWITCHES) if (off[name]) out.set(name, "1");
  for (const name of LAYERS) if (off[name]?.length) out.set(name, off[name].join("."));
  for (const name of SETTINGS) {
    const { usual } = told.settings[name] ?? {};
    const value = chosen.sampling[name] ?? usual;
    if (value !== usual) out.set(name, value);
  }
  if (session.get().window?.checkpoint) out.set("model", session.get().window.checkpoint.slice(0, 8));
  out.set("layer", chosen.layer); // last, so that no link ends with a sign that a chat program takes for its own
  out.set("head", chosen.head);
  return out;
}

/** The runs that wrote the text on show: [characters, temperature, top_k, top_p, seed]. */
function runs() {
  const found = [];
  let latest = null;
  for (const { run, settings, seed } of session.get().steps) {
    if (run !== latest) found.push([0, settings.temperature, settings.top_k, settings.top_p, seed]);
    found.at(-1)[0]++;
    latest = run;
  }
  return found;
}

/** The whole address of a View. */
export function url(chosen = view.get()) {
  const page = told.space
    ? `https://huggingface.co/spaces/${told.space}`
    : location.origin + location.pathname;
  return `${page}#${parameters(chosen)}`;
}

// --- reading a link --------------------------------------------------------------------------------------------

const number = (text, least, most) =>
  /^-?\d{1,10}(\.\d{1,6})?$/.test(text) && text >= least && text <= most ? Number(text) : undefined;
const whole = (text, least, most) => (/^-?\d{1,10}$/.test(text) ? number(text, least, most) : undefined);

/** A list such as 2.5 without doubles; undefined if an entry is not read. */
function list(text, read) {
  const entries = text.split(".").map(read);
  return entries.includes(undefined) || new Set(entries.map(String)).size < entries.length
    ? undefined
    : entries;
}

/**
 * What the parameters say: {view, runs, bad}: a whole View, the runs that wrote its end, and the names of what could
 * not be read. shape: {n_layer, n_head} of the model.
 */
export function read(given, { n_layer, n_head }) {
  const bad = [];
  /** Reads one parameter, if it is there; what `how` does not understand is noted. */
  const take = (name, how, usual) => {
    const text = given.get(name);
    if (text === null) return usual;
    const value = given.getAll(name).length === 1 ? how(text) : undefined;
    if (value === undefined) bad.push(name);
    return value ?? usual;
  };
  const flag = (text) => (text === "1" ? true : text === "0" ? false : undefined);
  const layer = (text) => whole(text, 1, n_layer);
  const pair = (text) => {
    const [, of, head] = /^(\d+)-(\d+)$/.exec(text) ?? [];
    return layer(of ?? "") && whole(head, 1, n_head) ? [Number(of), Number(head)] : undefined;
  };

  const text = take("text", (it) => (it.length <= LONGEST ? it : undefined), null);
  const found = { ...VIEW, text: text ?? view.get().text };
  found.layer = take("layer", layer, VIEW.layer);
  found.head = take("head", (it) => whole(it, 1, n_head), VIEW.head);
  for (const [name, choices] of Object.entries(CHOICES)) {
    found[name] = take(name, (it) => (choices.includes(it) ? it : undefined), VIEW[name]);
  }
  for (const name of FLAGS) found[name] = take(name, flag, VIEW[name]);
  found.training_step = take("training_step", (it) => whole(it, 0, 1e9), VIEW.training_step);
  const off = { heads_off: take("heads_off", (it) => list(it, pair), []) };
  for (const name of SWITCHES) off[name] = take(name, flag, false);
  for (const name of LAYERS) off[name] = take(name, (it) => list(it, layer), []);
  found.intervention = canonical(off);
  found.sampling = { ...VIEW.sampling };
  for (const name of SETTINGS) {
    const { least, most } = told.settings[name];
    const value = take(name, (it) => (HALVES.includes(name) ? number : whole)(it, least, most), null);
    if (value !== null) found.sampling[name] = value;
  }
  found.position = take("position", (it) => (text === null ? undefined : whole(it, 1, LONGEST)), null); // the text as it is read may be longer
  const from = take(
    "generated_from",
    (it) => (text === null ? undefined : whole(it, 1, text.length - 1)),
    null,
  );
  const written = from === null ? null : readRuns(given.getAll("run"), text.length - from);
  if (from !== null && !written) bad.push("run");
  found.generated_from = written && from;
  found.step = take("step", (it) => (written ? whole(it, 1, text.length - from) : undefined), null);
  return { view: found, runs: written, bad };
}

/** [[characters, temperature, top_k, top_p, seed], ...] that together wrote `count` characters; null if they did not. */
function readRuns(given, count) {
  const { temperature, top_k, top_p } = told.settings;
  const found = given.slice(0, RUNS).map((text) => {
    const [n, t, k, p, seed, more] = text.split("_");
    const run = [
      whole(n, 1, count),
      number(t, temperature.least, temperature.most),
      whole(k, top_k.least, top_k.most),
      number(p, top_p.least, top_p.most),
      whole(seed, 0, told.max_seed),
    ];
    return more !== undefined || run.includes(undefined) ? null : run;
  });
  const good = found.length && !found.includes(null) && found.reduce((sum, [n]) => sum + n, 0) === count;
  return good ? found : null;
}

// --- opening a link --------------------------------------------------------------------------------------------

const NAMES = new Set([
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
  ...Object.keys(CHOICES),
  ...FLAGS,
  ...SWITCHES,
  ...LAYERS,
  ...SETTINGS,
]);

/** What the address of the page says; null if it says nothing of ours. */
function inAddress() {
  for (const part of [location.hash.slice(1), location.search.slice(1)]) {
    const given = new URLSearchParams(part);
    if ([...given.keys()].some((name) => NAMES.has(name))) return given;
  }
  return null;
}

export const say = (...sentences) => (notes.textContent = sentences.filter(Boolean).join(" "));

/** Show what a link says. */
async function apply(given) {
  const question = ++applying;
  const { view: found, runs: written, bad } = read(given, session.get().window);
  const other = given.get("model");
  const remarks = [
    bad.length ? `Parts of this link could not be read, so they stand as usual: ${bad.join(", ")}.` : "",
    other && other !== session.get().window.checkpoint?.slice(0, 8)
      ? "This link was made with another training of the model, so its numbers were different."
      : "",
  ];
  const { text, generated_from: from, position, step, ...rest } = found;
  pointer.set(NOTHING);
  stopWriting();
  settings = SETTINGS.map((name) => found.sampling[name] ?? told.settings[name].usual);
  tellGradio("submit"); // Gradio's own sliders take what settings() gives
  if (!written) {
    view.set({ ...rest, text, generated_from: null, step: null, position });
    if (position) await arrived(text);
    if (question !== applying) return;
    if (position > session.get().text.length) {
      view.set({ position: null });
      remarks.push("The character that it holds is not in the text.");
    }
    return say(...remarks);
  }
  view.set({ ...rest, step: null, position: null });
  say("Opening the link.");
  try {
    const { steps } = await call(
      "score",
      text,
      written.map((run) => run.slice(0, 4)),
    );
    if (question !== applying) return;
    show(text, from, written, steps);
    view.set({ position, step });
    const seeds = [...new Set(written.map((run) => run[4]))];
    remarks.push(
      `The text from character ${from + 1} on was written by the model, with the seed${seeds.length > 1 ? "s" : ""} ${seeds.join(", ")}.`,
    );
  } catch (error) {
    if (question !== applying) return;
    view.set({ text: text.slice(-TYPED), generated_from: null });
    remarks.push(`What the link says about the writing could not be used: ${error.message}`);
  }
  say(...remarks);
}

/** The typed text has been read by the model, or it was refused. */
const arrived = (text) =>
  new Promise((resolve) => {
    const look = () => session.get().raw === text && !session.get().loading;
    if (look()) return resolve();
    const end = session.subscribe(() => look() && (end(), resolve()));
  });

/** A written text, as if it had just been written: run after run. */
function show(text, from, written, steps) {
  fillBox(text.slice(0, from));
  let place = from;
  written.forEach(([count, temperature, top_k, top_p, seed], i) => {
    session.writing({
      run: `link ${applying} ${i}`,
      offset: 0,
      before: place - from,
      prompt: text.slice(0, place),
      seed,
      notes: [],
      text: text.slice(place, place + count),
      settings: { temperature, top_k, top_p },
      done: i === written.length - 1,
      steps: steps
        .slice(place - from, place - from + count)
        .map(([probability, rank, entropy, start]) => ({ probability, rank, entropy, start: start - 1 })),
    });
    place += count;
  });
}

let settings = [];
let tellGradio = () => {};

// --- the button ------------------------------------------------------------------------------------------------

async function copy() {
  const chosen = view.get();
  const address = url(chosen);
  const fragment = address.slice(address.indexOf("#"));
  history.replaceState(null, "", fragment); // so that a reload, or a bookmark, brings the same back
  if (told.space && document.referrer.startsWith("https://huggingface.co/")) {
    window.parent.postMessage({ hash: fragment }, "https://huggingface.co");
  }
  const short =
    chosen.text.length > LONGEST || runs().length > RUNS
      ? `The text is longer than a link can carry: the link holds its last ${TYPED.toLocaleString("en")} characters, as if they had been typed.`
      : "";
  try {
    await navigator.clipboard.writeText(address);
    field.hidden = true;
    say("The link is on the clipboard.", short);
  } catch {
    // Some frames close the clipboard to scripts: then the link stands there, selected.
    field.value = address;
    field.hidden = false;
    field.focus();
    field.select();
    say("Here is the link, ready to copy.", short);
  }
}

export function mount(root, given, trigger) {
  told = given;
  tellGradio = trigger;
  [notes, field, button] = ["#link-notes", "#link-text", "#copy-link"].map((selector) =>
    root.querySelector(selector),
  );
  button.addEventListener("click", copy);
  if (told.space) {
    const duplicate = root.querySelector(".ta-duplicate");
    duplicate.href = `https://huggingface.co/spaces/${told.space}?duplicate=true`;
    duplicate.hidden = false;
  }
  const open = () => {
    const asked = inAddress();
    if (asked) apply(asked);
  };
  window.addEventListener("hashchange", open);
  if (session.get().window) return open();
  const end = session.subscribe(() => session.get().window && (end(), open()));
}

window.shakespeare = Object.assign(window.shakespeare ?? {}, {
  link: { url, read, settings: () => settings },
});
