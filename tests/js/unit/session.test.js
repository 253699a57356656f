// The session: what is asked for, what is shown, and what becomes of answers that are late, wrong or do not come.

import assert from "node:assert/strict";
import { test } from "node:test";

import { makeSession } from "../../../shakespeare_gpt/ui/core/session.js";
import { NOTHING, VIEW, store } from "../../../shakespeare_gpt/ui/core/store.js";
import { base64, pack } from "../../../shakespeare_gpt/ui/core/decode.js";

/** @import { LayerPayload, News, Overview } from "../../../shakespeare_gpt/ui/core/types.d.ts" */

const [N_LAYER, N_HEAD, CONTEXT] = [3, 2, 8];
const FIRST = "abcd";

/** What a model that sees 8 characters would answer. @param {string} text @returns {Overview} */
function overviewOf(text) {
  const start = Math.max(0, text.length - CONTEXT);
  const characters = [...text.slice(start)];
  return {
    ...{ characters, start: start + 1, before: text.slice(0, start), notes: [], checkpoint: null },
    ...{ n_layer: N_LAYER, n_head: N_HEAD, context_length: CONTEXT, next: [] },
    thumbnails: { size: 1, block: 8, data: base64(new Uint8Array(N_LAYER * N_HEAD)) },
    given: characters.map((_, i) => (i ? [0.5, 1] : null)),
  };
}

/** @param {string} text @param {number} layer @returns {LayerPayload} */
function layerPayload(text, layer) {
  const count = (text.length * (text.length + 1)) / 2;
  const weights = pack(Array.from({ length: N_HEAD }, () => new Float32Array(count).fill(0.5)));
  const moved = Array(N_HEAD).fill(Array(text.length).fill(1));
  return { layer, weights, moved, usual: null, as_role: Array(N_HEAD).fill(null) };
}

/** @param {string} text */
const lensPayload = (text) => ({
  layers: Array.from({ length: N_LAYER + 1 }, () => ({
    characters: [...text].map(() => "e"),
    probabilities: [...text].map(() => [1]),
    true: [],
  })),
});

const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A session with a server that answers when it is told to, and a clock that stands until it is moved. */
function begun() {
  /** @type {{name: string, args: any[], answer: (value?: any) => Promise<void>, fail: (message: string) => Promise<void>}[]} */
  const calls = [];
  /** @type {{run: () => void, ms: number}[]} */
  const timers = [];
  /** @param {string} name @param {any[]} args */
  const call = (name, ...args) =>
    new Promise((resolve, reject) => {
      const own = { overview: overviewOf, layer: layerPayload, logit_lens: lensPayload };
      const usual = () => own[/** @type {keyof typeof own} */ (name)](args[0], args[1]);
      calls.push({
        ...{ name, args },
        answer: (value = usual()) => (resolve(value), settled()),
        fail: (message) => (reject(new Error(message)), settled()),
      });
    });
  const [view, pointer] = [store(VIEW), store(NOTHING)];
  const session = makeSession({
    ...{ call, view, pointer, longest: 20 },
    timers: {
      set: (run, ms) => timers.push({ run, ms }) && timers.at(-1),
      clear: (timer) => timers.includes(timer) && timers.splice(timers.indexOf(timer), 1),
    },
  });
  session.open({
    ...{ text: FIRST, chosen: { head: 1 }, overview: overviewOf(FIRST), layer: layerPayload(FIRST, 1) },
    figures: /** @type {any} */ ({}),
  });
  const tick = async (/** @type {number} */ ms) => {
    const due = timers.filter((timer) => timer.ms <= ms);
    for (const timer of due) timers.splice(timers.indexOf(timer), 1);
    for (const timer of due) timer.run();
    await settled();
  };
  /** The latest question of a name that waits for its answer; it is taken off the list. */
  const asked = (/** @type {string} */ name, /** @type {any[]} */ ...args) => {
    const at = calls.findLastIndex(
      (one) => one.name === name && args.every((value, i) => one.args[i] === value),
    );
    assert.ok(at >= 0, `${name} ${args} was not asked`);
    return calls.splice(at, 1)[0];
  };
  const states = () => session.get().layers.map(({ state }) => state);
  /** Looks at every layer, and answers all that are asked for. */
  const finish = async () => {
    session.get().layers.forEach((_, i) => void session.layer(i + 1));
    await settled();
    while (calls.some(({ name }) => name === "layer")) await asked("layer").answer();
  };
  return { session, view, pointer, calls, timers, tick, asked, states, finish };
}

