// Calls to the app's documented endpoints; without Gradio's queue, so that a long generation is not in the way.

/** The answer of an endpoint. Throws an Error whose message is meant for the visitor. */
export async function call(name, ...args) {
  let answer;
  try {
    answer = await fetch(new URL(`gradio_api/run/${name}`, document.baseURI), {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ data: args }),
    });
  } catch {
    throw new Error("The server does not answer. Is it still running? Try again in a moment.");
  }
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok)
    throw new Error(told.error || told.detail || `The server answered with an error (${answer.status}).`);
  return told.data[0];
}
