// What is switched off, as intervention.py's to_json writes it, and the names of what can be.

/** @import { Intervention } from "./types.d.ts" */

export const EVERYWHERE = {
  no_scale: "the scale",
  no_mask: "the causal mask",
  no_positions: "the position embeddings",
  uniform_attention: "choosing by content",
};
export const LAYERS = {
  feed_forward_off: ["FF", "feed-forward"],
  residual_off: ["res", "residual connections"],
  norm_off: ["norm", "layer norms"],
};

/**
 * An intervention always written in the same way, so that equal ones compare equal.
 * @param {Record<string, any>} intervention whose fields may also say false, or name nothing
 * @returns {Intervention}
 */
export function canonical(intervention) {
  /** @type {Record<string, true | number[] | [number, number][]>} */
  const written = {};
  for (const field of ["heads_off", ...Object.keys(EVERYWHERE), ...Object.keys(LAYERS)]) {
    const value = intervention[field];
    if (value === true) written[field] = true;
    else if (value?.length)
      written[field] = [...value].sort((a, b) => (a[0] ?? a) - (b[0] ?? b) || (a[1] ?? 0) - (b[1] ?? 0));
  }
  return written;
}