test("it opens with what came with the page, and asks for another layer when it is looked at", async () => {
  const { session, view, pointer, states, asked, tick, calls } = begun();
  await settled();
  assert.equal(session.get().text, FIRST);
  assert.deepEqual([states(), calls, await tick(1000)], [["ready", "missing", "missing"], [], undefined]);
  view.set({ layer: 2 });
  await settled();
  assert.deepEqual(states(), ["ready", "loading", "missing"]);
  await asked("layer", FIRST, 2).answer();
  assert.equal(session.get().layers[1].value?.weights[1].length, 10);
  pointer.set({ layer: 3, head: 1 });
  await settled();
  await asked("layer", FIRST, 3).answer();
  assert.deepEqual(states(), ["ready", "ready", "ready"]);
});

test("of another text the chosen layer is asked for, and no other", async () => {
  const { view, states, asked, calls } = begun();
  view.set({ layer: 2, text: "two" });
  await settled();
  calls.length = 0;
  view.set({ text: "three" });
  await settled();
  await asked("overview", "three").answer();
  assert.deepEqual(states(), ["missing", "loading", "missing"]);
  await asked("layer", "three", 2).answer();
  assert.deepEqual([states(), calls], [["missing", "ready", "missing"], []]);
});

test("a session is frozen, and what follows from other fields is computed", () => {
  const { session } = begun();
  const state = session.get();
  assert.throws(() => Object.assign(state, { text: "other" }), TypeError);
  assert.deepEqual([state.written, state.promptLength, state.loading, state.error], [0, 4, false, ""]);
  assert.deepEqual(state.given(2), [0.5, 1]);
  assert.equal(state.given(0), null);
});

test("subscribers are told once, with the names of what changed, and nothing is told twice", async () => {
  const { session, view, asked } = begun();
  await settled();
  /** @type {string[][]} */
  const told = [];
  session.subscribe((_, changed) => told.push([...changed].sort()));
  view.set({ text: "other" });
  await settled();
  assert.deepEqual(told.splice(0), [["status"]]);
  await asked("overview", "other").answer();
  assert.deepEqual(told[0], ["layers", "lens", "notes", "status", "steps", "text", "window"]);
});

test("a late answer never overwrites a newer one", async () => {
  const { session, view, asked } = begun();
  view.set({ text: "first" });
  await settled();
  const first = asked("overview", "first");
  view.set({ text: "second" });
  await settled();
  await asked("overview", "second").answer();
  await first.answer();
  assert.equal(session.get().text, "second");
  assert.equal(session.get().loading, false);
  view.set({ text: "third" });
  await settled();
  const third = asked("overview", "third");
  view.set({ text: "fourth" });
  await settled();
  await third.fail("Too late.");
  assert.deepEqual([session.get().loading, session.get().error], [true, ""]);
  await asked("overview", "fourth").answer();
  assert.equal(session.get().text, "fourth");
});

test("a text that is too long is refused without asking, and the next good one clears the message", async () => {
  const { session, view, asked, calls } = begun();
  view.set({ text: "x".repeat(21) });
  await settled();
  assert.match(session.get().error, /has 21 characters; at most 20 are read/);
  assert.equal(session.get().text, FIRST);
  assert.ok(!calls.some(({ name }) => name === "overview"));
  view.set({ text: "good" });
  await settled();
  assert.equal(session.get().error, "");
  await asked("overview", "good").answer();
  assert.deepEqual([session.get().error, session.get().text], ["", "good"]);
});

