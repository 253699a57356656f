// The table of candidates shows Python's distribution: its order, what was cut by which setting, what is drawn from.

import assert from "node:assert/strict";
import { test } from "node:test";

import { linesOf } from "../../../shakespeare_gpt/ui/text/candidates.js";
import { golden, near } from "../golden.js";

/** @import { Candidate, Sampling } from "../../../shakespeare_gpt/ui/core/types.d.ts" */

const { vocabulary, logits, cases } = golden("sampling");

/** A case of the file, whose columns are lists, as /candidates answers it. @param {any} columns @returns {Candidate[]} */
const rows = ({ character, logit, tempered, kept, cut_by, probability }) =>
  character.map((/** @type {string} */ name, /** @type {number} */ i) => ({
    ...{ character: name, logit: logit[i], tempered: tempered[i], kept: kept[i] },
    ...{ cut_by: cut_by[i], probability: probability[i] },
  }));

/** softmax(logits / temperature), in the order of the vocabulary; 0 puts all on the likeliest. @param {number} temperature */
function softmax(temperature) {
  const most = Math.max(...logits);
  const odds = logits.map((/** @type {number} */ logit) =>
    temperature ? Math.exp((logit - most) / temperature) : Number(logit === most),
  );
  const sum = odds.reduce((/** @type {number} */ a, /** @type {number} */ b) => a + b, 0);
  return odds.map((/** @type {number} */ each) => each / sum);
}

for (const one of cases) {
  /** @type {Sampling} */
  const { temperature, top_k, top_p } = one.settings;
  const candidates = rows(one);
  const order = candidates.map(({ character }) => vocabulary.indexOf(character));

  test(`temperature ${temperature}, top-k ${top_k}, top-p ${top_p}`, () => {
    const lines = linesOf({ character: candidates[2].character, candidates });
    // The likeliest first, each once.
    const sorted = [...logits.keys()].sort((a, b) => logits[b] - logits[a] || a - b);
    assert.deepEqual(order, sorted);
    assert.equal(new Set(lines.map(({ name }) => name)).size, vocabulary.length);
    assert.deepEqual(lines.map(({ here }) => here).indexOf(true), 2);
    // After the temperature.
    const tempered = softmax(temperature);
    near(candidates.map((each) => each.tempered), order.map((i) => tempered[i])); // prettier-ignore
    // Top-k keeps the first k; of these top-p the fewest that hold that share of them.
    const first = candidates.slice(0, top_k || undefined);
    const all = first.reduce((sum, each) => sum + each.tempered, 0);
    let [before, count] = [0, 0];
    while (count < first.length && (top_p >= 1 || before < top_p * all)) before += first[count++].tempered;
    candidates.forEach(({ kept, cut_by, probability }, i) => {
      const cut = i < count ? null : i < first.length ? "top-p" : "top-k";
      assert.deepEqual([kept, cut_by], [!cut, cut]);
      near([probability], [cut ? 0 : candidates[i].tempered / before]);
      assert.equal(lines[i].cells[2], cut ? `cut by ${cut}` : "kept");
      assert.equal(lines[i].cells[3], probability.toFixed(4));
    });
  });
}
