// What the model said about the text on the page: asked for once per text, kept for the last few. The third immutable
// store beside view and pointer. The View says what is asked for; the session follows it and says what is here: each
// resource (the text, the window, every layer, the logit lens) has a status of its own, so that one can fail alone.
//
// A "window" is the part of the text that the model saw in one pass, at most context_length characters. Usually it is
// the end of the text. While the writing is replayed it is the window in which that character was chosen.

import { call } from "./api.js";
import { layerOf, lensOf, windowOf } from "./decode.js";
import { pointer, store, view } from "./store.js";

/** @import { Session } from "./types.d.ts" */

const KEPT = 4; // windows; one of 256 characters takes about 5 MB
const BETWEEN = 50; // ms between two layers that are loaded in the background
const PAUSES = [2000, 4000, 8000, 16000]; // ms before what failed is asked for again, in the background
const SILENCE = 5000; // ms without news: the connection is gone, or the server busy; more news continue the text

const status = (state, error = "") => Object.freeze({ state, error });
const [MISSING, LOADING, READY] = ["missing", "loading", "ready"].map((state) => status(state));
const failed = (message) => status("failed", message);
const resource = (how, value = null) => Object.freeze({ ...how, value });

/** What the session says at one moment; what follows from other fields is computed. */
class State {
  constructor(fields) {
    Object.assign(this, fields);
    Object.freeze(this);
  }

  /** How many of the last characters were generated. */
  get written() {
    return this.steps.length;
  }

  /** Index of the first generated character. */
  get promptLength() {
    return this.text.length - this.steps.length;
  }

  /** Is another text, or another window of it, on its way? */
  get loading() {
    return this.status.text.state === "loading" || this.status.window.state === "loading";
  }

  /** Why the text that was asked for is not here; "" if it is. */
  get error() {
    return this.status.text.error || this.status.window.error;
  }

  /** Where the window begins that belongs to the text and the step: the end of the text if nothing is replayed. */
  start(step) {
    const end = Math.max(0, this.text.length - this.window.context_length);
    return step ? (this.steps[step - 1]?.start ?? end) : end;
  }

  /** Is the window at hand the one that belongs to the text and the step? Not while text streams in, or before it is here. */
  current(step) {
    const { window, text } = this;
    if (!window || this.streaming || window.start !== this.start(step)) return false;
    return window.text === text.slice(window.start, window.start + window.context_length);
  }

  /** [probability, rank] that the model gave to a character of the text as the window saw it; undefined if it did not. */
  given(position) {
    const { window, text } = this;
    if (!window || position < window.start) return undefined;
    // What is given depends on the characters up to there, so it holds as long as these are the same.
    const length = position + 1 - window.start;
    if (window.text.slice(0, length) !== text.slice(window.start, position + 1)) return undefined;
    return window.given[length - 1];
  }
}

/** Timers that a test can replace. */
const clock = { set: (run, ms) => setTimeout(run, ms), clear: (timer) => clearTimeout(timer) };

