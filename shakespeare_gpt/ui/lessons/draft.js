// Lessons of a visitor's own: put together in the menu, kept in this browser alone, and handed on as a link or a file.

import { facts } from "../core/facts.js";
import { page, parameters, read } from "../core/link.js";
import { session } from "../core/session.js";
import { view } from "../core/store.js";
import { element, find, plural } from "../core/text.js";
import { packed, readLessons, unpacked, written } from "./packing.js";
import { begin, playing } from "./playing.js";

/** @import { OwnLesson, OwnLessons } from "../core/types.d.ts" */

const { own_lessons: limits } = facts;
const KEPT = "shakespeare-lessons";
const NOTHING = Object.freeze({ title: "", lessons: [] });

/** @type {OwnLessons} */
let draft = NOTHING;
/** @type {HTMLElement} */
let root;
let opening = 0; // so that a second link overtakes the first

/** @param {string} sentence */
const say = (sentence) => (find(root, "#own-said").textContent = sentence);

/** @param {HTMLElement} piece */
export function mount(piece) {
  root = piece;
  draft = kept();
  const title = find(root, "#own-title", HTMLInputElement);
  title.maxLength = limits.title;
  title.addEventListener("input", () => keep({ ...draft, title: title.value }));
  find(root, "#own-add").addEventListener("click", add);
  find(root, "#own-play").addEventListener("click", () => play(written(draft)));
  find(root, "#own-save").addEventListener("click", save);
  find(root, "#own-link").addEventListener("click", copy);
  const file = find(root, "#own-file", HTMLInputElement);
  find(root, "#own-open").addEventListener("click", () => file.click());
  file.addEventListener("change", async () => {
    const [chosen] = file.files ?? [];
    file.value = ""; // the same one may be chosen again
    if (chosen) open(await chosen.slice(0, 4 * limits.file).text());
  });
  draw();
  const follow = async () => {
    const given = new URLSearchParams(location.hash.slice(1));
    const fragment = given.get("lessons");
    if (fragment === null) return;
    const mine = ++opening;
    const text = await unpacked(fragment);
    if (mine === opening) play(text, Number(given.get("at") ?? 1) - 1);
  };
  addEventListener("hashchange", follow);
  follow();
  // The address follows, so that a reload and a bookmark bring the lesson back.
  playing.subscribe(({ index, about }) => {
    const address = index === null ? "" : (about.address?.(index) ?? "");
    if (address) history.replaceState(null, "", address.slice(address.indexOf("#")));
    else if (location.hash.startsWith("#lessons="))
      history.replaceState(null, "", location.pathname + location.search);
  });
}

// --- keeping ---------------------------------------------------------------------------------------------------

/** @param {OwnLessons} changed */
function keep(changed) {
  draft = changed;
  say("");
  find(root, "#own-address").hidden = true; // a link to what it was
  try {
    localStorage.setItem(KEPT, written(draft));
  } catch {
    say("This browser keeps nothing: save your lessons as a file before you close the page.");
  }
}

function kept() {
  try {
    return readLessons(localStorage.getItem(KEPT) ?? written(NOTHING)).own;
  } catch {
    return NOTHING;
  }
}

// --- putting together ------------------------------------------------------------------------------------------

/** What is on show, as a lesson keeps it: a text that was written counts as typed. */
function linkNow() {
  const now = view.get();
  const { text: whole } = session.get();
  const text = whole.slice(-facts.limits.prompt);
  const position = text === whole ? now.position : null;
  const shown = { ...now, text, position, generated_from: null, step: null, lesson: null };
  return parameters(shown, [], session.get().window?.checkpoint ?? null).toString();
}

function add() {
  if (draft.lessons.length >= limits.most) {
    say(`There can be ${limits.most} lessons at most.`);
    return;
  }
  keep({ ...draft, lessons: [...draft.lessons, { title: "", words: "", link: linkNow() }] });
  draw();
  const titles = root.querySelectorAll("#own-list input");
  const last = titles[titles.length - 1];
  if (last instanceof HTMLElement) last.focus();
}

/** @param {number} index @param {Partial<OwnLesson>} part */
const change = (index, part) =>
  keep({ ...draft, lessons: draft.lessons.map((one, i) => (i === index ? { ...one, ...part } : one)) });

