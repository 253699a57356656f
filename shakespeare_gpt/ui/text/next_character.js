// The next character: the likeliest ones as bars, with three numbers each; the draw; Step and Play. At a held or replayed
// place the same for what could have stood there.

import { answers } from "../core/answers.js";
import { call } from "../core/api.js";
import { facts } from "../core/facts.js";
import { distribution } from "../core/sampling.js";
import { besidesNumbers, session } from "../core/session.js";
import { listOf } from "../core/shape.js";
import { view } from "../core/store.js";
import { perFrame } from "../core/tasks.js";
import { around, element, find, four, glyph, messageOf } from "../core/text.js";
import { boxText } from "../gradio_seam/pickers.js";
import { NUMBERS, PLAIN, makePlay } from "./play.js";

/** @import { Place } from "./play.js" */
/** @import { Distribution, Timer } from "../core/types.d.ts" */

const SHOWN = 450; // ms: the draw of a single step
/** ms for which a draw is shown, and then until the next one. @type {Record<string, {shown: number, between: number}>} */
const PACES = {
  slow: { shown: 900, between: 700 },
  normal: { shown: 300, between: 150 },
  fast: { shown: 0, between: 0 },
};
const WRITERS = "#generate, #write-on, #clear, #stop"; // each of these ends a play
const PAUSE = 120; // ms that the replay must rest before the server is asked
const WIDE = 0.07; // a part of the bar has room for its letter
const FOLLOWED = /** @type {const} */ (["text", "position", "direction", "step", "sampling"]); // of the View

const { vocabulary } = facts;
/** @param {string} name @param {number} count */
const numbers = (name, count) => ({ [name]: listOf("number", count) });
const play = makePlay({
  call,
  ask: answers(60, { logits: numbers("logits", vocabulary.length), numbers: numbers("numbers", NUMBERS) }),
  session,
  view,
  facts,
  typed: boxText,
  pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
});

let [box, heading, list, error, parts, marker, told, playButton] = /** @type {HTMLElement[]} */ ([]); // see mount
/** @type {HTMLButtonElement} */
let stepButton;
/** @type {HTMLSelectElement} */
let pace;
/** @type {HTMLButtonElement[]} the likeliest character first */
let rows;
/** @type {object} what was asked for last: an answer to anything else is late */
let asked = {};
/** @type {Place | null} */
let place = null;
/** @type {Timer} */
let resting;

/** @param {HTMLElement} root */
export function mount(root) {
  box = find(root, "#next-character");
  [heading, list, error, parts, marker, told, playButton] = [
    "#next-heading", "ul", ".sg-error", ".sg-next-parts", "i", ".sg-next-told", "#play",
  ].map((selector) => find(box, selector)); // prettier-ignore
  stepButton = find(box, "#step", HTMLButtonElement);
  pace = find(box, "#pace", HTMLSelectElement);
  rows = [...vocabulary].map(newRow);
  list.append(...rows.map((row) => element("li", {}, row)));
  list.addEventListener("keydown", move);
  stepButton.addEventListener("click", () => play.step(SHOWN));
  playButton.addEventListener("click", () =>
    play.state.get().playing ? play.stop() : play.play(() => PACES[pace.value]),
  );
  document.addEventListener("click", (event) => around(event, WRITERS) && play.stop(), true);
  document.addEventListener("input", (event) => around(event, "#prompt") && play.stop());
  const follow = perFrame(look);
  view.subscribe((chosen, changed) => {
    if (changed.has("sampling")) drawPlace(); // at once, from the numbers at hand
    clearTimeout(resting);
    if (chosen.step && changed.has("step")) resting = setTimeout(look, PAUSE);
    else if (FOLLOWED.some((name) => changed.has(name))) follow();
  });
  session.subscribe((_, changed) => besidesNumbers(changed) && follow());
  play.state.subscribe(drawPlay);
  look();
  drawPlay();
}

/** Ask what stands, or could stand, at the place that is looked at. */
async function look() {
  const { text, streaming, window: seen } = session.get();
  stepButton.disabled = streaming;
  playButton.toggleAttribute("disabled", streaming);
  if (!seen || streaming) return;
  const position = play.looked();
  const next = position >= text.length;
  heading.textContent = next ? "Next character" : `What could have stood at ${position + 1}`;
  heading.classList.toggle("sg-long", !next);
  const mine = (asked = {});
  box.setAttribute("aria-busy", "true");
  let failure = "";
  const found = await play.at(position).catch((reason) => ((failure = messageOf(reason)), null));
  if (mine !== asked) return;
  box.setAttribute("aria-busy", "false");
  place = found;
  error.textContent =
    failure || (found ? "" : "Nothing before it was seen: it was not chosen from candidates.");
  drawPlace(true);
}

// --- the list ----------------------------------------------------------------------------------------------------

function newRow() {
  const spans = ["sg-name", "sg-next-bar", "sg-figure", "sg-figure", "sg-figure"];
  const row = element("button", { type: "button" }, ...spans.map((name) => element("span", { class: name })));
  row.addEventListener("click", () => play.choose(Number(row.dataset.id)));
  return row;
}

