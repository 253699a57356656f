// later(): one piece a task, the newest request of a key, and a piece that fails keeps none of the others.

import assert from "node:assert/strict";
import { test } from "node:test";

import { makeLater } from "../../../shakespeare_gpt/ui/core/tasks.js";

/** A later() whose tasks run when they are told to. */
function begun() {
  /** @type {(() => void)[]} */
  const posted = [];
  return { later: makeLater((run) => posted.push(run)), posted, next: () => posted.shift()?.() };
}

test("pieces run in the order asked, one a task; the newest of a key replaces the older", () => {
  const { later, posted, next } = begun();
  /** @type {string[]} */
  const ran = [];
  later("a", () => ran.push("old a"));
  later("b", () => ran.push("b"));
  later("a", () => ran.push("new a"));
  assert.equal(posted.length, 1);
  next();
  assert.deepEqual(ran, ["new a"]);
  next();
  assert.deepEqual(ran, ["new a", "b"]);
  assert.equal(posted.length, 0);
});

test("what a piece asks for runs in a task of its own", () => {
  const { later, posted, next } = begun();
  /** @type {string[]} */
  const ran = [];
  later("a", () => later("a", () => ran.push("again")));
  next();
  assert.deepEqual([ran, posted.length], [[], 1]);
  next();
  assert.deepEqual(ran, ["again"]);
});

test("a piece that throws, or rejects, is reported, and the others run", async () => {
  const { later, next } = begun();
  /** @type {any[]} */
  const [reported, ran] = [[], []];
  const before = globalThis.reportError;
  globalThis.reportError = (error) => void reported.push(error.message);
  try {
    later("throws", () => {
      throw new Error("thrown");
    });
    later("rejects", async () => {
      throw new Error("rejected");
    });
    later("works", () => ran.push("works"));
    [next, next, next].forEach((one) => one());
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([reported, ran], [["thrown", "rejected"], ["works"]]);
  } finally {
    globalThis.reportError = before;
  }
});
