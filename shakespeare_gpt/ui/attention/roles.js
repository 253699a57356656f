// What the heads do: a badge on each thumbnail, a table of all heads that can be sorted, and whether a role holds on
// this text. The scores come from held-out text (assets/heads.json) and travel with the page.

import { call } from "../core/api.js";
import { facts } from "../core/facts.js";
import { session } from "../core/session.js";
import { badge, measured as published } from "../core/measured.js";
import { checked } from "../core/shape.js";
import { view } from "../core/store.js";
import { element, find, messageOf, plural } from "../core/text.js";

/** @import { Measured, RolesHere, Window } from "../core/types.d.ts" */

/** @typedef {Measured["heads"][number]} Head */
/** @typedef {RolesHere["heads"][number]} Here */
/** @typedef {string | number | null | undefined} Value of a cell, by which it is sorted */

/**
 * @typedef {object} Column
 * @property {string} key
 * @property {string} name
 * @property {string} [title]
 * @property {(head: Head) => Value} value what it is sorted by
 * @property {(head: Head) => Node | string} cell what it shows
 * @property {boolean} [share] is it shaded by its value?
 * @property {boolean} [row] does it name the row?
 * @property {boolean} [words] are its cells words?
 */

/** What stands in assets/heads.json. @type {Measured} */
let measured;
/** @param {string | null} role */
const nameOf = (role) => (role ? measured.roles[role].name : "no clear role");

const ROLES = { heads: [{ layer: "number", head: "number" }] }; // what /roles answers

/** @type {HTMLDetailsElement} */
let details;
/** @type {HTMLElement} */
let table;
/** @type {{window: Window, error?: string, heads: Map<string, Here>} | null} */
let here = null; // the answer of /roles for the text on the page
let sorted = { by: "place", down: false };

/** @param {HTMLElement} root @param {Measured | null} told null where it was not measured on these weights */
export function mount(root, told) {
  published.set({ told });
  details = find(root, "#roles", HTMLDetailsElement);
  const line = find(root, ".sg-roles-line");
  table = find(root, "table");
  if (!told) {
    line.textContent = `What the heads do was not measured on these weights yet. One command does it: ${facts.measure}`;
    if (table.parentElement) table.parentElement.hidden = true;
    return;
  }
  measured = told;
  line.textContent = sentence();
  writeHead();
  details.addEventListener("toggle", () => {
    writeBody();
    ask();
  });
  session.subscribe((_, changed) => changed.has("window") && ask());
  view.subscribe((_, changed) => (changed.has("layer") || changed.has("head")) && mark());
}

function sentence() {
  const given = [...new Set(measured.heads.map((head) => head.role).filter(Boolean))];
  const legend = given.map((role) => `${badge(role).short} = ${nameOf(role)}`).join(", ");
  const all = measured.heads.length;
  const without = measured.heads.filter((head) => !head.role).length;
  return (
    `Measured on ${measured.text.characters.toLocaleString("en")} characters of text that the model did not learn from. ` +
    "The numbers are the shares of a head's weight, in percent; induction is measured on " +
    `${facts.roles.induction.measured_on}. ` +
    `A role is given from ${share(measured.threshold)}% of the way between chance and all of the weight: ${without} of ` +
    `${all} ${plural("head", all)} ${all === 1 ? "has" : "have"} no clear role.${legend ? ` Badges on the thumbnails above: ${legend}.` : ""} Press a row to see its head.`
  );
}

/** The roles on this text: asked for when the table can be seen. */
async function ask() {
  const { window: seen } = session.get();
  if (!details.open || !seen || here?.window === seen) return;
  here = null;
  writeBody();
  try {
    /** @type {RolesHere} */
    const { heads } = checked(await call("roles", seen.text), ROLES);
    if (seen !== session.get().window) return;
    here = { window: seen, heads: new Map(heads.map((head) => [`${head.layer}.${head.head}`, head])) };
  } catch (error) {
    here = { window: seen, error: messageOf(error), heads: new Map() };
  }
  writeBody();
}

// --- the table -------------------------------------------------------------------------------------------------

/** @param {number | null | undefined} value */
const share = (value) => (value === null || value === undefined ? "–" : `${Math.round(100 * value)}`);
/** @param {Head} head */
const onThisText = (head) => here?.heads.get(`${head.layer}.${head.head}`);

