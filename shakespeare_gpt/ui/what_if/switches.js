// The switches of "What if?": one for each part of the model that can be off, and the View's `intervention` that they
// set: {} is the model as trained; layers and heads count from 1 (see intervention.py's to_json).

import { facts } from "../core/facts.js";
import { EVERYWHERE, LAYERS, canonical } from "../core/intervention.js";
import { view } from "../core/store.js";
import { around, element, find } from "../core/text.js";

/** @import { Intervention } from "../core/types.d.ts" */
/** @import { Told } from "./what_if.js" */

/** @typedef {number | [layer: number, head: number]} Entry A layer, or a head. */
/** @typedef {"heads_off" | "feed_forward_off" | "residual_off" | "norm_off"} Field A list of what is off. */

/** @type {HTMLElement} */
let root;
/** @type {Told} */
let told;
/** @type {HTMLInputElement} */
let priced; // shall prices be shown?

/** The switches of what is off in all layers. @returns {NodeListOf<HTMLInputElement>} */
const boxes = () => root.querySelectorAll(".wi-whole [data-switch]");

/** @param {HTMLElement} piece @param {Told} given */
export function mount(piece, given) {
  [root, told] = [piece, given];
  find(root, "#what-if-prices").hidden = !told.prices;
  find(root, "#what-if-unpriced").hidden = Boolean(told.prices);
  find(root, "#what-if-unpriced span").textContent = facts.measure;
  build();
  for (const box of boxes()) box.addEventListener("change", () => set(box.dataset.switch ?? "", box.checked));
  priced = find(root, "#what-if-prices input", HTMLInputElement);
  priced.addEventListener("change", draw);
  find(root, "#what-if-banner button").addEventListener("click", () => {
    view.set({ intervention: {} });
    find(root, ".wi-whole input").focus();
  });
  find(root, "#what-if-grid").addEventListener("keydown", arrows);
  view.subscribe((_, news) => {
    if (news.has("intervention") || news.has("layer") || news.has("head")) draw();
  });
  draw();
}

/** @param {string} field @param {boolean | Entry[]} value */
const set = (field, value) =>
  view.set({ intervention: canonical({ ...view.get().intervention, [field]: value }) });

/** Is anything off? */
export const changed = () => Object.keys(view.get().intervention).length > 0;

/** @param {unknown} a @param {unknown} b */
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** The entries of a list that are off. @param {Field} field @returns {Entry[]} */
const listed = (field) => view.get().intervention[field] ?? [];

/** Switch entries of a list: off if any of them is on, else on again. @param {Field} field @param {Entry[]} entries */
function toggle(field, entries) {
  const off = listed(field);
  const rest = off.filter((entry) => !entries.some((other) => same(entry, other)));
  const allOff = off.length - rest.length === entries.length;
  set(field, allOff ? rest : [...rest, ...entries]);
}

/** What is off, in words. */
export function words(/** @type {Record<string, any>} */ intervention = view.get().intervention) {
  const parts = Object.entries(EVERYWHERE).flatMap(([field, name]) => (intervention[field] ? [name] : []));
  /** @type {Map<number, number[]>} */
  const byLayer = new Map();
  for (const [layer, head] of intervention.heads_off ?? [])
    byLayer.set(layer, [...(byLayer.get(layer) ?? []), head]);
  for (const [layer, heads] of byLayer) {
    parts.push(
      heads.length === told.n_head
        ? `all heads of layer ${layer}`
        : `layer ${layer} head ${heads.join(", ")}`,
    );
  }
  for (const [field, { words: name }] of Object.entries(LAYERS)) {
    const layers = intervention[field] ?? [];
    if (layers.length)
      parts.push(
        `${name} of ${layers.length === told.n_layer ? "all layers" : `layer ${layers.join(", ")}`}`,
      );
  }
  return parts.join("; ");
}

// --- the grid --------------------------------------------------------------------------------------------------

