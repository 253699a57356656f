// What the heads do: a badge on each thumbnail, a table of all heads that can be sorted, and whether a role holds on
// this text. The scores come from held-out text (assets/heads.json) and travel with the page.

import { call } from "../core/api.js";
import { session } from "../core/session.js";
import { badge, measured as published } from "../core/measured.js";
import { checked } from "../core/shape.js";
import { view } from "../core/store.js";
import { element } from "../core/text.js";

let measured = null; // what stands in assets/heads.json; null where it was not measured on these weights
const nameOf = (role) => (role ? measured.roles[role].name : "no clear role");

const ROLES = { heads: [{ layer: "number", head: "number" }] }; // what /roles answers

let details, line, table;
let here = null; // the answer of /roles for the text on the page
let sorted = { by: "place", down: false };

export function mount(root, told) {
  measured = told;
  published.set({ told });
  details = root.querySelector("#roles");
  line = root.querySelector(".sg-roles-line");
  table = root.querySelector("table");
  if (!measured) {
    line.textContent =
      "What the heads do was not measured on these weights yet. One command does it: python -m shakespeare_gpt.training.measure";
    table.parentElement.hidden = true;
    return;
  }
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
  const without = measured.heads.filter((head) => !head.role).length;
  return (
    `Measured on ${measured.text.characters.toLocaleString("en")} characters of text that the model did not learn from. ` +
    "The numbers are the shares of a head's weight, in percent; induction is measured on random characters written twice. " +
    `A role is given from ${share(measured.threshold)}% of the way between chance and all of the weight: ${without} of ` +
    `${measured.heads.length} heads have no clear role. Badges on the thumbnails above: ${[...(legend ? [legend] : []), "– = no clear role"].join(", ")}.`
  );
}

/** The roles on this text: asked for when the table can be seen. */
async function ask() {
  const { window } = session.get();
  if (!details.open || !window || here?.window === window) return;
  here = null;
  writeBody();
  try {
    const told = checked(await call("roles", window.text), ROLES);
    if (window !== session.get().window) return;
    here = { window, heads: new Map(told.heads.map((head) => [`${head.layer}.${head.head}`, head])) };
  } catch (error) {
    here = { window, error: error.message, heads: new Map() };
  }
  writeBody();
}

// --- the table -------------------------------------------------------------------------------------------------

const share = (value) => (value === null || value === undefined ? "–" : `${Math.round(100 * value)}`);
const onThisText = (head) => here?.heads.get(`${head.layer}.${head.head}`);

/** {key, name, title, value(head): what it is sorted by, cell(head): what it shows, share: shaded by the value} */
function columns() {
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

function hereCell(head) {
  if (!head.role) return "–";
  if (here?.error) return here.error;
  const told = onThisText(head);
  if (!told) return "…";
  if (told.holds === null) return "cannot show here";
  return `${told.holds ? "holds" : "does not hold"} (${share(told.score)}%, chance ${share(told.chance)}%)`;
}

const chooser = ({ layer, head }) =>
  element(
    "button",
    { type: "button", class: "sg-choose", onclick: () => view.set({ layer, head }) },
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
  table.querySelector("thead").replaceChildren(element("tr", {}, ...cells));
  const chances = Object.keys(measured.roles).map((key) => element("td", {}, share(measured.chance[key])));
  table
    .querySelector("tfoot")
    .replaceChildren(
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

/** A second press on the same column turns the order round; numbers begin with the largest. */
function sortBy(column) {
  const first = !(column.key === "place" || column.key === "role");
  sorted = { by: column.key, down: sorted.by === column.key ? !sorted.down : first };
  writeBody();
}

/** The rows; none while the table is folded away, so that the page stays small. */
function writeBody() {
  if (!details.open) return table.querySelector("tbody").replaceChildren();
  const all = columns();
  const column = all.find((one) => one.key === sorted.by);
  for (const cell of table.querySelectorAll("thead th")) {
    const on = cell.dataset.key === sorted.by;
    if (on) cell.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
    else cell.removeAttribute("aria-sort");
  }
  const rows = [...measured.heads].sort((a, b) => compare(column.value(a), column.value(b)));
  const focused = document.activeElement?.closest?.("#roles tbody tr")?.dataset.place;
  table.querySelector("tbody").replaceChildren(...rows.map((head) => writeRow(head, all)));
  if (focused) table.querySelector(`tr[data-place="${focused}"] button`)?.focus();
  mark();
}

function compare(a, b) {
  if (a === null || b === null || a === undefined || b === undefined)
    return (b !== null && b !== undefined) - (a !== null && a !== undefined);
  return (a < b ? -1 : a > b ? 1 : 0) * (sorted.down ? -1 : 1);
}

function writeRow(head, all) {
  const row = element("tr", { "data-place": `${head.layer}.${head.head}` });
  for (const column of all) {
    const cell = element(
      column.row ? "th" : "td",
      { scope: column.row ? "row" : null, class: column.words ? "sg-words" : null },
      column.cell(head),
    );
    if (column.share) cell.style.setProperty("--share", column.value(head) ?? 0);
    if (column.key === head.role) cell.classList.add("sg-own");
    row.append(cell);
  }
  return row;
}

/** The row of the head that is on show. */
function mark() {
  const { layer, head } = view.get();
  for (const row of table.querySelectorAll("tbody tr")) {
    const chosen = row.dataset.place === `${layer}.${head}`;
    row.classList.toggle("sg-chosen-row", chosen);
    row.querySelector("button").setAttribute("aria-pressed", chosen);
  }
}
