// Every part of the drawing leads somewhere, and to a tab that there is.

import assert from "node:assert/strict";
import { test } from "node:test";

import { facts } from "../../../shakespeare_gpt/ui/core/facts.js";
import { LEADS } from "../../../shakespeare_gpt/ui/model/model.js";

test("the parts that lead somewhere are the drawing's", () => {
  assert.deepEqual(Object.keys(LEADS).sort(), Object.keys(facts.drawing).sort());
  for (const { tab } of Object.values(LEADS)) if (tab) assert.ok(facts.tabs.includes(tab));
});
