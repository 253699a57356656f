// Each stop of the tour is a whole View, so that it can be handed out as a link.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { facts } from "../../../shakespeare_gpt/ui/core/facts.js";
import { parameters, read } from "../../../shakespeare_gpt/ui/core/link.js";
import { measured } from "../../../shakespeare_gpt/ui/core/measured.js";
import { VIEW } from "../../../shakespeare_gpt/ui/core/store.js";
import { stops } from "../../../shakespeare_gpt/ui/lessons/tour.js";

const model = { n_layer: 6, n_head: 6 };
const told = JSON.parse(readFileSync(new URL("../../../assets/heads.json", import.meta.url), "utf-8"));

for (const [what, heads] of /** @type {const} */ ([
  ["with measured heads", told],
  ["with none", null],
]))
  // prettier-ignore
  test(`${what}, each stop says something, and a link brings it back`, () => {
    measured.set({ told: heads });
    assert.ok(stops().length >= 4);
    for (const { title, say, at, view } of stops()) {
      assert.ok(title && at);
      assert.match(say, /[.!?]$/);
      assert.ok(!say.includes("undefined"));
      assert.deepEqual(new Set(Object.keys(view)), new Set(Object.keys(VIEW)));
      const found = read(parameters(view, [], null), "another text", model);
      assert.deepEqual(found, { view, runs: null, bad: [] });
    }
  });

test("a stop about a role shows a head that has it", () => {
  measured.set({ told });
  const roles = new Map(
    told.heads.map((/** @type {any} */ head) => [`${head.layer}.${head.head}`, head.roles]),
  );
  const [, back] = stops();
  assert.ok(roles.get(`${back.view.layer}.${back.view.head}`).includes("previous_character"));
  assert.equal(back.view.lesson, 2);
  assert.equal(stops().length, facts.lessons);
});
