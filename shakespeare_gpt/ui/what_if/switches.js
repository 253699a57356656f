// The switches of "What if?": one for each part of the model that can be off, and the View's `intervention` that they
// set: {} is the model as trained; layers and heads count from 1 (see intervention.py's to_json).

import { EVERYWHERE, LAYERS, canonical } from "../core/intervention.js";
import { view } from "../core/store.js";
import { element } from "../core/text.js";

let root, prices, shape;

export function mount(piece, told) {
  [root, shape, prices] = [piece, told, told.prices];
  root.querySelector("#what-if-prices").hidden = !prices;
  root.querySelector("#what-if-unpriced").hidden = Boolean(prices);
  build();
  for (const box of root.querySelectorAll(".wi-whole [data-switch]")) {
    box.addEventListener("change", () => set(box.dataset.switch, box.checked));
  }
  root.querySelector("#what-if-prices input").addEventListener("change", draw);
  root.querySelector("#what-if-banner button").addEventListener("click", () => {
    view.set({ intervention: {} });
    root.querySelector(".wi-whole input").focus();
  });
  root.querySelector("#what-if-grid").addEventListener("keydown", arrows);
  view.subscribe((_, changed) => ["intervention", "layer", "head"].some((key) => changed.has(key)) && draw());
  draw();
}

const set = (field, value) =>
  view.set({ intervention: canonical({ ...view.get().intervention, [field]: value }) });

/** Is anything off? */
export const changed = () => Object.keys(view.get().intervention).length > 0;

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** Switch entries of a list: off if any of them is on, else on again. */
function toggle(field, entries) {
  const off = view.get().intervention[field] ?? [];
  const rest = off.filter((entry) => !entries.some((other) => same(entry, other)));
  const allOff = off.length - rest.length === entries.length;
  set(field, allOff ? rest : [...rest, ...entries]);
}

/** What is off, in words. */
export function words(intervention = view.get().intervention) {
  const listed = Object.keys(EVERYWHERE)
    .filter((field) => intervention[field])
    .map((field) => EVERYWHERE[field]);
  const byLayer = new Map();
  for (const [layer, head] of intervention.heads_off ?? [])
    byLayer.set(layer, [...(byLayer.get(layer) ?? []), head]);
  for (const [layer, heads] of byLayer) {
    listed.push(
      heads.length === shape.n_head
        ? `all heads of layer ${layer}`
        : `layer ${layer} head ${heads.join(", ")}`,
    );
  }
  for (const [field, { words: name }] of Object.entries(LAYERS)) {
    const layers = intervention[field] ?? [];
    if (layers.length)
      listed.push(
        `${name} of ${layers.length === shape.n_layer ? "all layers" : `layer ${layers.join(", ")}`}`,
      );
  }
  return listed.join("; ");
}

// --- the grid --------------------------------------------------------------------------------------------------

function build() {
  const grid = root.querySelector("#what-if-grid");
  const heads = Array.from({ length: shape.n_head }, (_, j) => j + 1);
  const layers = Array.from({ length: shape.n_layer }, (_, i) => i + 1);
  const whole = (label, spoken, field, entries) =>
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
  const cell = (field, at, spoken) =>
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
      ...Object.entries(LAYERS).map(([field, { short, words: name }]) =>
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
        ...Object.entries(LAYERS).map(([field, { words: name }]) =>
          element("td", {}, cell(field, i, `Layer ${i}, ${name}`)),
        ),
      ),
    );
  }
  grid.replaceChildren(element("table", {}, ...rows));
}

const priceOf = (intervention) =>
  prices?.prices.find((entry) => same(canonical(entry.intervention), canonical(intervention)));

function draw() {
  const { intervention, layer, head } = view.get();
  const showPrices = Boolean(prices) && root.querySelector("#what-if-prices input").checked;
  for (const box of root.querySelectorAll(".wi-whole [data-switch]"))
    box.checked = Boolean(intervention[box.dataset.switch]);
  const cells = [...root.querySelectorAll(".wi-cell")];
  const found = cells.map(({ dataset }) => priceOf({ [dataset.switch]: [JSON.parse(dataset.at)] }));
  // Heads and the rest are coloured apart: a layer without its norm may cost a hundred heads.
  const most = Math.max(
    ...cells.map((cell, i) => (cell.dataset.switch === "heads_off" && found[i]?.price) || 0),
    1e-9,
  );
  cells.forEach((cell, i) => {
    const at = JSON.parse(cell.dataset.at);
    const off = (intervention[cell.dataset.switch] ?? []).some((entry) => same(entry, at));
    const { price, standard_error } = (showPrices && found[i]) || {};
    cell.setAttribute("aria-pressed", off);
    cell.setAttribute(
      "aria-label",
      `${cell.dataset.spoken}: ${off ? "off" : "on"}${price === undefined ? "" : `, worth ${price.toFixed(4)} ± ${(standard_error ?? 0).toFixed(4)} nats`}`,
    );
    cell.title = cell.getAttribute("aria-label");
    cell.textContent =
      price === undefined
        ? off
          ? "off"
          : "on"
        : Math.round(price * 1000)
            .toString()
            .replace("-", "−");
    cell.classList.toggle("wi-chosen", cell.dataset.switch === "heads_off" && same(at, [layer, head]));
    cell.classList.toggle("wi-priced", price !== undefined);
    cell.style.setProperty(
      "--price",
      price === undefined ? 0 : Math.sqrt(Math.min(Math.max(price, 0) / most, 1)),
    );
  });
  const banner = root.querySelector("#what-if-banner");
  banner.hidden = !changed();
  banner.querySelector("p").textContent = changed()
    ? `Switched off: ${words()}. Left = as trained, right = changed.`
    : "";
}

/** Arrow keys move between the cells. */
function arrows(event) {
  const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  const here = event.target.closest("td, th");
  if (!step || !here) return;
  const to = here
    .closest("table")
    .rows[here.parentNode.rowIndex + step[0]]?.cells[here.cellIndex + step[1]]?.querySelector("button");
  to?.focus();
  event.preventDefault();
}
