// The numbers behind every picture: one row of attention, plain or through the lenses. Pure functions.

import { rowStart } from "./decode.js";

export const MOST = 0.7; // the share of a row that "keep most" keeps

/** The plain weights of query q in a head (from 0) of a layer: Float32Array of q + 1, a view, not a copy. */
export const plainRow = (layer, head, q) => layer.weights[head].subarray(rowStart(q), rowStart(q) + q + 1);

/** Is anything but the plain weights of one head shown? */
export const altered = (lens) => lens.hide_first || lens.keep_most || lens.by_moved || lens.over !== "head";

/**
 * What is shown for query q: the head's weights, through the lenses that are on, in this order: weighted by what is
 * moved, first character hidden, mean or max over the heads, fewest links that carry most of the row.
 */
export function shownRow(layer, head, q, lens) {
  if (!altered(lens)) return plainRow(layer, head, q);
  const heads = lens.over === "head" ? [head] : layer.weights.map((_, each) => each);
  const rows = heads.map((each) => oneHead(layer, each, q, lens));
  const row = rows.length === 1 ? rows[0] : combine(rows, lens.over);
  return lens.keep_most ? keepMost(row) : row;
}

function oneHead(layer, head, q, lens) {
  let row = plainRow(layer, head, q);
  if (lens.by_moved) row = normalized(row.map((weight, k) => weight * layer.moved[head][k]));
  if (lens.hide_first) row = normalized(row.map((weight, k) => (k === 0 ? 0 : weight)));
  return row;
}

const sum = (row) => row.reduce((a, b) => a + b, 0);

/** Made to add up to 1 again; all 0 where nothing is left. */
function normalized(row) {
  const total = sum(row);
  return total > 0 ? row.map((weight) => weight / total) : row;
}

function combine(rows, over) {
  return rows[0].map((_, k) => {
    const column = rows.map((row) => row[k]);
    return over === "max" ? Math.max(...column) : sum(column) / rows.length;
  });
}

/** The fewest links whose weights add up to at least 70% of the row; the others become 0. */
export function keepMost(row) {
  const order = Array.from(row.keys()).sort((a, b) => row[b] - row[a]);
  const wanted = MOST * sum(row) - 1e-6; // a hair less: the sum of rounded numbers may miss it by nothing
  const kept = new Float32Array(row.length);
  let carried = 0;
  for (const k of order) {
    if (carried >= wanted) break;
    kept[k] = row[k];
    carried += row[k];
  }
  return kept;
}

/** Every row of a head as Plotly wants it: T arrays of T, NaN above the diagonal. */
export function matrix(layer, head, length, lens) {
  return Array.from({ length }, (_, q) => {
    const row = new Float32Array(length).fill(NaN);
    row.set(shownRow(layer, head, q, lens));
    return row;
  });
}

/** 1 for the largest of a row. */
export const rank = (row, k) => 1 + row.reduce((count, weight) => count + (weight > row[k]), 0);

/** The indices of the `count` largest values above 0. */
export const strongest = (row, count) =>
  Array.from(row.keys())
    .filter((k) => row[k] > 0)
    .sort((a, b) => row[b] - row[a])
    .slice(0, count);

/** What a colour or a shade follows, by the view's `scale`. */
export const SCALES = { sqrt: "the square root of the weight", linear: "the weight itself, 0 to 1" };

/** The lenses that are on, in words; empty when everything is plain. */
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
