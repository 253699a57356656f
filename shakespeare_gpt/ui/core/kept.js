// What the visitor has, kept in this tab of the browser: a reload, a restart of the server, and the way back to the page
// bring it back. Who opens the page anew, or a link, finds what he asked for.

import { store, view, VIEW } from "./store.js";
import { besidesNumbers, session } from "./session.js";
import { checked, nullOr } from "./shape.js";

/** @import { SessionFields, View } from "./types.d.ts" */

/**
 * @typedef {object} Kept
 * @property {string | null} checkpoint of the model that wrote it
 * @property {View} view
 * @property {Pick<SessionFields, "text" | "notes" | "steps" | "status">} said by the session
 * @property {boolean} writing was text being written?
 */

const KEY = "shakespeare-gpt";
const ASIDE = `${KEY}-aside`;
const PAUSE = 200; // ms of rest before it is kept

/** What is told about it, until another text is shown. */
export const notice = store({ said: "" });

let brought = false;

/** Was something brought back when this page was opened? Then its address, with an older link perhaps, is not asked. */
export const broughtBack = () => brought;

/** From now on keep what there is. */
export function keep() {
  /** @type {ReturnType<typeof setTimeout>} */
  let resting;
  const soon = () => {
    clearTimeout(resting);
    resting = setTimeout(write, PAUSE);
  };
  view.subscribe((_, changed) => {
    if (changed.has("text")) notice.set({ said: "" });
    soon();
  });
  session.subscribe((_, changed) => besidesNumbers(changed) && soon());
  addEventListener("pagehide", write);
}

/** @returns {Kept | null} */
function there() {
  const { text, notes, steps, status, streaming, window: seen } = session.get();
  if (!seen) return null;
  return {
    checkpoint: seen.checkpoint,
    view: view.get(),
    said: { text, notes, steps, status },
    writing: streaming,
  };
}

const write = () => put(KEY, there());

/** @param {string} key @param {object | null} what */
function put(key, what) {
  try {
    sessionStorage.setItem(key, JSON.stringify(what));
  } catch {
    // A browser may keep nothing, or no more: then a reload begins anew.
  }
}

/** @type {Kept & {typed?: string} | null} */
let aside = null;

/** Put what there is aside, while something else is on show. @param {string | undefined} typed in the text box */
export function setAside(typed) {
  const what = there();
  aside = what && { ...what, typed };
  put(ASIDE, aside);
}

/** What was put aside, also before the page was opened again; null if that is nothing, or of another model. */
export function takeBack() {
  const what = aside ?? (brought ? read(ASIDE) : null);
  aside = null;
  put(ASIDE, null);
  return what?.checkpoint === session.get().window?.checkpoint ? what : null;
}

const STEP = { probability: "number", rank: "number", entropy: "number", start: "number", run: "string" };
const SHAPE = {
  checkpoint: nullOr("string"),
  view: { text: "string" },
  said: {
    text: "string",
    notes: ["string"],
    steps: [STEP],
    status: { text: { state: "string", error: "string", of: "string" } },
  },
  writing: "boolean",
};

/**
 * What was kept; null if that is nothing, or nothing that can be read.
 * @param {string} key @returns {Kept & {typed?: string} | null}
 */
function read(key) {
  try {
    return checked(JSON.parse(sessionStorage.getItem(key) ?? "null"), SHAPE);
  } catch {
    return null;
  }
}

/** Was the page opened again, not anew? */
const again = () => {
  const [entry] = performance.getEntriesByType("navigation");
  return entry instanceof PerformanceNavigationTiming && ["reload", "back_forward"].includes(entry.type);
};

/** Bring back what was kept, if the page was opened again, and say whether. The first text is on show. */
export function bringBack() {
  const kept = again() ? read(KEY) : null;
  const now = session.get();
  if (!kept || (kept.view.text === view.get().text && !kept.said.steps.length && same(kept.view)))
    return false;
  // Another model would not have written it so, and may have no such layer: then only the text counts, as typed.
  const mine = kept.checkpoint === now.window?.checkpoint;
  const steps = mine ? kept.said.steps : [];
  brought = true;
  view.set(mine ? { ...VIEW, ...kept.view } : { text: kept.view.text, position: null });
  session.restore({ ...kept.said, steps });
  const cut = kept.writing
    ? ` The writing was cut off after ${kept.said.steps.length} characters; “Write on” goes on.`
    : "";
  queueMicrotask(() => notice.set({ said: `The page was opened again; this is what you had.${cut}` }));
  return true;
}

/** Does it show what the page opens with? @param {View} other */
const same = (other) => JSON.stringify({ ...VIEW, ...other }) === JSON.stringify(view.get());

/** Open the page as it opens for everybody. */
export const beginAnew = () => location.assign(location.pathname + location.search);