test("a text that did not come says so, and blocks no layer of the one on show", async () => {
  const { session, view, asked, states, finish } = begun();
  view.set({ text: "other" });
  await settled();
  await asked("overview", "other").fail("The server does not answer.");
  assert.equal(session.get().error, "The server does not answer.");
  assert.deepEqual(session.get().status.text, {
    ...{ state: "failed", error: "The server does not answer.", of: "other" },
  });
  await finish();
  assert.deepEqual(states(), ["ready", "ready", "ready"]);
});

test("one layer that fails blocks no other, and is asked for again after growing pauses, at most four times", async () => {
  const { session, states, asked, tick, timers } = begun();
  void session.layer(2);
  await settled();
  await asked("layer", FIRST, 2).fail("It broke.");
  assert.deepEqual(states(), ["ready", "failed", "missing"]);
  assert.equal(session.get().layers[1].error, "It broke.");
  assert.equal(session.get().error, "");
  void session.layer(3);
  await settled();
  await asked("layer", FIRST, 3).answer();
  assert.deepEqual(states(), ["ready", "failed", "ready"]);
  const pauses = [];
  while (timers.length) {
    pauses.push(timers[0].ms);
    await tick(timers[0].ms);
    assert.equal(states()[1], "loading");
    await asked("layer", FIRST, 2).fail("It broke again.");
  }
  assert.deepEqual(pauses, [2000, 4000, 8000, 16000]);
  assert.deepEqual(states(), ["ready", "failed", "ready"]);
});

test("a layer that failed is asked for when it is looked at, and a success clears the message", async () => {
  for (const look of [
    (/** @type {ReturnType<typeof begun>} */ { view }) => view.set({ layer: 2 }),
    (/** @type {ReturnType<typeof begun>} */ { pointer }) => pointer.set({ layer: 2, head: 1 }),
    (/** @type {ReturnType<typeof begun>} */ { session }) => void session.layer(2),
  ]) {
    const all = begun();
    void all.session.layer(2);
    await settled();
    await all.asked("layer", FIRST, 2).fail("It broke.");
    look(all);
    await settled();
    await all.asked("layer", FIRST, 2).answer();
    assert.deepEqual(all.session.get().layers[1].error, "");
    assert.ok(all.session.get().layers[1].value);
    await all.tick(2000); // nothing is asked for twice
    assert.ok(!all.calls.some(({ name, args }) => name === "layer" && args[1] === 2));
  }
});

test("whoever waits for a layer hears that it failed, and a layer is asked for once at a time", async () => {
  const { session, asked, calls } = begun();
  await settled();
  const [one, two] = [session.layer(2), session.layer(2)];
  assert.equal(calls.length, 1);
  const refused = Promise.all([assert.rejects(one, /Gone/), assert.rejects(two, /Gone/)]);
  await asked("layer", FIRST, 2).fail("Gone.");
  await refused;
});

test("a layer of a wrong shape fails with a sentence, not with an error of JavaScript", async () => {
  const good = layerPayload(FIRST, 2);
  for (const bad of [
    {},
    { ...good, weights: "AAAA" },
    { ...good, moved: [[1]] },
    { ...good, weights: "?" },
    3,
  ]) {
    const { session, asked } = begun();
    void session.layer(2);
    await settled();
    await asked("layer", FIRST, 2).answer(bad);
    assert.match(session.get().layers[1].error, /^The server sent an answer that this page cannot read\./);
  }
});

test("an overview of a wrong shape leaves the page as it is", async () => {
  const good = overviewOf("other");
  for (const bad of [
    ...[{}, [], "text", { ...good, characters: [] }, { ...good, given: [null] }, { ...good, n_layer: "3" }],
    { ...good, thumbnails: { size: 1, data: "" } },
  ]) {
    const { session, view, asked } = begun();
    view.set({ text: "other" });
    await settled();
    await asked("overview", "other").answer(bad);
    assert.match(session.get().error, /^The server sent an answer that this page cannot read\./);
    assert.equal(session.get().text, FIRST);
  }
});

