// A View written as a link and read again is the same View; what is damaged stays as it usually is, and is named.

import assert from "node:assert/strict";
import { test } from "node:test";

import { isLink, parameters, read, runsOf, tooLong } from "../../../shakespeare_gpt/ui/core/link.js";
import { VIEW } from "../../../shakespeare_gpt/ui/core/store.js";
import { golden } from "../golden.js";

/** @import { Intervention, Run, View } from "../../../shakespeare_gpt/ui/core/types.d.ts" */

const model = { n_layer: 6, n_head: 6 };
const TEXT = "ROMEO:\nBut, soft! what light";
const SHA = "0123456789abcdef";

/** @type {[string, Partial<View>, Run[]][]} */
const VIEWS = [
  ["as it opens", {}, []],
  ["a head and a held character", { layer: 6, head: 2, position: TEXT.length }, []],
  ["all lenses", { hide_first: true, keep_most: true, by_moved: true, over: "max", scale: "linear" }, []],
  ["another direction and tab", { direction: "looked at by", tab: "What if?", training_step: 1500 }, []],
  [
    "a lesson, with what is off in it",
    { lesson: 10, tab: "What if?", intervention: { residual_off: [6] } },
    [],
  ],
  ["how sure", { direction: "how sure", over: "mean", tab: "Inside a head" }, []],
  ["signs that an address has for itself", { text: "a&b=c#d?e+f%20 g/h\n;:@!$'()*,[]" }, []],
  ["no text", { text: "" }, []],
  ["letters that the model has never seen", { text: "Zoë — “naïve” 🎭" }, []],
  [
    "a sampler's settings",
    { sampling: { temperature: 1.25, top_k: 5, top_p: 0.5, seed: 7, length: 20, samples: 4 } },
    [],
  ],
  ...golden("interventions").map((/** @type {object} */ intervention) => [
    `the intervention ${JSON.stringify(intervention)}`,
    { intervention },
    [],
  ]),
  ["a written text", { generated_from: 7, step: 3 }, [[TEXT.length - 7, 0.8, 0, 0.95, 12]]],
  [
    "a text written in two runs",
    { generated_from: 1, position: 2 },
    [
      [2, 0, 5, 1, 0],
      [TEXT.length - 3, 2, 0, 0.05, 2147483647],
    ],
  ],
];

const full = (/** @type {Partial<View>} */ change) => ({ ...VIEW, text: TEXT, ...change });

for (const [name, change, runs] of VIEWS)
  test(`a link brings back ${name}`, () => {
    const view = full(change);
    const address = parameters(view, runs, SHA).toString();
    const found = read(new URLSearchParams(address), "another text", model);
    assert.deepEqual(found.bad, []);
    assert.deepEqual(found.view, view);
    assert.deepEqual(found.runs, runs.length ? runs : null);
    assert.ok(isLink(new URLSearchParams(address)));
    assert.match(address, /^text=[^ ]*&model=01234567&layer=\d&head=\d$|^text=.*&layer=\d&head=\d$/);
  });

for (const { view, fragment } of golden("views"))
  test(`the View of ${fragment} is written so and read so`, () => {
    assert.equal(parameters(view, [], null).toString(), fragment);
    const found = read(new URLSearchParams(fragment), "another text");
    assert.deepEqual(found, { view, runs: null, bad: [] });
  });

test("a link says only what is not as usual", () => {
  assert.equal(
    parameters(full({}), [], null).toString(),
    "text=ROMEO%3A%0ABut%2C+soft%21+what+light&layer=1&head=1",
  );
  /** @type {Intervention} */
  const off = { heads_off: [[1, 3], [2, 1]], norm_off: [2, 5], no_mask: true }; // prettier-ignore
  const view = full({ text: "a", intervention: off, layer: 3 });
  assert.equal(
    parameters(view, [], SHA).toString(),
    "text=a&heads_off=1-3.2-1&no_mask=1&norm_off=2.5&model=01234567&layer=3&head=1",
  );
});

test("a text that is too long is told by its end, as if typed", () => {
  const text = "x".repeat(2001) + "y".repeat(2000);
  assert.ok(tooLong(text, []) && !tooLong(text.slice(1), []));
  const view = full({ text, generated_from: 10, position: 5, step: 3 });
  const found = read(parameters(view, [[3991, 0.8, 0, 1, 1]], null), "", model);
  assert.deepEqual(found, { view: full({ text: "y".repeat(2000) }), runs: null, bad: [] });
});

test("so is one that was written in too many runs", () => {
  /** @type {Run[]} */
  const runs = Array.from({ length: 51 }, () => [1, 0.8, 0, 1, 1]);
  const view = full({ text: "x".repeat(61), generated_from: 10 });
  assert.equal(read(parameters(view, runs, null), "", model).runs, null);
  assert.equal(
    read(parameters(full({ text: "x".repeat(60), generated_from: 10 }), runs.slice(1), null), "", model).runs
      ?.length,
    50,
  );
});

