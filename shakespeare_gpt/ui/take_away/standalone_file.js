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

/** @import { LayerPayload } from "../core/types.d.ts" */

/** A file that the server also gives to the page; the browser has most of them already. @param {string} name */
async function fetched(name) {
  const answer = await fetch(new URL(`../${name}`, import.meta.url));
  if (!answer.ok) throw new Error(`The server does not give ${name}.`);
  return answer.text();
}

/** What the file shows and answers: see standalone.js and standalone_api.js. */
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
  return {
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
}

/** JSON that can't end the <script> around it. @param {unknown} value */
const inScript = (value) => JSON.stringify(value).replace(/</g, "\\u003c");

/** JavaScript that can't either: in a string or a regular expression, `\/` is `/`. @param {string} source */
const closed = (source) => source.replace(/<\/script/gi, "<\\/script").replace(/<!--/g, "<\\!--");

const STYLE = `
  body { margin: 0 auto; max-width: 1280px; padding: 20px 24px 60px; background: #fbfaf7; font-family: ui-sans-serif, system-ui, sans-serif; }
  body.dark { background: #15161a; color-scheme: dark; }
  main { display: grid; grid-template-columns: minmax(0, 1fr); gap: 24px; }
  h1 { margin: 0 0 4px; font: 600 30px/1.2 var(--sg-serif); }
  a { color: var(--sg-accent); }
  .sg-one { max-width: max(360px, 100vh - 280px); } /* below the text all of the map is in sight */
`;

/** The text of the file. @param {Record<string, string>} pieces the templates, in the order of the page */
export async function html(pieces) {
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
  // The policy holds the file to its word: it may ask nobody for anything.
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:">
<title>Shakespeare GPT: layer ${layer}, head ${head}</title>
<style>${css}${STYLE}</style>
</head>
<body>
<main>
<header class="sg"><h1>Shakespeare GPT</h1>
<p class="sg-quiet">One text, and what all ${n_layer * n_head} attention heads looked at. This file holds every number; it needs no network.${sha}${live}</p></header>
${Object.values(pieces).join("\n")}
</main>
<script type="application/json" id="page-facts">${inScript(facts)}</script>
<script type="application/json" id="held">${inScript(answers)}</script>
<script>${closed(plotly)}</script>
<script type="module">${closed(script)}</script>
</body>
</html>
`;
}
