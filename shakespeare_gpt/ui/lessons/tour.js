// The guided tour: six stops, each a View, so that each can be handed out as a link, which tells its words too. It can be
// left at any time; a clicker, or the arrow keys, go from stop to stop.

import { facts } from "../core/facts.js";
import { session } from "../core/session.js";
import { boxText, fillBox, stopWriting } from "../gradio_seam/pickers.js";
import { measured } from "../core/measured.js";
import { url } from "../core/link.js";
import { pointer, NOTHING, VIEW, view } from "../core/store.js";
import { reveal } from "../gradio_seam/tabs.js";
import { around, element, find } from "../core/text.js";

/** @import { SessionState, View } from "../core/types.d.ts" */

/**
 * @typedef {object} Head that a stop shows
 * @property {number} layer
 * @property {number} head
 * @property {string} words what is said of it
 * @property {number | null} position of the character, from 1, at which it does this most clearly
 */

/**
 * @typedef {object} Stop
 * @property {string} title
 * @property {string | ((head: Head) => string)} say
 * @property {Partial<View>} view what is shown
 * @property {string[]} [role] chooses the head: the one that does this most clearly; of several roles the first that any
 *   head has. The held character is the one at which it shows
 * @property {boolean} [off] is the head switched off?
 * @property {string} at what is brought into sight
 */

const [ATTENTION, INSIDE_TAB, WHAT_IF_TAB, MODEL] = facts.tabs;
/** What the piece is told. @type {{text: string, clearest: Record<string, Record<string, number>>}} */
let told = { text: "", clearest: {} };

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
    at: "#head-grid",
  },
  {
    title: "Inside a head",
    say: "Where do the weights come from? Each character has a query, what it looks for, and a key, what it offers; their product says how well the two fit. Here every step of this arithmetic stands with its real numbers, so that you can check it.",
    view: { tab: INSIDE_TAB, direction: "looks at" },
    role: ["previous_character"],
    at: '[data-piece="inside"]',
  },
  {
    title: "What if?",
    say: ({ layer, head }) =>
      `What is a head worth? Here layer ${layer} head ${head} is switched off, and the framed line says what came of it. Other parts can be switched off too: on the left stands the model as trained, on the right the changed one. The other views keep showing the model as trained.`,
    view: { tab: WHAT_IF_TAB, direction: "looks at" },
    role: ["previous_character"],
    off: true,
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
  const { told: about } = measured.get();
  const heads = about?.heads ?? [];
  const role = roles.find((key) => heads.some((head) => head.roles.includes(key))) ?? roles[0];
  const best = [...heads].sort((a, b) => (b[role] ?? 0) - (a[role] ?? 0))[0];
  if (!about || !best) return { layer: 1, head: 1, words: "look at the map.", position: null };
  const { sentence, name } = about.roles[role];
  const place = `layer ${best.layer} head ${best.head}`;
  const words = best.roles.includes(role)
    ? `${place}. ${sentence}`
    : `${place} comes closest to the role “${name}”, but not close enough to be given it.`;
  const position = told.clearest[role]?.[`${best.layer}.${best.head}`] ?? null;
  return { layer: best.layer, head: best.head, words, position };
}

