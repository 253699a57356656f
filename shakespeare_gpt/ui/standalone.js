// The first module of the file that "Take it away" makes (standalone_file.js): main.js's part, for one text.

import { held } from "./take_away/standalone_api.js"; // which stands in place of core/api.js there
import { session } from "./core/session.js";
import { focus } from "./core/focus.js";
import * as grid from "./attention/grid.js";
import * as help from "./core/help.js";
import * as logitLens from "./attention/logit_lens.js";
import * as maps from "./attention/maps.js";
import * as notes from "./text/notes.js";
import * as pickers from "./gradio_seam/pickers.js";
import * as readout from "./text/readout.js";
import { pointer, view } from "./core/store.js";
import { find } from "./core/text.js";
import * as strip from "./text/strip.js";

/** @type {Record<string, {mount: (piece: HTMLElement) => void}[]>} */
const VIEWS = {
  strip: [strip, readout, notes],
  lenses: [{ mount: pickers.mountLenses }],
  attention: [grid, maps],
  "logit-lens": [logitLens],
};

const dark = matchMedia("(prefers-color-scheme: dark)");
const paint = () => document.body.classList.toggle("dark", dark.matches);
dark.addEventListener("change", paint);
paint();

find(document, "#candidates").remove(); // only the server knows them
pickers.mountGradio();
session.open(held.first, held.steps);
view.set(held.view);
/** @type {NodeListOf<HTMLElement>} */
const pieces = document.querySelectorAll("[data-piece]");
for (const piece of pieces) {
  pickers.mountControls(piece);
  for (const module of VIEWS[piece.dataset.piece ?? ""]) module.mount(piece);
  help.mount(piece);
}

window.shakespeare = { view, pointer, session, focus };
