// "?" beside a heading: at most three sentences that explain what is seen there, opened and closed by the same button.

import { facts } from "./facts.js";
import { element } from "./text.js";

let count = 0;

/** Put a "?" beside a heading. @param {Element} heading @param {string[]} sentences at most three */
export function help(heading, sentences) {
  const id = `help-${++count}`;
  const named = heading.querySelector("label") ?? heading;
  named.id ||= `${id}-heading`;
  const panel = element("p", { class: "sg-help-text", id, hidden: true }, sentences.join(" "));
  const button = element(
    "button",
    {
      type: "button",
      class: "sg-help",
      "aria-expanded": "false",
      "aria-controls": id,
      id: `${id}-button`,
      "aria-label": "Help:",
      "aria-labelledby": `${id}-button ${named.id}`, // some headings are written later, and change
      onclick: () => open(panel.hidden === true),
      onkeydown: (/** @type {KeyboardEvent} */ event) => event.key === "Escape" && open(false),
    },
    "?",
  );
  const open = (/** @type {boolean} */ shown) => {
    panel.hidden = !shown;
    button.setAttribute("aria-expanded", String(shown));
  };
  if (heading.matches("legend")) {
    heading.parentElement?.append(button, panel);
  } else {
    const line = element("div", { class: "sg-headed" });
    heading.replaceWith(line);
    line.append(heading, button);
    line.after(panel);
  }
}

/** The help of all headings in a piece of the page; the HELP beside each template (tab.py) says it. @param {Element} piece */
export function mount(piece) {
  for (const [selector, sentences] of Object.entries(facts.help)) {
    const heading = piece.querySelector(selector);
    if (heading) help(heading, sentences);
  }
}
