// What the model said about the text on the page: asked for once per text, kept for the last few. The third immutable
// store beside view and pointer. The View says what is asked for; the session follows it and says what is here: each
// resource (the text, the window, every layer, the logit lens) has a status of its own, so that one can fail alone.
//
// A "window" is the part of the text that the model saw in one pass, at most context_length characters. Usually it is
// the end of the text. While the writing is replayed it is the window in which that character was chosen.

import { call as server } from "./api.js";
import { layerOf, lensOf, windowOf } from "./decode.js";
import { facts } from "./facts.js";
import { pointer as pointedAt, store, view as pageView } from "./store.js";
import { messageOf } from "./text.js";

/**
 * @import { Call, First, Layer, LogitLens, News, Pointer, Resource, SessionFields, SessionState } from "./types.d.ts"
 * @import { Status, Step, Store, Timers, View, Window } from "./types.d.ts"
 *
 * @typedef {Pick<SessionState, "layers" | "lens">} Parts of a window
 * @typedef {number | "lens"} Part a layer, by its number from 1, or the logit lens
 *
 * @typedef {object} Known What is known of a window.
 * @property {Window} window
 * @property {Parts} parts
 * @property {Map<Part, Promise<any>>} asking what is on its way
 * @property {Map<Part, number>} failures how often a part failed
 */

const KEPT = 4; // windows; one of 256 characters takes about 5 MB
const PAUSES = [2000, 4000, 8000, 16000]; // ms before what failed is asked for again, in the background
const SILENCE = 5000; // ms without news: the connection is gone, or the server busy; more news continue the text

/** @param {Status["state"]} state @returns {Status} */
const status = (state, error = "") => Object.freeze({ state, error });
const [MISSING, LOADING, READY] = [status("missing"), status("loading"), status("ready")];
/** @param {string} message */
const failed = (message) => status("failed", message);
/**
 * @template T
 * @param {Status} how
 * @param {T | null} value
 * @returns {Resource<T>}
 */
const resource = (how, value = null) => Object.freeze({ ...how, value });

