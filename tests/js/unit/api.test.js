// Calls: whatever the network answers, the page gets the endpoint's answer or a sentence for the visitor.

import assert from "node:assert/strict";
import { test } from "node:test";

import { makeCall } from "../../../shakespeare_gpt/ui/core/api.js";

/** @param {(request: any[]) => Response | Promise<Response>} server */
const calling = (server) =>
  makeCall({ ask: async (...request) => server(request), base: () => "https://host/space/?x=1#y" });

/** @param {string} body @param {number} status */
const answer = (body, status = 200) => calling(() => new Response(body, { status }));

const UNREADABLE = /^The server sent an answer that this page cannot read\. Try again/;

test("the answer of an endpoint, asked for beside the page", async () => {
  /** @type {any[]} */
  const asked = [];
  const call = calling((request) => (asked.push(request), new Response('{"data": [{"x": 1}]}')));
  assert.deepEqual(await call("layer", "text", 2), { x: 1 });
  const [[url, { method, body }]] = asked;
  assert.deepEqual(
    [String(url), method, body],
    [...["https://host/space/gradio_api/run/layer", "POST", '{"data":["text",2]}']],
  );
});

test("what the server refuses with a sentence is told as it stands", async () => {
  await assert.rejects(answer('{"error": "At most 2,000 characters."}', 500)("x"), {
    message: "At most 2,000 characters.",
  });
  await assert.rejects(answer('{"detail": "This app has no such service."}', 403)("x"), {
    message: "This app has no such service.",
  });
});

test("other refusals get a sentence that says what to do", async () => {
  for (const body of [
    ...["", "<html>Bad Gateway</html>", "null", "[]", '{"error": null}', '{"error": "Bad Gateway"}'],
    ...['{"detail": [{"loc": ["body"]}]}', '{"error": {"message": "no"}}'],
  ]) {
    await assert.rejects(answer(body, 502)("x"), {
      message: "The server failed (502). Try again in a moment.",
    });
  }
});

test("an answer that is not ours is said to be one", async () => {
  for (const body of [
    ...["", "<html><title>Sign in</title></html>", "null", "3", '"text"', "[]", "{}", '{"data": null}'],
    ...['{"data": []}', '{"data": [null]}', '{"data": {"0": 1}}', '{"error": "Something."}', '{"data": [1'],
  ]) {
    await assert.rejects(
      answer(body)("x"),
      (error) => error instanceof Error && UNREADABLE.test(error.message),
    );
  }
});

test("a connection that fails, before or in the middle of the answer", async () => {
  const gone = { message: "The server does not answer. Is it still running? Try again in a moment." };
  await assert.rejects(calling(() => Promise.reject(new TypeError("Failed to fetch")))("x"), gone);
  const broken = new ReadableStream({
    pull(controller) {
      controller.error(new TypeError("network error"));
    },
  });
  await assert.rejects(calling(() => new Response(broken))("x"), gone);
});
