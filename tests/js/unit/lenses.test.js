// The lenses against the same arithmetic in numpy, and what they say of themselves.

import assert from "node:assert/strict";
import { test } from "node:test";

import { triangles } from "../../../shakespeare_gpt/ui/core/decode.js";
import {
  altered,
  keepMost,
  lensNames,
  matrix,
  plainRow,
  rank,
  shownRow,
  strongest,
} from "../../../shakespeare_gpt/ui/core/lenses.js";
import { golden, near } from "../golden.js";

const { layer: payload, weights } = golden("layer");
const layer = { ...payload, weights: triangles(payload.weights, weights.length) };
const { length } = golden("overview").overview.characters;
/** @type {import("../../../shakespeare_gpt/ui/core/types.d.ts").Lens} */
const plain = { hide_first: false, keep_most: false, by_moved: false, over: "head", scale: "sqrt" };

test("every combination of lenses shows numpy's numbers", () => {
  const { cases, moved } = golden("lenses");
  for (const [head, row] of layer.moved.entries()) near(row, moved[head], 1e-4);
  assert.equal(cases.length, 72);
  for (const { lens, head, query, shown } of cases)
    near(shownRow(layer, head, query, { ...plain, ...lens }), shown, 1e-5);
});

test("a plain row is the payload's own numbers, not a copy", () => {
  const row = shownRow(layer, 1, 5, plain);
  near(row, weights[1].slice(15, 21), 6e-8);
  assert.equal(row.buffer, plainRow(layer, 1, 5).buffer);
});

test("a matrix has each row as it is shown, and NaN above the diagonal", () => {
  const lens = { ...plain, hide_first: true };
  const rows = matrix(layer, 0, length, lens);
  assert.equal(rows.length, length);
  rows.forEach((row, q) => {
    near(row.slice(0, q + 1), shownRow(layer, 0, q, lens), 0);
    assert.ok(row.slice(q + 1).every(Number.isNaN));
  });
  assert.equal(matrix(layer, 0, length, lens), rows); // asked again, it is the same one
  assert.notEqual(matrix(layer, 1, length, lens), rows);
});

test("keep most keeps the fewest that carry 70%, of equals the first", () => {
  const kept = (/** @type {number[]} */ ...row) => [...keepMost(Float32Array.from(row))];
  near(kept(0.5, 0.25, 0.125, 0.125), [0.5, 0.25, 0, 0]);
  near(kept(0.125, 0.25, 0.125, 0.5), [0, 0.25, 0, 0.5]);
  near(kept(0.25, 0.25, 0.25, 0.25), [0.25, 0.25, 0.25, 0]);
  near(kept(0.7, 0.3), [0.7, 0]);
  near(kept(1), [1]);
  near(kept(0, 0), [0, 0]);
});

test("a row in which nothing is left shows nothing", () => {
  near(shownRow(layer, 0, 0, { ...plain, hide_first: true }), [0]);
});

test("rank and the strongest", () => {
  const row = Float32Array.from([0.1, 0, 0.5, 0.1, 0.3]);
  assert.deepEqual(Array.from(row.keys(), (k) => rank(row, k)), [3, 5, 1, 3, 2]); // prettier-ignore
  assert.deepEqual(strongest(row, 3), [2, 4, 0]);
  assert.deepEqual(strongest(row, 9), [2, 4, 0, 3]); // 0 is no link
});

test("a lens that is on has a name, and none has none", () => {
  assert.deepEqual(lensNames(plain), []);
  assert.ok(!altered(plain));
  /** @type {Partial<typeof plain>[]} */
  const changes = [{ hide_first: true }, { keep_most: true }, { by_moved: true }, { over: "max" }];
  for (const change of changes) {
    assert.ok(altered({ ...plain, ...change }));
    assert.notEqual(lensNames({ ...plain, ...change }).length, 0);
  }
  assert.deepEqual(lensNames({ ...plain, scale: "linear" }), []); // it changes colours, no number
});
