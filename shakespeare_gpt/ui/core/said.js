// Sentences about what is shown: for the screen reader, for the read-out beside the strip, for Plotly's hover.

import { current, promptLength, session, windowNow } from "./session.js";
import { facts } from "./facts.js";
import { focus, layerNow, links, worth } from "./focus.js";
import { altered, lensNames, plainRow, rank, shownRow, strongest } from "./lenses.js";
import { through } from "./mattered.js";
import { four, glyph, named, percent, two } from "./text.js";

/** @import { Focus, Lens } from "./types.d.ts" */

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
 * @returns {[probability: number, rank: number, who: "drawn" | "chosen" | "typed"] | null}
 */
export function sureness(position) {
  const step = session.get().steps[position - promptLength()];
  if (step) return [step.probability, step.rank, step.seed === null ? "chosen" : "drawn"];
  const given = session.get().given(position);
  return given ? [given[0], given[1], "typed"] : null;
}

/** How sure the model was of one character, in a sentence. @param {number} position */
export function surenessSentence(position) {
  const told = sureness(position);
  const name = named(session.get().text[position], position);
  if (!told) return `${name}: nothing before it was seen, so nothing foretold it.`;
  const [probability, place, who] = told;
  const likely = place === 1 ? "the likeliest of all" : `number ${place} on the model's list`;
  if (who === "drawn")
    return `${name} was drawn with a probability of ${percent(probability)}; it was ${likely}.`;
  return `${name} is ${who === "typed" ? "yours" : "your choice"}; the model gave it ${percent(probability)}, ${likely}.`;
}

/** How sure it was of a range: of all its characters together. @param {Focus} now */
function rangeSureness(now) {
  let together = 1;
  for (let position = now.chosen; position <= now.end; position++) together *= sureness(position)?.[0] ?? 1;
  return `${range(now)}: the model gave its ${now.end - now.chosen + 1} characters together ${percent(together)}.`;
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
  if (now.sure)
    return where + (now.end > now.chosen ? rangeSureness(now) : surenessSentence(now.other ?? now.chosen));
  if (now.query !== null && now.key !== null)
    return where + linkLines(now.layer, now.head, now.query, now.key, now.lens).join("; ") + ".";
  const weights = links(now);
  if (!weights) return where + lower(missing(now.layer));
  const effects = now.direction === "what mattered" ? worth(now) : null;
  if (effects)
    return `${where}${looking(now, weights).replace(/\.$/, "")}; ${matteredMost(now.chosen, effects)}.`;
  return where + looking(now, weights);
}

/**
 * What mattered most to the prediction after a character, and through which head.
 * @param {number} position index into the whole text
 * @param {Float32Array} effects of each character of the window
 */
export function matteredMost(position, effects) {
  const [most] = strongest(effects, 1);
  if (most === undefined) return "no character mattered to this prediction";
  const key = most + windowNow().start;
  const heads = through(position, key)?.moved;
  const by = heads ? `, through layer ${largest(heads).join(" head ")}` : "";
  return `what mattered most to the prediction was ${at(key)}${by}`;
}

/** The layer and the head, from 1, of the largest number. @param {number[][]} heads */
function largest(heads) {
  const all = heads.flatMap((row, layer) =>
    row.map((moved, head) => ({ moved, place: [layer + 1, head + 1] })),
  );
  return all.reduce((best, one) => (one.moved > best.moved ? one : best)).place;
}

/**
 * What the chosen character, or the range, looks at most, or who looks at it.
 * @param {Focus} now
 * @param {Float32Array} weights
 */
function looking(now, weights) {
  const { start } = windowNow();
  const backwards = now.direction === "looked at by";
  const several = now.end > now.chosen;
  const [most] = now.other === null ? strongest(weights, 1) : [now.other - start];
  const who = several ? range(now) : at(now.chosen);
  if (most === undefined) return `${who} ${backwards ? "is looked at by nobody" : "looks at nothing"}.`;
  const link = at(most + start);
  const weight = two(weights[most]);
  const object = several || backwards ? null : roleObject(now, most);
  if (object) return `${at(now.chosen)} looks at ${object}: ${link}, ${weight}.`;
  const mostly = now.other === null ? " mostly" : "";
  const mean = several ? `, the mean over its ${now.end - now.chosen + 1} characters` : "";
  return `${who} ${backwards ? `is looked at${mostly} by` : `looks${mostly} at`} ${link} (${weight}${mean})`;
}

/** 'Juliet' at 80 to 85 @param {Focus} now */
export function range({ chosen, end }) {
  const text = session.get().text.slice(chosen, end + 1);
  return `'${[...text].map(glyph).join("")}' at ${chosen + 1} to ${end + 1}`;
}

/**
 * What the link is for a head with a role, where it does what the role says: "where its word begins"; else null.
 * @param {Focus} now
 * @param {number} key index in the window
 */
function roleObject({ layer: number, head, chosen, lens }, key) {
  const layer = layerNow(number);
  const told = layer?.as_role[head - 1];
  const query = chosen - windowNow().start;
  if (!layer || !told || altered(lens) || told.rows[query] !== "1") return null;
  return strongest(plainRow(layer, head - 1, query), 1)[0] === key ? facts.roles[told.role].object : null;
}
