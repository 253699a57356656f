// Two texts: the chosen head on the page's text and on a second one, and what either goes on with (endpoint /two_texts).

import { answers } from "../core/answers.js";
import { draw as plot, signedScale, whenShown } from "../core/charts.js";
import { frameCell } from "../core/cursor.js";
import { rowStart, triangles } from "../core/decode.js";
import { facts } from "../core/facts.js";
import { held } from "../core/focus.js";
import { besideOthers, mapFigure } from "../core/head_figure.js";
import { current, session, windowNow } from "../core/session.js";
import { checked, listOf, nullOr, rowOf } from "../core/shape.js";
import { NOTHING, pointer, view } from "../core/store.js";
import { later } from "../core/tasks.js";
import { element, find, four, glyph, messageOf, named, percent, plural } from "../core/text.js";
import { fillBox, setText } from "../gradio_seam/pickers.js";

/** @import { Figure, TextPair, Window } from "../core/types.d.ts" */

/** @typedef {Pick<Window, "start" | "length" | "characters">} Seen */
/**
 * @typedef {object} Shown
 * @property {TextPair} told
 * @property {Seen[]} seen the window of either text, and what is aligned of them
 * @property {Float32Array[][]} maps [which][query][key], the last one: the difference
 * @property {[number, number][]} aligned [index in the first, in the second]
 * @property {string} question
 */

const COUNT = 6; // next characters, and heads
const PAUSE = 300; // ms without a key before what was typed is looked at
const PAIR = "ROMEO:\nI am not he, and he is not the man";
const PLACES = ["first", "second", "difference"];
const HEADS = [["number"]];
const ask = answers(20, {
  two_texts: {
    characters: ["string"],
    start: "number",
    notes: ["string"],
    beginning: "number",
    ending: "number",
    next: [rowOf("string", "number", "number")],
    divergence: ["number"],
    attention: { first: "string", second: "string" },
    moved: nullOr(HEADS),
    on: nullOr(listOf(HEADS, 2)),
  },
});

/** @type {HTMLElement} */
let root;
/** @type {HTMLTextAreaElement} */
let box;
/** @type {Shown | null} */
let shown = null;
let asked = "";

/** @param {HTMLElement} piece */
export function mount(piece) {
  root = piece;
  box = find(root, "#other-text", HTMLTextAreaElement);
  box.maxLength = facts.limits.prompt;
  find(root, "[data-way=names]").hidden = !facts.shakespeare; // of whose plays the two names are
  /** @type {ReturnType<typeof setTimeout>} */
  let typing;
  box.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => view.set({ other_text: box.value }), PAUSE);
  });
  for (const button of root.querySelectorAll("button"))
    button.addEventListener("click", () => WAYS[button.dataset.way ?? ""]?.());
  view.subscribe(update);
  session.subscribe(update);
  whenShown(root, () => {
    update();
    if (shown) drawMaps(shown);
  });
}

/** @param {string} id */
const part = (id) => find(root, `#two-texts-${id}`);

/** How a second text is come by. @type {Record<string, () => void>} */
const WAYS = {
  change() {
    const { text } = session.get();
    const position = held() ?? text.length - 1;
    // Another letter of its kind, so that the text stays a text.
    const other = { " ": "-", "\n": " " }[text[position]] ?? (text[position] === "e" ? "a" : "e");
    view.set({ other_text: text.slice(0, position) + other + text.slice(position + 1) });
    box.focus();
    box.setSelectionRange(position, position + 1);
  },
  names() {
    setText(PAIR);
    fillBox(PAIR);
    view.set({ other_text: PAIR.replace("ROMEO", "JULIET") });
  },
  clear: () => void view.set({ other_text: "" }),
};