/** A session that follows a View. call(name, ...arguments) asks the server. */
export function makeSession({ call, view, pointer, timers = clock }) {
  const state = store(
    {
      text: "", // the whole text, normalized; positions count in it
      notes: [], // what was changed in it
      steps: [], // {probability, rank, entropy, start, run, settings, seed} of each generated character, the last ones
      window: null, // see decode.js
      layers: [], // of the window, from layer 1: {state, error, value: {weights: [head][lower triangle], moved, usual}}
      lens: resource(MISSING), // its logit lens
      streaming: false, // text is being written
      status: { text: { ...MISSING, of: "" }, window: MISSING }, // `of`: the View's text that the status is about
      longest: 0, // characters that may be typed
      figures: null, // Plotly's layouts and traces, from figures.py
    },
    { made: (fields) => new State(fields), same: Object.is },
  );
  const { get, set, subscribe } = state;
  const pause = (ms) => new Promise((resolve) => timers.set(resolve, ms));

  // What is known of each of the last windows: {window, layers, lens; asking: part -> promise; failures: part -> count;
  // loading: are its layers being loaded?}.
  const kept = new Map();
  const knownOf = new WeakMap(); // window -> the same
  let shown = null; // of these, the one on show
  let [textAsked, windowAsked] = [0, 0]; // so that a late answer to an old question is dropped
  let windowKey = ""; // of the window that is on its way

  const keyOf = (start, text) => `${start}:${text}`;

  function keep(known) {
    const key = keyOf(known.window.start, known.window.text);
    kept.delete(key);
    kept.set(key, known);
    if (kept.size > KEPT) kept.delete(kept.keys().next().value);
    return known;
  }

  /** What is known of a window that has just arrived. */
  function arrived(window) {
    const layers = Array.from({ length: window.n_layer }, () => resource(MISSING));
    const known = { window, layers, lens: resource(MISSING) };
    Object.assign(known, { asking: new Map(), failures: new Map(), loading: false });
    knownOf.set(window, known);
    return keep(known);
  }

  const now = (how) => ({ status: { ...get().status, ...how } });
  const parts = ({ layers, lens }) => ({ layers, lens });

  /** One part of what is known of a window has changed: a layer, by its number, or the "lens". */
  function put(known, part, news) {
    if (part === "lens") known.lens = news;
    else known.layers = known.layers.map((old, i) => (i === part - 1 ? news : old));
    if (known === shown) set(parts(known));
  }

  /** A promise of a part of a window; the server is asked if it is not here, and at most once at a time. */
  function ask(known, part) {
    const { value } = part === "lens" ? known.lens : known.layers[part - 1];
    if (value) return Promise.resolve(value);
    if (!known.asking.has(part)) {
      const answer = fetched(known, part).finally(() => known.asking.delete(part));
      known.asking.set(part, answer);
      answer.catch(() => {}); // its status says so
    }
    return known.asking.get(part);
  }

  async function fetched(known, part) {
    const { window } = known;
    put(known, part, resource(LOADING));
    try {
      const value =
        part === "lens"
          ? lensOf(await call("logit_lens", window.text), window)
          : layerOf(await call("layer", window.text, part), window);
      put(known, part, resource(READY, value));
      return value;
    } catch (error) {
      put(known, part, resource(failed(error.message)));
      const failures = known.failures.get(part) ?? 0;
      known.failures.set(part, failures + 1);
      if (failures < PAUSES.length) timers.set(() => known === shown && ask(known, part), PAUSES[failures]);
      throw error;
    }
  }

  /** The chosen layer first, then the others, one after the other, whatever becomes of each. */
  async function load(known) {
    if (known.loading) return;
    known.loading = true;
    const waiting = new Set(known.layers.keys());
    while (known === shown && waiting.size) {
      const chosen = view.get().layer - 1;
      const index = waiting.has(chosen) ? chosen : waiting.values().next().value;
      waiting.delete(index);
      if (known.layers[index].value) continue;
      await ask(known, index + 1).catch(() => {});
      await pause(BETWEEN);
    }
    known.loading = false;
  }

  /** A window is here: show it, together with the news that came with it. */
  function show(known, news = {}) {
    shown = known;
    windowAsked++;
    const { status } = get();
    set({
      ...news,
      window: known.window,
      ...parts(known),
      status: { ...status, ...news.status, window: READY },
    });
    load(known);
  }

  /** Start with the payload that came with the page; steps: of the writing of its last characters. */
  function open(first, steps = []) {
    const known = arrived(windowOf(first.overview));
    const { window } = known;
    put(known, first.layer.layer, resource(READY, layerOf(first.layer, window)));
    view.set({ text: first.text, head: first.head });
    show(known, {
      ...{ figures: first.figures, longest: first.longest, text: window.before + window.text },
      ...{ notes: window.notes, steps },
      status: { text: { ...READY, of: first.text } },
    });
  }

  /** Show a text that is not known to be normalized: what was typed, or what a link holds. */
  async function showText(of) {
    const mine = ++textAsked;
    const told = (how) => set(now({ text: { ...how, of } }));
    told(LOADING);
    const [length, { longest }] = [[...of].length, get()];
    if (length > longest) {
      const [has, most] = [length, longest].map((count) => count.toLocaleString("en"));
      return told(failed(`Your text has ${has} characters; at most ${most} are read. Please shorten it.`));
    }
    try {
      const window = windowOf(await call("overview", of));
      if (mine !== textAsked) return;
      show(arrived(window), {
        ...{ text: window.before + window.text, notes: window.notes, steps: [] },
        status: { text: { ...READY, of } },
      });
    } catch (error) {
      if (mine === textAsked) told(failed(error.message));
    }
  }

  /** Show the window that belongs to the text and the step: the end of the text if nothing is replayed. */
  async function showWindow() {
    const { text, window } = get();
    const start = get().start(view.get().step);
    const seen = text.slice(start, start + window.context_length);
    const key = keyOf(start, seen);
    if (kept.has(key)) return show(keep(kept.get(key)));
    if (get().status.window.state === "loading" && windowKey === key) return;
    const mine = ++windowAsked;
    windowKey = key;
    set(now({ window: LOADING }));
    try {
      const found = windowOf(await call("overview", seen), start);
      if (mine === windowAsked) show(arrived(found));
    } catch (error) {
      if (mine === windowAsked) set(now({ window: failed(error.message) }));
    }
  }

  // --- writing -------------------------------------------------------------------------------------------------

  let silence = 0;
  let base = { run: null, text: "", steps: [] }; // what stood on the page when the run began

  /**
   * News from the generation, as writing/api.py's `write` tells it. Its prompt begins at `offset` of the text on the page,
   * and the last `before` characters of it were generated earlier.
   */
  function writing(told) {
    if (!told?.text) return;
    if (base.run !== told.run) base = { run: told.run, text: get().text, steps: get().steps };
    const before = base.text.slice(0, told.offset) + told.prompt;
    // Write on sends the end of the text alone; what was generated before that end stays generated.
    const earlier = !told.before ? [] : before === base.text ? base.steps : base.steps.slice(-told.before);
    const { run, settings, seed } = told;
    const steps = told.steps.map((step) => ({
      ...{ ...step, start: step.start + told.offset },
      ...{ run, settings, seed },
    }));
    const text = before + told.text;
    [textAsked, windowAsked] = [textAsked + 1, windowAsked + 1]; // an answer about an older text is no longer wanted
    set({
      ...{ text, notes: told.notes, steps: [...earlier, ...steps], streaming: true },
      status: { text: { ...READY, of: text }, window: READY },
    });
    view.set({ text, generated_from: get().promptLength, step: null, position: null });
    timers.clear(silence);
    if (told.done) ended();
    else silence = timers.set(ended, SILENCE);
  }

  /** The writing has ended: by itself, by Stop, or by silence. */
  function ended() {
    if (!get().streaming) return;
    timers.clear(silence);
    set({ streaming: false });
    showWindow();
  }

  /**
   * Show again what the session once said: its text with all that is known of its writing, and what was asked for then,
   * on its way or refused. The View has been set to what it was.
   */
  function restore({ text, notes, steps, status }) {
    [textAsked, windowAsked] = [textAsked + 1, windowAsked + 1];
    set({ text, notes, steps, streaming: false, ...now({ text: status.text, window: READY }) });
    showWindow();
    if (status.text.state === "loading") showText(status.text.of);
  }

  // --- what the View asks for ----------------------------------------------------------------------------------

  /** A layer that is looked at is asked for, also when it failed before. */
  const look = (layer) => shown && ask(shown, layer);

  view.subscribe((chosen, changed) => {
    if (!shown) return;
    if (changed.has("text") && chosen.text !== get().status.text.of) showText(chosen.text);
    else if (changed.has("step") && !get().streaming) showWindow();
    if (changed.has("layer")) look(chosen.layer);
  });
  pointer.subscribe(({ layer }, changed) => changed.has("layer") && layer && look(layer));

  return {
    ...{ get, subscribe, open, showWindow, writing, ended, restore },
    /** A promise of a layer of a window, and of its logit lens: asked for if it is not here, also when it failed before. */
    layer: (number, window = get().window) => ask(knownOf.get(window), number),
    lens: (window = get().window) => ask(knownOf.get(window), "lens"),
  };
}

/** @type {Session} */
export const session = makeSession({ call, view, pointer });

/** Has more changed than a layer or the logit lens has arrived? */
export const besidesNumbers = (changed) => [...changed].some((key) => key !== "layers" && key !== "lens");

/** Is what is here what the View asks for? */
export const current = () => session.get().current(view.get().step);

/** Index of the first generated character. */
export const promptLength = () => session.get().promptLength;

/** The window on show, for what is only drawn, or asked, when there is one. */
export function windowNow() {
  const { window: shown } = session.get();
  if (!shown) throw new Error("The first text is not here yet.");
  return shown;
}
