// What is switched off, as intervention.py's to_json writes it, and the names of what can be.

import { facts } from "./facts.js";

/** @import { Intervention } from "./types.d.ts" */

const fields = Object.entries(facts.intervention);

/** What a switch for all layers switches off, in words, by its field. */
export const EVERYWHERE = Object.fromEntries(
  fields.filter(([, { kind }]) => kind === "flag").map(([field, { words }]) => [field, words]),
);

/** What is switched off layer by layer: its short name and its words, by its field. */
export const LAYERS = Object.fromEntries(fields.filter(([, { kind }]) => kind === "layers"));

/**
 * An intervention always written in the same way, so that equal ones compare equal.
 * @param {Record<string, any>} intervention whose fields may also say false, or name nothing
 * @returns {Intervention}
 */
export function canonical(intervention) {
  /** @type {Record<string, true | number[] | [number, number][]>} */
  const written = {};
  for (const [field] of fields) {
    const value = intervention[field];
    if (value === true) written[field] = true;
    else if (value?.length)
      written[field] = [...value].sort((a, b) => (a[0] ?? a) - (b[0] ?? b) || (a[1] ?? 0) - (b[1] ?? 0));
  }
  return written;
}
