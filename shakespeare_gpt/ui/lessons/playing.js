// Which lesson is on show, and what the visitor had before. Ours count in the View (`lesson`), so that a link and a reload
// bring one back with its words.

import { broughtBack, setAside, takeBack } from "../core/kept.js";
import { url } from "../core/link.js";
import { session } from "../core/session.js";
import { NOTHING, pointer, store, VIEW, view } from "../core/store.js";
import { boxText, fillBox, stopWriting } from "../gradio_seam/pickers.js";
import { reveal } from "../gradio_seam/tabs.js";

/** @import { Lesson, LessonTold, View } from "../core/types.d.ts" */

/**
 * @typedef {object} About lessons that are not ours
 * @property {(index: number) => string} [address] of one of them; none if they are too much for a link
 * @property {string} [problem] what could not be read of them
 */

/** @type {Lesson[]} */
let ours = [];
let shown = 0; // lessons so far, so that a late scrolling to an earlier one is dropped

/** @type {import("../core/types.d.ts").Store<{lessons: Lesson[], index: number | null, about: About}>} */
export const playing = store({ lessons: [], index: null, about: {} }, { same: Object.is });

/** The lesson on show. @returns {Lesson | null} */
export const lessonNow = () => {
  const { lessons, index } = playing.get();
  return index === null ? null : lessons[index];
};

/** Those that the page was told, each with its words. @param {LessonTold[]} told */
export function know(told) {
  ours = told.map(({ title, do: task, see, view: chosen, at }) => ({
    title,
    words: [task, see],
    view: chosen,
    at,
  }));
  const follow = () => {
    const { lesson } = view.get();
    const { lessons, index } = playing.get();
    if (lesson === null) {
      if (lessons === ours) playing.set({ index: null });
      return;
    }
    if (!ours[lesson - 1] || (lessons === ours && index === lesson - 1)) return;
    // A link without a text is one that somebody wrote by hand: the lesson brings its View.
    const given = new URLSearchParams(location.hash.slice(1));
    if (given.has("lesson") && !given.has("text") && !broughtBack()) go(ours, lesson - 1);
    else show(ours, lesson - 1);
  };
  view.subscribe((_, changed) => changed.has("lesson") && follow());
  follow();
}

/** @returns {readonly Lesson[]} */
export const ourLessons = () => ours;

/**
 * Begin; what the visitor has comes back when he leaves.
 * @param {Lesson[]} [lessons] @param {number} [index] @param {About} [about]
 */
export function begin(lessons = ours, index = 0, about = {}) {
  stopWriting();
  if (playing.get().index === null) setAside(boxText());
  playing.set({ about });
  go(lessons, index);
}

/** The View of a lesson, complete. @param {Lesson[]} lessons @param {number} index @returns {View} */
export function viewOf(lessons, index) {
  const { sampling } = view.get();
  return {
    ...VIEW,
    sampling,
    ...lessons[index].view,
    lesson: lessons === ours ? index + 1 : null,
  };
}

/** Another lesson of those on show. @param {number} step forward or back */
export function turn(step) {
  const { lessons, index } = playing.get();
  if (index === null) return;
  const to = index + step;
  if (to >= lessons.length) leave();
  else if (to >= 0) go(lessons, to);
}

/** @param {Lesson[]} lessons @param {number} index */
function go(lessons, index) {
  stopWriting();
  playing.set({ lessons, index });
  pointer.set(NOTHING);
  view.set(viewOf(lessons, index));
  show(lessons, index);
}

/** @param {Lesson[]} lessons @param {number} index */
function show(lessons, index) {
  playing.set({ lessons, index });
  const mine = ++shown;
  const { at, view: chosen } = lessons[index];
  if (!at) return scrollTo({ top: 0 });
  const wanted = () => mine === shown;
  reveal({ tab: chosen.tab, at }, { block: "start", wanted }).then(
    (element) => element && hold(element, wanted),
  );
}

/**
 * What stands above it may still arrive and move it: it is brought back into sight, until the visitor moves himself.
 * @param {HTMLElement} element @param {() => boolean} wanted
 */
function hold(element, wanted) {
  const moves = ["wheel", "touchstart", "pointerdown", "keydown"];
  const observer = new ResizeObserver(() => {
    if (wanted()) element.scrollIntoView({ block: "start" });
    else end();
  });
  const end = () => {
    observer.disconnect();
    for (const name of moves) removeEventListener(name, end, true);
  };
  for (const name of moves) addEventListener(name, end, true);
  observer.observe(element.closest("[data-piece]") ?? document.body);
}

/** Back to what the visitor looked at before; who came by a link stays where he is. */
export function leave() {
  shown++;
  playing.set({ index: null });
  pointer.set(NOTHING);
  const before = takeBack();
  if (!before) view.set({ lesson: null });
  else {
    view.set({ ...VIEW, ...before.view });
    session.restore(before.said);
    if (before.typed !== undefined) fillBox(before.typed);
  }
  scrollTo({ top: 0 });
}

/** The address of the lesson on show; "" if it is too much for a link. */
export const addressNow = () => {
  const { lessons, index, about } = playing.get();
  if (index === null) return "";
  return lessons === ours ? url(viewOf(lessons, index)) : (about.address?.(index) ?? "");
};
