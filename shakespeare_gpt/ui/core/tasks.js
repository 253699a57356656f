// Heavy drawing, one piece a task: the browser can answer the mouse between two pieces.

const waiting = new Map();
const channel = new MessageChannel();
let running = false;

/** Run `work` soon, in a task of its own, in the order asked; a newer request of the same key replaces the older. */
export function later(key, work) {
  waiting.set(key, work);
  if (!running) {
    running = true;
    channel.port2.postMessage(null);
  }
}

channel.port1.onmessage = () => {
  const [key, work] = waiting.entries().next().value;
  waiting.delete(key);
  try {
    work();
  } finally {
    running = waiting.size > 0;
    if (running) channel.port2.postMessage(null);
  }
};

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
