// How long the text in the box may be, in words.

import assert from "node:assert/strict";
import { test } from "node:test";

import { facts } from "../../../shakespeare_gpt/ui/core/facts.js";
import { limit } from "../../../shakespeare_gpt/ui/writing/limit.js";

const { prompt } = facts.limits;

test("a short text is not counted, a long one is, and one that is too long is refused", () => {
  assert.equal(limit(0), "");
  assert.equal(limit(0.9 * prompt - 1), "");
  assert.equal(limit(prompt), "2,000 of 2,000 characters");
  assert.match(limit(prompt + 1), /^2,001 characters: at most 2,000 are read\. Please shorten it/);
});