function build() {
  const grid = find(root, "#what-if-grid");
  const heads = Array.from({ length: told.n_head }, (_, j) => j + 1);
  const layers = Array.from({ length: told.n_layer }, (_, i) => i + 1);
  const byLayer = /** @type {[Field, { short: string, words: string }][]} */ (Object.entries(LAYERS));
  const whole = (
    /** @type {string} */ label,
    /** @type {string} */ spoken,
    /** @type {Field} */ field,
    /** @type {Entry[]} */ entries,
  ) =>
    element(
      "button",
      {
        type: "button",
        class: "wi-whole-line",
        "aria-label": spoken,
        title: spoken,
        onclick: () => toggle(field, entries),
      },
      label,
    );
  const cell = (/** @type {Field} */ field, /** @type {Entry} */ at, /** @type {string} */ spoken) =>
    element("button", {
      type: "button",
      class: "wi-cell",
      "data-switch": field,
      "data-at": JSON.stringify(at),
      "data-spoken": spoken,
      onclick: () => toggle(field, [at]),
    });
  const rows = [
    element(
      "tr",
      {},
      element("td", {}),
      ...heads.map((j) => element("th", { scope: "col" }, element("span", {}, "head "), String(j))),
      ...byLayer.map(([field, { short, words: name }]) =>
        element("th", { scope: "col" }, whole(short, `Switch the ${name} of all layers`, field, layers)),
      ),
    ),
  ];
  for (const i of layers) {
    rows.push(
      element(
        "tr",
        {},
        element(
          "th",
          { scope: "row" },
          whole(
            `layer\u00a0${i}`,
            `Switch all heads of layer ${i}`,
            "heads_off",
            heads.map((j) => [i, j]),
          ),
        ),
        ...heads.map((j) => element("td", {}, cell("heads_off", [i, j], `Layer ${i} head ${j}`))),
        ...byLayer.map(([field, { words: name }]) =>
          element("td", {}, cell(field, i, `Layer ${i}, ${name}`)),
        ),
      ),
    );
  }
  grid.replaceChildren(element("table", {}, ...rows));
}

/** @param {Intervention} intervention */
const priceOf = (intervention) =>
  told.prices?.prices.find((entry) => same(canonical(entry.intervention), canonical(intervention)));

function draw() {
  const { intervention, layer, head } = view.get();
  for (const box of boxes())
    box.checked = Boolean(intervention[/** @type {keyof Intervention} */ (box.dataset.switch)]);
  /** @type {NodeListOf<HTMLElement>} */
  const buttons = root.querySelectorAll(".wi-cell");
  const cells = Array.from(buttons, (button) => {
    const field = /** @type {Field} */ (button.dataset.switch);
    /** @type {Entry} */
    const at = JSON.parse(button.dataset.at ?? "");
    return { button, field, at, found: priceOf({ [field]: [at] }) };
  });
  // Heads and the rest are coloured apart: a layer without its norm may cost a hundred heads.
  const most = Math.max(
    ...cells.map(({ field, found }) => (field === "heads_off" && found?.price) || 0),
    1e-9,
  );
  for (const { button, field, at, found } of cells) {
    const state = listed(field).some((entry) => same(entry, at)) ? "off" : "on";
    const shown = found && priced.checked ? found : null;
    const worth = shown
      ? `, worth ${shown.price.toFixed(4)} ± ${(shown.standard_error ?? 0).toFixed(4)} nats`
      : "";
    button.title = `${button.dataset.spoken}: ${state}${worth}`;
    button.setAttribute("aria-label", button.title);
    button.setAttribute("aria-pressed", String(state === "off"));
    button.textContent = shown ? String(Math.round(shown.price * 1000)).replace("-", "−") : state;
    button.classList.toggle("wi-chosen", field === "heads_off" && same(at, [layer, head]));
    button.classList.toggle("wi-priced", shown !== null);
    const share = shown ? Math.sqrt(Math.min(Math.max(shown.price, 0) / most, 1)) : 0;
    button.style.setProperty("--price", String(share));
  }
  find(root, "#what-if-banner").hidden = !changed();
  find(root, "#what-if-banner p").textContent = changed()
    ? `Switched off: ${words()}. Left = as trained, right = changed.`
    : "";
}

/** Arrow keys move between the cells. @param {KeyboardEvent} event */
function arrows(event) {
  /** @type {Record<string, [down: number, right: number]>} */
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  const step = steps[event.key];
  const here = around(event, "td, th");
  if (!step || !(here instanceof HTMLTableCellElement)) return;
  const rows = [...find(root, "#what-if-grid").querySelectorAll("tr")];
  const row = rows[rows.findIndex((one) => one.contains(here)) + step[0]];
  row?.cells[here.cellIndex + step[1]]?.querySelector("button")?.focus();
  event.preventDefault();
}