test("the logit lens is asked for when it is wanted, and has a status of its own", async () => {
  const { session, asked, tick } = begun();
  await settled();
  assert.equal(session.get().lens.state, "missing");
  void session.lens();
  assert.equal(session.get().lens.state, "loading");
  await asked("logit_lens", FIRST).fail("It broke.");
  assert.deepEqual([session.get().lens.state, session.get().lens.error], ["failed", "It broke."]);
  assert.equal(session.get().error, "");
  await tick(2000);
  await asked("logit_lens", FIRST).answer();
  assert.equal((await session.lens()).layers.length, N_LAYER + 1);
});

test("the last windows are kept, with their layers: going back asks nothing", async () => {
  const { session, view, asked, finish, calls } = begun();
  await finish();
  for (const text of ["two", "three"]) {
    view.set({ text });
    await settled();
    await asked("overview", text).answer();
    await finish();
  }
  const before = session.get();
  session.restore(/** @type {any} */ ({ ...before, text: FIRST, notes: [], steps: [] }));
  assert.equal(session.get().window?.text, FIRST);
  assert.ok(session.get().layers.every(({ value }) => value));
  await settled();
  assert.deepEqual(calls, []);
});

test("a text that is typed again has its layers at once, unless the model has changed", async () => {
  const { view, asked, finish, calls, states } = begun();
  await finish();
  view.set({ text: "two" });
  await settled();
  await asked("overview", "two").answer();
  await finish();
  view.set({ text: FIRST });
  await settled();
  await asked("overview", FIRST).answer();
  assert.deepEqual(states(), ["ready", "ready", "ready"]);
  assert.deepEqual(calls, []);
  view.set({ text: "two" });
  await settled();
  await asked("overview", "two").answer({ ...overviewOf("two"), checkpoint: "another" });
  assert.deepEqual(states(), ["loading", "missing", "missing"]);
});

/** @returns {News} */
const news = (/** @type {string} */ text, more = {}) => ({
  ...{ run: "r1", offset: 0, before: 0, prompt: FIRST, text, seed: 7, notes: [] },
  settings: { temperature: 0.8, top_k: 0, top_p: 1 },
  steps: [...text].map((_, i) => ({
    probability: 0.5,
    rank: 1,
    entropy: 1,
    start: Math.max(0, i + 4 - CONTEXT),
  })),
  ...more,
});

test("the news of writing become the text, its steps and the View at once; the window follows at the end", async () => {
  const { session, view, asked } = begun();
  session.writing(news("ef"));
  assert.deepEqual([session.get().text, session.get().written, session.get().streaming], ["abcdef", 2, true]);
  const { text, generated_from, step, position } = view.get();
  assert.deepEqual([text, generated_from, step, position], ["abcdef", 4, null, null]);
  assert.equal(session.get().current(null), false);
  session.writing(news("efghij", { done: true }));
  assert.equal(session.get().streaming, false);
  assert.equal(session.get().loading, true);
  await asked("overview", "cdefghij").answer();
  assert.equal(session.get().current(null), true);
  assert.deepEqual([session.get().promptLength, session.get().window?.start], [4, 2]);
  assert.equal(session.get().start(1), 0); // where the window of the first written character begins
});

test("Write on keeps the steps of what was generated before", async () => {
  const { session } = begun();
  session.writing(news("efgh", { done: true }));
  // It sends the last 6 characters, of which 4 were generated.
  session.writing(news("ij", { run: "r2", offset: 2, before: 4, prompt: "cdefgh", seed: 8, done: true }));
  assert.equal(session.get().text, "abcdefghij");
  assert.deepEqual(
    session.get().steps.map(({ seed }) => seed),
    [7, 7, 7, 7, 8, 8],
  );
  assert.equal(session.get().steps[4].start, 2); // counted in the whole text
  session.writing(news("X", { run: "r3", offset: 8, before: 2, prompt: "ij", seed: 9, done: true }));
  assert.deepEqual(
    session.get().steps.map(({ seed }) => seed),
    [7, 7, 7, 7, 8, 8, 9], // those that were not sent along too
  );
});

