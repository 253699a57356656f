// The store: one way to change it, and a subscriber that fails keeps nobody from hearing.

import assert from "node:assert/strict";
import { test } from "node:test";

import { store } from "../../../shakespeare_gpt/ui/core/store.js";

/** Runs `act` with a place for what is reported. @param {(reported: any[]) => Promise<void>} act */
async function reporting(act) {
  /** @type {any[]} */
  const reported = [];
  const before = globalThis.reportError;
  globalThis.reportError = (error) => void reported.push(error);
  try {
    await act(reported);
  } finally {
    globalThis.reportError = before;
  }
}

test("a patch is merged into a new frozen state, and told once in the next microtask", async () => {
  const letters = store({ a: 1, b: [1, 2] });
  const first = letters.get();
  /** @type {any[]} */
  const told = [];
  letters.subscribe((state, changed) => told.push([state, [...changed]]));
  assert.equal(letters.set({ a: 2 }), true);
  assert.equal(letters.set({ b: [1] }), true);
  assert.deepEqual(told, []);
  await null;
  assert.deepEqual(told, [[{ a: 2, b: [1] }, ["a", "b"]]]);
  assert.deepEqual(first, { a: 1, b: [1, 2] });
  assert.throws(() => Object.assign(letters.get(), { a: 3 }), TypeError);
});

test("what is equal is no change", async () => {
  const letters = store({ a: { deep: [1] } });
  letters.subscribe(() => assert.fail("nothing changed"));
  assert.equal(letters.set({ a: { deep: [1] } }), false);
  await null;
});

test("by identity, where the store says so", () => {
  const identical = store({ a: [1] }, { same: Object.is });
  assert.equal(identical.set({ a: identical.get().a }), false);
  assert.equal(identical.set({ a: [1] }), true);
});

test("a subscription ends", async () => {
  const letters = store({ a: 1 });
  letters.subscribe(() => assert.fail("it has ended"))();
  letters.set({ a: 2 });
  await null;
});

test("a subscriber that throws is reported and silences nobody", () =>
  reporting(async (reported) => {
    const letters = store({ a: 1 });
    /** @type {any[]} */
    const told = [];
    const broken = new Error("broken");
    letters.subscribe(() => told.push("before"));
    letters.subscribe(() => {
      throw broken;
    });
    letters.subscribe(({ a }) => told.push(a));
    letters.set({ a: 2 });
    await null;
    letters.set({ a: 3 });
    await null;
    assert.deepEqual(told, ["before", 2, "before", 3]);
    assert.deepEqual(reported, [broken, broken]);
  }));

test("a change that a subscriber makes is told in a turn of its own", async () => {
  const letters = store({ a: 1, b: 0 });
  /** @type {any[]} */
  const told = [];
  letters.subscribe(({ a }) => letters.set({ b: a }));
  letters.subscribe((_, changed) => told.push([...changed]));
  letters.set({ a: 2 });
  await null;
  await null;
  assert.deepEqual(told, [["a"], ["b"]]);
});
