// What Gradio's events call is there. That Python calls nothing else, tests/app/test_wiring.py says.

import assert from "node:assert/strict";
import { test } from "node:test";

import * as events from "../../../shakespeare_gpt/ui/events.js";

test("events.js exports functions", () => {
  assert.ok(Object.keys(events).length >= 6);
  for (const each of Object.values(events)) assert.equal(typeof each, "function");
});
