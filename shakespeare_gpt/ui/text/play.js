// Step and Play: one character after the other, each drawn in the browser from the model's logits with a random number of the
// seed, just as Generate draws on the server.
//
// A run is what one seed and one set of settings write on from one text: its k-th character is drawn with the seed's k-th
// number, so it says letter for letter what `sg.generate` says of that text. Step goes on with the run that ended where the
// text ends, also with one of Generate's, as long as the settings are those that it was drawn with. Otherwise, and after a
// character that the visitor chose, it begins a run with the seed of the settings; with -1 a new seed is drawn for it once.
// What a run saw is what generation.py's Window saw: the end of the text, as much as fits, until that is full; then its last
// part, and from there on again.

import { distribution, draw } from "../core/sampling.js";
import { store } from "../core/store.js";
import { messageOf } from "../core/text.js";

/** @import { Call, Distribution, Facts, Sampling, SessionState, Settings, Step, Store, View } from "../core/types.d.ts" */

/**
 * @typedef {object} Place A place in the text, or right behind it, and what stands or could stand there.
 * @property {number} position from 0
 * @property {Step | null} step of the character there, if it was generated
 * @property {Sampling} settings that it was drawn with, or would be
 * @property {number[]} logits by the character's id
 * @property {Draw | null} drawn how it was, or would be; null if nobody draws there
 *
 * @typedef {object} Draw
 * @property {number | null} seed null: a new one
 * @property {number} count which of its numbers, from 1
 * @property {number | null} number null: it is not known yet
 *
 * @typedef {object} State
 * @property {boolean} playing
 * @property {string} error why there was no other character
 * @property {number | null} falling the number that draws the next character right now
 * @property {number | null} fallen the number that drew the last one, if it was written just now
 *
 * @typedef {{seed: number, run: string, count: number, start: number}} Run which it is, and how far; what it saw at last
 */

/** Of a character that the visitor chose: the model's own distribution. @type {Readonly<Sampling>} */
export const PLAIN = Object.freeze({ temperature: 1, top_k: 0, top_p: 1 });
const SAMPLING = /** @type {const} */ (["temperature", "top_k", "top_p"]);

/** How many random numbers one answer has. */
export const NUMBERS = 100;

/**
 * The run that a Step goes on with; null if it begins another one.
 * @param {readonly Step[]} steps
 * @param {Settings} settings
 * @returns {Run | null}
 */
export function goesOn(steps, settings) {
  const last = steps.at(-1);
  if (!last || last.seed === null) return null;
  if (SAMPLING.some((name) => last.settings[name] !== settings[name])) return null;
  const which = last.seed - settings.seed; // of several continuations each has a seed of its own
  if (settings.seed !== -1 && !(which >= 0 && which < settings.samples)) return null;
  return {
    seed: last.seed,
    run: last.run,
    count: placeInRun(steps, steps.length - 1) + 1,
    start: last.start,
  };
}

/** The place of a step in its run, from 0. @param {readonly Step[]} steps @param {number} index */
export const placeInRun = (steps, index) =>
  index - 1 - steps.slice(0, index).findLastIndex(({ run }) => run !== steps[index].run);

/**
 * Index of the first character that the model sees when it writes the one at `position`.
 * @param {number} position
 * @param {Pick<Run, "start"> | null} run that goes on there
 * @param {Pick<Facts["model"], "context_length" | "kept">} model
 */
export function seenFrom(position, run, { context_length, kept }) {
  if (!run) return Math.max(0, position - context_length);
  return position - run.start > context_length ? position - kept : run.start;
}

/**
 * Step and Play of a session.
 * @param {object} how
 * @param {Call} how.call asks the server
 * @param {Call} how.ask the same, and remembers what it said
 * @param {Pick<Store<SessionState>, "get" | "subscribe"> & {append: (character: string, step: Step) => void}} how.session
 * @param {Store<View>} how.view
 * @param {Pick<Facts, "model" | "vocabulary" | "limits">} how.facts
 * @param {() => void} how.typed reads what was typed a moment ago
 * @param {(ms: number) => Promise<void>} how.pause
 */
