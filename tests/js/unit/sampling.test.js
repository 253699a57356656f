// The browser's sampler gives Python's numbers: the whole distribution, and what a random number draws from it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { distribution, draw } from "../../../shakespeare_gpt/ui/core/sampling.js";
import { golden, near } from "../golden.js";

/** @import { Distribution, Sampling } from "../../../shakespeare_gpt/ui/core/types.d.ts" */

/** @typedef {{logits: string, settings: Sampling, drawn: number[]} & Distribution} Case */

/** @type {{logits: Record<string, number[]>, numbers: number[], cases: Case[]}} */
const { logits, numbers, cases } = golden("sampling");

for (const { logits: which, settings, drawn, ...told } of cases) {
  const { temperature, top_k, top_p } = settings;

  test(`${which}: temperature ${temperature}, top-k ${top_k}, top-p ${top_p}`, () => {
    const found = distribution(logits[which], settings);
    for (const name of /** @type {const} */ (["tempered", "probabilities"])) near(found[name], told[name]);
    for (const name of /** @type {const} */ (["rank", "kept", "cut_by"]))
      assert.deepEqual(found[name], told[name]);
    near([found.entropy], [told.entropy]);
    assert.deepEqual(
      numbers.map((number) => draw(found.unnormalized, number)),
      drawn,
    );
    found.kept.forEach((kept, id) => kept || assert.equal(found.unnormalized[id], 0));
    assert.deepEqual(found.order.map((id) => found.rank[id]), [...found.order.keys()].map((i) => i + 1)); // prettier-ignore
  });
}

test("a draw falls where the scaled number does, and never on what has no weight", () => {
  const largest = 1 - 2 ** -53;
  assert.equal(draw([0, 0.5, 0.5], 0), 1);
  assert.equal(draw([1, 3], 0.25), 1); // a number on the border belongs to the next one
  for (const weights of [[0.3, 0.7, 0, 0], [1, 0], [0, 1], Array(3).fill(1 / 3), [0.7, 0.3, 1e-300, 0]])
    assert.ok(weights[draw(weights, largest)] >= 0.1, String(weights));
});