async function update() {
  const { other_text: other, layer, head } = view.get();
  if (box.value !== other && document.activeElement !== box) box.value = other;
  if (box.value !== other && !shown) box.value = other;
  const position = held();
  part("hint").textContent =
    position === null ? "" : `The held one is ${named(session.get().text[position] ?? "", position)}.`;
  find(root, "[data-way=clear]").hidden = !other;
  part("result").hidden = !other;
  if (!other) [shown, asked, part("problem").hidden] = [null, "", true];
  if (!other || !root.clientWidth || !session.get().window || !current()) return;
  const seen = windowNow();
  const question = JSON.stringify([seen.start, seen.text, other, layer, head]);
  if (question === asked) return;
  asked = question;
  part("result").setAttribute("aria-busy", "true");
  try {
    /** @type {TextPair} */
    const told = await ask("two_texts", seen.text, other, layer, head);
    if (question !== asked) return;
    shown = unpacked(told, seen, question);
    part("problem").hidden = true;
    say(shown);
    drawNext(shown);
    drawHeads(shown);
    later("two texts", () => shown && drawMaps(shown));
  } catch (error) {
    if (question !== asked) return;
    asked = "";
    [part("problem").textContent, part("problem").hidden] = [messageOf(error), false];
  }
  part("result").removeAttribute("aria-busy");
}

/** @param {TextPair} told @param {Window} first @param {string} question @returns {Shown} */
function unpacked(told, first, question) {
  const { beginning, ending, characters } = told;
  const second = { start: told.start - 1, length: characters.length, characters };
  /** @type {[number, number][]} */
  const aligned = [];
  for (let i = 0; i < beginning; i++) aligned.push([i, i]);
  for (let i = ending; i > 0; i--) aligned.push([first.length - i, second.length - i]);
  const both = {
    start: 0,
    length: aligned.length,
    characters: aligned.map(([one]) => first.characters[one]),
  };
  const maps = [first, second].map((seen, which) => {
    const [weights] = triangles([told.attention.first, told.attention.second][which], 1);
    checked(weights.length, rowStart(seen.length));
    return Array.from({ length: seen.length }, (_, q) => {
      const row = new Float32Array(seen.length).fill(NaN);
      row.set(weights.subarray(rowStart(q), rowStart(q) + q + 1));
      return row;
    });
  });
  maps.push(aligned.map(([q, r]) => Float32Array.from(aligned, ([k, l]) => maps[1][r][l] - maps[0][q][k])));
  return { told, seen: [first, second, both], maps, aligned, question };
}

// --- words and numbers -------------------------------------------------------------------------------------------

/** @param {Shown} now */
function say({ told, seen: [first, second] }) {
  const { beginning, ending, divergence, notes } = told;
  const between = (/** @type {Seen} */ seen) =>
    seen.characters
      .slice(beginning, seen.length - ending)
      .map(glyph)
      .join("") || "nothing";
  const same = beginning === first.length && beginning === second.length;
  const where = `They differ from character ${first.start + beginning + 1} on: “${between(first)}” against “${between(second)}”.`;
  const end = ending
    ? ` The last ${ending === 1 ? "character is" : `${ending} characters are`} the same again, and the prediction at the end moves by ${divergence[divergence.length - 1].toFixed(3)} nats.`
    : " Nothing stands behind the difference, so only what comes next can be compared.";
  part("said").textContent = [same ? "The two are the same." : where + end, ...notes].join(" ");
}

/** @param {Shown} now */
function drawNext({ told }) {
  const side = (/** @type {number} */ p) => element("td", { style: `--share:${p}` }, percent(p));
  find(root, ".tt-next tbody").replaceChildren(
    ...told.next
      .slice(0, COUNT)
      .map(([character, p, q]) =>
        element("tr", {}, element("th", { scope: "row" }, glyph(character)), side(p), side(q)),
      ),
  );
}

