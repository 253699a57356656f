// Answers of endpoints, kept for a while: going back to a text, a head or a switch asks nothing again.

import { call } from "./api.js";
import { checked } from "./shape.js";

/**
 * A function (name, ...arguments) -> promise of the answer, which remembers the last `count` questions. An answer that
 * has not the shape of its name (see shape.js) is refused with a sentence for the visitor.
 */
export function answers(count, shapes) {
  const asked = async (name, ...args) => checked(await call(name, ...args), shapes[name]);
  const kept = new Map();
  return (name, ...args) => {
    const question = JSON.stringify([name, args]);
    const answer = kept.get(question) ?? asked(name, ...args);
    kept.delete(question);
    kept.set(question, answer);
    answer.catch(() => kept.delete(question)); // a failed one may be asked again
    if (kept.size > count) kept.delete(kept.keys().next().value);
    return answer;
  };
}
