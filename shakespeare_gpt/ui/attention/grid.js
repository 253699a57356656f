// Every head of the model as a thumbnail: one small canvas each. Pointing at one shows it everywhere as a preview, a
// click keeps it. Arrow keys move between them. Below them stands what their badges mean, and what the chosen one does.

import { facts } from "../core/facts.js";
import { cividis } from "../core/colours.js";
import { focus } from "../core/focus.js";
import { headEffects, mattered } from "../core/mattered.js";
import { badge, measured } from "../core/measured.js";
import { current, session, windowNow } from "../core/session.js";
import { NOTHING, pointer, view } from "../core/store.js";
import { later } from "../core/tasks.js";
import { around, element, find, percent } from "../core/text.js";

/** @import { Window } from "../core/types.d.ts" */

const MANY = 8; // heads in a row: from here on borders and letters shrink

let [grid, legend, about] = /** @type {HTMLElement[]} */ ([]); // see mount
/** @type {HTMLButtonElement[]} */
let buttons = [];
/** @type {HTMLCanvasElement[]} */
let canvases = []; // of the buttons
/** @type {HTMLElement[]} */
let inPlace = []; // all that stands in the grid, a row for each layer

/** @param {HTMLElement} root */
export function mount(root) {
  [grid, legend, about] = ["#head-grid", ".sg-legend", ".sg-about"].map((selector) => find(root, selector));
  grid.addEventListener("pointerover", (event) => event.pointerType === "mouse" && preview(event));
  grid.addEventListener("pointerleave", () => pointer.set(NOTHING));
  grid.addEventListener("focusin", preview);
  grid.addEventListener("focusout", () => pointer.set(NOTHING));
  grid.addEventListener("click", (event) => {
    const chosen = whose(event);
    if (chosen) view.set(chosen);
  });
  grid.addEventListener("keydown", key);
  session.subscribe((_, changed) => changed.has("window") && later("thumbnails", draw));
  view.subscribe((_, changed) => {
    if (changed.has("scale")) later("thumbnails", draw);
    mark();
    later("worth", weigh);
  });
  measured.subscribe(badges);
  pointer.subscribe((_, changed) => {
    if (changed.has("layer") || changed.has("head")) tell();
    later("worth", weigh);
  });
  mattered.subscribe(() => later("worth", weigh));
  if (session.get().window) draw();
}

/** @param {Event} event */
function whose(event) {
  const button = around(event, "button");
  if (!button) return null;
  const { layer = button.dataset.allOfLayer, head = button.dataset.allOfHead } = button.dataset; // a label has one of them
  return { ...(layer && { layer: Number(layer) }), ...(head && { head: Number(head) }) };
}

/** @param {Event} event */
function preview(event) {
  const chosen = whose(event);
  if (chosen) pointer.set({ ...NOTHING, ...chosen });
}

/** @param {Window} window */
function build({ n_layer, n_head }) {
  [buttons, canvases] = [[], []];
  grid.style.setProperty("--heads", String(n_head));
  grid.classList.toggle("sg-many", n_head > MANY);
  const label = (/** @type {"layer" | "head"} */ what, /** @type {number} */ number) =>
    element(
      "button",
      {
        type: "button",
        class: "sg-grid-label",
        [`data-all-of-${what}`]: number,
        "aria-label": `The chosen ${what === "layer" ? "head, in layer" : "layer, head"} ${number}`,
        tabindex: -1, // the buttons beside the large map do the same
      },
      String(number),
    );
  /** @type {HTMLElement[]} */
  const parts = [element("span")];
  for (let head = 1; head <= n_head; head++) parts.push(label("head", head));
  for (let layer = 1; layer <= n_layer; layer++) {
    parts.push(label("layer", layer));
    for (let head = 1; head <= n_head; head++) {
      const canvas = element("canvas");
      const button = element(
        "button",
        {
          type: "button",
          "data-layer": layer,
          "data-head": head,
          "data-name": `${layer}.${head}`,
          "aria-label": `Layer ${layer} head ${head}`,
        },
        canvas,
      );
      canvases.push(canvas);
      buttons.push(button);
      parts.push(button);
    }
  }
  inPlace = parts;
  grid.replaceChildren(...parts);
  badges();
}

/** What each head does, where it was measured. */
function badges() {
  const { told } = measured.get();
  if (!told) return;
  for (const button of buttons) {
    const role = roleOf(Number(button.dataset.layer), Number(button.dataset.head));
    if (role) button.dataset.badge = badge(role).short;
  }
  const given = new Set(told.heads.map(({ role }) => role));
  const lines = Object.keys(facts.roles)
    .filter((role) => given.has(role))
    .map((role) => `${badge(role).short}: ${facts.roles[role].name}`);
  legend.textContent = lines.join(" · ");
  tell();
}

/** @param {number} layer @param {number} head */
const roleOf = (layer, head) =>
  measured.get().told?.heads.find((one) => one.layer === layer && one.head === head)?.role ?? null;

