// Step and Play: which run goes on, what the model saw, what ends a play, and that nothing is lost when the server is away.

import assert from "node:assert/strict";
import { test } from "node:test";

import { distribution, draw } from "../../../shakespeare_gpt/ui/core/sampling.js";
import { VIEW, store } from "../../../shakespeare_gpt/ui/core/store.js";
import {
  NUMBERS,
  PLAIN,
  goesOn,
  makePlay,
  placeInRun,
  seenFrom,
} from "../../../shakespeare_gpt/ui/text/play.js";

/** @import { Sampling, SessionState, Step } from "../../../shakespeare_gpt/ui/core/types.d.ts" */

const VOCABULARY = "abc";
const MODEL = { n_layer: 1, n_head: 1, context_length: 6, vocab_size: 3, kept: 3 };
const SETTINGS = { ...VIEW.sampling, temperature: 1, top_k: 0, top_p: 1, seed: 7 };

/** @param {Partial<Step>} [about] @returns {Step} */
const stepOf = (about = {}) => ({
  ...{ probability: 1, rank: 1, entropy: 0, start: 0, run: "r", seed: 7 },
  settings: { temperature: 1, top_k: 0, top_p: 1 },
  ...about,
});

/** What this test's model says after a text: its logits depend on all of it. @param {string} seen */
const logitsAfter = (seen) => [...VOCABULARY].map((c, i) => Math.sin(7 * i + [...seen].reduce((a, b) => 3 * a + b.charCodeAt(0), 0) % 101)); // prettier-ignore
/** @param {number} seed @param {number} k from 0 */
const numberOf = (seed, k) => Math.abs(Math.sin(seed * 12.9898 + k * 78.233)) % 1;

/** What the server's sampler writes on from a text, as generation.py's Window reads it. @param {string} prompt @param {number} count @param {Sampling} settings @param {number} seed */
function generated(prompt, count, settings, seed) {
  const { context_length, kept } = MODEL;
  let [text, start] = [prompt, Math.max(0, prompt.length - context_length)];
  for (let k = 0, read = prompt.length - start; k < count; k++, read++) {
    if (read > context_length) [start, read] = [text.length - kept, kept];
    text +=
      VOCABULARY[
        draw(distribution(logitsAfter(text.slice(start)), settings).unnormalized, numberOf(seed, k))
      ];
  }
  return text.slice(prompt.length);
}

/** A play of a small session, with a server that answers at once, unless it is away. */
function begun(text = "abcab", sampling = SETTINGS) {
  const server = { away: false, seeds: 40, asked: /** @type {any[][]} */ ([]) };
  /** @param {string} name @param {any[]} args @returns {Promise<any>} */
  const call = async (name, ...args) => {
    server.asked.push([name, ...args]);
    if (server.away) throw new Error("The server does not answer.");
    if (name === "logits") return { logits: logitsAfter(args[0].slice(0, args[1])) };
    const seed = args[0] < 0 ? server.seeds++ : args[0];
    return { seed, numbers: Array.from({ length: NUMBERS }, (_, i) => numberOf(seed, args[1] + i)) };
  };
  const view = store({ ...VIEW, text, sampling });
  const state = store(/** @type {any} */ ({
    ...{ text, steps: [], promptLength: text.length, loading: false, streaming: false, window: { start: 0 } },
    ...{ written: 0, status: { text: { state: "ready", error: "" } } },
  })); // prettier-ignore
  const session = {
    get: () => /** @type {SessionState} */ (state.get()),
    subscribe: /** @type {any} */ (state.subscribe),
    append: (/** @type {string} */ character, /** @type {Step} */ step) => {
      const { text: before, steps } = state.get();
      const longer = before + character;
      state.set({ text: longer, steps: [...steps, step], written: steps.length + 1 });
      view.set({ text: longer, generated_from: text.length, step: null, position: null });
    },
  };
  /** @type {(() => void)[]} */
  const pauses = [];
  const pause = () => new Promise((/** @type {(value: void) => void} */ resolve) => pauses.push(resolve));
  const facts = {
    model: MODEL,
    vocabulary: VOCABULARY,
    limits: { prompt: 20, new: 30, link: 50, runs: 5, seed: 99 },
  };
  const play = makePlay({ call, ask: call, session, view, facts, typed: () => {}, pause });
  const written = () => state.get().text.slice(text.length);
  return { play, view, state, server, pauses, written };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));
const PACE = () => ({ shown: 0, between: 1 });

