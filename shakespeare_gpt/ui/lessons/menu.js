// The lessons' menu in the header.

import { element, find } from "../core/text.js";
import { begin, know, ourLessons, playing } from "./playing.js";

/** @import { LessonTold } from "../core/types.d.ts" */

/** @param {HTMLElement} root @param {LessonTold[]} told */
export function mount(root, told) {
  const menu = find(root, ".le-menu", HTMLDetailsElement);
  const summary = find(menu, "summary");
  know(told);
  const start = (index = 0) => {
    menu.open = false;
    begin(undefined, index);
  };
  find(root, "#lessons-start").addEventListener("click", () => start());
  find(root, ".le-list").replaceChildren(
    ...ourLessons().map(({ title }, index) =>
      element("li", {}, element("button", { type: "button", onclick: () => start(index) }, title)),
    ),
  );
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    event.preventDefault();
    menu.open = false;
    summary.focus();
  });
  // Who leaves the lessons stands where they began.
  let was = playing.get().index;
  playing.subscribe(({ index }) => {
    if (was !== null && index === null) summary.focus({ preventScroll: true });
    was = index;
  });
}
