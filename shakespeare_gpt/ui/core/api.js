// Calls to the app's endpoints; without Gradio's queue, so that a long generation is not in the way.

import { UNREADABLE } from "./shape.js";

const GONE = "The server does not answer. Is it still running? Try again in a moment.";

/**
 * A function call(name, ...arguments) -> promise of the endpoint's answer. Whatever goes wrong on the way, it rejects with
 * an Error whose message is meant for the visitor. ask: as fetch; base(): the address of the page.
 * @param {{ask: typeof fetch, base: () => string}} how
 * @returns {import("./types.d.ts").Call}
 */
export function makeCall({ ask, base }) {
  return async (name, ...args) => {
    let answer, told;
    try {
      answer = await ask(new URL(`gradio_api/run/${name}`, base()), {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ data: args }),
      });
      told = await answer.text();
    } catch {
      throw new Error(GONE); // not reached, or lost on the way
    }
    const read = parsed(told);
    if (!answer.ok)
      throw new Error(refusal(read) ?? `The server failed (${answer.status}). Try again in a moment.`);
    const value = Array.isArray(read?.data) ? read.data[0] : null;
    if (value === null || value === undefined) throw new Error(UNREADABLE);
    return value;
  };
}

/** @param {string} text @returns {any} */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null; // a proxy's own page
  }
}

/**
 * The sentence of an answer that refuses: ours are sentences, those of a proxy ("Bad Gateway") are not.
 * @param {any} read
 */
function refusal(read) {
  const said = read?.error ?? read?.detail;
  return typeof said === "string" && /[.!?]$/.test(said.trim()) ? said : null;
}

/** The answer of an endpoint of this app. */
export const call = makeCall({
  ask: (...request) => globalThis.fetch(...request),
  base: () => document.baseURI,
});
