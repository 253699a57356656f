// What all views show right now: what is pointed at, else what is held, else the last character.

import { current, session } from "./session.js";
import { matrix, shownRow } from "./lenses.js";
import { knockout } from "./mattered.js";
import { pointer, view } from "./store.js";

/** @import { Focus, Pointer, SessionState, View } from "./types.d.ts" */

/** The character that is held: by a click, or by the replay (the last one the model saw before it chose). */
export const held = () => heldIn(session.get(), view.get());

/** @param {SessionState} state @param {View} view */
function heldIn({ promptLength }, { position, step }) {
  if (position) return position - 1;
  return step ? promptLength + step - 2 : null;
}

/**
 * What is shown; null before the first text is there. `chosen` is the character whose links are shown, up to `end` where a
 * range is held, `other` a second one that is pointed at; query looks, key is looked at (null if there is no other). `sure`: what is asked is how sure
 * the model was of `other ?? chosen`, not what looks at what.
 * @returns {Focus | null}
 */
export const focus = () => focusOf(session.get(), view.get(), pointer.get());

/**
 * The same, from what it follows.
 * @param {SessionState} state
 * @param {View} chosenView
 * @param {Pointer} at
 * @returns {Focus | null}
 */
export function focusOf(state, chosenView, at) {
  const { window: seen } = state;
  if (!seen) return null;
  const backwards = chosenView.direction === "looked at by";
  const sure = chosenView.direction === "how sure" && at.key === null;
  const last = seen.start + seen.length - 1;
  let chosen = heldIn(state, chosenView) ?? at.query ?? last;
  let other = at.query === chosen ? null : at.query;
  if (at.key !== null && at.query !== null)
    [chosen, other] = backwards ? [at.key, at.query] : [at.query, at.key];
  chosen = Math.min(Math.max(chosen, seen.start), last);
  if (other !== null && (other < seen.start || other > last)) other = null;
  const holding = chosenView.position !== null && chosen === chosenView.position - 1;
  const end = holding ? Math.max(chosen, Math.min((chosenView.until ?? 0) - 1, last)) : chosen;
  // Nobody looks ahead: such a pair has no weight.
  const ahead = other !== null && (backwards ? other < chosen : other > end);
  if (ahead && !sure) other = null;
  const link = ahead ? null : other;
  const [query, key] = backwards ? [link, chosen] : [chosen, link];
  const [alone, whole] = [
    { query, key },
    { query: null, key: null },
  ];
  return {
    layer: at.layer ?? chosenView.layer,
    head: at.head ?? chosenView.head,
    lens: at.head === null ? chosenView : { ...chosenView, over: "head" },
    direction: chosenView.direction,
    chosen,
    end,
    other,
    sure,
    // A range is looked at as a whole: no single link of it is told.
    ...(end > chosen ? whole : alone),
  };
}

/**
 * What each character was worth for the prediction after the chosen one, nats, one for each character of the window; null
 * while it is on its way, or where a range is held.
 */
export function worth(now = focus()) {
  const { window: seen } = session.get();
  if (!seen || !now || now.end > now.chosen || !current()) return null;
  const told = knockout(now.chosen);
  if (!told) return null;
  const out = new Float32Array(seen.length);
  out.set(told.moved);
  return out;
}

/** The numbers of a layer if they are here; else null, and they are sent for. @param {number} layer */
export function layerNow(layer) {
  const { state, value } = session.get().layers[layer - 1];
  if (state === "missing") session.layer(layer);
  return value;
}

/**
 * The shown weights of the chosen character's links, one for each character of the window (0 where there is none); of a
 * range the mean over its characters. null while the layer, or the window of another text, is on its way.
 */
export function links(now = focus()) {
  const { window: seen } = session.get();
  const layer = now && layerNow(now.layer);
  if (!seen || !layer || !current()) return null;
  const out = new Float32Array(seen.length);
  const [first, last] = [now.chosen - seen.start, now.end - seen.start];
  for (let each = first; each <= last; each++) {
    if (now.direction === "looked at by") {
      const rows = matrix(layer, now.head - 1, seen.length, now.lens); // the map's; a column alone needs every row
      for (let q = each; q < seen.length; q++) out[q] += rows[q][each];
    } else shownRow(layer, now.head - 1, each, now.lens).forEach((weight, k) => (out[k] += weight));
  }
  return first === last ? out : out.map((sum) => sum / (last - first + 1));
}
