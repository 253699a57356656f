// The guided tour: six stops, each a View, so that each can be handed out as a link. It can be left at any time.

import { facts } from "../core/facts.js";
import { session } from "../core/session.js";
import { boxText, fillBox, stopWriting } from "../gradio_seam/pickers.js";
import { measured } from "../core/measured.js";
import { url } from "../core/link.js";
import { pointer, NOTHING, VIEW, view } from "../core/store.js";
import { reveal } from "../gradio_seam/tabs.js";
import { element, find } from "../core/text.js";

/** @import { SessionState, View } from "../core/types.d.ts" */

/** @typedef {{layer: number, head: number, words: string}} Head that a stop shows, with what is said of it */

/**
 * @typedef {object} Stop
 * @property {string} title
 * @property {string | ((head: Head) => string)} say
 * @property {Partial<View>} view what is shown
 * @property {string[]} [role] chooses the head: the one that does this most clearly; of several roles the first that any
 *   head has
 * @property {string} [after] the held character is the last of these
 * @property {string} at what is brought into sight
 */

const [ATTENTION, INSIDE_TAB, WHAT_IF_TAB, MODEL] = facts.tabs;
const TEXT = "ROMEO:\nBut, soft! what light through yonder window breaks?\nIt is the east, and Juliet is";

/** @type {Stop[]} */
const STOPS = [
  {
    title: "One character at a time",
    say: "The model reads a text character by character. At each place it says how likely every possible next character is, from the characters before it alone. The stronger the shading here, the surer it was of the character that did come.",
    view: { tab: ATTENTION, direction: "how sure" },
    at: "#text-strip",
  },
  {
    title: "Looking back",
    say: (head) =>
      `To foretell what comes next, a character looks back at earlier ones and gives each a weight; all its weights add up to 1. This is how one head does it: ${head.words} Each row of the map is a character that looks, and the held character's row is marked.`,
    view: { tab: ATTENTION, direction: "looks at" },
    role: ["previous_character"],
    after: "yonder wind",
    at: "#head-map",
  },
  {
    title: "Every head has its own habit",
    say: (head) =>
      `The model has many heads: a row of pictures for each layer. Here another one is chosen: ${head.words} Badges name what some heads do, measured on other text; many have no simple role.`,
    view: { tab: ATTENTION, direction: "looks at" },
    role: [
      "start_of_line",
      "speaker_name",
      "current_word",
      "start_of_word",
      "same_character_before",
      "induction",
      "first_character",
    ],
    after: "yonder wind",
    at: "#head-grid",
  },
  {
    title: "Inside a head",
    say: "Where do the weights come from? Each character has a query, what it looks for, and a key, what it offers; their product says how well the two fit. Here every step of this arithmetic stands with its real numbers, so that you can check it.",
    view: { tab: INSIDE_TAB, direction: "looks at" },
    role: ["previous_character"],
    after: "yonder wind",
    at: '[data-piece="inside"]',
  },
  {
    title: "What if?",
    say: "What is a head worth? Switch it off, or take away the positions or the mask that hides the future, and compare: on the left the model as trained, on the right the changed one. The other views keep showing the model as trained.",
    view: { tab: WHAT_IF_TAB },
    at: '[data-piece="what-if"]',
  },
  {
    title: "The model as a whole",
    say: "All parts on one drawing: press one to see it at work. Around it stand what it cannot do, what it learned about characters and places, and how its loss fell. Now choose a text of your own.",
    view: { tab: MODEL },
    at: ".sg-drawing",
  },
];

/**
 * The head that does a role most clearly; of the roles the first that was given to any.
 * @param {string[]} roles
 * @returns {Head}
 */
function headFor(roles) {
  const { told } = measured.get();
  const heads = told?.heads ?? [];
  const role = roles.find((key) => heads.some((head) => head.roles.includes(key))) ?? roles[0];
  const best = [...heads].sort((a, b) => (b[role] ?? 0) - (a[role] ?? 0))[0];
  if (!told || !best) return { layer: 1, head: 1, words: "look at the map." };
  const { sentence, name } = told.roles[role];
  const place = `layer ${best.layer} head ${best.head}`;
  const words = best.roles.includes(role)
    ? `${place}. ${sentence}`
    : `${place} comes closest to the role “${name}”, but not close enough to be given it.`;
  return { layer: best.layer, head: best.head, words };
}

