// From what packing.py packs to numbers, and back.

import { facts } from "./facts.js";
import { UNREADABLE, checked, listOf, nullOr } from "./shape.js";

/** @import { Layer, LayerPayload, LogitLens, Overview, Window } from "./types.d.ts" */

const { largest: LARGEST } = facts; // a weight of 1

// --- what the endpoints /overview, /layer and /logit_lens answer ---------------------------------------------------

const OVERVIEW = {
  characters: ["string"],
  start: "number",
  before: "string",
  notes: ["string"],
  given: "object",
  n_layer: "number",
  n_head: "number",
  context_length: "number",
  checkpoint: nullOr("string"),
  thumbnails: { size: "number", data: "string" },
};

/**
 * The window of an /overview: its fields, with `start` the index of its first character in the whole text, `length`,
 * `text`, and the pixels of the thumbnails as bytes. Throws an Error for the visitor if that is not one.
 * @param {Overview} overview
 * @returns {Window}
 */
export function windowOf(overview, start = overview?.start - 1) {
  const { characters, thumbnails, n_layer, n_head } = checked(overview, OVERVIEW);
  const [length, pixels] = [characters.length, bytes(thumbnails.data)];
  checked(length > 0, true);
  checked(overview.given, listOf(nullOr(["number"]), length));
  checked(pixels.length, n_layer * n_head * thumbnails.size ** 2);
  const text = characters.join("");
  return Object.freeze({ ...overview, start, length, text, thumbnails: { ...thumbnails, data: pixels } });
}

/**
 * A /layer of a window: its weights as [head][lower triangle].
 * @param {LayerPayload} payload
 * @param {Window} window
 * @returns {Layer}
 */
export function layerOf(payload, { length, n_head }) {
  const perHead = listOf(["number"], n_head);
  const asRole = listOf(nullOr({ role: "string", rows: "string" }), n_head);
  const kinds = { moved: perHead, usual: nullOr(perHead), as_role: asRole };
  checked(payload, { layer: "number", weights: "string", ...kinds });
  for (const head of payload.moved) checked(head.length, length);
  const weights = triangles(payload.weights, n_head);
  for (const head of weights) checked(head.length, rowStart(length));
  return Object.freeze({ ...payload, weights });
}

/**
 * A /logit_lens of a window, as it stands.
 * @param {LogitLens} payload
 * @param {Window} window
 */
export function lensOf(payload, { length, n_layer }) {
  const layer = { characters: listOf("string", length), probabilities: listOf(["number"], length) };
  return checked(payload, { layers: listOf(layer, n_layer + 1) });
}

// --- numbers -----------------------------------------------------------------------------------------------------

/** @param {string} packed in base64 */
function decoded(packed) {
  try {
    return atob(packed);
  } catch {
    throw new Error(UNREADABLE);
  }
}

/** base64 -> bytes @param {string} packed */
export function bytes(packed) {
  const text = decoded(packed);
  const out = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
  return out;
}

/**
 * The packed weights of one layer -> one Float32Array a head: the lower triangle, row by row.
 * @param {string} packed in base64
 * @param {number} heads
 */
export function triangles(packed, heads) {
  const planes = bytes(packed);
  checked(planes.length % (3 * heads), 0);
  const count = planes.length / 3; // three planes: high, middle and low bytes
  const each = count / heads;
  return Array.from({ length: heads }, (_, head) => {
    const out = new Float32Array(each);
    for (let i = 0, j = head * each; i < each; i++, j++) {
      out[i] = ((planes[j] << 16) | (planes[count + j] << 8) | planes[2 * count + j]) / LARGEST;
    }
    return out;
  });
}

/** bytes -> base64 @param {Uint8Array} from */
export function base64(from) {
  let text = "";
  // In pieces: a function takes some ten thousand arguments, not a million.
  for (let i = 0; i < from.length; i += 8192) text += String.fromCharCode(...from.subarray(i, i + 8192));
  return btoa(text);
}

/** One Float32Array a head -> the packed weights of a layer: what `triangles` reads. @param {Float32Array[]} heads */
export function pack(heads) {
  const each = heads[0].length;
  const count = each * heads.length;
  const packed = new Uint8Array(3 * count);
  heads.forEach((weights, head) => {
    for (let i = 0, j = head * each; i < each; i++, j++) {
      const code = Math.round(weights[i] * LARGEST);
      [packed[j], packed[count + j], packed[2 * count + j]] = [code >> 16, code >> 8, code]; // each keeps its low byte
    }
  });
  return base64(packed);
}

/** Where row q begins in a lower triangle. @param {number} q */
export const rowStart = (q) => (q * (q + 1)) / 2;