/** What the head that is on show does. */
function tell() {
  const { layer, head } = { ...view.get(), ...pointed(pointer.get()) };
  const { told } = measured.get();
  if (!told) return;
  const role = roleOf(layer, head);
  const found = told.heads.find((one) => one.layer === layer && one.head === head);
  const button = buttons.find(
    (one) => Number(one.dataset.layer) === layer && Number(one.dataset.head) === head,
  );
  const worth = button?.dataset.worth;
  about.replaceChildren(
    element("b", {}, `Layer ${layer}, head ${head}. `),
    worth === undefined
      ? ""
      : element("span", { class: "sg-worth" }, `${effect(view.get().grid, Number(worth))}. `),
    role && found
      ? `${facts.roles[role].sentence} On ${facts.roles[role].measured_on}, ` +
          `${percent(found[role] ?? 0)} of its weight does this.`
      : "It has no role that a simple rule describes.",
  );
}

/** @param {{layer: number | null, head: number | null}} at */
const pointed = ({ layer, head }) => (layer && head ? { layer, head } : {});

function draw() {
  const seen = windowNow();
  if (buttons.length !== seen.n_layer * seen.n_head) build(seen);
  const { size, data: pixels } = seen.thumbnails;
  const colours = cividis();
  const linear = view.get().scale === "linear";
  canvases.forEach((canvas, i) => {
    canvas.width = canvas.height = size;
    const image = new ImageData(size, size);
    const { data: rgba } = image; // filled number by number: an array for each pixel would hold up the page
    for (let y = 0, from = i * size * size; y < size; y++) {
      for (let x = 0; x <= y; x++) {
        const byte = pixels[from + y * size + x]; // 255 * sqrt(weight)
        const colour = colours[linear ? Math.round((byte * byte) / 255) : byte];
        const at = 4 * (y * size + x);
        for (let channel = 0; channel < 3; channel++) rgba[at + channel] = colour[channel];
        rgba[at + 3] = 255;
      }
    }
    canvas.getContext("2d")?.putImageData(image, 0, 0);
  });
  mark();
  later("worth", weigh);
}

/**
 * What each head was worth here, over its picture: for the prediction after the chosen character, or for the whole text.
 * The largest one is full; a head that the text is better without stands out by its hatching.
 */
function weigh() {
  const { grid: shown } = view.get();
  const now = focus();
  grid.classList.toggle("sg-weighed", shown !== "picture");
  const told = shown !== "picture" && now && current() ? headEffects() : null;
  const index = now ? now.chosen - windowNow().start : 0;
  const worth =
    told && (shown === "helped" ? told.helped : told.moved.map((row) => row.map((all) => all[index])));
  const most = worth ? Math.max(...worth.flat().map(Math.abs)) || 1 : 1;
  for (const button of buttons) {
    const value = worth?.[Number(button.dataset.layer) - 1][Number(button.dataset.head) - 1];
    const known = value !== undefined;
    button.style.setProperty("--effect", known ? String(Math.sqrt(Math.abs(value) / most)) : "0");
    button.classList.toggle("sg-hindered", known && value < 0);
    if (known) button.dataset.worth = value.toFixed(3);
    else delete button.dataset.worth;
    const { sentence } = badge(roleOf(Number(button.dataset.layer), Number(button.dataset.head)));
    button.title = known ? `${effect(shown, value)}. ${sentence}` : sentence;
  }
  arrange(worth !== null && view.get().sorted);
  tell();
}

/** The head that was worth most first, or each in its layer's row; the keyboard stays where it was. @param {boolean} sorted */
function arrange(sorted) {
  const worth = (/** @type {HTMLElement} */ button) => Number(button.dataset.worth);
  const order = sorted ? [...buttons].sort((a, b) => worth(b) - worth(a)) : inPlace;
  grid.classList.toggle("sg-sorted", sorted);
  if (order.length === grid.childElementCount && order.every((one, i) => one === grid.children[i])) return;
  const at = document.activeElement;
  grid.replaceChildren(...order);
  if (at instanceof HTMLElement && order.includes(at)) at.focus({ preventScroll: true });
}

/** @param {"picture" | "mattered" | "helped"} shown @param {number} value nats */
const effect = (shown, value) =>
  shown === "helped"
    ? `Without it the loss on this text ${value < 0 ? "falls" : "rises"} by ${Math.abs(value).toFixed(3)}`
    : `Without it the prediction here moves by ${value.toFixed(3)} nats`;

function mark() {
  const { layer, head } = view.get();
  for (const button of buttons) {
    const chosen = Number(button.dataset.layer) === layer && Number(button.dataset.head) === head;
    button.setAttribute("aria-pressed", String(chosen));
    button.tabIndex = chosen ? 0 : -1; // one stop of the Tab key for the whole grid
  }
  tell();
}

/** @param {KeyboardEvent} event */
function key(event) {
  const shown = [...grid.children].filter((one) => buttons.some((button) => button === one));
  const index = shown.findIndex((button) => button === document.activeElement);
  const columns = session.get().window?.n_head ?? 1;
  /** @type {Record<string, number>} */
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  const step = steps[event.key];
  if (index < 0 || !step) return;
  const next = shown[index + step];
  if (next instanceof HTMLElement) next.focus();
  event.preventDefault();
}
