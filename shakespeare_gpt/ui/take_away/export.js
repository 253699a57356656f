// "Take it away": the shown head as CSV or JSON. Made here from the numbers that the page holds; the server knows
// nothing of it. Each file begins with what it shows: the View, and which checkpoint the numbers come from.

import { facts } from "../core/facts.js";
import { session, windowNow } from "../core/session.js";
import { altered, lensNames, plainRow, shownRow } from "../core/lenses.js";
import { url } from "../core/link.js";
import { view } from "../core/store.js";
import { glyph } from "../core/text.js";

/** What a file says of itself. */
export function about() {
  return { view: view.get(), checkpoint: windowNow().checkpoint, link: url() };
}

const BOM = "\ufeff";

/** A number as /attention gives it: eight decimals. @param {number} weight */
const eight = (weight) => Number(weight.toFixed(8));

/**
 * T rows of T numbers, 0 above the diagonal.
 * @param {number} length T
 * @param {(q: number) => Float32Array} row gives the q + 1 numbers of a row
 */
const square = (length, row) =>
  Array.from({ length }, (_, q) => {
    const numbers = Array.from(row(q), eight);
    return [...numbers, ...Array(length - numbers.length).fill(0)];
  });

/** The fields of /attention, then the rest. With a lens on, "shown" holds its numbers beside the plain ones. */
export async function json() {
  const seen = windowNow();
  const chosen = view.get();
  const layer = await session.layer(chosen.layer, seen);
  return JSON.stringify({
    characters: seen.characters,
    start: seen.start + 1,
    layer: chosen.layer,
    head: chosen.head,
    weights: square(seen.length, (q) => plainRow(layer, chosen.head - 1, q)),
    notes: seen.notes,
    ...about(),
    ...(altered(chosen) && {
      lenses: lensNames(chosen),
      shown: square(seen.length, (q) => shownRow(layer, chosen.head - 1, q, chosen)),
    }),
  });
}

/** JSON in ASCII: no reader can take a part of it for a line, a cell or a tag of its own. @param {unknown} value */
export const ascii = (value) =>
  JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

/**
 * A cell of a CSV file (RFC 4180). A spreadsheet would run what begins like a formula, so that gets a quote in front.
 * @param {string} text
 */
export function quoted(text) {
  const harmless = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return `"${harmless.replace(/"/g, '""')}"`;
}

/**
 * One line a link, in the order of the rows of the map; positions count from 1 in the whole text, spaces and line breaks
 * are written as on the page. The mark at its beginning tells Excel that the letters are UTF-8. Lines that begin with # come first: pandas.read_csv(..., comment="#") passes over them.
 */
export async function csv() {
  const seen = windowNow();
  const chosen = view.get();
  const layer = await session.layer(chosen.layer);
  const lens = altered(chosen);
  const names = seen.characters.map((character) => quoted(glyph(character)));
  const told = about();
  const lines = [
    `# ${facts.title}: the attention of layer ${chosen.layer}, head ${chosen.head}; each looking character's weights add up to 1`,
    ...(lens ? [`# column shown: ${lensNames(chosen).join("; ")}`] : []),
    `# view,${quoted(ascii(told.view))}`,
    `# checkpoint,${quoted(String(told.checkpoint))}`,
    `# link,${quoted(told.link)}`,
    `looking_position,looking,looked_at_position,looked_at,weight${lens ? ",shown" : ""}`,
  ];
  for (let q = 0; q < seen.length; q++) {
    const plain = plainRow(layer, chosen.head - 1, q);
    const shown = shownRow(layer, chosen.head - 1, q, chosen);
    for (let k = 0; k <= q; k++) {
      const numbers = lens ? `${eight(plain[k])},${eight(shown[k])}` : eight(plain[k]);
      lines.push(`${seen.start + q + 1},${names[q]},${seen.start + k + 1},${names[k]},${numbers}`);
    }
  }
  return BOM + lines.join("\r\n") + "\r\n";
}
