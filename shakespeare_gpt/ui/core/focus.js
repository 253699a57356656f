// What all views show right now: what is pointed at, else what is held, else the last character.

import { current, session } from "./session.js";
import { matrix, shownRow } from "./lenses.js";
import { pointer, view } from "./store.js";

/** The character that is held: by a click, or by the replay (the last one the model saw before it chose). */
export const held = () => heldIn(session.get(), view.get());

function heldIn({ promptLength }, { position, step }) {
  if (position) return position - 1;
  return step ? promptLength + step - 2 : null;
}

/**
 * Returns {layer, head, lens, direction, chosen, other, query, key, sure}; null before the first text is there.
 * Layer and head count from 1; the others are indices into the whole text. `chosen` is the character whose links are
 * shown, `other` a second one that is pointed at; query looks, key is looked at (null if there is no other). `sure`:
 * what is asked is how sure the model was of `other ?? chosen`, not what looks at what.
 */
export const focus = () => focusOf(session.get(), view.get(), pointer.get());

/** The same, from what it follows. */
export function focusOf(state, chosenView, at) {
  const { window } = state;
  if (!window) return null;
  const backwards = chosenView.direction === "looked at by";
  const sure = chosenView.direction === "how sure" && at.key === null;
  let chosen,
    other = null;
  if (at.key !== null) [chosen, other] = backwards ? [at.key, at.query] : [at.query, at.key];
  else {
    chosen = heldIn(state, chosenView) ?? at.query ?? window.start + window.length - 1;
    if (at.query !== null && at.query !== chosen) other = at.query;
  }
  const last = window.start + window.length - 1;
  chosen = Math.min(Math.max(chosen, window.start), last);
  if (other !== null && (other < window.start || other > last)) other = null;
  // Nobody looks ahead: such a pair has no weight.
  const ahead = other !== null && (backwards ? other < chosen : other > chosen);
  if (ahead && !sure) other = null;
  const link = ahead ? null : other;
  const [query, key] = backwards ? [link, chosen] : [chosen, link];
  return {
    layer: at.layer ?? chosenView.layer,
    head: at.head ?? chosenView.head,
    lens: at.head === null ? chosenView : { ...chosenView, over: "head" },
    direction: chosenView.direction,
    chosen,
    other,
    query,
    key,
    sure,
  };
}

/** The numbers of a layer if they are here; else null, and they are sent for. */
export function layerNow(layer) {
  const { state, value } = session.get().layers[layer - 1];
  if (state === "missing") session.layer(layer);
  return value;
}

/**
 * The shown weights of the chosen character's links, one for each character of the window (0 where there is none);
 * null while the layer, or the window of another text, is on its way.
 */
export function links(now = focus()) {
  const { window } = session.get();
  const layer = layerNow(now.layer);
  if (!layer || !current()) return null;
  const out = new Float32Array(window.length);
  const chosen = now.chosen - window.start;
  if (now.direction === "looked at by") {
    const rows = matrix(layer, now.head - 1, window.length, now.lens); // the map's; a column alone needs every row
    for (let q = chosen; q < window.length; q++) out[q] = rows[q][chosen];
  } else out.set(shownRow(layer, now.head - 1, chosen, now.lens));
  return out;
}