/** A stop as the page shows it, its View complete. @param {number} index */
export function stop(index) {
  const { title, say, view: shown, role, off, at } = STOPS[index];
  const found = headFor(role ?? ["previous_character"]);
  const { layer, head } = role ? found : VIEW;
  const { sampling } = view.get();
  /** @type {View} */
  const complete = {
    ...VIEW,
    sampling,
    text: told.text,
    layer,
    head,
    position: role ? found.position : null,
    intervention: off ? { heads_off: [[layer, head]] } : {},
    lesson: index + 1,
    ...shown,
  };
  return { title, at, say: typeof say === "function" ? say(found) : say, view: complete };
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

/** @param {HTMLElement} root @param {typeof told} given */
export function mount(root, given) {
  told = given;
  start = find(root, "#tour-start");
  start.addEventListener("click", begin);
  document.querySelector("#tour-card")?.remove();
  card = build();
  document.body.append(card.root);
  document.addEventListener("keydown", pressed, true);
  // A link, or the way back, may bring a stop, or take it away.
  view.subscribe(({ lesson }, changed) => {
    if (!changed.has("lesson") || (lesson === null ? now === null : now === lesson - 1)) return;
    if (lesson === null) hide();
    else tell(lesson - 1);
  });
  measured.subscribe(() => now !== null && tell(now)); // which head has a role may be known later
  const linked = view.get().lesson;
  if (linked) tell(linked - 1);
}

/** @type {Record<string, number>} */
const STEPS = { ArrowRight: 1, PageDown: 1, " ": 1, ArrowLeft: -1, PageUp: -1 };

/** Escape leaves; a clicker's keys step, the others where nothing else takes them. @param {KeyboardEvent} event */
function pressed(event) {
  if (now === null) return;
  const paging = event.key.startsWith("Page") && !around(event, "textarea, input, select");
  const taken = around(event, "textarea, input, select, a, button, summary, [tabindex='0'], [role=tab]");
  const step = paging || !taken ? STEPS[event.key] : undefined;
  if (event.key !== "Escape" && !step) return;
  event.preventDefault();
  event.stopPropagation();
  if (event.key === "Escape") leave();
  else if (step === 1 || now > 0) move(step ?? 0);
}

/** To the next stop or the one before; behind the last the tour ends. @param {number} step */
function move(step) {
  const to = (now ?? 0) + step;
  if (to >= STOPS.length) leave();
  else if (to >= 0) go(to);
}

/** The card and its parts. */
function build() {
  const button = (/** @type {string} */ label, /** @type {() => void} */ press) =>
    element("button", { type: "button", onclick: press }, label);
  const parts = {
    place: element("p", { class: "sg-quiet" }),
    title: element("h2", { tabindex: -1, id: "tour-title" }),
    say: element("p", { id: "tour-say" }),
    back: button("Back", () => move(-1)),
    next: button("Next", () => move(1)),
    leave: button("Leave the tour", leave),
    link: element("a", { class: "sg-tour-link", target: "_blank", href: "#" }, "Link to this stop"),
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
  pointer.set(NOTHING);
  view.set(stop(index).view);
  tell(index);
}

/** The words of a stop, and what they are about. @param {number} index */
function tell(index) {
  const { title, say, at, view: shown } = stop(index);
  const first = now !== index || card.root.hidden || card.title.textContent !== title;
  now = index;
  card.place.textContent = `Stop ${index + 1} of ${STOPS.length}`;
  card.title.textContent = title;
  card.say.textContent = say;
  card.back.disabled = index === 0;
  card.next.textContent = index === STOPS.length - 1 ? "Finish" : "Next";
  card.link.href = url(shown);
  card.root.hidden = false;
  // Beside what it speaks of: over the numbers, which stand to the left, or over the right end of a tab.
  const onStage = shown.tab === facts.tabs[0];
  card.root.classList.toggle("sg-left", onStage);
  if (!first) return;
  card.title.focus({ preventScroll: true });
  const wide = globalThis.innerWidth >= facts.breakpoints.medium;
  if (onStage && wide) scrollTo({ top: 0 });
  reveal({ tab: shown.tab, at }, { block: onStage && wide ? "nearest" : "start" });
}

function hide() {
  now = null;
  card.root.hidden = true;
}

/** Back to what the visitor looked at before; the keyboard stands where the tour began, or, at its end, in the text box. */
function leave() {
  const finished = now === STOPS.length - 1;
  hide();
  pointer.set(NOTHING);
  if (before) {
    const { text, generated_from } = before.view;
    const own = { text, generated_from, position: null, step: null, lesson: null };
    view.set(finished ? own : before.view);
    session.restore(before.session);
    if (before.typed !== undefined) fillBox(before.typed);
  } else view.set({ lesson: null }); // it began with a link
  before = null;
  if (finished) reveal({ at: "#prompt textarea" }, { focus: true });
  else start.focus();
}
