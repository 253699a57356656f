// The first module of a file without a server (take_away/document.py): main.js's part, for the texts that it holds.

import { held } from "./take_away/standalone_api.js"; // which stands in place of core/api.js there
import { session } from "./core/session.js";
import { focus } from "./core/focus.js";
import * as grid from "./attention/grid.js";
import * as help from "./core/help.js";
import * as logitLens from "./attention/logit_lens.js";
import * as headMap from "./attention/head_map.js";
import * as layerMaps from "./attention/layer_maps.js";
import * as notes from "./text/notes.js";
import * as pickers from "./gradio_seam/pickers.js";
import * as readout from "./text/readout.js";
import * as sentence from "./text/sentence.js";
import * as pin from "./text/pin.js";
import { pointer, VIEW, view } from "./core/store.js";
import { find } from "./core/text.js";
import * as strip from "./text/strip.js";
import * as texts from "./take_away/texts.js";

/** @import { View } from "./core/types.d.ts" */

/** @type {Record<string, {mount: (piece: HTMLElement) => void}[]>} */
const VIEWS = {
  strip: [strip, pin, sentence, notes],
  numbers: [readout],
  lenses: [{ mount: pickers.mountLenses }],
  maps: [grid, headMap],
  layer: [layerMaps],
  "logit-lens": [logitLens],
};

const dark = matchMedia("(prefers-color-scheme: dark)");
const paint = () => document.body.classList.toggle("dark", dark.matches);
dark.addEventListener("change", paint);
paint();

// What only the server knows.
for (const id of ["#next-character", "#scrub"]) find(document, id).remove();
/** @type {[keyof View, string[]][]} */
const ASKED = [
  ["direction", ["what mattered"]],
  ["grid", ["mattered", "helped"]],
  ["map", ["effect"]],
];
/** @type {Record<string, any>} */
const usual = {};
for (const [name, values] of ASKED) {
  if (values.includes(String(held[0].view[name]))) usual[name] = VIEW[name];
  const choices = find(document, `[data-view="${name}"]`).closest("fieldset");
  for (const value of values)
    find(document, `[data-view="${name}"][value="${value}"]`).closest("label")?.remove();
  if (choices?.querySelectorAll("input[type=radio]").length === 1) choices.remove();
}
pickers.mountGradio();
session.open(held[0].first, held[0].steps);
view.set({ ...held[0].view, ...usual });
texts.mount(find(document, "header"));
/** @type {NodeListOf<HTMLElement>} */
const pieces = document.querySelectorAll("[data-piece]");
for (const piece of pieces) {
  if (!piece.parentElement?.closest("[data-piece]")) {
    pickers.mountControls(piece);
    help.mount(piece);
  }
  for (const module of VIEWS[piece.dataset.piece ?? ""]) module.mount(piece);
}

window.shakespeare = { view, pointer, session, focus };
