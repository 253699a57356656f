// The texts that a file without a server holds: a button each, where there is more than one, and the words of a lesson.

import { VIEW, view } from "../core/store.js";
import { element, find } from "../core/text.js";
import { held } from "./standalone_api.js";

/** @param {HTMLElement} header */
export function mount(header) {
  const [row, words] = [find(header, "#texts"), find(header, "#texts-words")];
  row.hidden = held.length < 2;
  const buttons = held.map((one) => {
    const open = () => view.set({ ...VIEW, ...one.view });
    return element("button", { type: "button", onclick: open }, one.name);
  });
  row.replaceChildren(...buttons);
  const draw = () => {
    const { text } = view.get();
    held.forEach((one, i) => buttons[i].setAttribute("aria-pressed", String(one.first.text === text)));
    const shown = held.find((one) => one.first.text === text);
    words.replaceChildren(...(shown?.words ?? []).map((each) => element("p", {}, each)));
  };
  view.subscribe((_, changed) => changed.has("text") && draw());
  draw();
}
