// Heavy drawing, one piece a task: the browser can answer the mouse between two pieces.

import { report } from "./report.js";

/**
 * A function later(key, work): runs `work` soon, in a task of its own, in the order asked; a newer request of the same
 * key replaces the older. What throws is reported, and the rest runs all the same.
 * @param {(run: () => void) => void} inTask runs a function in a new task
 */
export function makeLater(inTask) {
  /** @type {Map<unknown, () => unknown>} */
  const waiting = new Map();
  let running = false;
  const next = () => {
    running = waiting.size > 0;
    if (running) inTask(run);
  };
  function run() {
    const [[key, work]] = waiting;
    waiting.delete(key);
    try {
      Promise.resolve(work()).catch(report);
    } catch (error) {
      report(error);
    }
    next();
  }
  return (/** @type {unknown} */ key, /** @type {() => unknown} */ work) => {
    waiting.set(key, work);
    if (!running) next();
  };
}

/** @type {MessageChannel | null} */
let channel = null;

/** A message to oneself: sooner than a timer, and the browser may do other things before. @param {() => void} run */
function post(run) {
  channel ??= new MessageChannel();
  channel.port1.onmessage = run;
  channel.port2.postMessage(null);
}

export const later = makeLater(post);

/**
 * A function that runs at most once per frame, with the latest arguments.
 * @template {unknown[]} Arguments
 * @param {(...args: Arguments) => void} work
 */
export function perFrame(work) {
  /** @type {Arguments | null} */
  let latest = null;
  return (/** @type {Arguments} */ ...args) => {
    if (latest === null)
      requestAnimationFrame(() => {
        const now = /** @type {Arguments} */ (latest);
        latest = null;
        work(...now);
      });
    latest = args;
  };
}