const BAD = [
  ...["layer=0", "layer=7", "layer=1.5", "layer=a", "layer=", "layer=1&layer=2", "layer=1e0", "head=-1"],
  ...[
    "direction=up",
    "over=",
    "scale=log",
    "tab=attention",
    "tab=constructor",
    "hide_first=2",
    "keep_most=true",
  ],
  ...["training_step=-1", "training_step=99999999999", "heads_off=1", "heads_off=1-7", "heads_off=1-1.1-1"],
  ...["heads_off=1-1.", "no_mask=yes", "feed_forward_off=0", "norm_off=2.2", "residual_off=-1"],
  ...["temperature=-0.1", "temperature=2.1", "temperature=NaN", "temperature=Infinity", "top_k=1.5"],
  ...["top_p=0", "top_p=1.1", "seed=-2", "seed=2147483648", "length=0", "length=2001", "samples=5"],
  ...["position=0", "position=4001", "generated_from=0", "generated_from=28", "step=1"],
].map((damage) => [damage, damage.split("=")[0]]);

for (const [damage, name] of BAD)
  test(`${damage} is named and changes nothing`, () => {
    const given = new URLSearchParams({ text: TEXT });
    for (const [key, value] of new URLSearchParams(damage)) given.append(key, value);
    const found = read(given, "", model);
    assert.deepEqual(found, { view: full({}), runs: null, bad: [name] });
  });

test("a place in the text needs the text", () => {
  const found = read(new URLSearchParams("position=3&generated_from=2"), TEXT, model);
  assert.deepEqual(found, { view: full({}), runs: null, bad: ["position", "generated_from"] });
});

test("a text that is longer than a link carries is not read", () => {
  const found = read(new URLSearchParams({ text: "x".repeat(4001) }), TEXT, model);
  assert.deepEqual(found, { view: full({}), runs: null, bad: ["text"] });
});

const BAD_RUNS = [
  ...["", "20_0.8_0_0.95_12", "22_0.8_0_0.95_12", "21_0.8_0_0.95", "21_0.8_0_0.95_12_1", "21_9_0_0.95_12"],
  ...[
    "21_0.8_0.5_0.95_12",
    "21_0.8_0_0_12",
    "21_0.8_0_0.95_-2",
    "0_0.8_0_0.95_12",
    "21_0.8_0_0.95_2147483648",
  ],
];

for (const run of BAD_RUNS)
  test(`the run ${JSON.stringify(run)} wrote nothing of this text`, () => {
    const given = new URLSearchParams({ text: TEXT, generated_from: "7", run, step: "2" });
    const found = read(given, "", model);
    assert.deepEqual(found, { view: full({}), runs: null, bad: ["run", "step"] });
  });

test("no runs at all wrote nothing either", () => {
  const found = read(new URLSearchParams({ text: TEXT, generated_from: "7" }), "", model);
  assert.deepEqual(found.bad, ["run"]);
});

test("whatever a fragment holds, what is read is a View", () => {
  const keys = [...Object.keys(VIEW), "heads_off", "run", "no_mask", "norm_off", "temperature", "__proto__"];
  const values = [
    "",
    "1",
    "-1",
    "1.5",
    "1-1",
    "null",
    "undefined",
    "[object Object]",
    "%",
    "\u0000",
    "0x10",
    "9".repeat(400),
  ];
  for (const key of keys)
    for (const value of values) {
      const { view, runs } = read(new URLSearchParams({ text: "To be", [key]: value }), "", model);
      assert.deepEqual(Object.keys(view), Object.keys(VIEW));
      assert.ok(view.layer >= 1 && view.layer <= 6 && Number.isInteger(view.layer));
      assert.equal(runs, null);
    }
});

test("what is no link is none", () => {
  assert.ok(!isLink(new URLSearchParams("")));
  assert.ok(!isLink(new URLSearchParams("__theme=dark&view=api&toString=1")));
  assert.ok(isLink(new URLSearchParams("__theme=dark&head=2")));
});

test("the steps of a writing tell its runs", () => {
  const settings = { temperature: 0.8, top_k: 0, top_p: 0.95 };
  const step = (/** @type {string} */ run, /** @type {number | null} */ seed) => ({ run, seed, settings });
  assert.deepEqual(runsOf([]), []);
  assert.deepEqual(runsOf([step("a", 1), step("a", 1), step("b", 1)]), [
    [2, 0.8, 0, 0.95, 1],
    [1, 0.8, 0, 0.95, 1],
  ]);
  assert.deepEqual(runsOf([step("a", null)]), [[1, 0.8, 0, 0.95, -1]]); // the visitor chose it
});
