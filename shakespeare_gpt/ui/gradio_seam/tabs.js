// Gradio's tabs and the View, kept the same in both directions; and how a part of the page is brought into sight.

import { view } from "../core/store.js";
import { around, find } from "../core/text.js";
import { onDraw } from "./dom.js";

/** The buttons of the page's tabs. */
const buttons = () => all('#deeper [role="tab"]');
/** @param {string} selector @returns {HTMLElement[]} */
const all = (selector) => Array.from(document.querySelectorAll(selector));
/** @param {HTMLElement} tab */
const nameOf = (tab) => (tab.textContent ?? "").trim();

/** @param {HTMLElement} tab */
const isOpen = (tab) => tab.getAttribute("aria-selected") === "true";

export function mount() {
  // A tab that Gradio opens, by a click or a key, is part of the View. It marks the tab in its own time after the
  // event, so the mark is what counts; the first one is not the visitor's choice.
  /** @type {string | null} */
  let open = null;
  onDraw(() => {
    const now = buttons().find(isOpen);
    if (!now || nameOf(now) === open) return;
    if (open !== null) view.set({ tab: nameOf(now) });
    open = nameOf(now);
  });
  // One that the visitor presses comes into view, under the text; one that a View opens is looked for by who set it.
  document.addEventListener("click", (event) => {
    const tab = around(event, '#deeper [role="tab"]');
    if (tab && event.isTrusted)
      find(document, "#deeper").scrollIntoView({ block: "start", behavior: behavior() });
  });
  view.subscribe((chosen, changed) => {
    if (changed.has("tab")) openTab(chosen.tab);
  });
}

const PATIENCE = 20000; // ms that a tab may take to be drawn for the first time, on a busy machine too

/** Open a tab; a link may ask for it before Gradio has drawn it. @param {string} name */
async function openTab(name) {
  for (const end = performance.now() + PATIENCE; performance.now() < end;) {
    const tab = buttons().find((one) => nameOf(one) === name);
    if (tab && !isOpen(tab)) tab.click();
    if (tab || view.get().tab !== name) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/**
 * The first element that the selector finds and that is to be seen; null after a few seconds.
 * @param {string} selector
 * @returns {Promise<HTMLElement | null>}
 */
async function found(selector) {
  for (const end = performance.now() + PATIENCE; performance.now() < end;) {
    const element = all(selector).find((one) => one.closest("details") || one.getClientRects().length);
    if (element) return element;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return null;
}

/** @param {HTMLDetailsElement} details */
const closestAbove = ({ parentElement }) => parentElement?.closest("details") ?? null;

/** @returns {ScrollBehavior} */
const behavior = () => (matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth");

/**
 * Bring a part of the page into sight and mark it for a moment: open its tab and the details around it, and scroll.
 * Returns a promise of the element, or null if the page does not have it, or if it is no longer wanted when it is there.
 * @param {{tab?: string, at: string}} place
 * @param {{block?: ScrollLogicalPosition, focus?: boolean, wanted?: () => boolean}} how
 */
export async function reveal({ tab, at }, { block = "center", focus = false, wanted = () => true } = {}) {
  if (tab) view.set({ tab });
  const element = await found(at);
  if (!element || !wanted()) return null;
  for (let box = element.closest("details"); box; box = closestAbove(box)) box.open = true;
  element.scrollIntoView({ block, behavior: behavior() });
  element.classList.add("sg-shown");
  setTimeout(() => element.classList.remove("sg-shown"), 1600);
  if (focus) {
    if (!element.matches("a[href], button, input, summary, [tabindex]")) element.tabIndex = -1;
    element.focus({ preventScroll: true });
  }
  return element;
}