/** The heads that carry the difference, the most of it first; a click chooses one. @param {Shown} now */
function drawHeads({ told: { on, moved, ending } }) {
  part("heads-said").textContent = on
    ? `Mean over the ${ending} ${plural("row", ending)} behind it, in yours and in the other.`
    : "There is nothing behind the difference that could look at it.";
  const heads = (on ?? []).length
    ? /** @type {number[][][]} */ (on)[0].flatMap((row, layer) =>
        row.map((first, head) => {
          const second = /** @type {number[][][]} */ (on)[1][layer][head];
          return { layer, head, first, second, moved: moved?.[layer][head] ?? 0 };
        }),
      )
    : [];
  heads.sort((a, b) => b.first + b.second - a.first - a.second);
  find(root, ".tt-heads tbody").replaceChildren(
    ...heads.slice(0, COUNT).map(({ layer, head, first, second, moved: share }) => {
      const choose = () => void view.set({ layer: layer + 1, head: head + 1 });
      const button = element(
        "button",
        { type: "button", class: "sg-choose", onclick: choose },
        `layer ${layer + 1} head ${head + 1}`,
      );
      return element(
        "tr",
        {},
        element("th", { scope: "row" }, button),
        element("td", {}, `${first.toFixed(2)} and ${second.toFixed(2)}`),
        element("td", {}, percent(share)),
      );
    }),
  );
}

// --- pictures ----------------------------------------------------------------------------------------------------

/** @param {Shown} now */
function drawMaps(now) {
  const { layer, head, scale } = view.get();
  part("maps-heading").textContent = `Attention in layer ${layer} head ${head}`;
  const largest = now.maps[2].reduce(
    (most, row) => row.reduce((a, b) => Math.max(a, Math.abs(b) || 0), most),
    1e-9,
  );
  PLACES.forEach((place, which) => {
    const where = /** @type {Figure} */ (part(place));
    const seen = now.seen[which];
    find(root, `figure:has(#two-texts-${place})`).hidden = !seen.length; // of what aligns there may be nothing
    if (!where.clientWidth || !seen.length) return;
    const figure = mapFigure(
      now.maps[which],
      (q, k) => lines(now, which, q, k),
      /** @type {Window} */ (seen),
    );
    const signed = which === 2;
    const coloraxis = {
      cmin: signed ? -largest : 0,
      cmax: signed ? largest : 1,
      colorscale: signed ? signedScale() : facts.colours.weights[scale],
    };
    besideOthers(figure, where, coloraxis, signed ? [-largest, 0, largest] : [0, 0.25, 0.5, 1]);
    plot(where, figure.data, figure.layout, {
      hover: ({ pointIndex: [q, k] }) => point(now, which, q, k),
      leave: () => point(now, which, -1, -1),
    });
  });
}

/**
 * The index in each of the three maps of a place in one of them; -1 where there is none.
 * @param {Shown} now
 * @param {number} which
 * @param {number} index
 */
function everywhere({ aligned }, which, index) {
  const at = which === 2 ? index : aligned.findIndex((both) => both[which] === index);
  const found = [aligned[at]?.[0] ?? -1, aligned[at]?.[1] ?? -1, at];
  found[which] = index;
  return found;
}

/**
 * A link is pointed at: it is marked in all three maps, and in the text where it is yours.
 * @param {Shown} now
 * @param {number} which map
 * @param {number} q
 * @param {number} k
 */
function point(now, which, q, k) {
  const [queries, keys] = [everywhere(now, which, q), everywhere(now, which, k)];
  PLACES.forEach((place, i) => frameCell(part(place), now.seen[i].start, queries[i], keys[i]));
  const { start } = now.seen[0];
  const mine = queries[0] >= 0 && keys[0] >= 0 && keys[0] <= queries[0];
  pointer.set(mine ? { ...NOTHING, query: start + queries[0], key: start + keys[0] } : NOTHING);
  if (q >= 0) part("pointed").textContent = lines(now, which, q, k).join("; ");
}

/**
 * Everything about one link.
 * @param {Shown} now
 * @param {number} which map
 * @param {number} q
 * @param {number} k
 */
function lines(now, which, q, k) {
  const [queries, keys] = [everywhere(now, which, q), everywhere(now, which, k)];
  const told = ["yours", "the other"].flatMap((whose, i) => {
    const [query, key] = [queries[i], keys[i]];
    if (query < 0 || key < 0 || key > query) return [];
    const { characters, start } = now.seen[i];
    const name = (/** @type {number} */ index) => named(characters[index], start + index);
    return [`${whose}: ${name(query)} looks at ${name(key)}, ${four(now.maps[i][query][key])}`];
  });
  return told.length > 1 ? told : [...told, "it has no counterpart in the other text"];
}
