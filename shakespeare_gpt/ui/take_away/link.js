// "Copy link" hands out the View as an address (core/link.js); an address that is opened is shown. The fragment wins over
// the query string.

import { call } from "../core/api.js";
import { facts } from "../core/facts.js";
import { broughtBack } from "../core/kept.js";
import { isLink, read, runsOf, tooLong, url } from "../core/link.js";
import { session, windowNow } from "../core/session.js";
import { checked, listOf } from "../core/shape.js";
import { NOTHING, pointer, view } from "../core/store.js";
import { element, find, messageOf, plural } from "../core/text.js";
import { fillBox, stopWriting } from "../gradio_seam/pickers.js";

/** @import { Run, Score } from "../core/types.d.ts" */

/** @type {HTMLElement} */
let notes;
/** @type {HTMLInputElement} */
let field;
let applying = 0; // so that a second link overtakes the first

// --- opening a link --------------------------------------------------------------------------------------------

/** What the address of the page says; null if it says nothing of ours. */
function inAddress() {
  for (const part of [location.hash.slice(1), location.search.slice(1)]) {
    const given = new URLSearchParams(part);
    if (isLink(given)) return given;
  }
  return null;
}

/** @param {string[]} sentences */
export const say = (...sentences) => (notes.textContent = sentences.filter(Boolean).join(" "));

/** Show what a link says. @param {URLSearchParams} given */
async function apply(given) {
  const question = ++applying;
  const { view: found, runs: written, bad } = read(given, view.get().text);
  const other = given.get("model");
  const remarks = [
    bad.length ? `Parts of this link could not be read, so they stand as usual: ${bad.join(", ")}.` : "",
    other && other !== windowNow().checkpoint?.slice(0, 8)
      ? "This link was made with another training of the model, so its numbers were different."
      : "",
  ];
  const { text, generated_from: from, position, until, step, ...rest } = found;
  pointer.set(NOTHING);
  stopWriting();
  if (!written) {
    view.set({ ...rest, text, generated_from: null, step: null, position, until });
    if (position) await arrived(text);
    if (question !== applying) return;
    if ((until ?? position ?? 0) > session.get().text.length) {
      view.set({ position: null });
      remarks.push("The character that it holds is not in the text.");
    }
    say(...remarks);
    return;
  }
  view.set({ ...rest, step: null, position: null });
  say("Opening the link.");
  try {
    const runs = written.map((run) => run.slice(0, 4));
    const { steps } = checked(await call("score", text, runs), {
      steps: listOf(listOf("number", 4), text.length - (from ?? 0)),
    });
    if (question !== applying) return;
    show(text, from ?? 0, written, steps);
    view.set({ position, until, step });
    remarks.push(`The text from character ${(from ?? 0) + 1} on was ${writer(written)}.`);
  } catch (error) {
    if (question !== applying) return;
    view.set({ text: text.slice(-facts.limits.prompt), generated_from: null });
    remarks.push(`What the link says about the writing could not be used: ${messageOf(error)}`);
  }
  say(...remarks);
}

/** The typed text has been read by the model, or it was refused. @param {string} text @returns {Promise<void>} */
const arrived = (text) =>
  new Promise((resolve) => {
    const look = () => session.get().status.text.of === text && !session.get().loading;
    if (look()) return resolve();
    const end = session.subscribe(() => look() && (end(), resolve()));
  });

/** Who wrote it, in words. @param {Run[]} runs */
function writer(runs) {
  const seeds = [...new Set(runs.map((run) => run[4]).filter((seed) => seed >= 0))];
  const byModel = `written by the model, with the ${plural("seed", seeds.length)} ${seeds.join(", ")}`;
  if (!seeds.length) return "chosen by hand";
  return runs.some((run) => run[4] < 0) ? `${byModel}, and partly chosen by hand` : byModel;
}

/**
 * A written text, as if it had just been written: run after run.
 * @param {string} text
 * @param {number} from where the writing begins
 * @param {Run[]} written
 * @param {Score["steps"]} steps
 */
function show(text, from, written, steps) {
  fillBox(text.slice(0, from));
  let place = from;
  written.forEach(([count, temperature, top_k, top_p, seed], i) => {
    session.writing({
      run: `link ${applying} ${i}`,
      offset: 0,
      before: place - from,
      prompt: text.slice(0, place),
      seed: seed < 0 ? null : seed,
      notes: [],
      text: text.slice(place, place + count),
      settings: { temperature, top_k, top_p },
      done: i === written.length - 1,
      steps: steps
        .slice(place - from, place - from + count)
        .map(([probability, rank, entropy, start]) => ({ probability, rank, entropy, start: start - 1 })),
    });
    place += count;
  });
}

// --- the button ------------------------------------------------------------------------------------------------

async function copy() {
  const chosen = view.get();
  const address = url(chosen);
  const fragment = address.slice(address.indexOf("#"));
  history.replaceState(null, "", fragment); // so that a reload, or a bookmark, brings the same back
  if (facts.space && document.referrer.startsWith("https://huggingface.co/")) {
    window.parent.postMessage({ hash: fragment }, "https://huggingface.co");
  }
  const short = tooLong(chosen.text, runsOf(session.get().steps))
    ? `The text is longer than a link can carry: the link holds its last ${facts.limits.prompt.toLocaleString("en")} characters, as if they had been typed.`
    : "";
  try {
    await navigator.clipboard.writeText(address);
    field.hidden = true;
    say("The link is on the clipboard.", short);
  } catch {
    // Some frames close the clipboard to scripts: then the link stands there, selected.
    field.value = address;
    field.hidden = false;
    field.focus();
    field.select();
    say("Here is the link, ready to copy.", short);
  }
}

/** @param {HTMLElement} root */
export function mount(root) {
  notes = find(root, "#link-notes");
  field = find(root, "#link-text", HTMLInputElement);
  find(root, "#copy-link").addEventListener("click", copy);
  // What is said of the downloads stands among them.
  const downloads = find(root, ".ta-downloads", HTMLDetailsElement);
  const [told, formats] = [find(root, ".ta-told"), find(downloads, ".ta-formats")];
  downloads.addEventListener("toggle", () => {
    field.hidden = true;
    say();
    (downloads.open ? formats : root).append(told);
    told.classList.toggle("sg-unfolded", !downloads.open);
  });
  if (facts.space) {
    const href = `https://huggingface.co/spaces/${facts.space}?duplicate=true`;
    const how = { class: "ta-duplicate", target: "_blank", rel: "noopener", href };
    find(root, ".ta-row").append(element("a", how, "Duplicate this Space"));
  }
  const open = () => {
    const asked = inAddress();
    if (asked) apply(asked);
  };
  const begin = () => broughtBack() || open();
  window.addEventListener("hashchange", open);
  if (session.get().window) begin();
  else {
    const end = session.subscribe(({ window: seen }) => {
      if (!seen) return;
      end();
      begin();
    });
  }
}
