// What was changed in the text, what was cut, and what went wrong. An empty text invites; what stands on the page while
// the text in the box is refused is dimmed.

import { facts } from "../core/facts.js";
import { beginAnew, notice } from "../core/kept.js";
import { session } from "../core/session.js";
import { view } from "../core/store.js";
import { element, find } from "../core/text.js";

const [, , WHAT_IF] = facts.tabs;

/** That is said at the box itself (writing/limit.js). */
const tooLong = () => [...view.get().text].length > facts.limits.prompt;

/** @param {HTMLElement} root */
export function mount(root) {
  const notes = find(root, "#notes");
  const draw = () => {
    const { notes: changes, window: seen, error, status } = session.get();
    document.documentElement.classList.toggle("sg-empty", seen !== null && view.get().text === "");
    document.documentElement.classList.toggle("sg-refused", status.text.state === "failed");
    const sentences = [...changes];
    const { intervention, tab } = view.get();
    if (Object.keys(intervention).length && tab !== WHAT_IF)
      sentences.push("In “What if?” something is switched off; what you see here is the model as trained.");
    notes.replaceChildren(
      ...told(notice.get().said),
      ...sentences.map((sentence) => element("p", {}, sentence)),
      ...(error && !tooLong() ? [element("p", { class: "sg-error" }, error)] : []),
    );
  };
  session.subscribe(draw);
  notice.subscribe(draw);
  const read = /** @type {const} */ (["intervention", "tab", "text"]);
  view.subscribe((_, changed) => read.some((name) => changed.has(name)) && draw());
  draw();
}

/** What happened to the page, with the way to begin anew. @param {string} said */
function told(said) {
  if (!said) return [];
  return [
    element("p", {}, `${said} `, element("button", { type: "button", onclick: beginAnew }, "Begin anew")),
  ];
}