export function makePlay({ call, ask, session, view, facts, typed, pause }) {
  const { vocabulary, model, limits } = facts;
  const state = store(/** @type {State} */ ({ playing: false, error: "", falling: null, fallen: null }));
  let turn = 0; // of what is being done; what is on its way for an earlier one is dropped
  let reading = false; // what was typed a moment ago: it is not what ends a play
  /** @type {object | null} */
  let playing = null;
  let replaying = false; // what plays is a replay
  let expected = ""; // the text, as it was written here

  // --- what stands, or could stand, at a place ---------------------------------------------------------------------

  /**
   * The place that is looked at: the replayed character; where one asks how sure the model was, the held one; else the
   * one that comes next, also while the links of a held character are looked at.
   */
  function looked() {
    const { position, step, direction } = view.get();
    if (position && direction === "how sure") return position - 1;
    return step ? session.get().promptLength + step - 1 : session.get().text.length;
  }

  /**
   * What stands, or could stand, at a place; null if nothing before it was seen.
   * @param {number} position
   * @returns {Promise<Place | null>}
   */
  async function at(position) {
    const { text, steps, promptLength } = session.get();
    const { sampling } = view.get();
    const index = position - promptLength;
    const step = steps[index] ?? null;
    const next = position === text.length;
    const going = next ? goesOn(steps, sampling) : null;
    const start = step?.start ?? (next ? seenFrom(position, going, model) : typedFrom(position));
    if (position === start) return null;
    const logits = await logitsOf(text, start, position);
    /** @type {Draw | null} */
    let drawn = null;
    if (next) {
      const seed = going?.seed ?? (sampling.seed < 0 ? null : sampling.seed);
      drawn = { seed, count: (going?.count ?? 0) + 1, number: null };
    } else if (step && step.seed !== null) {
      const count = placeInRun(steps, index);
      drawn = { seed: step.seed, count: count + 1, number: await numberOf(step.seed, count) };
    }
    return { position, step, settings: step?.settings ?? sampling, logits, drawn };
  }

  /** What the model saw before a typed character: of the window on show, if it stands in it. @param {number} position */
  function typedFrom(position) {
    const first = Math.max(0, position - model.context_length);
    return Math.max(first, Math.min(session.get().window?.start ?? 0, position));
  }

  /**
   * Of the character at a position, for a model that sees the text from `start` on.
   * @param {string} text
   * @param {number} start
   * @param {number} position
   * @returns {Promise<number[]>}
   */
  const logitsOf = async (text, start, position) =>
    // Asked of a whole window, which the server has looked at already: what comes later changes nothing.
    (await ask("logits", text.slice(start, start + model.context_length), position - start)).logits;

  /** The k-th number of a seed, from 0. @param {number} seed @param {number} k @returns {Promise<number>} */
  const numberOf = async (seed, k) => (await ask("numbers", seed, k - (k % NUMBERS))).numbers[k % NUMBERS];

  // --- writing -----------------------------------------------------------------------------------------------------

  /** Until nothing is on its way to the session. @returns {Promise<void>} */
  const arrived = () =>
    new Promise((resolve) => {
      const here = () => !session.get().loading && !session.get().streaming;
      if (here()) return resolve();
      const end = session.subscribe(() => here() && (end(), resolve()));
    });

  /**
   * One turn, unless something else begins meanwhile. True if it came to its end.
   * @param {(still: () => boolean) => Promise<void>} work
   */
  async function turnOf(work) {
    const mine = ++turn;
    const still = () => mine === turn;
    state.set({ error: "", falling: null, fallen: null });
    try {
      await work(still);
    } catch (error) {
      if (still()) state.set({ error: messageOf(error), falling: null });
      return false;
    }
    return still();
  }

  /** What was typed a moment ago is read first. The end of the text is looked at. @param {() => boolean} still */
  async function ready(still) {
    reading = true;
    typed();
    await null; // until the session has heard of it
    await arrived();
    reading = false;
    const { status, steps } = session.get();
    if (status.text.state === "failed") throw new Error(status.text.error);
    if (steps.length >= limits.new) {
      const most = limits.new.toLocaleString("en");
      throw new Error(`${most} characters are written: more than these Step and Play do not write.`);
    }
    if (still()) view.set({ position: null, step: null });
  }

  /** The next character, of the run that goes on or of a new one. @param {number} shown ms for which its draw is shown */
  const write = (shown) =>
    turnOf(async (still) => {
      await ready(still);
      if (!still()) return;
      const { text, steps } = session.get();
      const { temperature, top_k, top_p, seed: wanted } = view.get().sampling;
      const going = goesOn(steps, view.get().sampling);
      const start = seenFrom(text.length, going, model);
      const seed = going?.seed ?? (wanted < 0 ? (await call("numbers", -1, 0)).seed : wanted);
      const [logits, number] = await Promise.all([
        logitsOf(text, start, text.length),
        numberOf(seed, going?.count ?? 0),
      ]);
      if (!still()) return;
      state.set({ falling: number });
      if (shown) await pause(shown);
      if (!still()) return;
      const settings = { temperature, top_k, top_p };
      const told = distribution(logits, settings);
      const run = going?.run ?? newRun();
      join(draw(told.unnormalized, number), told, { start, run, settings, seed });
      state.set({ falling: null, fallen: number });
    });

  /** A character that the visitor chose; no number is drawn for it. @param {number} id */
  function choose(id) {
    stop();
    return turnOf(async (still) => {
      await ready(still);
      if (!still()) return;
      const { text, steps } = session.get();
      const last = steps.at(-1);
      const before = last?.seed === null ? last : null; // several in a row are one run
      const start = seenFrom(text.length, before, model);
      const logits = await logitsOf(text, start, text.length);
      if (!still()) return;
      const run = before?.run ?? newRun();
      join(id, distribution(logits, PLAIN), { start, run, settings: PLAIN, seed: null });
    });
  }

  /**
   * @param {number} id
   * @param {Distribution} told
   * @param {Pick<Step, "start" | "run" | "settings" | "seed">} about
   */
  function join(id, { probabilities, rank, entropy }, about) {
    expected = session.get().text + vocabulary[id];
    session.append(vocabulary[id], { probability: probabilities[id], rank: rank[id], entropy, ...about });
  }

  /** A name that no other run has, also after a reload. */
  const newRun = () => `step ${Math.random().toString(36).slice(2)}`;

  /** The next one of the written characters, while these are replayed; behind the last one the replay ends. */
  const replay = () =>
    turnOf(async () => {
      const step = (view.get().step ?? 0) + 1;
      view.set({ step: step > session.get().written ? null : step, position: null });
    });

  /** One character more. @param {number} shown ms for which its draw is shown */
  function one(shown) {
    stop();
    return view.get().step ? replay() : write(shown);
  }

  /**
   * One character after the other, until something ends it.
   * @param {() => {shown: number, between: number}} pace ms for which a draw is shown, and until the next one
   */
  async function play(pace) {
    stop();
    const mine = (playing = {});
    replaying = view.get().step !== null;
    state.set({ playing: true });
    while (playing === mine && (await (replaying ? replay() : write(pace().shown)))) {
      await arrived(); // the maps follow
      if (replaying && !view.get().step) break;
      await pause(pace().between);
    }
    if (playing !== mine) return;
    playing = null;
    state.set({ playing: false });
  }

  /** End the play, and drop the character that is being drawn. */
  function stop() {
    turn++;
    playing = null;
    state.set({ playing: false, error: "", falling: null, fallen: null });
  }

  // --- what ends it ------------------------------------------------------------------------------------------------

  session.subscribe(({ text, streaming }, changed) => {
    if (!reading && (streaming || (changed.has("text") && text !== expected))) stop();
  });
  view.subscribe(({ text, position, step }, changed) => {
    if (reading) return;
    const edited = changed.has("text") && text !== expected;
    // Another place is looked at: a replay goes on from any step, the writing from none.
    const away =
      (changed.has("position") && position) || (changed.has("step") && replaying !== (step !== null));
    if (edited || (playing && away)) stop();
  });

  return { state, looked, at, step: one, choose, play, stop };
}
