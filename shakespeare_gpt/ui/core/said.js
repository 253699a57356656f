// Sentences about what is shown: for the screen reader, for the read-out beside the strip, for Plotly's hover.

import { current, promptLength, session, windowNow } from "./session.js";
import { focus, layerNow, links } from "./focus.js";
import { altered, lensNames, plainRow, rank, shownRow, strongest } from "./lenses.js";
import { four, named, percent } from "./text.js";

/** @import { Lens } from "./types.d.ts" */

/**
 * 'E' at 5, in the window: what the weights are about, also while another text is on its way.
 * @param {number} position
 */
export const at = (position, { characters, start } = windowNow()) =>
  named(characters[position - start], position);

/** In place of numbers that are not here. @param {number} layer */
export function missing(layer) {
  const { error, layers } = session.get();
  const failed = error || layers[layer - 1].state === "failed";
  return failed ? "The numbers did not arrive." : "The numbers are on their way.";
}

/** @param {number} ratio */
function times(ratio) {
  if (ratio >= 9.95) return Math.round(ratio).toLocaleString("en");
  return ratio < 0.1 ? ratio.toFixed(2) : ratio.toFixed(1);
}

/**
 * Everything about one link, as lines. The weight is always the plain one of this head; what a lens makes of it, or
 * of all heads, is said in a line of its own.
 * @param {number} layerNumber
 * @param {number} head
 * @param {number} query an index into the whole text
 * @param {number} key another one
 * @param {Lens} lens
 */
export function linkLines(layerNumber, head, query, key, lens) {
  const layer = layerNow(layerNumber);
  if (!layer) return [missing(layerNumber)];
  const { start } = windowNow();
  const [q, k] = [query - start, key - start];
  const row = plainRow(layer, head - 1, q);
  const lines = [
    `${at(query)} looks at ${at(key)}`,
    `weight ${four(row[k])}${lens.over === "head" ? "" : ` in head ${head}`}, rank ${rank(row, k)} of ${q + 1}`,
    `${times(row[k] * (q + 1))} × chance (1/${q + 1} = ${four(1 / (q + 1))})`,
  ];
  const usual = layer.usual?.[head - 1][q - k];
  if (usual !== undefined) {
    const compared = usual > 0 ? `${times(row[k] / usual)} × ` : "";
    lines.push(`${compared}this head's usual weight ${back(q - k)} (${four(usual)})`);
  }
  if (altered(lens)) {
    const over = { head: "", mean: "mean ", max: "largest " }[lens.over]; // over all heads, as is said above the map
    lines.push(`${over}through the lens: ${four(shownRow(layer, head - 1, q, lens)[k])}`);
  }
  return lines;
}

/** @param {number} distance */
const back = (distance) =>
  distance === 0 ? "on the character itself" : `${distance} character${distance > 1 ? "s" : ""} back`;

/**
 * What the model gave to a character of the text; null if it saw none before.
 * @param {number} position
 * @returns {[probability: number, rank: number, generated: boolean] | null}
 */
export function sureness(position) {
  const step = session.get().steps[position - promptLength()];
  if (step) return [step.probability, step.rank, true];
  const given = session.get().given(position);
  return given ? [given[0], given[1], false] : null;
}

/** How sure the model was of one character, in a sentence. @param {number} position */
export function surenessSentence(position) {
  const told = sureness(position);
  const name = named(session.get().text[position], position);
  if (!told) return `${name}: nothing before it was seen, so nothing foretold it.`;
  const [probability, place, generated] = told;
  const likely = place === 1 ? "the likeliest of all" : `number ${place} on the model's list`;
  return generated
    ? `${name} was drawn with a probability of ${percent(probability)}; it was ${likely}.`
    : `${name} is yours; the model gave it ${percent(probability)}, ${likely}.`;
}

/** @param {string} said */
const lower = (said) => said[0].toLowerCase() + said.slice(1);

/** The sentence for #said; it always names the layer and the head. */
export function sentence() {
  const now = focus();
  if (!now) return "";
  const lenses = lensNames(now.lens);
  const where = `Layer ${now.layer} head ${now.head}${lenses.length ? ` (${lenses.join("; ")})` : ""}: `;
  if (!current()) return where + lower(missing(now.layer));
  if (now.sure) return where + surenessSentence(now.other ?? now.chosen);
  if (now.query !== null && now.key !== null)
    return where + linkLines(now.layer, now.head, now.query, now.key, now.lens).join("; ") + ".";
  const weights = links(now);
  if (!weights) return where + lower(missing(now.layer));
  const [most] = strongest(weights, 1);
  const backwards = now.direction === "looked at by";
  if (most === undefined)
    return `${where}${at(now.chosen)} ${backwards ? "is looked at by nobody" : "looks at nothing"}.`;
  const link = `${at(most + windowNow().start)} (${weights[most].toFixed(2)})`;
  return `${where}${at(now.chosen)} ${backwards ? "is looked at mostly by" : "looks mostly at"} ${link}`;
}