/** A stop as the page shows it, its View complete. @param {number} index */
export function stop(index) {
  const { title, say, view: shown, role, after, at } = STOPS[index];
  const head = headFor(role ?? ["previous_character"]);
  const { layer, head: number } = role ? head : VIEW;
  const position = after ? TEXT.indexOf(after) + after.length : null;
  const { sampling } = view.get();
  /** @type {View} */
  const complete = { ...VIEW, sampling, text: TEXT, layer, head: number, position, ...shown };
  return { title, at, say: typeof say === "function" ? say(head) : say, view: complete };
}

export const stops = () => STOPS.map((_, index) => stop(index));

/** @type {HTMLElement} */
let start;
/** @type {ReturnType<typeof build>} */
let card;
/** @type {number | null} */
let now = null; // index of the stop, null outside of the tour
/** @type {{view: View, session: SessionState, typed: string | undefined} | null} */
let before = null; // what the visitor looked at when the tour began, and the text box

/** @param {HTMLElement} root */
export function mount(root) {
  start = find(root, "#tour-start");
  start.addEventListener("click", begin);
  document.querySelector("#tour-card")?.remove();
  card = build();
  document.body.append(card.root);
  document.addEventListener(
    "keydown",
    (event) => {
      if (now === null || event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      leave();
    },
    true,
  );
}

/** The card and its parts. */
function build() {
  const button = (/** @type {string} */ label, /** @type {() => void} */ press) =>
    element("button", { type: "button", onclick: press }, label);
  const parts = {
    place: element("p", { class: "sg-quiet" }),
    title: element("h2", { tabindex: -1, id: "tour-title" }),
    say: element("p", { id: "tour-say" }),
    back: button("Back", () => go((now ?? 0) - 1)),
    next: button("Next", () => (now === STOPS.length - 1 ? leave() : go((now ?? 0) + 1))),
    leave: button("Leave the tour", leave),
    link: element("a", { class: "sg-tour-link", target: "_blank" }, "Link to this stop"),
  };
  parts.next.classList.add("sg-tour-next");
  const root = element(
    "div",
    {
      class: "sg sg-tour-card",
      id: "tour-card",
      role: "dialog",
      "aria-labelledby": "tour-title",
      "aria-describedby": "tour-say",
      hidden: true,
    },
    parts.place,
    parts.title,
    parts.say,
    element("div", { class: "sg-tour-buttons" }, parts.back, parts.next, parts.link, parts.leave),
  );
  return { root, ...parts };
}

function begin() {
  stopWriting();
  const typed = boxText();
  before = { view: view.get(), session: session.get(), typed };
  go(0);
}

/** @param {number} index of a stop */
function go(index) {
  now = index;
  const { title, say, at, view: shown } = stop(index);
  pointer.set(NOTHING);
  view.set(shown);
  card.place.textContent = `Stop ${index + 1} of ${STOPS.length}`;
  card.title.textContent = title;
  card.say.textContent = say;
  card.back.disabled = index === 0;
  card.next.textContent = index === STOPS.length - 1 ? "Finish" : "Next";
  card.link.href = url(shown);
  card.root.hidden = false;
  card.title.focus({ preventScroll: true });
  reveal({ tab: shown.tab, at }, { block: "start" });
}

/** Back to what the visitor looked at before; the keyboard stands where the tour began. */
function leave() {
  const finished = now === STOPS.length - 1;
  now = null;
  card.root.hidden = true;
  if (!before) return;
  pointer.set(NOTHING);
  const { text, generated_from } = before.view;
  view.set(finished ? { text, generated_from, position: null, step: null } : before.view);
  session.restore(before.session);
  if (before.typed !== undefined) fillBox(before.typed);
  start.focus({ preventScroll: finished });
}
