// What mattered: how far it agrees with what is looked at.

import assert from "node:assert/strict";
import { test } from "node:test";

import { agreement, spearman } from "../../../shakespeare_gpt/ui/core/mattered.js";

test("Spearman's rho of equal, reversed and unrelated orders", () => {
  assert.equal(spearman([1, 5, 9], [0.1, 0.2, 7]), 1);
  assert.equal(spearman([1, 5, 9], [3, 2, 1]), -1);
  assert.equal(spearman([1, 2, 3, 4], [2, 1, 4, 3]), 0.6); // 1 - 6 · 4 / (4 · 15)
});

test("equal numbers share their mean rank", () => {
  // Ranks 1, 2.5, 2.5, 4 and 1, 3, 2, 4: 4.5 / sqrt(4.5 · 5)
  assert.ok(Math.abs(spearman([0, 1, 1, 2], [1, 3, 2, 4]) - 4.5 / Math.sqrt(22.5)) < 1e-12);
});

test("where one side is all equal there is nothing to compare", () => {
  assert.ok(Number.isNaN(spearman([1, 1, 1], [1, 2, 3])));
  assert.equal(agreement(NaN), "");
});

test("every correlation has its words", () => {
  assert.deepEqual(new Set([1, 0.5, 0, -1].map(agreement)).size, 4);
});
