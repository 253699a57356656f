// In the file that "Take it away" makes this stands in place of api.js: the answers are in the file.

export const held = JSON.parse(document.getElementById("held").textContent);

export async function call(name, text, layer) {
  if (name === "layer") return held.layers[layer - 1];
  if (name === "logit_lens") return held.logit_lens;
  throw new Error("This file works without a server; it holds this one text.");
}
