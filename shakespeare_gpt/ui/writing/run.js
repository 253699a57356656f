// What was written and how: the line under the buttons, several continuations side by side, Write on, Stop, Copy.

import { facts } from "../core/facts.js";
import { session } from "../core/session.js";
import { view } from "../core/store.js";
import { around, element, find } from "../core/text.js";
import { taken } from "../gradio_seam/pickers.js";
import { endOf, NOTHING_READ, read, sentence } from "./account.js";

/** @import { Account, Run } from "./account.js" */

/** @type {Account} */
let account = NOTHING_READ; // of the latest run
let stopped = false; // by the visitor
let chosen = 0; // which of several continuations the page shows
let draw = () => {};

/** The text on show and how much of it was typed; of the text box, before the first text is there. */
function shown() {
  const { text, promptLength, window: seen } = session.get();
  if (seen) return { text, promptLength };
  const typed = find(document, "#prompt textarea", HTMLTextAreaElement).value;
  return { text: typed, promptLength: typed.length };
}

const ended = () => !account.run || account.run.done || stopped;

/**
 * Draws the line under the buttons and the cards whenever the account of the run has grown.
 * @param {HTMLElement} root
 * @param {{value: string | null}} props the account, as lines
 * @param {(prop: "value", changed: () => void) => void} watch
 */
export function result(root, props, watch) {
  const [status, spoken, cards] = ["status", "spoken", "cards"].map((part) => find(root, `.run-${part}`));
  draw = () => {
    const { run } = account;
    document.body.toggleAttribute("data-writing", !ended());
    status.textContent = run ? sentence(run, stopped, !session.get().streaming) : "";
    if (ended()) spoken.textContent = status.textContent; // for screen readers, once a run
    drawCards(cards);
  };
  const changed = () => {
    // After Stop nothing more is shown, although a little may still be on its way.
    if (stopped && account.lines && props.value?.startsWith(account.lines)) return;
    if (props.value) hear(props.value);
    else [account, stopped] = [{ ...account, run: null }, true];
    draw();
  };
  watch("value", changed);
  session.subscribe((_, news) => news.has("streaming") && draw());
  // However it is pressed: by the visitor, or by stopWriting of the seam.
  document.addEventListener("click", (event) => {
    if (around(event, "#stop")) stop();
  });
  // What was written belongs to its prompt: with another text it goes.
  view.subscribe(({ generated_from }, news) => {
    if (!news.has("text") || generated_from !== null || !account.run) return;
    [account, stopped] = [{ ...account, run: null }, true];
    draw();
  });
  changed();
}

/** @param {string} lines */
function hear(lines) {
  const before = account.run;
  account = read(account, lines);
  if (account.run?.run !== before?.run) {
    [stopped, chosen] = [false, 0];
    taken();
  }
  if (account.run) show(account.run);
}

/** Hands the chosen continuation to the session. @param {Run} run */
function show({ samples, ...about }) {
  session.writing({ ...about, ...samples[chosen] });
}

/** Several continuations stand side by side; a single one is in the strip alone. @param {HTMLElement} cards */
function drawCards(cards) {
  const { run } = account;
  const samples = run && run.samples.length > 1 ? run.samples : [];
  while (cards.children.length > samples.length) cards.lastElementChild?.remove();
  samples.forEach((sample, i) => {
    const card = cards.children[i] ?? cards.appendChild(newCard(i));
    card.classList.toggle("chosen", i === chosen);
    find(card, ".run-seed").textContent = `Seed ${sample.seed}`;
    const button = find(card, "button", HTMLButtonElement);
    button.disabled = !ended(); // until then the page follows the first
    button.setAttribute("aria-pressed", String(i === chosen));
    button.textContent = i === chosen ? "Shown below" : "Show this one";
    const text = find(card, ".run-text");
    if (text.textContent !== sample.text) text.textContent = sample.text;
  });
}

/** @param {number} i */
function newCard(i) {
  const choose = () => {
    chosen = i;
    draw();
    if (account.run) show(account.run);
  };
  return element(
    "article",
    { class: "run-card", "aria-label": `Continuation ${i + 1}` },
    element(
      "header",
      {},
      element("span", { class: "run-seed" }),
      element("button", { type: "button", class: "run-choose", onclick: choose }),
    ),
    // A long text scrolls, with the arrow keys too.
    element("div", {
      class: "run-text",
      tabindex: 0,
      role: "region",
      "aria-label": `Text of continuation ${i + 1}`,
    }),
  );
}

// --- what Gradio's events call -----------------------------------------------------------------------------------

/** The inputs of Generate: the prompt, where it stands in the text on the page, the settings. @param {string} prompt */
export const generate = (prompt) => [prompt, { offset: 0, before: 0 }, view.get().sampling];

/** The inputs of Write on. */
export function writeOn() {
  const { text, promptLength } = shown();
  const { prompt, place } = endOf(text, promptLength, facts.limits.prompt);
  return [prompt, place, view.get().sampling];
}

/** The run was broken off: by a message that Gradio shows, or by a lost connection. */
export function failed() {
  if (!ended()) stop();
}

export async function copy() {
  const { text } = shown();
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // In a frame the clipboard may be closed to scripts; selecting and copying is not.
    const area = element("textarea", { class: "sg-spoken" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  const button = find(document, "#copy");
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy text"), 1500);
}

function stop() {
  stopped ||= account.run !== null && !account.run.done;
  draw();
  session.ended();
}
