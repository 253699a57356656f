// Answers of endpoints, kept for a while: going back to a text, a head or a switch asks nothing again.

import { call } from "./api.js";
import { checked } from "./shape.js";

/** @import { Call } from "./types.d.ts" */
/** @import { Shape } from "./shape.js" */

/**
 * A call that remembers the answers of the last `count` questions. An answer that has not the shape of its name (see
 * shape.js) is refused with a sentence for the visitor.
 * @param {number} count
 * @param {Record<string, Shape>} shapes
 * @returns {Call}
 */
export function answers(count, shapes) {
  /** @type {Call} */
  const asked = async (name, ...args) => checked(await call(name, ...args), shapes[name]);
  /** @type {Map<string, Promise<any>>} */
  const kept = new Map();
  return (name, ...args) => {
    const question = JSON.stringify([name, args]);
    const answer = kept.get(question) ?? asked(name, ...args);
    kept.delete(question);
    kept.set(question, answer);
    answer.catch(() => kept.delete(question)); // a failed one may be asked again
    const [oldest] = kept.keys();
    if (kept.size > count) kept.delete(oldest);
    return answer;
  };
}