/** What the session says at one moment; what follows from other fields is computed. */
class State {
  /** @param {SessionFields} fields */
  constructor(fields) {
    this.text = fields.text; // the whole text, normalized; positions count in it
    this.notes = fields.notes; // what was changed in it
    this.steps = fields.steps; // of each generated character, the last ones of the text
    this.window = fields.window;
    this.layers = fields.layers; // of the window, from layer 1
    this.lens = fields.lens; // its logit lens
    this.streaming = fields.streaming; // text is being written
    this.status = fields.status; // of the text, with `of`, the View's text that it is about; and of the window
    this.figures = fields.figures; // Plotly's layouts and traces, from figures.py
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

  /**
   * Where the window begins that belongs to the text and the step: the end of the text if nothing is replayed.
   * @param {number | null} step
   */
  start(step) {
    const end = Math.max(0, this.text.length - (this.window?.context_length ?? 0));
    return step ? (this.steps[step - 1]?.start ?? end) : end;
  }

  /**
   * Is the window at hand the one that belongs to the text and the step? Not while text streams in, or before it is here.
   * @param {number | null} step
   */
  current(step) {
    const { window: shown, text } = this;
    if (!shown || this.streaming || shown.start !== this.start(step)) return false;
    return shown.text === text.slice(shown.start, shown.start + shown.context_length);
  }

  /**
   * [probability, rank] that the model gave to a character of the text as the window saw it; undefined if it did not.
   * @param {number} position
   */
  given(position) {
    const { window: shown, text } = this;
    if (!shown || position < shown.start) return undefined;
    // What is given depends on the characters up to there, so it holds as long as these are the same.
    const length = position + 1 - shown.start;
    if (shown.text.slice(0, length) !== text.slice(shown.start, position + 1)) return undefined;
    return shown.given[length - 1];
  }
}

/** @type {Timers} */
const clock = { set: (run, ms) => setTimeout(run, ms), clear: (timer) => clearTimeout(timer) };

/**
 * A session that follows a View.
 * @param {object} how
 * @param {Call} how.call asks the server
 * @param {Store<View>} how.view
 * @param {Store<Pointer>} how.pointer
 * @param {number} how.longest characters that may be typed
 * @param {Timers} [how.timers]
 */
export function makeSession({ call, view, pointer, longest, timers = clock }) {
  /** @type {Parts} */
  const nothing = { layers: [], lens: resource(MISSING) };
  const { get, set, subscribe } = store(
    new State({
      text: "",
      notes: [],
      steps: [],
      window: null,
      ...nothing,
      streaming: false,
      figures: /** @type {any} */ (null),
      status: { text: { ...MISSING, of: "" }, window: MISSING },
    }),
    { made: (fields) => new State(fields), same: Object.is },
  );

  /** @type {Map<string, Known>} the last windows */
  const kept = new Map();
  /** @type {WeakMap<Window, Known>} those that somebody still holds too */
  const all = new WeakMap();
  /** @type {Known | null} the one on show */
  let shown = null;
  let [textAsked, windowAsked] = [0, 0]; // so that a late answer to an old question is dropped
  let windowKey = ""; // of the window that is on its way

  /** @param {number} start @param {string} text */
  const keyOf = (start, text) => `${start}:${text}`;

  /** @param {Known} known */
  function keep(known) {
    const key = keyOf(known.window.start, known.window.text);
    kept.delete(key);
    kept.set(key, known);
    const [oldest] = kept.keys();
    if (kept.size > KEPT) kept.delete(oldest);
    return known;
  }

  /** What is known of a window that has just arrived: also what came of the same characters before. @param {Window} seen */
  function arrived(seen) {
    const before = kept.get(keyOf(seen.start, seen.text));
    const same = before?.window.checkpoint === seen.checkpoint ? before?.parts : undefined;
    /** @template T @param {Resource<T> | undefined} part @returns {Resource<T>} */
    const here = (part) => (part?.value ? part : resource(MISSING));
    const layers = Array.from({ length: seen.n_layer }, (_, i) => here(same?.layers[i]));
    /** @type {Parts} */
    const parts = { layers, lens: here(same?.lens) };
    const known = { window: seen, parts, asking: new Map(), failures: new Map() };
    all.set(seen, known);
    return keep(known);
  }

  /** @param {Window | null} seen */
  function knownOf(seen) {
    const known = seen && all.get(seen);
    if (!known) throw new Error("The first text is not here yet.");
    return known;
  }

  /**
   * One part of what is known of a window has changed.
   * @param {Known} known
   * @param {Part} part
   * @param {Resource<any>} news
   */
  function put(known, part, news) {
    const { layers, lens } = known.parts;
    known.parts =
      part === "lens"
        ? { layers, lens: news }
        : { layers: layers.map((old, i) => (i === part - 1 ? news : old)), lens };
    if (known === shown) set(known.parts);
  }

  /**
   * A promise of a part of a window; the server is asked if it is not here, and at most once at a time.
   * @param {Known} known
   * @param {Part} part
   */
  function ask(known, part) {
    const { value } = part === "lens" ? known.parts.lens : known.parts.layers[part - 1];
    if (value) return Promise.resolve(value);
    const asked = known.asking.get(part);
    if (asked) return asked;
    const answer = fetched(known, part).finally(() => known.asking.delete(part));
    known.asking.set(part, answer);
    answer.catch(() => {}); // its status says so
    return answer;
  }

  /** @param {Known} known @param {Part} part */
  async function fetched(known, part) {
    const { window: seen, failures } = known;
    put(known, part, resource(LOADING));
    try {
      const value =
        part === "lens"
          ? lensOf(await call("logit_lens", seen.text), seen)
          : layerOf(await call("layer", seen.text, part), seen);
      put(known, part, resource(READY, value));
      return value;
    } catch (error) {
      put(known, part, resource(failed(messageOf(error))));
      const count = failures.get(part) ?? 0;
      failures.set(part, count + 1);
      if (count < PAUSES.length) timers.set(() => known === shown && ask(known, part), PAUSES[count]);
      throw error;
    }
  }

  /**
   * A window is here: show it, together with the news that came with it.
   * @param {Known} known
   * @param {Partial<SessionFields>} news
   */
  function show(known, news = {}) {
    shown = known;
    windowAsked++;
    const { text } = news.status ?? get().status;
    set({ ...news, window: known.window, ...known.parts, status: { text, window: READY } });
    ask(known, view.get().layer); // the others when they are looked at
  }

  /** @param {Status} how @param {string} of */
  const setText = (how, of) => set({ status: { ...get().status, text: { ...how, of } } });
  /** @param {Status} how */
  const setWindow = (how) => set({ status: { ...get().status, window: how } });

  /**
   * Start with the payload that came with the page.
   * @param {First} first
   * @param {readonly Step[]} steps of the writing of its last characters
   */
  function open(first, steps = []) {
    const known = arrived(windowOf(first.overview));
    const { window: seen } = known;
    put(known, first.layer.layer, resource(READY, layerOf(first.layer, seen)));
    view.set({ text: first.text, ...first.chosen });
    show(known, {
      figures: first.figures,
      text: seen.before + seen.text,
      notes: seen.notes,
      steps,
      status: { text: { ...READY, of: first.text }, window: READY },
    });
  }

  /**
   * Show a text that is not known to be normalized: what was typed, or what a link holds.
   * @param {string} of
   */
  async function showText(of) {
    const mine = ++textAsked;
    setText(LOADING, of);
    try {
      const { length } = [...of];
      if (length > longest) {
        const [has, most] = [length, longest].map((count) => count.toLocaleString("en"));
        throw new Error(`Your text has ${has} characters; at most ${most} are read. Please shorten it.`);
      }
      const seen = windowOf(await call("overview", of));
      if (mine !== textAsked) return;
      show(arrived(seen), {
        text: seen.before + seen.text,
        notes: seen.notes,
        steps: [],
        status: { text: { ...READY, of }, window: READY },
      });
    } catch (error) {
      if (mine === textAsked) setText(failed(messageOf(error)), of);
    }
  }

  /** Show the window that belongs to the text and the step: the end of the text if nothing is replayed. */
  async function showWindow() {
    const { text } = get();
    const start = get().start(view.get().step);
    const seen = text.slice(start, start + (get().window?.context_length ?? 0));
    const key = keyOf(start, seen);
    const known = kept.get(key);
    if (known) return show(keep(known));
    if (get().status.window.state === "loading" && windowKey === key) return;
    const mine = ++windowAsked;
    windowKey = key;
    setWindow(LOADING);
    try {
      const found = windowOf(await call("overview", seen), start);
      if (mine === windowAsked) show(arrived(found));
    } catch (error) {
      if (mine === windowAsked) setWindow(failed(messageOf(error)));
    }
  }

  // --- writing -------------------------------------------------------------------------------------------------

  /** @type {any} a timer */
  let silence = null;
  /** @type {{run: string | null, text: string, steps: readonly Step[]}} what stood on the page when the run began */
  let base = { run: null, text: "", steps: [] };

  /**
   * News from the generation, as writing/api.py's `write` tells it. Its prompt begins at `offset` of the text on the page,
   * and the last `before` characters of it were generated earlier.
   * @param {News} told
   */
  function writing(told) {
    if (!told.text) return;
    if (base.run !== told.run) base = { run: told.run, text: get().text, steps: get().steps };
    const before = base.text.slice(0, told.offset) + told.prompt;
    // Write on sends the end of the text alone; what was generated before that end stays generated.
    const earlier = !told.before ? [] : before === base.text ? base.steps : base.steps.slice(-told.before);
    const { run, settings, seed } = told;
    const steps = told.steps.map((step) => ({
      ...step,
      start: step.start + told.offset,
      run,
      settings,
      seed,
    }));
    written(before + told.text, told.notes, [...earlier, ...steps], true);
    timers.clear(silence);
    if (told.done) ended();
    else silence = timers.set(ended, SILENCE);
  }

  /**
   * One more character is written at the end of the text, as Step and Play do it.
   * @param {string} character
   * @param {Step} step
   */
  function append(character, step) {
    const { text, notes, steps } = get();
    written(text + character, notes, [...steps, step], false);
    showWindow();
  }

  /**
   * The text is longer, and its last characters are the model's.
   * @param {string} text
   * @param {readonly string[]} notes
   * @param {readonly Step[]} steps of all its generated characters
   * @param {boolean} streaming is more of it on its way?
   */
  function written(text, notes, steps, streaming) {
    [textAsked, windowAsked] = [textAsked + 1, windowAsked + 1]; // an answer about an older text is no longer wanted
    set({ text, notes, steps, streaming, status: { text: { ...READY, of: text }, window: READY } });
    view.set({ text, generated_from: get().promptLength, step: null, position: null });
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
   * @param {Pick<SessionFields, "text" | "notes" | "steps" | "status">} before
   */
  function restore({ text, notes, steps, status }) {
    [textAsked, windowAsked] = [textAsked + 1, windowAsked + 1];
    set({ text, notes, steps, streaming: false, status: { text: status.text, window: READY } });
    showWindow();
    if (status.text.state === "loading") showText(status.text.of);
  }

  // --- what the View asks for ----------------------------------------------------------------------------------

  /** A layer that is looked at is asked for, also when it failed before. @param {number} layer */
  const look = (layer) => shown && ask(shown, layer);

  view.subscribe((chosen, changed) => {
    if (!shown) return;
    if (changed.has("text") && chosen.text !== get().status.text.of) showText(chosen.text);
    else if (changed.has("step") && !get().streaming) showWindow();
    if (changed.has("layer")) look(chosen.layer);
  });
  pointer.subscribe(({ layer }, changed) => changed.has("layer") && layer && look(layer));

  return {
    get,
    subscribe,
    open,
    showWindow,
    writing,
    append,
    ended,
    restore,
    /**
     * A promise of a layer of a window: asked for if it is not here, also when it failed before.
     * @param {number} number
     * @returns {Promise<Layer>}
     */
    layer: (number, seen = get().window) => ask(knownOf(seen), number),
    /** Of its logit lens. @returns {Promise<LogitLens>} */
    lens: (seen = get().window) => ask(knownOf(seen), "lens"),
  };
}

export const session = makeSession({
  call: server,
  view: pageView,
  pointer: pointedAt,
  longest: facts.limits.prompt,
});

/** Has more changed than a layer or the logit lens has arrived? @param {Set<string>} changed */
export const besidesNumbers = (changed) => [...changed].some((key) => key !== "layers" && key !== "lens");

/** Is what is here what the View asks for? */
export const current = () => session.get().current(pageView.get().step);

/** Index of the first generated character. */
export const promptLength = () => session.get().promptLength;

/** The window on show, for what is only drawn, or asked, when there is one. */
export function windowNow() {
  const { window: shown } = session.get();
  if (!shown) throw new Error("The first text is not here yet.");
  return shown;
}
