// "Copy link" hands out the View as an address (core/link.js); an address that is opened is shown. The fragment wins over
// the query string.

import { call } from "../core/api.js";
import { isLink, parameters, read, runsOf, SETTINGS, tooLong, TYPED } from "../core/link.js";
import { session } from "../core/session.js";
import { checked, listOf } from "../core/shape.js";
import { NOTHING, pointer, view } from "../core/store.js";
import { fillBox, stopWriting } from "../gradio_seam/pickers.js";

let told = { space: null, settings: {}, max_seed: 0 };
let notes, field, button;
let applying = 0; // so that a second link overtakes the first
let sampler = []; // the settings that a link has brought, in the order of Gradio's controls
let tellGradio = () => {};

/** The whole address of a View. */
export function url(chosen = view.get()) {
  const page = told.space
    ? `https://huggingface.co/spaces/${told.space}`
    : location.origin + location.pathname;
  const { steps, window: seen } = session.get();
  return `${page}#${parameters(chosen, runsOf(steps), seen?.checkpoint ?? null, told)}`;
}

/** What parameters say, {view, runs, bad}; shape: {n_layer, n_head} of the model. */
export const understood = (given, { n_layer, n_head }) =>
  read(given, { n_layer, n_head, settings: told.settings, max_seed: told.max_seed }, view.get().text);

// --- opening a link --------------------------------------------------------------------------------------------

/** What the address of the page says; null if it says nothing of ours. */
function inAddress() {
  for (const part of [location.hash.slice(1), location.search.slice(1)]) {
    const given = new URLSearchParams(part);
    if (isLink(given)) return given;
  }
  return null;
}

export const say = (...sentences) => (notes.textContent = sentences.filter(Boolean).join(" "));

/** Show what a link says. */
async function apply(given) {
  const question = ++applying;
  const { view: found, runs: written, bad } = understood(given, session.get().window);
  const other = given.get("model");
  const remarks = [
    bad.length ? `Parts of this link could not be read, so they stand as usual: ${bad.join(", ")}.` : "",
    other && other !== session.get().window.checkpoint?.slice(0, 8)
      ? "This link was made with another training of the model, so its numbers were different."
      : "",
  ];
  const { text, generated_from: from, position, step, ...rest } = found;
  pointer.set(NOTHING);
  stopWriting();
  sampler = SETTINGS.map((name) => found.sampling[name] ?? told.settings[name].usual);
  tellGradio("submit"); // Gradio's own sliders take what settings() gives
  if (!written) {
    view.set({ ...rest, text, generated_from: null, step: null, position });
    if (position) await arrived(text);
    if (question !== applying) return;
    if (position > session.get().text.length) {
      view.set({ position: null });
      remarks.push("The character that it holds is not in the text.");
    }
    return say(...remarks);
  }
  view.set({ ...rest, step: null, position: null });
  say("Opening the link.");
  try {
    const runs = written.map((run) => run.slice(0, 4));
    const { steps } = checked(await call("score", text, runs), {
      steps: listOf(listOf("number", 4), text.length - from),
    });
    if (question !== applying) return;
    show(text, from, written, steps);
    view.set({ position, step });
    const seeds = [...new Set(written.map((run) => run[4]))];
    remarks.push(
      `The text from character ${from + 1} on was written by the model, with the seed${seeds.length > 1 ? "s" : ""} ${seeds.join(", ")}.`,
    );
  } catch (error) {
    if (question !== applying) return;
    view.set({ text: text.slice(-TYPED), generated_from: null });
    remarks.push(`What the link says about the writing could not be used: ${error.message}`);
  }
  say(...remarks);
}

/** The typed text has been read by the model, or it was refused. */
const arrived = (text) =>
  new Promise((resolve) => {
    const look = () => session.get().status.text.of === text && !session.get().loading;
    if (look()) return resolve();
    const end = session.subscribe(() => look() && (end(), resolve()));
  });

/** A written text, as if it had just been written: run after run. */
function show(text, from, written, steps) {
  fillBox(text.slice(0, from));
  let place = from;
  written.forEach(([count, temperature, top_k, top_p, seed], i) => {
    session.writing({
      run: `link ${applying} ${i}`,
      offset: 0,
      before: place - from,
      prompt: text.slice(0, place),
      seed,
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

/** For Gradio's sliders: what a link says of them. */
export const settings = () => sampler;

// --- the button ------------------------------------------------------------------------------------------------

async function copy() {
  const chosen = view.get();
  const address = url(chosen);
  const fragment = address.slice(address.indexOf("#"));
  history.replaceState(null, "", fragment); // so that a reload, or a bookmark, brings the same back
  if (told.space && document.referrer.startsWith("https://huggingface.co/")) {
    window.parent.postMessage({ hash: fragment }, "https://huggingface.co");
  }
  const short = tooLong(chosen.text, runsOf(session.get().steps))
    ? `The text is longer than a link can carry: the link holds its last ${TYPED.toLocaleString("en")} characters, as if they had been typed.`
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

export function mount(root, given, trigger) {
  told = given;
  tellGradio = trigger;
  [notes, field, button] = ["#link-notes", "#link-text", "#copy-link"].map((selector) =>
    root.querySelector(selector),
  );
  button.addEventListener("click", copy);
  if (told.space) {
    const duplicate = root.querySelector(".ta-duplicate");
    duplicate.href = `https://huggingface.co/spaces/${told.space}?duplicate=true`;
    duplicate.hidden = false;
  }
  const open = () => {
    const asked = inAddress();
    if (asked) apply(asked);
  };
  window.addEventListener("hashchange", open);
  if (session.get().window) return open();
  const end = session.subscribe(() => session.get().window && (end(), open()));
}
