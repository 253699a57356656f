// What was changed in the text, what was cut, and what went wrong.

import { session } from "../core/session.js";
import { view } from "../core/store.js";
import { element } from "../core/text.js";

export function mount(root) {
  const notes = root.querySelector("#notes");
  const draw = () => {
    const sentences = [...session.get().notes];
    const { window } = session.get();
    // Always one line once something was written: the slider below stays where it is while the writing is replayed.
    if (session.get().written && window) {
      sentences.push(
        window.start === 0 || session.get().streaming
          ? `The model sees at most ${window.context_length} characters at once.`
          : `The model saw the characters ${window.start + 1} to ${window.start + window.length} at once; what is pale it no longer saw.`,
      );
    }
    const { intervention, tab } = view.get();
    if (Object.keys(intervention).length && tab !== "What if?")
      sentences.push("In “What if?” something is switched off; what you see here is the model as trained.");
    notes.replaceChildren(
      ...sentences.map((sentence) => element("p", {}, sentence)),
      ...(session.get().error ? [element("p", { class: "sg-error" }, session.get().error)] : []),
    );
  };
  session.subscribe(draw);
  view.subscribe((_, changed) => (changed.has("intervention") || changed.has("tab")) && draw());
  draw();
}