/** The list is one stop of the Tab key; arrow keys move in it. @param {KeyboardEvent} event */
function move(event) {
  const from = rows.findIndex((row) => row === document.activeElement);
  const steps = /** @type {Record<string, number>} */ ({
    ArrowDown: 1,
    ArrowUp: -1,
    Home: -rows.length,
    End: rows.length,
  });
  if (from < 0 || !(event.key in steps)) return;
  event.preventDefault();
  rows[Math.min(Math.max(from + steps[event.key], 0), rows.length - 1)].focus();
}

/** @param {boolean} [another] it is not the place that was shown before */
function drawPlace(another = false) {
  list.hidden = !place;
  list.tabIndex = place && place.position < session.get().text.length ? 0 : -1; // no button in it can be pressed then
  if (!place) return drawDraw(null);
  const { text } = session.get();
  const { position, logits } = place;
  const next = position >= text.length;
  if (!place.step) place = { ...place, settings: view.get().sampling };
  const own = distribution(logits, PLAIN).probabilities;
  const now = distribution(logits, place.settings);
  const here = next ? -1 : vocabulary.indexOf(text[position]);
  const most = Math.max(own[now.order[0]], now.probabilities[now.order[0]]);
  now.order.forEach((id, i) => drawRow(rows[i], id, own[id], now, most, id === here, next));
  if (another) {
    const row = rows[here < 0 ? 0 : now.rank[here] - 1];
    list.scrollTop = Math.max(0, row.offsetTop + row.offsetHeight - list.clientHeight);
  }
  drawDraw(now);
}

/**
 * @param {HTMLButtonElement} row
 * @param {number} id of its character
 * @param {number} own the model's probability
 * @param {Distribution} now
 * @param {number} most the probability of the longest bar
 * @param {boolean} here does it stand at the place?
 * @param {boolean} next can it be written there?
 */
function drawRow(row, id, own, { tempered, probabilities, cut_by }, most, here, next) {
  const cut = cut_by[id];
  const texts = [glyph(vocabulary[id]), "", four(own), four(tempered[id]), cut ?? four(probabilities[id])];
  texts.forEach((each, i) => {
    if (row.children[i].textContent !== each) row.children[i].textContent = each;
  });
  row.dataset.id = String(id);
  row.style.setProperty("--own", (own / most).toFixed(4));
  row.style.setProperty("--share", (probabilities[id] / most).toFixed(4));
  row.className = [cut ? "sg-cut" : "", here ? "sg-here" : ""].join(" ").trim();
  row.disabled = !next;
  row.tabIndex = row === rows[0] || row === document.activeElement ? 0 : -1;
  const last = cut ? `cut by ${cut}` : `after the cut ${texts[4]}`;
  row.setAttribute(
    "aria-label",
    `${next ? "Write " : ""}${texts[0]}${here ? ", which stands here" : ""}: model ${texts[2]}, after the temperature ${texts[3]}, ${last}`,
  );
}

// --- the draw ----------------------------------------------------------------------------------------------------

/** The bar on which the number falls: in the order of the vocabulary, as it is drawn. @param {Distribution | null} now */
function drawDraw(now) {
  const { falling } = play.state.get();
  const drawn = place?.drawn ?? null;
  const next = place !== null && place.position >= session.get().text.length;
  const number = next ? falling : (drawn?.number ?? null);
  marker.hidden = number === null;
  if (number !== null) marker.style.setProperty("--at", String(number));
  let held = 0;
  let hit = "";
  const widths = now?.probabilities ?? [];
  parts.replaceChildren(
    ...[...widths.keys()]
      .filter((id) => widths[id] > 0)
      .map((id) => {
        const falls = number !== null && number >= held && number < held + widths[id];
        held += widths[id];
        if (falls) hit = glyph(vocabulary[id]);
        return element(
          "span",
          { class: falls ? "sg-hit" : null, style: `flex-grow:${widths[id]}` },
          widths[id] >= WIDE ? glyph(vocabulary[id]) : "",
        );
      }),
  );
  told.textContent = sentence(next, hit, number);
}

/** @param {boolean} next @param {string} hit @param {number | null} number */
function sentence(next, hit, number) {
  if (!place) return "";
  const { drawn, step } = place;
  if (!drawn) return step ? "You chose this one." : "You typed this one.";
  const which = drawn.seed === null ? "with a new seed" : `number ${drawn.count} of seed ${drawn.seed}`;
  const { fallen } = play.state.get();
  if (next && fallen !== null) {
    const last = glyph(session.get().text[place.position - 1]);
    return `${fallen.toFixed(4)} fell on ${last}. Next: ${which}.`;
  }
  if (number === null) return `Step draws ${drawn.seed === null ? "one " : ""}${which}.`;
  return `${number.toFixed(4)} ${next ? "falls" : "fell"} on ${hit}${drawn.seed === null ? "" : `: ${which}`}.`;
}

function drawPlay() {
  const { playing, error: why } = play.state.get();
  playButton.textContent = playing ? "Stop" : "Play";
  told.setAttribute("aria-live", playing ? "off" : "polite"); // one after the other would be too many
  if (why || place) error.textContent = why;
  drawDraw(place && distribution(place.logits, place.settings));
}