/** @returns {Column[]} */
function columns() {
  /** @type {Column[]} */
  const scores = Object.entries(measured.roles).map(([key, role]) => ({
    key,
    name: role.name,
    title: `${role.sentence} Chance: ${share(measured.chance[key])}%.`,
    value: (head) => head[key],
    cell: (head) => share(head[key]),
    share: true,
  }));
  return [
    { key: "place", name: "Head", value: (head) => head.layer * 1000 + head.head, cell: chooser, row: true },
    {
      key: "role",
      name: "Role",
      value: (head) => head.role ?? "\uffff",
      cell: (head) => nameOf(head.role),
      words: true,
    },
    {
      key: "here",
      name: "On this text",
      value: (head) => onThisText(head)?.score ?? null,
      cell: hereCell,
      words: true,
    },
    ...scores,
    {
      key: "mean_distance",
      name: "distance",
      title: "How many characters back it looks on average.",
      value: (head) => head.mean_distance,
      cell: (head) => head.mean_distance?.toFixed(1) ?? "–",
    },
    {
      key: "entropy",
      name: "spread",
      title: "0: all weight on one character; 1: the same weight on all (normalised entropy).",
      value: (head) => head.entropy,
      cell: (head) => head.entropy?.toFixed(2) ?? "–",
    },
  ];
}

/** @param {Head} head */
function hereCell(head) {
  if (!head.role) return "–";
  if (here?.error) return here.error;
  const told = onThisText(head);
  if (!told) return "…";
  if (told.holds === null) return "cannot show here";
  return `${told.holds ? "holds" : "does not hold"} (${share(told.score)}%, chance ${share(told.chance)}%)`;
}

/** @param {Head} head */
const chooser = ({ layer, head }) =>
  element(
    "button",
    { type: "button", class: "sg-choose" }, // the click is the row's
    `Layer ${layer} head ${head}`,
  );

function writeHead() {
  const cells = columns().map((column) =>
    element(
      "th",
      { scope: "col", "data-key": column.key, title: column.title },
      element("button", { type: "button", class: "sg-sort", onclick: () => sortBy(column) }, column.name),
    ),
  );
  find(table, "thead").replaceChildren(element("tr", {}, ...cells));
  const chances = Object.keys(measured.roles).map((key) => element("td", {}, share(measured.chance[key])));
  find(table, "tfoot").replaceChildren(
    element(
      "tr",
      {},
      element("th", { scope: "row", colspan: 3 }, "Chance: a head that looks everywhere alike"),
      ...chances,
      element("td", {}),
      element("td", {}),
    ),
  );
}

/** A second press on the same column turns the order round; numbers begin with the largest. @param {Column} column */
function sortBy(column) {
  const first = !(column.key === "place" || column.key === "role");
  sorted = { by: column.key, down: sorted.by === column.key ? !sorted.down : first };
  writeBody();
}

/** The rows; none while the table is folded away, so that the page stays small. */
function writeBody() {
  const body = find(table, "tbody");
  if (!details.open) {
    body.replaceChildren();
    return;
  }
  const all = columns();
  const column = all.find((one) => one.key === sorted.by) ?? all[0];
  for (const cell of table.querySelectorAll("thead th")) {
    const on = cell.getAttribute("data-key") === sorted.by;
    if (on) cell.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
    else cell.removeAttribute("aria-sort");
  }
  const rows = [...measured.heads].sort((a, b) => compare(column.value(a), column.value(b)));
  const focused = document.activeElement?.closest("#roles tbody tr")?.getAttribute("data-place");
  body.replaceChildren(...rows.map((head) => writeRow(head, all)));
  if (focused) find(table, `tr[data-place="${focused}"] button`).focus();
  mark();
}

/** What is not known stands last. @param {Value} a @param {Value} b */
function compare(a, b) {
  if (a === null || b === null || a === undefined || b === undefined)
    return Number((a ?? null) === null) - Number((b ?? null) === null);
  return (a < b ? -1 : a > b ? 1 : 0) * (sorted.down ? -1 : 1);
}

/** @param {Head} head @param {Column[]} all */
function writeRow(head, all) {
  const choose = () => view.set({ layer: head.layer, head: head.head });
  const row = element("tr", { "data-place": `${head.layer}.${head.head}`, onclick: choose });
  for (const column of all) {
    const cell = element(
      column.row ? "th" : "td",
      { scope: column.row ? "row" : null, class: column.words ? "sg-words" : null },
      column.cell(head),
    );
    if (column.share) cell.style.setProperty("--share", String(column.value(head) ?? 0));
    if (column.key === head.role) cell.classList.add("sg-own");
    row.append(cell);
  }
  return row;
}

/** The row of the head that is on show. */
function mark() {
  const { layer, head } = view.get();
  for (const row of table.querySelectorAll("tbody tr")) {
    const chosen = row.getAttribute("data-place") === `${layer}.${head}`;
    row.classList.toggle("sg-chosen-row", chosen);
    row.querySelector("button")?.setAttribute("aria-pressed", String(chosen));
  }
}
