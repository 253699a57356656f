// Dark or light: a class of the body, which Gradio sets. The one place that watches it.

/** @type {Set<() => void>} */
const subscribers = new Set();

export const isDark = () => document.body.classList.contains("dark");

/** px of Plotly's words and numbers; on a projector they are larger. @param {Element} element */
export const fontSize = (element) =>
  parseFloat(getComputedStyle(element).getPropertyValue("--sg-axis")) || 12;

/**
 * Runs fn when the page turns dark or light, for what CSS cannot colour: canvases, and Plotly's figures.
 * @param {() => void} fn
 */
export function onTheme(fn) {
  if (!subscribers.size)
    new MutationObserver(() => subscribers.forEach((one) => one())).observe(document.body, {
      attributes: true,
      attributeFilter: ["class"],
    });
  subscribers.add(fn);
}
