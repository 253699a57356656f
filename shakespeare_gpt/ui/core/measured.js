// What the heads do, as it was measured on held-out text (assets/heads.json): it arrives with the piece that holds the
// table of roles, and is shown on the thumbnails too.

import { facts } from "./facts.js";
import { store } from "./store.js";

/**
 * `told` is null until it has arrived, and where nothing was measured on these weights.
 * @type {import("./types.d.ts").Store<{told: import("./types.d.ts").Measured | null}>}
 */
export const measured = store({ told: null }, { same: Object.is });

/**
 * A role as it stands on a thumbnail: its short name, and what it says in a sentence; null: the head has none.
 * @param {string | null} role
 */
export function badge(role) {
  const about = role ? measured.get().told?.roles[role] : null;
  if (!role || !about) return { short: "–", sentence: "No clear role" };
  return {
    short: facts.roles[role]?.badge ?? about.name.split(" ")[0],
    sentence: `${about.name}: ${about.sentence}`,
  };
}
