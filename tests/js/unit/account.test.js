// The account of a run: what `write` in endpoints.py streams, read as it grows.

import assert from "node:assert/strict";
import { test } from "node:test";

import { endOf, NOTHING_READ, read, sentence } from "../../../shakespeare_gpt/ui/writing/account.js";

const ABOUT = {
  ...{ seconds: 0, run: "r1", offset: 3, before: 2, prompt: "To", seeds: [7, 8], notes: [] },
  settings: { temperature: 0.8, top_k: 0, top_p: 0.95 },
};
const LINES = [
  ABOUT,
  { seconds: 0.1, texts: [" b", " d"], steps: [[[0.5, 1, 0.7, 0], [0.25, 2, 0.8, 0]], [[0.5, 1, 0.7, 0], [0.1, 4, 0.8, 0]]] },
  { seconds: 0.2, texts: ["e", "o"], steps: [[[0.9, 1, 0.1, 1]], [[0.8, 1, 0.2, 1]]] },
  { seconds: 0.3, notes: ["Stopped."], done: true },
].map((line) => JSON.stringify(line) + "\n"); // prettier-ignore
const upTo = (/** @type {number} */ count) => LINES.slice(0, count).join("");

test("read piece by piece or at once, an account says the same", () => {
  let account = NOTHING_READ;
  for (let count = 1; count <= LINES.length; count++) {
    account = read(account, upTo(count));
    assert.deepEqual(account, read(NOTHING_READ, upTo(count)));
  }
  assert.deepEqual(account.run, {
    ...{ ...ABOUT, seconds: 0.3, notes: ["Stopped."], done: true },
    samples: [
      {
        ...{ seed: 7, text: " be" },
        steps: [
          { probability: 0.5, rank: 1, entropy: 0.7, start: 0 },
          { probability: 0.25, rank: 2, entropy: 0.8, start: 0 },
          { probability: 0.9, rank: 1, entropy: 0.1, start: 1 },
        ],
      },
      {
        ...{ seed: 8, text: " do" },
        steps: [
          { probability: 0.5, rank: 1, entropy: 0.7, start: 0 },
          { probability: 0.1, rank: 4, entropy: 0.8, start: 0 },
          { probability: 0.8, rank: 1, entropy: 0.2, start: 1 },
        ],
      },
    ],
  });
});

test("what was read before stays as it was", () => {
  const before = read(NOTHING_READ, upTo(2));
  const copy = structuredClone(before);
  read(before, upTo(4));
  assert.deepEqual(before, copy);
});

test("the same lines again change nothing", () => {
  const account = read(NOTHING_READ, upTo(3));
  assert.deepEqual(read(account, upTo(3)), account);
});

test("another run takes the place of the first", () => {
  const first = read(NOTHING_READ, upTo(4));
  const other = read(first, JSON.stringify({ ...ABOUT, run: "r2", seeds: [1] }) + "\n");
  assert.equal(other.run?.run, "r2");
  assert.deepEqual(other.run?.samples, [{ seed: 1, text: "", steps: [] }]);
  assert.equal(other.run?.done, false);
});

test("the end of an account without its beginning is passed over", () => {
  for (const account of [NOTHING_READ, read(NOTHING_READ, upTo(2))]) {
    assert.equal(read(account, LINES[2]), account);
    assert.equal(read(account, "{"), account);
    assert.equal(read(account, "null\n"), account);
  }
});

test("the sentence says how much was written, how long it took, and with which seeds", () => {
  const run = (/** @type {number} */ count) => {
    const account = read(NOTHING_READ, upTo(count));
    assert.ok(account.run);
    return account.run;
  };
  assert.equal(sentence(run(3), false), "Writing: 3 characters each in 0.2 s, seeds 7 to 8.");
  assert.equal(sentence(run(3), true), "Stopped after 3 characters each in 0.2 s, seeds 7 to 8.");
  assert.equal(sentence(run(4), false), "Wrote 3 characters each in 0.3 s, seeds 7 to 8.");
  const [first] = run(4).samples;
  const single = { ...run(4), seeds: [7], samples: [first] };
  assert.equal(sentence(single, false), "Wrote 3 characters in 0.3 s, seed 7.");
});

test("Write on sends the end of the text and where it stands", () => {
  const end = (/** @type {[string, number, number]} */ ...asked) => endOf(...asked);
  assert.deepEqual(end("typed", 5, 2000), { prompt: "typed", place: { offset: 0, before: 0 } });
  assert.deepEqual(end("typed, written", 5, 2000), {
    prompt: "typed, written",
    place: { offset: 0, before: 9 },
  });
  assert.deepEqual(end("typed, written", 5, 11), { prompt: "ed, written", place: { offset: 3, before: 9 } });
  assert.deepEqual(end("typed, written", 5, 7), { prompt: "written", place: { offset: 7, before: 7 } });
  assert.deepEqual(end("", 0, 2000), { prompt: "", place: { offset: 0, before: 0 } });
});

test("one character is no characters", () => {
  const one = { seeds: [7], seconds: 0.1, done: true, samples: [{ seed: 7, text: "a", steps: [] }] };
  assert.equal(sentence(/** @type {any} */ (one), false), "Wrote 1 character in 0.1 s, seed 7.");
});
