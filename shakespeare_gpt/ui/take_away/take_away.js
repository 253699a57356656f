// The row under the text: the link (link.js) and the downloads, each made when its button is pressed.

import { facts } from "../core/facts.js";
import { session } from "../core/session.js";
import { csv, json } from "./export.js";
import * as link from "./link.js";
import { png, svg } from "./picture.js";
import { view } from "../core/store.js";
import { messageOf } from "../core/text.js";

/** @typedef {"csv" | "json" | "png" | "svg" | "html"} Format */

const TYPES = {
  csv: "text/csv;charset=utf-8",
  json: "application/json",
  png: "image/png",
  svg: "image/svg+xml;charset=utf-8",
  html: "text/html;charset=utf-8",
};

/**
 * @param {HTMLElement} root
 * @param {{document: string}} told what a file to take away is filled into
 */
export function mount(root, told) {
  link.mount(root);
  /** @type {Record<Format, () => Promise<string | Blob>>} */
  const make = {
    csv,
    json,
    png,
    svg,
    // What only few want is fetched when somebody does.
    html: async () => (await import("./standalone_file.js")).html(told.document),
  };
  for (const button of root.querySelectorAll("button")) {
    const format = /** @type {Format | undefined} */ (button.dataset.format);
    if (format) button.addEventListener("click", () => take(button, format, make[format]));
  }
}

/** @param {HTMLButtonElement} button @param {Format} format @param {() => Promise<string | Blob>} make */
async function take(button, format, make) {
  if (button.ariaBusy === "true") return;
  const { window: seen, streaming, loading, error: refused } = session.get();
  if (!seen || streaming || loading || refused) {
    link.say("The numbers of this text are not here yet: try again when they are shown.");
    return;
  }
  const { layer, head } = view.get();
  const model = facts.title.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, "-");
  const name = `${model}-layer-${layer}-head-${head}.${format}`;
  button.ariaBusy = "true";
  try {
    const file = new Blob([await make()], { type: TYPES[format] });
    save(file, name);
    link.say(`Saved ${name}, ${size(file.size)}.`);
  } catch (error) {
    link.say(`The ${format.toUpperCase()} file could not be made: ${messageOf(error)}`);
  } finally {
    button.ariaBusy = null;
  }
}

/** Hand a file to the browser, which puts it where its downloads go. @param {Blob} file @param {string} name */
function save(file, name) {
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(file);
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 60_000);
}

/** @param {number} bytes */
const size = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} KB` : `${(bytes / 1e6).toFixed(1)} MB`);
