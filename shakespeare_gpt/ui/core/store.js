// The two things that every view reads besides the session, and the one way to change them.
//
// How to add a view: write a module that exports `mount(root)`. In it, build your elements inside `root` (text only
// through textContent), and subscribe: `view.subscribe(draw)` runs draw(view, changedKeys) after the visitor chose
// something, `pointer.subscribe(draw)` after the mouse, a finger or a key pointed at something, and
// `session.subscribe(draw)` (session.js) when another text, or a layer of it, has arrived. Read numbers from
// `session.get()` and the selection from `focus()` (focus.js), never from another view's elements; to change something,
// call `view.set({layer: 2})` or `pointer.set({...})`. Heavy drawing goes through `later(key, draw)` (tasks.js), so
// that the page never stalls. Put an element for it into a static gr.HTML template whose js_on_load imports main.js
// (see text/tab.py) and list the module in main.js's VIEWS. From outside the modules the same objects hang on
// `window.shakespeare`: view, pointer, session, focus, api.call(name, ...arguments).

import { facts } from "./facts.js";
import { report } from "./report.js";

/** @import { Pointer, Store, View } from "./types.d.ts" */

/**
 * A small observable object: set() merges a patch and tells subscribers once, in the next microtask. One that throws is
 * reported, and the others are told all the same.
 *
 * @template {object} State
 * @param {State} initial
 * @param {{made?: (fields: State) => Readonly<State>, same?: (a: unknown, b: unknown) => boolean}} how
 *   made: makes the frozen state from its fields; same: tells whether a field stays as it is
 * @returns {Store<State>}
 */
export function store(initial, { made = Object.freeze, same = equal } = {}) {
  let state = made({ ...initial });
  /** @type {Set<keyof State>} */
  let changed = new Set();
  /** @type {Set<(state: Readonly<State>, changed: Set<keyof State>) => void>} */
  const subscribers = new Set();

  function tell() {
    const keys = changed;
    changed = new Set();
    for (const subscriber of subscribers) {
      try {
        subscriber(state, keys);
      } catch (error) {
        report(error);
      }
    }
  }

  return {
    get: () => state,
    /** Returns true if anything differs from before. */
    set(patch) {
      const named = /** @type {(keyof State)[]} */ (Object.keys(patch));
      const keys = named.filter((key) => !same(state[key], patch[key]));
      if (!keys.length) return false;
      state = made({ ...state, ...patch });
      if (!changed.size) queueMicrotask(tell);
      keys.forEach((key) => changed.add(key));
      return true;
    },
    /** Returns a function that ends the subscription. */
    subscribe(subscriber) {
      subscribers.add(subscriber);
      return () => subscribers.delete(subscriber);
    },
  };
}

/** @param {unknown} a @param {unknown} b */
const equal = (a, b) => a === b || JSON.stringify(a) === JSON.stringify(b);

/**
 * What the visitor has chosen, before anything was chosen; a link is such an object. facts.py says what each entry means.
 * @type {Readonly<View>}
 */
export const VIEW = Object.freeze(facts.view);

const whole = store(VIEW);
// Whoever holds another character, or none, holds no range any more.
export const view = {
  ...whole,
  set: (/** @type {Partial<View>} */ patch) =>
    whole.set("position" in patch && !("until" in patch) ? { ...patch, until: null } : patch),
};

// What is being pointed at right now, by mouse, finger or key; null where nothing is. query and key are indices
// into the whole text (from 0), layer and head count from 1.
/** @type {Readonly<Pointer>} */
export const NOTHING = Object.freeze({ layer: null, head: null, query: null, key: null });
export const pointer = store(NOTHING);

// The part of the large map that is on show, [from, to] of each axis in positions from 1; null before it is drawn.
/** @type {Store<{x: [number, number] | null, y: [number, number] | null}>} */
export const zoom = store({ x: null, y: null });
