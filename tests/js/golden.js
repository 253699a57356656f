// The golden files, which pytest holds to what Python says today (tests/app/test_golden.py).

import { readFileSync } from "node:fs";

/**
 * What Python says, by the name of the file.
 * @param {string} name such as "layer"
 * @returns {any} as its maker in test_golden.py wrote it
 */
export const golden = (name) =>
  JSON.parse(readFileSync(new URL(`../golden/${name}.json`, import.meta.url), "utf-8"));

/**
 * Throws if two lists of numbers differ in length, or anywhere by more than `most`.
 * @param {ArrayLike<number>} found
 * @param {ArrayLike<number>} wanted
 */
export function near(found, wanted, most = 1e-6) {
  if (found.length !== wanted.length) throw new Error(`${found.length} numbers, wanted ${wanted.length}`);
  for (let i = 0; i < found.length; i++)
    if (!(Math.abs(found[i] - wanted[i]) <= most))
      throw new Error(`number ${i} is ${found[i]}, wanted ${wanted[i]}`);
}
