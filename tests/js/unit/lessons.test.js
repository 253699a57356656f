// Lessons that a visitor put together come back from a file and from a link as they were; of what is damaged, cut off or
// meant ill, what can be read is text and checked Views, and the rest is named.

import assert from "node:assert/strict";
import { test } from "node:test";

import { facts } from "../../../shakespeare_gpt/ui/core/facts.js";
import { parameters } from "../../../shakespeare_gpt/ui/core/link.js";
import { VIEW } from "../../../shakespeare_gpt/ui/core/store.js";
import { packed, readLessons, unpacked, written } from "../../../shakespeare_gpt/ui/lessons/packing.js";

const model = { n_layer: 6, n_head: 6 };
const limits = facts.own_lessons;
const EVIL = '<img src=x onerror="alert(1)">{{constructor}}${alert(1)}javascript:alert(1)</script>\u2028';

const link = (/** @type {object} */ change = {}) =>
  parameters({ ...VIEW, text: "ROMEO:\nBut, soft!", ...change }, [], null).toString();
const OWN = {
  title: "Café – “heads”",
  lessons: [
    { title: "First?", words: "Look.\n\nSee.", link: link({ layer: 3, head: 2, position: 4 }) },
    { title: EVIL, words: EVIL, link: link({ tab: "What if?", intervention: { heads_off: [[1, 2]] } }) },
    { title: "", words: "", link: link() },
  ],
};

test("a file and a link bring all of it back", async () => {
  const fragment = await packed(written(OWN));
  assert.match(fragment, /^[\w-]+$/);
  assert.equal(await unpacked(fragment), written(OWN));
  const { own, lessons, problems } = readLessons(written(OWN), model);
  assert.deepEqual(own, OWN);
  assert.deepEqual(problems, []);
  assert.deepEqual(lessons[0].words, ["Look.", "See."]);
  assert.equal(lessons[0].view.position, 4);
  assert.deepEqual([lessons[0].at, lessons[1].at], [null, "#deeper"]);
  assert.deepEqual(lessons[1].view.intervention, { heads_off: [[1, 2]] });
  assert.equal(lessons[1].title, EVIL);
});

test("a lesson shows a typed text, and is none of ours", () => {
  const given = `${link({ lesson: 3 })}&generated_from=2&run=14_0.8_0_1_7&step=2`;
  const { lessons } = readLessons(
    written({ title: "", lessons: [{ ...OWN.lessons[0], link: given }] }),
    model,
  );
  const { lesson, generated_from, step } = lessons[0].view;
  assert.deepEqual([lesson, generated_from, step], [null, null, null]);
});

test("of a file that is cut off the whole lessons are read", () => {
  const text = written(OWN);
  for (const [end, count] of [
    [text.length - 4, 3],
    [text.indexOf("What+if"), 1],
    [20, 0],
  ]) {
    const { lessons, problems } = readLessons(text.slice(0, end), model);
    assert.equal(lessons.length, count);
    assert.match(problems[0], count ? RegExp(`damaged.*${count} of its lessons`) : /damaged.*none/);
  }
});

test("a link may be cut anywhere, or changed, and what comes out is lessons and a sentence", async () => {
  const fragment = await packed(written(OWN));
  const cut = readLessons(await unpacked(fragment.slice(0, -6)), model);
  assert.match(cut.problems[0], /damaged/);
  for (let at = 0; at < fragment.length; at += 7) {
    const changed = fragment.slice(0, at) + (fragment[at] === "A" ? "B" : "A") + fragment.slice(at + 1);
    for (const one of [fragment.slice(0, at), changed]) {
      const { lessons, problems } = readLessons(await unpacked(one), model);
      assert.ok(lessons.length <= OWN.lessons.length);
      if (lessons.length < OWN.lessons.length) assert.ok(problems.length);
    }
  }
  assert.equal(await unpacked("%%% no base64"), "");
});

test("a View that cannot be read stands as usual, and is named", () => {
  const bad = { title: "t", words: "w", link: "text=abc&layer=99&head=x&intervention=1&no_mask=7" };
  const { lessons, problems } = readLessons(written({ title: "", lessons: [bad] }), model);
  assert.equal(lessons[0].view.layer, VIEW.layer);
  assert.deepEqual(problems, [
    "Parts of lesson 1 could not be read, so they stand as usual: layer, head, no_mask.",
  ]);
});

for (const [what, text] of [
  ["nothing", ""],
  ["another file", '{"lessons": 3}'],
  ["a list", "[1, 2]"],
  ["null", "null"],
  ["no text at all", "\u0000\u0001"],
])
  test(`from ${what} come no lessons, and a sentence`, () => {
    const { lessons, problems } = readLessons(text, model);
    assert.deepEqual(lessons, []);
    assert.match(problems[0], /none of its lessons could be read/);
  });

test("lessons of a wrong kind are named, and the others read", () => {
  const kind = JSON.parse(written(OWN));
  const lessons = [3, null, { title: 1, words: "", link: "" }, { __proto__: null, ...OWN.lessons[0] }];
  const found = readLessons(JSON.stringify({ ...kind, title: 5, lessons }), model);
  assert.equal(found.lessons.length, 1);
  assert.equal(found.own.title, "");
  assert.equal(found.problems.length, 3);
});

test("what is too much is cut", async () => {
  const many = Array(limits.most + 5).fill({
    title: "t".repeat(1000),
    words: "w".repeat(10000),
    link: link(),
  });
  const { own, lessons, problems } = readLessons(written({ title: "", lessons: many }), model);
  assert.equal(lessons.length, limits.most);
  assert.equal(own.lessons[0].title.length, limits.title);
  assert.equal(own.lessons[0].words.length, limits.words);
  assert.match(problems[0], /Only the first/);
  const bomb = await packed("0".repeat(20 * limits.file));
  assert.ok((await unpacked(bomb)).length < 3 * limits.file);
});