test("a run goes on while nothing has changed", () => {
  const steps = [stepOf({ run: "a" }), stepOf({ run: "b", start: 2 }), stepOf({ run: "b", start: 2 })];
  const going = { seed: 7, run: "b", count: 2, start: 2 };
  assert.deepEqual(goesOn(steps, SETTINGS), going);
  assert.deepEqual(goesOn(steps, { ...SETTINGS, seed: -1 }), going);
  assert.deepEqual(goesOn(steps, { ...SETTINGS, seed: 5, samples: 3 }), going); // the third of three continuations
  const others = [{ seed: 8 }, { seed: 5, samples: 2 }, { temperature: 0.9 }, { top_k: 3 }, { top_p: 0.9 }];
  for (const other of others) assert.equal(goesOn(steps, { ...SETTINGS, ...other }), null);
  assert.equal(goesOn([], SETTINGS), null);
  assert.equal(goesOn([...steps, stepOf({ seed: null })], SETTINGS), null);
  assert.deepEqual([0, 1, 2].map((i) => placeInRun(steps, i)), [0, 0, 1]); // prettier-ignore
});

test("what the model sees is the window of generation.py", () => {
  assert.equal(seenFrom(4, null, MODEL), 0);
  assert.equal(seenFrom(9, null, MODEL), 3);
  assert.equal(seenFrom(9, { start: 3 }, MODEL), 3);
  assert.equal(seenFrom(10, { start: 3 }, MODEL), 7);
});

for (const count of [1, 2, 20]) {
  test(`${count} steps write what the sampler writes, also past the context`, async () => {
    for (const sampling of [SETTINGS, { ...SETTINGS, temperature: 1.7, top_k: 2, top_p: 0.8 }]) {
      const { play, written, state } = begun("abcab", sampling);
      for (let i = 0; i < count; i++) assert.equal(await play.step(0), true);
      assert.equal(written(), generated("abcab", count, sampling, 7));
      assert.equal(new Set(state.get().steps.map((/** @type {Step} */ { run }) => run)).size, 1);
    }
  });
}

test("a step says how sure the model was", async () => {
  const { play, state } = begun();
  await play.step(0);
  const [step] = state.get().steps;
  const { probabilities, rank, entropy } = distribution(logitsAfter("abcab"), SETTINGS);
  const id = VOCABULARY.indexOf(state.get().text.at(-1));
  const { run, settings, ...numbers } = step;
  assert.deepEqual(numbers, { probability: probabilities[id], rank: rank[id], entropy, start: 0, seed: 7 });
  assert.deepEqual(settings, { temperature: 1, top_k: 0, top_p: 1 });
  assert.ok(run);
});

test("the number that drew the last character is told until something else happens", async () => {
  const { play, state } = begun();
  await play.step(0);
  assert.equal(play.state.get().fallen, numberOf(7, 0));
  await settled();
  assert.equal(play.state.get().fallen, numberOf(7, 0)); // the text that came of it is no reason
  state.set({ text: "another" });
  await settled();
  assert.equal(play.state.get().fallen, null);
  await play.choose(1);
  assert.equal(play.state.get().fallen, null);
});

test("with another setting a new run begins, with the seed of the settings", async () => {
  const { play, view, written } = begun();
  await play.step(0);
  await play.step(0);
  const first = written();
  const sampling = { ...SETTINGS, temperature: 0.5 };
  view.set({ sampling });
  await play.step(0);
  assert.equal(written(), first + generated("abcab" + first, 1, sampling, 7));
});

test("a seed of -1 is drawn once for a run", async () => {
  const { play, state, view, written } = begun("abcab", { ...SETTINGS, seed: -1 });
  for (let i = 0; i < 3; i++) await play.step(0);
  const seeds = () => state.get().steps.map((/** @type {Step} */ { seed }) => seed);
  assert.deepEqual(seeds(), [40, 40, 40]);
  assert.equal(written(), generated("abcab", 3, SETTINGS, 40));
  view.set({ sampling: { ...SETTINGS, seed: -1, top_k: 2 } });
  await play.step(0);
  assert.deepEqual(seeds(), [40, 40, 40, 41]);
});

test("a chosen character has the model's own probability, and draws no number", async () => {
  const { play, state, written } = begun("abcab", { ...SETTINGS, temperature: 0.1 });
  await play.choose(2);
  await play.choose(0);
  const [first, second] = state.get().steps;
  assert.equal(first.probability, distribution(logitsAfter("abcab"), PLAIN).probabilities[2]);
  assert.deepEqual([first.seed, first.settings, first.run], [null, PLAIN, second.run]);
  await play.step(0);
  assert.equal(written(), "ca" + generated("abcabca", 1, { ...PLAIN, temperature: 0.1 }, 7));
});