/** @param {number} from @param {number} to a place; -1: none */
function move(from, to) {
  const lessons = [...draft.lessons];
  const [one] = lessons.splice(from, 1);
  if (to >= 0) lessons.splice(to, 0, one);
  keep({ ...draft, lessons });
  draw();
}

function draw() {
  find(root, "#own-editor").hidden = !draft.lessons.length;
  find(root, "#own-title", HTMLInputElement).value = draft.title;
  find(root, "#own-list").replaceChildren(...draft.lessons.map(row));
}

/** A lesson as it is written. @param {OwnLesson} lesson @param {number} index */
function row({ title, words, link }, index) {
  const number = index + 1;
  const { layer, head, tab } = read(new URLSearchParams(link), "").view;
  const button = (/** @type {string} */ label, /** @type {() => void} */ press, off = false) =>
    element(
      "button",
      { type: "button", onclick: press, disabled: off, "aria-label": `${label}: lesson ${number}` },
      label,
    );
  const name = element("input", {
    type: "text",
    maxlength: limits.title,
    placeholder: "A question",
    "aria-label": `Title of lesson ${number}`,
    oninput: () => change(index, { title: name.value }),
  });
  const text = element("textarea", {
    rows: 3,
    maxlength: limits.words,
    placeholder: "What to do, and what to see",
    "aria-label": `Words of lesson ${number}`,
    oninput: () => change(index, { words: text.value }),
  });
  name.value = title;
  text.value = words;
  return element(
    "li",
    {},
    name,
    text,
    element("p", { class: "sg-quiet" }, `Layer ${layer} head ${head}, ${tab}`),
    element(
      "div",
      { class: "le-row" },
      button("Show", () => play(written(draft), index)),
      button("Take this view", () => (change(index, { link: linkNow() }), draw())),
      button("Up", () => move(index, index - 1), index === 0),
      button("Down", () => move(index, index + 1), index === draft.lessons.length - 1),
      button("Delete", () => move(index, -1)),
    ),
  );
}

// --- handing on, and opening -----------------------------------------------------------------------------------

/** The address of lessons; "" if it is too long. @param {string} text */
async function addressOf(text) {
  const address = `${page()}#lessons=${await packed(text)}`;
  return address.length <= limits.address ? address : "";
}

async function copy() {
  const address = await addressOf(written(draft));
  const field = find(root, "#own-address", HTMLInputElement);
  field.hidden = true;
  if (!address) {
    const most = limits.address.toLocaleString("en");
    say(`Your lessons are more than a link of ${most} characters carries: save them as a file.`);
    return;
  }
  try {
    await navigator.clipboard.writeText(address);
    say("The link to your lessons is on the clipboard.");
  } catch {
    field.value = address;
    field.hidden = false;
    field.focus();
    field.select();
    say("Here is the link to your lessons, ready to copy.");
  }
}

function save() {
  const address = URL.createObjectURL(new Blob([written(draft)], { type: "application/json" }));
  element("a", { href: address, download: "lessons.json" }).click();
  setTimeout(URL.revokeObjectURL, 1000, address);
  say("Saved as lessons.json.");
}

/** A file: it is played, and, if nothing is being put together, it can be changed. @param {string} text */
function open(text) {
  const { own } = readLessons(text);
  if (!draft.lessons.length && own.lessons.length) {
    keep(own);
    draw();
  }
  play(text);
}

/** @param {string} text as `written` makes it @param {number} [index] */
async function play(text, index = 0) {
  const { own, lessons, problems } = readLessons(text);
  say(problems.join(" "));
  const menu = find(root, ".le-menu", HTMLDetailsElement);
  if (!lessons.length) {
    menu.open = true;
    return;
  }
  menu.open = false;
  const whole = await addressOf(written(own));
  const address = whole ? (/** @type {number} */ at) => `${whole}&at=${at + 1}` : undefined;
  const first = Number.isInteger(index) ? Math.min(Math.max(index, 0), lessons.length - 1) : 0;
  if (!problems.length)
    say(`${own.title ? `“${own.title}”: ` : ""}${lessons.length} ${plural("lesson", lessons.length)}.`);
  begin(lessons, first, { address, problem: problems.join(" ") });
}