test("writing that falls silent has ended, and later news go on with it", async () => {
  const { session, tick, asked } = begun();
  session.writing(news("ef"));
  await tick(5000);
  assert.deepEqual([session.get().streaming, session.get().loading], [false, true]);
  session.writing(news("efg"));
  assert.deepEqual([session.get().text, session.get().streaming], ["abcdefg", true]);
  await asked("overview", "abcdef").answer(); // of the text before: no longer wanted
  assert.equal(session.get().window?.text, FIRST);
  session.ended();
  await asked("overview", "abcdefg").answer();
  assert.equal(session.get().window?.text, "abcdefg");
});

test("a step shows the window in which that character was chosen, also while another text is asked for", async () => {
  const { session, view, asked } = begun();
  session.writing(news("efghijkl", { done: true }));
  await asked("overview").answer();
  view.set({ text: "other" });
  await settled();
  view.set({ step: 1 });
  await settled();
  await asked("overview", "abcdefgh").answer();
  assert.equal(session.get().window?.start, 0);
  await asked("overview", "other").answer(); // the step did not take it away
  assert.equal(session.get().text, "other");
});

test("a window that does not come says so until one does", async () => {
  const { session, view, asked } = begun();
  session.writing(news("efghijkl", { done: true }));
  await asked("overview").fail("Gone.");
  assert.deepEqual([session.get().error, session.get().status.window.state], ["Gone.", "failed"]);
  assert.equal(session.get().text, "abcdefghijkl");
  view.set({ step: 1 });
  await settled();
  await asked("overview").answer();
  assert.equal(session.get().error, "");
});

test("restoring brings a text back with its writing", async () => {
  const { session, view, asked } = begun();
  session.writing(news("ef", { done: true }));
  await asked("overview").answer();
  const before = { session: session.get(), view: view.get() };
  view.set({ ...VIEW, text: "the tour" });
  await settled();
  await asked("overview", "the tour").answer();
  view.set(before.view);
  session.restore(before.session);
  await settled();
  assert.deepEqual(
    [session.get().text, session.get().written, session.get().current(null)],
    ["abcdef", 2, true],
  );
  assert.equal(session.get().loading, false);
});

test("restoring asks again for a text that was on its way", async () => {
  const { session, view, asked } = begun();
  view.set({ text: "pending" });
  await settled();
  const before = { session: session.get(), view: view.get() };
  const pending = asked("overview", "pending");
  view.set({ text: "the tour" });
  await settled();
  await asked("overview", "the tour").answer();
  await pending.answer();
  assert.equal(session.get().text, "the tour");
  view.set(before.view);
  session.restore(before.session);
  await settled();
  assert.deepEqual([session.get().text, session.get().loading], [FIRST, true]);
  await asked("overview", "pending").answer();
  assert.deepEqual([session.get().text, session.get().loading], ["pending", false]);
});

test("restoring brings back why a text was refused", async () => {
  const { session, view, asked, calls } = begun();
  view.set({ text: "x".repeat(30) });
  await settled();
  const before = { session: session.get(), view: view.get() };
  view.set({ text: "the tour" });
  await settled();
  await asked("overview", "the tour").answer();
  assert.equal(session.get().error, "");
  view.set(before.view);
  session.restore(before.session);
  await settled();
  assert.match(session.get().error, /has 30 characters/);
  assert.deepEqual([session.get().text, session.get().current(null)], [FIRST, true]);
  assert.ok(!calls.some(({ name }) => name === "overview"));
});
