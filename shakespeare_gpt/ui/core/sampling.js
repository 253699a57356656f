// From logits to the next character, as shakespeare_gpt/sampling.py says it: temperature, top-k, top-p, and the draw. Said
// again here, so that a slider moves the bars without asking the server. Numbers are float64 in both languages; the golden
// file sampling.json holds them together.

/** @import { Distribution, Sampling } from "./types.d.ts" */

/**
 * The whole way from logits to what the next character is drawn from; all lists are by the character's id.
 * @param {readonly number[]} logits
 * @param {Sampling} sampling
 * @returns {Distribution}
 */
export function distribution(logits, { temperature, top_k, top_p }) {
  const order = [...logits.keys()].sort((a, b) => logits[b] - logits[a] || a - b); // of equal ones the smaller id first
  /** @type {number[]} */
  const rank = Array(logits.length);
  order.forEach((id, place) => (rank[id] = place + 1));
  const powers = powersOf(logits, order[0], temperature);
  const left = top_k ? order.slice(0, top_k) : order;
  /** @type {Distribution["cut_by"]} */
  const cut_by = Array(logits.length).fill("top-k");
  // Of what top-k left, top-p keeps the fewest, most likely first, that hold the part p; 1 keeps all, whatever rounding says.
  const enough = top_p < 1 ? top_p * sum(left.map((id) => powers[id])) : Infinity;
  let held = 0;
  for (const id of left) {
    held += powers[id];
    cut_by[id] = held - powers[id] < enough ? null : "top-p"; // the more likely ones do not hold p yet
  }
  const kept = cut_by.map((cut) => cut === null);
  const unnormalized = powers.map((power, id) => (kept[id] ? power : 0));
  const probabilities = shares(unnormalized);
  const entropy = sum(probabilities.map((p) => (p > 0 ? -p * Math.log2(p) : 0)));
  return { order, rank, tempered: shares(powers), kept, cut_by, unnormalized, probabilities, entropy };
}

/**
 * In proportion to softmax(logits / temperature), with 1 for the likeliest; 0 puts everything on that one.
 * @param {readonly number[]} logits
 * @param {number} likeliest its id
 * @param {number} temperature
 */
const powersOf = (logits, likeliest, temperature) =>
  logits.map((logit, id) =>
    temperature === 0
      ? Number(id === likeliest)
      : // No smaller temperature would change anything, but its division would overflow.
        Math.exp((logit - logits[likeliest]) / Math.max(temperature, 1e-30)),
  );

/**
 * The id on which a number from [0, 1) falls when it is scaled to the sum of the numbers.
 * @param {readonly number[]} unnormalized
 * @param {number} number
 */
export function draw(unnormalized, number) {
  const goal = number * sum(unnormalized);
  let held = 0;
  return unnormalized.findIndex((each) => (held += each) > goal);
}

/** One after the other, as numpy's cumsum adds them. @param {readonly number[]} numbers */
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);

/** Made to add up to 1. @param {readonly number[]} numbers */
function shares(numbers) {
  const total = sum(numbers);
  return numbers.map((each) => each / total);
}
