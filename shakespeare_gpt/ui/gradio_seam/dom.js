// Gradio draws its controls in its own time, and sometimes again. The one place that watches for it.

import { perFrame } from "../core/tasks.js";

/** @type {Set<() => void>} */
const subscribers = new Set();

/**
 * Runs fn, at most once a frame, after something was drawn or a tab was opened.
 * @param {() => void} fn
 */
export function onDraw(fn) {
  if (!subscribers.size)
    new MutationObserver(perFrame(() => subscribers.forEach((one) => one()))).observe(document.body, {
      childList: true,
      subtree: true,
      attributeFilter: ["aria-selected"],
    });
  subscribers.add(fn);
}
