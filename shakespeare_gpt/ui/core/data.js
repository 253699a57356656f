// What the model said about the text on the page: asked for once per text, kept for the last few.
//
// A "window" is the part of the text that the model saw in one pass, at most context_length characters. Usually it is
// the end of the text. While the writing is replayed it is the window in which that character was chosen.

import { call } from "./api.js";
import { bytes, triangles } from "./decode.js";
import { view } from "./store.js";

const KEPT = 4; // windows; one of 256 characters takes about 5 MB
const kept = new Map();
const subscribers = new Set();
let asked = 0; // so that a late answer to an old question is dropped

export const data = {
  window: null, // see makeWindow
  text: "", // the whole text, normalized; positions count in it
  written: 0, // how many of its last characters were generated
  steps: [], // {probability, rank, entropy, start, run, settings, seed} of each generated character
  raw: "", // that text as it was typed
  longest: 0, // characters that may be typed
  loading: false, // another text is on its way
  streaming: false,
  notes: [],
  error: "",
  figures: null, // Plotly's layouts and traces, from figures.py
  /** Runs fn(what changed: "text", "window", "layer", "loading" or "error"). */
  subscribe(fn) {
    subscribers.add(fn);
    return () => subscribers.delete(fn);
  },
};

export const tell = (what) => subscribers.forEach((fn) => fn(what));

/** Index of the first generated character. */
export const promptLength = () => data.text.length - data.written;

/** Where the window begins that belongs to the text and the step: the end of the text if nothing is replayed. */
function wanted() {
  const { step } = view.get();
  const end = Math.max(0, data.text.length - data.window.context_length);
  return step ? (data.steps[step - 1]?.start ?? end) : end;
}

/** Is the window at hand the one that belongs to the text and the step? Not while text streams in, or before it is here. */
export function current() {
  const { window, text } = data;
  if (!window || data.streaming || window.start !== wanted()) return false;
  return window.text === text.slice(window.start, window.start + window.context_length);
}

/** [probability, rank] that the model gave to a character of the text as the window saw it; undefined if it did not. */
export function given(position) {
  const { window, text } = data;
  if (!window || position < window.start) return undefined;
  // What is given depends on the characters up to there, so it holds as long as these are the same.
  const length = position + 1 - window.start;
  if (window.text.slice(0, length) !== text.slice(window.start, position + 1)) return undefined;
  return window.given[length - 1];
}

function makeWindow(overview, start) {
  const { thumbnails, ...told } = overview;
  return {
    ...told,
    start, // index of its first character in the whole text
    length: told.characters.length,
    text: told.characters.join(""),
    thumbnails: { ...thumbnails, data: bytes(thumbnails.data) },
    layers: new Map(), // layer (from 1) -> {weights: [head][lower triangle], moved, usual}
    asking: new Map(), // layer -> the promise of it
    lens: null, // the promise of the logit lens
  };
}

function keep(window) {
  const key = `${window.start}:${window.text}`;
  kept.delete(key);
  kept.set(key, window);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value);
  return window;
}

function addLayer(window, payload) {
  window.layers.set(payload.layer, { ...payload, weights: triangles(payload.weights, window.n_head) });
}

/** Start with the payload that came with the page. */
export function open(first) {
  const window = keep(makeWindow(first.overview, first.overview.start - 1));
  addLayer(window, first.layer);
  Object.assign(data, { figures: first.figures, raw: first.text, text: window.before + window.text });
  Object.assign(data, { notes: window.notes, longest: first.longest });
  view.set({ text: first.text, head: first.head });
  show(window);
}

function show(window) {
  const other = data.window !== window;
  data.window = window;
  Object.assign(data, { loading: false, error: "" });
  tell(other ? "window" : "loading");
  loadLayers(window);
}

/** The weights of a layer of a window; asks the server at most once. */
export function layerOf(window, layer) {
  if (window.layers.has(layer)) return Promise.resolve(window.layers.get(layer));
  if (!window.asking.has(layer)) {
    const answer = call("layer", window.text, layer).then((payload) => {
      addLayer(window, payload);
      if (window === data.window) tell("layer");
      return window.layers.get(layer);
    });
    window.asking.set(layer, answer);
    answer.catch(() => window.asking.delete(layer));
  }
  return window.asking.get(layer);
}

