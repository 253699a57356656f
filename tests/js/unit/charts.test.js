// What stands at an axis: letters where they fit, else numbers.

import assert from "node:assert/strict";
import { test } from "node:test";

import { axisNames } from "../../../shakespeare_gpt/ui/core/charts.js";
import { two } from "../../../shakespeare_gpt/ui/core/text.js";

/** Ten characters, the first of them the 5th of the text. @type {any} */
const SEEN = { start: 4, length: 10, characters: [..."a a\n<bcdef"].slice(0, 10) };

test("each character stands at an axis on which it fits", () => {
  const { tickmode, tickvals, ticktext } = axisNames(90, [4.5, 14.5], SEEN);
  assert.equal(tickmode, "array");
  assert.deepEqual(tickvals, [5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
  assert.deepEqual(ticktext?.slice(0, 5), ["a", "␣", "a", "⏎", "&lt;"]);
});

test("where they do not fit there are numbers, until one zooms in", () => {
  assert.equal(axisNames(89, [4.5, 14.5], SEEN).tickmode, "auto");
  assert.deepEqual(axisNames(89, [9.2, 6.8], SEEN).tickvals, [7, 8, 9]); // rows run from the top
});

test("beyond the window there is no character to name", () => {
  assert.deepEqual(axisNames(1000, [0, 6.5], SEEN).tickvals, [5, 6]);
});

test("a weight in a sentence is not rounded to a certainty", () => {
  assert.deepEqual([0.004, 0.96, 0.9949, 0.9968, 0.99996, 1].map(two), [
    "0.00",
    "0.96",
    "0.99",
    "0.997",
    "1.0000",
    "1.00",
  ]);
});
