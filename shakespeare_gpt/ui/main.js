// Where everything meets: each piece of the page (a gr.HTML with a static template) calls mount() when it is there. What
// the pieces are told comes in a file of its own, which is on its way before Gradio's scripts run (document.py).

import { call } from "./core/api.js";
import { session } from "./core/session.js";
import { focus } from "./core/focus.js";
import * as forming from "./attention/forming.js";
import * as grid from "./attention/grid.js";
import * as examples from "./writing/examples.js";
import * as kept from "./core/kept.js";
import * as help from "./core/help.js";
import * as inside from "./inside/inside.js";
import { read, url } from "./core/link.js";
import * as limit from "./writing/limit.js";
import * as logitLens from "./attention/logit_lens.js";
import * as headMap from "./attention/head_map.js";
import * as layerMaps from "./attention/layer_maps.js";
import * as model from "./model/model.js";
import * as nextCharacter from "./text/next_character.js";
import * as notes from "./text/notes.js";
import * as opening from "./gradio_seam/opening.js";
import * as pickers from "./gradio_seam/pickers.js";
import * as readout from "./text/readout.js";
import * as roles from "./attention/roles.js";
import * as scrub from "./text/scrub.js";
import * as sentence from "./text/sentence.js";
import { mountSettings } from "./core/settings.js";
import * as stage from "./stage/stage.js";
import * as pin from "./text/pin.js";
import { pointer, view } from "./core/store.js";
import { element, find } from "./core/text.js";
import * as strip from "./text/strip.js";
import * as tabs from "./gradio_seam/tabs.js";
import * as takeAway from "./take_away/take_away.js";
import * as lessonCard from "./lessons/card.js";
import * as lessonDraft from "./lessons/draft.js";
import * as lessonMenu from "./lessons/menu.js";
import * as twoTexts from "./two_texts/two_texts.js";
import * as whatIf from "./what_if/what_if.js";

// Which modules live in which piece; `data-piece` in the templates (tab.py) names it.
/** @type {Record<string, {mount: (piece: HTMLElement, told: any) => void}[]>} */
const VIEWS = {
  projector: [stage],
  begin: [examples, limit],
  strip: [strip, pin, sentence, notes, scrub],
  numbers: [readout, nextCharacter],
  lenses: [{ mount: pickers.mountLenses }],
  "take-away": [takeAway],
  maps: [grid, headMap],
  layer: [layerMaps],
  "logit-lens": [logitLens],
  inside: [inside],
  "what-if": [whatIf],
  "two-texts": [twoTexts],
  roles: [roles],
  forming: [forming],
  model: [model],
  lessons: [lessonMenu, lessonDraft],
  lesson: [lessonCard],
};

const PAUSES = [1000, 4000]; // ms before what did not arrive is asked for again

/** What the pieces are told, by their names. @returns {Promise<Record<string, any>>} */
async function tell(failures = 0) {
  try {
    const answer = await fetch(/** @type {HTMLLinkElement} */ (find(document, "#page-told")).href);
    if (!answer.ok) throw new Error(`The server failed (${answer.status}).`);
    return await answer.json();
  } catch (error) {
    if (failures === PAUSES.length) throw error;
    await new Promise((resolve) => setTimeout(resolve, PAUSES[failures]));
    return tell(failures + 1);
  }
}

/** The page begins when its first text is here. */
async function open() {
  const told = await tell();
  opening.showWhenDrawn();
  opening.sayIfBlocked();
  pickers.mountGradio();
  tabs.mount();
  session.open(told.strip);
  if (kept.bringBack()) pickers.showPrompt();
  kept.keep();
  return told;
}

const begun = open();
begun.catch(() => {}); // each piece says so

/**
 * A piece is there, with those that stand in it.
 * @param {HTMLElement} around
 */
export async function mount(around) {
  const told = await begun.catch(() => null);
  if (!told) {
    opening.show();
    const again = element(
      "button",
      { type: "button", onclick: () => location.reload() },
      "Open the page again",
    );
    around.replaceChildren(
      element("p", { class: "sg sg-error", role: "status" }, "The first numbers did not arrive. ", again),
    );
    return;
  }
  for (const piece of [...around.querySelectorAll("[data-piece]")].filter(isElement)) {
    const name = piece.dataset.piece ?? "";
    if (!piece.parentElement?.closest("[data-piece]")) {
      pickers.mountControls(piece);
      mountSettings(piece);
      help.mount(piece);
    }
    for (const module of VIEWS[name]) module.mount(piece, told[name]);
  }
}

/** @param {Element} one @returns {one is HTMLElement} */
const isElement = (one) => one instanceof HTMLElement;

export * as events from "./events.js";

window.shakespeare = Object.assign(window.shakespeare ?? {}, {
  view,
  pointer,
  session,
  focus,
  api: { call },
  link: { url, read },
});
