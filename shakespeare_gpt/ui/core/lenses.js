// The numbers behind every picture: one row of attention, or all of a head, plain or through the lenses.

import { rowStart } from "./decode.js";
import { facts } from "./facts.js";

/** @import { Layer, Lens, Over } from "./types.d.ts" */

/**
 * The plain weights of query q in a head (from 0) of a layer: q + 1 numbers, a view, not a copy.
 * @param {Layer} layer
 * @param {number} head
 * @param {number} q
 */
export const plainRow = (layer, head, q) => layer.weights[head].subarray(rowStart(q), rowStart(q) + q + 1);

/** Is anything but the plain weights of one head shown? @param {Lens} lens */
export const altered = (lens) => lens.hide_first || lens.keep_most || lens.by_moved || lens.over !== "head";

/**
 * What is shown for query q: the head's weights, through the lenses that are on, in this order: weighted by what is
 * moved, first character hidden, mean or max over the heads, fewest links that carry most of the row.
 * @param {Layer} layer
 * @param {number} head
 * @param {number} q
 * @param {Lens} lens
 */
export function shownRow(layer, head, q, lens) {
  if (!altered(lens)) return plainRow(layer, head, q);
  const heads = lens.over === "head" ? [head] : layer.weights.map((_, each) => each);
  const rows = heads.map((each) => oneHead(layer, each, q, lens));
  const row = rows.length === 1 ? rows[0] : combine(rows, lens.over);
  return lens.keep_most ? keepMost(row) : row;
}

/** @param {Layer} layer @param {number} head @param {number} q @param {Lens} lens */
function oneHead(layer, head, q, lens) {
  let row = plainRow(layer, head, q);
  if (lens.by_moved) row = normalized(row.map((weight, k) => weight * layer.moved[head][k]));
  if (lens.hide_first) row = normalized(row.map((weight, k) => (k === 0 ? 0 : weight)));
  return row;
}

/** @param {Float32Array} row */
const sum = (row) => row.reduce((a, b) => a + b, 0);

/** Made to add up to 1 again; all 0 where nothing is left. @param {Float32Array} row */
function normalized(row) {
  const total = sum(row);
  return total > 0 ? row.map((weight) => weight / total) : row;
}

// Plain loops below: a window has six heads of 256 rows, and an array for each cell would hold up the page.
/** @param {Float32Array[]} rows @param {Over} over */
function combine(rows, over) {
  const combined = rows[0].slice();
  for (const row of rows.slice(1))
    for (let k = 0; k < row.length; k++)
      combined[k] = over === "max" ? Math.max(combined[k], row[k]) : combined[k] + row[k];
  return over === "max" ? combined : combined.map((total) => total / rows.length);
}

/**
 * The fewest links whose weights add up to at least 70% of the row; the others become 0. Of equals, the first.
 * @param {Float32Array} row
 */
export function keepMost(row) {
  const wanted = facts.keep_most * sum(row) - 1e-6; // a hair less: the sum of rounded numbers may miss it by nothing
  const sorted = row.slice().sort(); // a Float32Array sorts its numbers by size, fast
  let [carried, first] = [0, sorted.length];
  while (first > 0 && carried < wanted) carried += sorted[--first];
  const least = sorted[first]; // the smallest that is kept
  let equals = sorted.lastIndexOf(least) - first + 1; // so many of that size are kept
  return row.map((weight) => (weight > least || (weight === least && equals-- > 0) ? weight : 0));
}

const KEPT = 12; // matrices: the heads of a layer twice; 256 KB each for a full window
/** @type {{layer: Layer, asked: string, rows: Float32Array[]}[]} */
const kept = []; // the latest first

/**
 * Every row of a head as Plotly wants it: T arrays of T, NaN above the diagonal. The same ones when asked for again, so
 * that pointing from character to character reads numbers that are there: do not write into them.
 * @param {Layer} layer
 * @param {number} head from 0
 * @param {number} length T
 * @param {Lens} lens
 */
export function matrix(layer, head, length, lens) {
  const asked = [head, lens.hide_first, lens.keep_most, lens.by_moved, lens.over].join();
  const at = kept.findIndex((one) => one.layer === layer && one.asked === asked);
  const found = at < 0 ? { layer, asked, rows: rowsOf(layer, head, length, lens) } : kept.splice(at, 1)[0];
  kept.unshift(found);
  kept.length = Math.min(kept.length, KEPT);
  return found.rows;
}

/** @param {Layer} layer @param {number} head @param {number} length @param {Lens} lens */
function rowsOf(layer, head, length, lens) {
  const numbers = new Float32Array(length * length).fill(NaN); // in one piece: 256 small buffers cost more to clear away
  return Array.from({ length }, (_, q) => {
    const row = numbers.subarray(q * length, (q + 1) * length);
    row.set(shownRow(layer, head, q, lens));
    return row;
  });
}

/** 1 for the largest of a row. @param {Float32Array} row @param {number} k */
export const rank = (row, k) => 1 + row.reduce((count, weight) => count + (weight > row[k] ? 1 : 0), 0);

/** The indices of the `count` largest values above 0. @param {Float32Array} row @param {number} count */
export const strongest = (row, count) =>
  Array.from(row.keys())
    .filter((k) => row[k] > 0)
    .sort((a, b) => row[b] - row[a])
    .slice(0, count);

/** What a colour or a shade follows, by the view's `scale`. */
export const SCALES = { sqrt: "the square root of the weight", linear: "the weight itself, 0 to 1" };

/** The lenses that are on, in words; empty when everything is plain. @param {Lens} lens */
export function lensNames(lens) {
  const names = [];
  if (lens.by_moved) names.push("weighted by the size of what is moved");
  if (lens.hide_first) names.push("first character hidden");
  if (names.length) names.push("rows renormalised");
  if (lens.over !== "head")
    names.push(`${lens.over === "mean" ? "mean" : "largest"} over all heads of the layer`);
  if (lens.keep_most) names.push("only the fewest links that carry 70% of each row");
  return names;
}
