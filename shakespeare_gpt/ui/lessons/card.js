// The card of the lesson on show, and the keys that turn it: a keyboard's, and those that a clicker sends.

import { find, element } from "../core/text.js";
import { addressNow, leave, lessonNow, playing, turn } from "./playing.js";

/** @type {Record<string, () => void>} */
const KEYS = {
  ArrowRight: () => turn(1),
  PageDown: () => turn(1),
  " ": () => turn(1),
  ArrowLeft: () => turn(-1),
  PageUp: () => turn(-1),
  Escape: leave,
};

/** @param {HTMLElement} root */
export function mount(root) {
  const [title, words, number, problem, back, next, away] = [
    "#lesson-title",
    "#lesson-words",
    "#lesson-number",
    "#lesson-problem",
    "#lesson-back",
    "#lesson-next",
    "#lesson-leave",
  ].map((id) => find(root, id));
  const link = find(root, "#lesson-link", HTMLAnchorElement);
  back.addEventListener("click", () => turn(-1));
  next.addEventListener("click", () => turn(1));
  away.addEventListener("click", leave);

  const draw = () => {
    const { lessons, index, about } = playing.get();
    const lesson = lessonNow();
    root.hidden = !lesson;
    document.documentElement.classList.toggle("sg-in-lesson", lesson !== null);
    if (!lesson || index === null) return;
    title.textContent = lesson.title;
    words.replaceChildren(...lesson.words.map((one) => element("p", {}, one)));
    find(root, ".le-words").scrollTop = 0;
    number.textContent = `${index + 1} of ${lessons.length}`;
    back.toggleAttribute("disabled", index === 0);
    next.textContent = index === lessons.length - 1 ? "Finish" : "Next";
    const address = addressNow();
    link.hidden = !address;
    link.href = address;
    problem.textContent = about.problem ?? "";
    title.focus({ preventScroll: true });
  };
  playing.subscribe(draw);
  draw();

  document.addEventListener("keydown", (event) => {
    if (playing.get().index === null || event.defaultPrevented || ownKey(event)) return;
    const press = KEYS[event.key];
    if (!press) return;
    event.preventDefault();
    press();
  });
}

const FIELDS = "input, textarea, select, [contenteditable]";
const PRESSED = "button, a[href], summary, [role='button'], [role='option']";

/** Does what has the keyboard use this key itself? Other keys with Ctrl and the like are the browser's. @param {KeyboardEvent} event */
function ownKey({ key, target, ctrlKey, altKey, metaKey, shiftKey }) {
  if (ctrlKey || altKey || metaKey || shiftKey) return true;
  if (!(target instanceof Element)) return false;
  if (key === "Escape") return false;
  if (target.closest(FIELDS)) return true;
  if (key === " ") return target.closest(PRESSED) !== null;
  return key.startsWith("Arrow") && target.closest("[role='tab'], [role='listbox'], [role='grid']") !== null;
}
