// What mattered for a prediction: the effect of each head that is off, and of each earlier character that may not be looked
// at. It is asked for when what is pointed at rests, and kept for a while; whoever shows it draws again when it arrives.

import { call } from "./api.js";
import { windowNow } from "./session.js";
import { checked, nullOr } from "./shape.js";
import { store } from "./store.js";
import { messageOf } from "./text.js";

/**
 * @typedef {{moved: number[], helped: number[] | null}} Knockout of each character up to a place, nats
 * @typedef {{moved: number[][][], helped: number[][] | null}} HeadEffects [layer][head][position]; [layer][head]
 * @typedef {{moved: number[][]}} Through [layer][head]
 * @typedef {"knockout" | "head_effects" | "through"} Kind
 */

const PAUSE = 90; // ms that something must be looked at before it is asked for
const AGAIN = 5000; // ms until what failed may be asked for again, when somebody looks at it
const KEPT = 2000; // answers: every row of several heads
const SHAPES = {
  knockout: { moved: ["number"], helped: nullOr(["number"]) },
  head_effects: { moved: [[["number"]]], helped: nullOr([["number"]]) },
  through: { moved: [["number"]] },
};

/** Tells when something has arrived, or why not. */
export const mattered = store({ arrived: 0, error: "" });

/** @type {Map<string, any>} what is here, by the question */
const here = new Map();
/** @type {Map<string, number>} when which question failed last */
const failed = new Map();
/** @type {Map<Kind, {question: string, timer: ReturnType<typeof setTimeout>}>} what is next, of each kind */
const waiting = new Map();

/**
 * An answer if it is here; else null, and it is asked for if nothing else of its kind is, within a moment.
 * @param {Kind} kind
 * @param {any[]} args
 */
function got(kind, ...args) {
  const question = JSON.stringify([kind, ...args]);
  const found = here.get(question);
  if (found) return found;
  // Who is told of a failure draws again: that is no reason to ask again.
  if (Date.now() - (failed.get(question) ?? -Infinity) < AGAIN) return null;
  const next = waiting.get(kind);
  if (next?.question === question) return null;
  clearTimeout(next?.timer);
  waiting.set(kind, { question, timer: setTimeout(fetched, PAUSE, kind, args, question) });
  return null;
}

/** @param {Kind} kind @param {any[]} args @param {string} question */
async function fetched(kind, args, question) {
  let error = "";
  try {
    here.set(question, checked(await call(kind, ...args), SHAPES[kind]));
    const [oldest] = here.keys();
    if (here.size > KEPT) here.delete(oldest);
  } catch (problem) {
    error = messageOf(problem);
    if (failed.size > KEPT) failed.clear();
    failed.set(question, Date.now());
  }
  if (waiting.get(kind)?.question === question) waiting.delete(kind);
  mattered.set({ arrived: mattered.get().arrived + 1, error });
}

/**
 * For the prediction after a character: what each one up to it was worth, in all heads, or in one.
 * @param {number} position index into the whole text
 * @param {number} [layer] from 1; 0: all of them
 * @param {number} [head]
 * @returns {Knockout | null}
 */
export function knockout(position, layer = 0, head = 0) {
  const { start, text } = windowNow();
  return got("knockout", text, position - start + 1, layer, head);
}

/**
 * The rows of a head's knockout that are here, of the window: [query][key], nats; null for one that nobody looked at yet.
 * @param {number} layer from 1
 * @param {number} head
 */
export function knownRows(layer, head) {
  const { text, length } = windowNow();
  return Array.from({ length }, (_, query) => {
    /** @type {Knockout | undefined} */
    const found = here.get(JSON.stringify(["knockout", text, query + 1, layer, head]));
    return found?.moved ?? null;
  });
}

/** What every head was worth, for each prediction. @returns {HeadEffects | null} */
export const headEffects = () => got("head_effects", windowNow().text);

/**
 * Through which heads a character mattered for the prediction after another one.
 * @param {number} position index into the whole text
 * @param {number} key another one
 * @returns {Through | null}
 */
export function through(position, key) {
  const { start, text } = windowNow();
  return got("through", text, position - start + 1, key - start + 1);
}

/**
 * How far two orders agree, from -1 to 1: Spearman's rank correlation, which is Pearson's of the ranks; equal numbers share
 * their mean rank. NaN where all numbers of a side are equal.
 * @param {ArrayLike<number>} one
 * @param {ArrayLike<number>} other of the same length
 */
export function spearman(one, other) {
  const [a, b] = [ranks(one), ranks(other)];
  const middle = (a.length + 1) / 2;
  let [both, left, right] = [0, 0, 0];
  a.forEach((rank, i) => {
    both += (rank - middle) * (b[i] - middle);
    left += (rank - middle) ** 2;
    right += (b[i] - middle) ** 2;
  });
  return both / Math.sqrt(left * right);
}

/** From 1 for the smallest; equal numbers share their mean rank. @param {ArrayLike<number>} numbers */
function ranks(numbers) {
  const order = Array.from(numbers, (_, i) => i).sort((i, j) => numbers[i] - numbers[j]);
  /** @type {number[]} */
  const out = Array(order.length);
  for (let from = 0; from < order.length;) {
    let to = from;
    while (to + 1 < order.length && numbers[order[to + 1]] === numbers[order[from]]) to++;
    for (let i = from; i <= to; i++) out[order[i]] = (from + to) / 2 + 1;
    from = to + 1;
  }
  return out;
}

/** What a correlation of looking and mattering means. @param {number} rho */
export function agreement(rho) {
  if (Number.isNaN(rho)) return "";
  if (rho >= 0.7) return "what it looks at is what mattered";
  if (rho >= 0.3) return "looking and mattering agree in part";
  return rho > -0.3 ? "looking says little about what mattered" : "what it looks at mattered the least";
}
