// Heavy drawing, one piece a task: the browser can answer the mouse between two pieces.

import { report } from "./report.js";

/**
 * A function later(key, work): runs `work` soon, in a task of its own, in the order asked; a newer request of the same
 * key replaces the older. What throws is reported, and the rest runs all the same. post(run) runs `run` in a new task.
 */
export function makeLater(post) {
  const waiting = new Map();
  let running = false;
  const next = () => {
    running = waiting.size > 0;
    if (running) post(run);
  };
  function run() {
    const [key, work] = waiting.entries().next().value;
    waiting.delete(key);
    try {
      Promise.resolve(work()).catch(report);
    } catch (error) {
      report(error);
    }
    next();
  }
  return (key, work) => {
    waiting.set(key, work);
    if (!running) next();
  };
}

let channel = null;

/** A message to oneself: sooner than a timer, and the browser may do other things before. */
function post(run) {
  channel ??= new MessageChannel();
  channel.port1.onmessage = run;
  channel.port2.postMessage(null);
}

export const later = makeLater(post);

/** A function that runs at most once per frame, with the latest arguments. */
export function perFrame(work) {
  let latest = null;
  return (...args) => {
    if (latest === null)
      requestAnimationFrame(() => {
        const now = latest;
        latest = null;
        work(...now);
      });
    latest = args;
  };
}
