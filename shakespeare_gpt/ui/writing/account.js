// The account of a run, as `write` in api.py tells it: lines of JSON, of which more and more arrive.

import { plural } from "../core/text.js";

/**
 * @typedef {object} Step How sure the model was of a generated character.
 * @property {number} probability
 * @property {number} rank 1 for the likeliest
 * @property {number} entropy nats
 * @property {number} start index of the first character, in prompt and text, that the model saw
 *
 * @typedef {{seed: number, text: string, steps: Step[]}} Sample One continuation, without the prompt.
 *
 * @typedef {object} Run
 * @property {string} run its name
 * @property {number} offset how many characters of the text on the page come before the prompt
 * @property {number} before how many of the prompt's last characters were generated earlier
 * @property {string} prompt as the model reads it
 * @property {number[]} seeds
 * @property {{temperature: number, top_k: number, top_p: number}} settings
 * @property {string[]} notes
 * @property {number} seconds
 * @property {boolean} done
 * @property {Sample[]} samples
 *
 * @typedef {{lines: string, run: Run | null}} Account
 */

/** @type {Account} */
export const NOTHING_READ = Object.freeze({ lines: "", run: null });

/**
 * What the lines say so far; only what is new in them is read. What does not begin with the first line of a run is
 * passed over: after Clear, Gradio may append to nothing what was still on its way.
 * @param {Account} account
 * @param {string} lines
 * @returns {Account}
 */
export function read(account, lines) {
  const goesOn = account.lines !== "" && lines.startsWith(account.lines);
  if (!goesOn && !begins(lines)) return account;
  const told = lines
    .slice(goesOn ? account.lines.length : 0)
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  return { lines, run: told.reduce(added, goesOn ? account.run : null) };
}

/** @param {string} lines */
function begins(lines) {
  try {
    return Boolean(JSON.parse(lines.split("\n", 1)[0]).seeds);
  } catch {
    return false;
  }
}

/**
 * A run with what one more line says of it; the first line makes it.
 * @param {Run | null} run
 * @param {Partial<Run> & {texts?: string[], steps?: [number, number, number, number][][]}} line
 * @returns {Run}
 */
function added(run, { texts = [], steps = [], ...about }) {
  const begun = run ?? { done: false, samples: (about.seeds ?? []).map(begin), ...about };
  const samples = begun.samples.map((sample, i) => ({
    ...sample,
    text: sample.text + (texts[i] ?? ""),
    steps: [...sample.steps, ...(steps[i] ?? []).map(named)],
  }));
  return /** @type {Run} */ ({ ...begun, ...about, samples });
}

/** @param {number} seed @returns {Sample} */
const begin = (seed) => ({ seed, text: "", steps: [] });

/** @param {[number, number, number, number]} step @returns {Step} */
const named = ([probability, rank, entropy, start]) => ({ probability, rank, entropy, start });

/**
 * The line under the buttons.
 * @param {Run} run
 * @param {boolean} stopped by the visitor: then the account never says that it is done
 * @param {boolean} [silent] has nothing been heard from the server for a while?
 */
export function sentence({ seeds, seconds, samples, done }, stopped, silent = false) {
  const going = silent ? "The server is silent after" : "Writing:";
  const state = done ? "Wrote" : stopped ? "Stopped after" : going;
  const count = samples[0].text.length;
  const several = samples.length > 1;
  const which = several ? `seeds ${seeds[0]} to ${seeds.at(-1)}` : `seed ${seeds[0]}`;
  return `${state} ${count} ${plural("character", count)}${several ? " each" : ""} in ${seconds.toFixed(1)} s, ${which}.`;
}

/**
 * The prompt of Write on: the end of the text, and where it stands in that text.
 * @param {string} text the whole text on the page
 * @param {number} promptLength how many of its first characters were typed
 * @param {number} longest characters that a prompt may have
 */
export function endOf(text, promptLength, longest) {
  const prompt = text.slice(-longest);
  const before = Math.min(prompt.length, text.length - promptLength);
  return { prompt, place: { offset: text.length - prompt.length, before } };
}
