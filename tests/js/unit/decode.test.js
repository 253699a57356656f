// decode.js reads what packing.py packs, and packs it again.

import assert from "node:assert/strict";
import { test } from "node:test";

import { base64, bytes, pack, rowStart, triangles } from "../../../shakespeare_gpt/ui/core/decode.js";
import { golden, near } from "../golden.js";

test("the weights of a layer are Python's numbers", () => {
  const { layer, weights } = golden("layer");
  const decoded = triangles(layer.weights, weights.length);
  assert.equal(decoded.length, weights.length);
  decoded.forEach((head, i) => near(head, weights[i], 6e-8)); // 24 bits, and float32
});

test("each row of a triangle adds up to 1", () => {
  const { layer, weights } = golden("layer");
  const { length } = golden("overview").overview.characters;
  for (const head of triangles(layer.weights, weights.length)) {
    assert.equal(head.length, rowStart(length));
    for (let q = 0; q < length; q++) {
      const sum = head.subarray(rowStart(q), rowStart(q + 1)).reduce((a, b) => a + b, 0);
      near([sum], [1], 1e-5);
    }
  }
});

test("packing what was unpacked gives the same bytes", () => {
  const { layer, weights } = golden("layer");
  assert.equal(pack(triangles(layer.weights, weights.length)), layer.weights);
});

test("whole rows, as a model without a mask has them, are read too", () => {
  const { attention, after } = golden("what_if_no_mask");
  assert.ok(attention.full);
  near(triangles(attention.after, 1)[0], after.flat(), 6e-8);
});

test("a thumbnail's pixel is 255 times the root of the weight, rounded up", () => {
  const { overview, attention } = golden("overview");
  const { size, block, data } = overview.thumbnails;
  assert.deepEqual([size, block], [overview.characters.length, 1]);
  const wanted = attention.flat(3).map((/** @type {number} */ weight) => Math.ceil(255 * Math.sqrt(weight)));
  near(bytes(data), wanted, 1); // a weight was rounded on its way
});

test("bytes go through base64 and back, however many", () => {
  for (const count of [0, 1, 2, 3, 8191, 8192, 8193, 100_000]) {
    const some = Uint8Array.from({ length: count }, (_, i) => (i * 7919) % 256);
    assert.deepEqual(bytes(base64(some)), some);
  }
});
