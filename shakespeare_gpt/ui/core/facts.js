// What Python and JavaScript both know: limits, defaults, names, colours. core/facts.py says it, the page brings it.

const found = document.getElementById("page-facts");
if (!found) throw new Error("This page came without its facts: it needs a <script> with the id page-facts.");

/** @type {import("./types.d.ts").Facts} */
export const facts = JSON.parse(found.textContent ?? "");
