// What all views show: what is pointed at, else what is held, else the last character.

import assert from "node:assert/strict";
import { test } from "node:test";

import { focusOf } from "../../../shakespeare_gpt/ui/core/focus.js";
import { NOTHING, VIEW } from "../../../shakespeare_gpt/ui/core/store.js";

/** A session whose window is the characters 4 to 9 of 10, the last 3 of them generated. @type {any} */
const STATE = { window: { start: 4, length: 6 }, promptLength: 7 };

/** @param {object} view @param {object} pointer */
const focus = (view = {}, pointer = {}) => {
  const found = focusOf(STATE, /** @type {any} */ ({ ...VIEW, ...view }), { ...NOTHING, ...pointer });
  assert.ok(found);
  return found;
};

test("there is none before the first text", () => {
  assert.equal(focusOf(/** @type {any} */ ({ window: null }), /** @type {any} */ (VIEW), NOTHING), null);
});

test("the last character of the window, if nothing is held or pointed at", () => {
  const { layer, head, chosen, other, query, key, sure } = focus();
  assert.deepEqual([layer, head, chosen, other, query, key, sure], [1, 1, 9, null, 9, null, false]);
});

test("a held character stays chosen; another one that is pointed at is the other", () => {
  const { chosen, other, query, key } = focus({ position: 9 }, { query: 5 });
  assert.deepEqual([chosen, other, query, key], [8, 5, 8, 5]);
});

test("nobody looks ahead: a later character is no other, but for who looks at it", () => {
  assert.equal(focus({ position: 6 }, { query: 8 }).other, null);
  const { chosen, other, query, key } = focus({ position: 6, direction: "looked at by" }, { query: 8 });
  assert.deepEqual([chosen, other, query, key], [5, 8, 8, 5]);
});

test("a cell of a map that is pointed at goes before what is held", () => {
  const forwards = focus({ position: 9 }, { query: 7, key: 4 });
  assert.deepEqual([forwards.chosen, forwards.other], [7, 4]);
  const backwards = focus({ position: 9, direction: "looked at by" }, { query: 7, key: 4 });
  assert.deepEqual([backwards.chosen, backwards.other, backwards.query, backwards.key], [4, 7, 7, 4]);
});

test("a replayed step holds the last character that the model saw", () => {
  assert.equal(focus({ step: 2 }).chosen, 7);
});

test("what is outside of the window is not shown", () => {
  assert.equal(focus({ position: 1 }).chosen, 4);
  assert.equal(focus({ position: 9 }, { query: 2 }).other, null);
});

test("how sure it was is asked of any character, until a cell is pointed at", () => {
  const sure = focus({ direction: "how sure", position: 6 }, { query: 8 });
  assert.deepEqual([sure.sure, sure.chosen, sure.other], [true, 5, 8]);
  assert.equal(focus({ direction: "how sure" }, { query: 7, key: 4 }).sure, false);
});

test("a head that is pointed at is shown by itself, whatever the lens says of all heads", () => {
  const { layer, head, lens } = focus({ over: "mean", hide_first: true }, { layer: 2, head: 3 });
  assert.deepEqual([layer, head, lens.over, lens.hide_first], [2, 3, "head", true]);
  assert.equal(focus({ over: "mean" }).lens.over, "mean");
});

test("a held range is chosen as a whole, and tells of no single link", () => {
  const { chosen, end, other, query, key } = focus({ position: 6, until: 9 });
  assert.deepEqual([chosen, end, other, query, key], [5, 8, null, null, null]);
  // Its last character may look at every one before it, also at one of the range.
  assert.equal(focus({ position: 6, until: 9 }, { query: 7 }).other, 7);
  assert.equal(focus({ position: 6, until: 9 }, { query: 9 }).other, null);
  assert.equal(focus({ position: 6, until: 9, direction: "looked at by" }, { query: 9 }).other, 9);
  // It ends with the window; and a cell of a map goes before it.
  assert.equal(focus({ position: 6, until: 90 }).end, 9);
  const cell = focus({ position: 6, until: 9 }, { query: 7, key: 4 });
  assert.deepEqual([cell.chosen, cell.end, cell.query, cell.key], [7, 7, 7, 4]);
});