/** The chosen layer first, then the others in the background, one after the other. */
async function loadLayers(window) {
  try {
    await layerOf(window, view.get().layer);
    for (let layer = 1; layer <= window.n_layer && window === data.window; layer++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      await layerOf(window, layer);
    }
  } catch (error) {
    failed(error);
  }
}

/** What the model would say after each layer, at every position of a window. */
export function logitLens(window) {
  window.lens ??= call("logit_lens", window.text);
  window.lens.catch(() => (window.lens = null));
  return window.lens;
}

function failed(error) {
  Object.assign(data, { loading: false, error: error.message });
  tell("error");
}

/** Show a text that is not known to be normalized: what was typed, or what a link holds. */
async function showRaw(raw) {
  const question = ++asked;
  Object.assign(data, { raw, loading: true });
  tell("loading");
  const length = [...raw].length;
  if (length > data.longest) {
    const [has, most] = [length, data.longest].map((count) => count.toLocaleString("en"));
    return failed(new Error(`Your text has ${has} characters; at most ${most} are read. Please shorten it.`));
  }
  try {
    const overview = await call("overview", raw);
    if (question !== asked) return;
    const window = keep(makeWindow(overview, overview.start - 1));
    Object.assign(data, { text: window.before + window.text, written: 0, steps: [] });
    data.notes = window.notes;
    tell("text");
    show(window);
  } catch (error) {
    if (question === asked) failed(error);
  }
}

/** Show the window that belongs to the text and the step: the end of the text if nothing is replayed. */
async function showWindow() {
  const question = ++asked;
  const start = wanted();
  const text = data.text.slice(start, start + data.window.context_length);
  const known = kept.get(`${start}:${text}`);
  if (known) return show(keep(known));
  Object.assign(data, { loading: true, error: "" });
  tell("loading");
  try {
    const overview = await call("overview", text);
    if (question === asked) show(keep(makeWindow(overview, start)));
  } catch (error) {
    if (question === asked) failed(error);
  }
}

// --- writing ---------------------------------------------------------------------------------------------------

const SILENCE = 5000; // ms without news: the connection is gone, or the server busy; more news continue the text
let silence = 0;

let base = { run: null, text: "", steps: [] }; // what stood on the page when the run began

/**
 * News from the generation, as endpoints.py's `write` tells it. Its prompt begins at `offset` of the text on the page,
 * and the last `before` characters of it were generated earlier.
 */
export function writing(told) {
  if (!told?.text) return;
  if (base.run !== told.run) base = { run: told.run, text: data.text, steps: data.steps };
  const before = base.text.slice(0, told.offset) + told.prompt;
  // Write on sends the end of the text alone; what was generated before that end stays generated.
  const earlier = !told.before ? [] : before === base.text ? base.steps : base.steps.slice(-told.before);
  const steps = told.steps.map((step) => ({
    ...step,
    start: step.start + told.offset,
    run: told.run,
    settings: told.settings,
    seed: told.seed,
  }));
  const text = before + told.text;
  asked++; // an answer about an older text is no longer wanted
  Object.assign(data, {
    raw: text,
    text,
    written: earlier.length + steps.length,
    steps: [...earlier, ...steps],
  });
  Object.assign(data, { notes: told.notes, error: "", streaming: true });
  view.set({ text, generated_from: promptLength(), step: null, position: null });
  tell("text");
  clearTimeout(silence);
  if (told.done) written();
  else silence = setTimeout(written, SILENCE);
}

/** The writing has ended: by itself, by Stop, or by silence. */
export function written() {
  if (!data.streaming) return;
  clearTimeout(silence);
  data.streaming = false;
  tell("text");
  showWindow();
}

/** The text on the page with all that is known of its writing, for `restore`. */
export const remember = () => ({
  text: data.text,
  written: data.written,
  steps: data.steps,
  notes: data.notes,
});

/** Show a remembered text again. The View has been set to it before: its text, and what was generated of it. */
export function restore(remembered) {
  asked++;
  Object.assign(data, remembered, { raw: view.get().text, error: "" });
  tell("text");
  showWindow();
}

view.subscribe((chosen, changed) => {
  if (changed.has("text") && chosen.text !== data.raw) showRaw(chosen.text);
  else if (changed.has("step") && !data.streaming) showWindow();
  if (changed.has("layer") && data.window) layerOf(data.window, chosen.layer).catch(failed);
});
