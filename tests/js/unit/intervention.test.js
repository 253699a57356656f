// intervention.js writes an Intervention as intervention.py does.

import assert from "node:assert/strict";
import { test } from "node:test";

import { canonical, EVERYWHERE, LAYERS } from "../../../shakespeare_gpt/ui/core/intervention.js";
import { golden } from "../golden.js";

/** @type {Record<string, any>[]} */
const told = golden("interventions");

test("what Python wrote is canonical, to the letter", () => {
  for (const change of told) assert.equal(JSON.stringify(canonical(change)), JSON.stringify(change));
});

test("the order of what is said does not matter, nor what is not switched off", () => {
  for (const change of told) {
    const turned = Object.entries(change).map(([field, value]) => [
      field,
      Array.isArray(value) ? value.toReversed() : value,
    ]);
    const untouched = { heads_off: [], no_mask: false, no_scale: false, norm_off: [], residual_off: [] };
    const same = { ...untouched, ...Object.fromEntries(turned.toReversed()) };
    assert.equal(JSON.stringify(canonical(same)), JSON.stringify(change));
  }
});

test("what is asked for stays as it was", () => {
  const asked = { heads_off: [[2, 1], [1, 1]], norm_off: [3, 2] }; // prettier-ignore
  canonical(asked);
  assert.deepEqual(asked, { heads_off: [[2, 1], [1, 1]], norm_off: [3, 2] }); // prettier-ignore
});

test("the fields are Python's", () => {
  const fields = new Set(told.flatMap((change) => Object.keys(change)));
  assert.deepEqual(fields, new Set(["heads_off", ...Object.keys(EVERYWHERE), ...Object.keys(LAYERS)]));
});
