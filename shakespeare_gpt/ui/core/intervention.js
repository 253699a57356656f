// What is switched off, as intervention.py's to_json writes it, and the names of what can be.

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

/** An intervention always written in the same way, so that equal ones compare equal. */
export function canonical(intervention) {
  const told = {};
  for (const field of ["heads_off", ...Object.keys(EVERYWHERE), ...Object.keys(LAYERS)]) {
    const value = intervention[field];
    if (value === true) told[field] = true;
    else if (value?.length)
      told[field] = [...value].sort((a, b) => (a[0] ?? a) - (b[0] ?? b) || (a[1] ?? 0) - (b[1] ?? 0));
  }
  return told;
}
