// "Take it away": the explorer of this text as one HTML file that needs no server and no network.
//
// It holds Plotly, a style sheet, the page's own modules, and the numbers of every layer. The server puts the modules
// together (gradio_seam/files.py): in place of core/api.js stands standalone_api.js, which answers from the file, and the
// first module is standalone.js.

import { promptLength, session, windowNow } from "../core/session.js";
import { base64, pack } from "../core/decode.js";
import { facts } from "../core/facts.js";
import { held } from "../core/focus.js";
import { url } from "../core/link.js";
import { view } from "../core/store.js";

/** @import { Held, LayerPayload } from "../core/types.d.ts" */

/** A file that the server also gives to the page; the browser has most of them already. @param {string} name */
async function fetched(name) {
  const answer = await fetch(new URL(`../${name}`, import.meta.url));
  if (!answer.ok) throw new Error(`The server does not give ${name}.`);
  return answer.text();
}

/** What the file shows and answers: see standalone.js and standalone_api.js. @returns {Promise<{texts: Held[]}>} */
async function numbers() {
  const { figures, steps } = session.get();
  const seen = windowNow();
  /** @type {LayerPayload[]} */
  const layers = [];
  for (let layer = 1; layer <= seen.n_layer; layer++) {
    const { weights, ...rest } = await session.layer(layer, seen);
    layers.push({ ...rest, weights: pack(weights) });
  }
  const { text: shown, length, ...overview } = seen;
  const before = session.get().text.slice(0, seen.start);
  // The window is all there is: the text ends with it, nothing before it counts as written, nothing is replayed.
  const text = before + shown;
  const generated = Math.max(0, text.length - promptLength());
  const written = Math.min(generated, length);
  const holding = held();
  /** @type {Held} */
  const one = {
    name: "",
    words: [],
    first: {
      text,
      overview: {
        ...overview,
        start: seen.start + 1,
        before,
        thumbnails: { ...seen.thumbnails, data: base64(seen.thumbnails.data) },
      },
      figures,
      layer: layers[view.get().layer - 1],
      chosen: {},
    },
    steps: steps.slice(generated - written, generated),
    view: {
      ...view.get(),
      text,
      position: holding === null ? null : holding + 1,
      step: null,
      generated_from: written ? text.length - written : null,
    },
    layers,
    logit_lens: await session.lens(seen),
  };
  return { texts: [one] };
}

/** JSON in a <script> that it can't end. @param {string} id @param {unknown} value */
const data = (id, value) =>
  `<script type="application/json" id="${id}">${JSON.stringify(value).replace(/</g, "\\u003c")}</script>`;

/** JavaScript that can't either: in a string or a regular expression, `\/` is `/`. @param {string} source */
const closed = (source) => source.replace(/<\/script/gi, "<\\/script").replace(/<!--/g, "<\\!--");

/**
 * The text of the file.
 * @param {string} template with places to fill in: document.py
 */
export async function html(template) {
  const { n_layer, n_head, checkpoint } = windowNow();
  const { layer, head } = view.get();
  const [answers, plotly, css, script] = await Promise.all([
    numbers(),
    ...["core/plotly.min.js", "standalone.css", "standalone.js"].map(fetched),
  ]);
  const sha = checkpoint ? ` Checkpoint ${checkpoint.slice(0, 16)}.` : "";
  const live = facts.space
    ? ` <a href="${url().replace(/&/g, "&amp;")}">The same view on the live page</a>.`
    : "";
  /** @type {Record<string, string>} */
  const parts = {
    name: facts.title.replace(/&/g, "&amp;"),
    title: `${facts.title.replace(/&/g, "&amp;")}: layer ${layer}, head ${head}`,
    intro: `One text, and what all ${n_layer * n_head} attention heads looked at. This file holds every number; it needs no network.${sha}${live}`,
    css,
    facts: data("page-facts", facts),
    held: data("held", answers),
    plotly: closed(plotly),
    script: closed(script),
  };
  return template.replace(/\{\{(\w+)\}\}/g, (place, name) => parts[name] ?? place);
}