test("what could have stood at a place is what it was drawn from, with its number", async () => {
  const { play, view } = begun();
  for (let i = 0; i < 12; i++) await play.step(0);
  const text = "abcab" + generated("abcab", 12, SETTINGS, 7);
  view.set({ step: 9 });
  assert.equal(play.looked(), 5 + 8);
  const there = await play.at(play.looked());
  assert.deepEqual(there?.drawn, { seed: 7, count: 9, number: numberOf(7, 8) });
  const told = distribution(there?.logits ?? [], SETTINGS);
  assert.equal(VOCABULARY[draw(told.unnormalized, numberOf(7, 8))], text[13]);
  view.set({ step: null, position: 3 });
  assert.equal(play.looked(), 17); // the links of a held character are looked at, and what comes next
  view.set({ direction: "how sure" });
  const typed = await play.at(play.looked());
  assert.deepEqual([typed?.position, typed?.step, typed?.drawn], [2, null, null]);
  assert.deepEqual(typed?.logits, logitsAfter("ab"));
  assert.equal(await play.at(0), null);
  view.set({ position: null });
  assert.deepEqual((await play.at(play.looked()))?.drawn, { seed: 7, count: 13, number: null });
});

test("a play goes on until it is stopped", async () => {
  const { play, pauses, written } = begun();
  play.play(PACE);
  for (let i = 1; i <= 4; i++) {
    await settled();
    assert.equal(written().length, i);
    pauses.pop()?.();
  }
  await settled();
  assert.equal(play.state.get().playing, true);
  play.stop();
  pauses.pop()?.();
  await settled();
  assert.deepEqual([written().length, play.state.get().playing], [5, false]);
  assert.equal(written(), generated("abcab", 5, SETTINGS, 7));
});

test("an edit, a run of Generate and another place end a play, and drop the character that is being drawn", async () => {
  /** @type {((one: ReturnType<typeof begun>) => void)[]} */
  const ends = [
    ({ view }) => view.set({ text: "other", generated_from: null }),
    ({ state }) => state.set({ streaming: true }),
    ({ state }) => state.set({ text: "a link's" }),
    ({ view }) => view.set({ position: 2 }),
    ({ view }) => view.set({ step: 1 }),
    ({ play }) => play.stop(),
  ];
  for (const end of ends) {
    const one = begun();
    one.play.play(() => ({ shown: 1, between: 1 }));
    await settled();
    one.pauses.pop()?.();
    await settled(); // one is written; this is the pause before the next
    one.pauses.pop()?.();
    await settled(); // it is being drawn
    assert.notEqual(one.play.state.get().falling, null);
    end(one);
    await settled();
    const { playing, falling } = one.play.state.get();
    assert.deepEqual([playing, falling], [false, null], String(end));
    one.pauses.pop()?.();
    await settled();
    assert.equal(one.state.get().steps.length, 1, String(end));
  }
});

test("a replay moves on, and ends behind the last character", async () => {
  const { play, view, pauses, written } = begun();
  for (let i = 0; i < 3; i++) await play.step(0);
  view.set({ step: 1 });
  await play.step(0);
  assert.equal(view.get().step, 2);
  play.play(PACE);
  await settled();
  assert.equal(view.get().step, 3);
  pauses.pop()?.();
  await settled();
  assert.deepEqual([view.get().step, play.state.get().playing], [null, false]);
  assert.equal(written().length, 3);
});

test("when the server is away it says so, and the play ends; the next step works", async () => {
  const { play, server, written } = begun();
  await play.step(0);
  server.away = true;
  await play.play(PACE);
  assert.deepEqual(
    { ...play.state.get() },
    { playing: false, error: "The server does not answer.", falling: null, fallen: null },
  );
  assert.equal(written().length, 1);
  server.away = false;
  await play.step(0);
  assert.equal(play.state.get().error, "");
  assert.equal(written(), generated("abcab", 2, SETTINGS, 7));
});

test("a text that was refused, and one that is long enough, are not written on", async () => {
  const { play, state, written } = begun();
  const status = { text: { state: "failed", error: "Your text has 21 characters." } };
  state.set({ status });
  assert.equal(await play.step(0), false);
  assert.equal(play.state.get().error, "Your text has 21 characters.");
  state.set({ status: { text: { state: "ready", error: "" } }, steps: Array(30).fill(stepOf()) });
  assert.equal(await play.step(0), false);
  assert.match(play.state.get().error, /^30 characters are written/);
  assert.equal(written(), "");
});
