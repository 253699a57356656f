// The first module of the file that "Take it away" makes (standalone_file.js): main.js's part, for one text.

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
import { pointer, view } from "./core/store.js";
import { find } from "./core/text.js";
import * as strip from "./text/strip.js";

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

find(document, "#next-character").remove(); // only the server knows it
pickers.mountGradio();
session.open(held.first, held.steps);
view.set(held.view);
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
