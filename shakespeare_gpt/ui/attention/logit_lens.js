// The logit lens: what the model would say next if it ended after each layer, at every position. One canvas, a column
// for each character of the text and a row for each layer; the five likeliest at the chosen place stand below.

import { session } from "../core/session.js";
import { focus } from "../core/focus.js";
import { at } from "../core/said.js";
import { pointer, NOTHING, view } from "../core/store.js";
import { later, perFrame } from "../core/tasks.js";
import { element, find, glyph, percent } from "../core/text.js";
import { onTheme } from "../core/theme.js";

/** @import { LogitLens, Window } from "../core/types.d.ts" */

const WIDTH = 22,
  HEIGHT = 28; // px of a cell
let [box, scroller, column, labels, table, top5, sentence] = /** @type {HTMLElement[]} */ ([]); // see mount
/** @type {HTMLCanvasElement} */
let canvas;
/** @type {{window: Window, layers: LogitLens["layers"]} | null} */
let shown = null; // the logit lens of the window
/** @type {number | null} */
let row = null; // the row that is pointed at: 0 after the embedding, then the layers; null: the last
let seen = false;

/** @param {HTMLElement} root */
export function mount(root) {
  box = find(root, "#logit-lens");
  canvas = find(box, "canvas", HTMLCanvasElement);
  [scroller, column, labels, table, top5, sentence] = [
    ".sg-scroll",
    ".sg-column",
    ".sg-lens-labels",
    "table",
    "tbody",
    ".sg-lens-said",
  ].map((selector) => find(box, selector));
  // Asked for only when somebody scrolls down to it.
  new IntersectionObserver((entries) => {
    seen = entries.some((entry) => entry.isIntersecting);
    if (seen) load();
  }).observe(box);
  session.subscribe((_, changed) => {
    if (changed.has("window")) clear(); // what stands here is about another text
    if (changed.has("window") && seen) load();
    if (changed.has("lens") && seen) news();
  });
  canvas.addEventListener("pointermove", (event) => event.pointerType === "mouse" && pointTo(event));
  canvas.addEventListener("pointerleave", () => pointTo(null));
  canvas.addEventListener("click", (event) => {
    const position = pointTo(event);
    const touched = event instanceof PointerEvent && event.pointerType === "touch";
    if (!touched && position !== null) view.set({ position: position + 1 });
  });
  scroller.addEventListener("keydown", key);
  const mark = perFrame(write);
  view.subscribe(mark);
  pointer.subscribe(mark);
  onTheme(() => shown && later("logit lens", draw));
}

function clear() {
  shown = null;
  canvas.width = 0;
  column.hidden = table.hidden = true;
  top5.replaceChildren();
  sentence.textContent = "";
}

function load() {
  const { window: now } = session.get();
  if (!now || shown?.window === now) return;
  session.lens(); // asked for again if it failed before; the news come by the session
  news();
}

function news() {
  const { window: now, lens } = session.get();
  if (lens.state === "failed") sentence.textContent = `${lens.error} It is asked for again.`;
  if (!now || !lens.value || shown?.window === now) return;
  shown = { window: now, layers: lens.value.layers };
  later("logit lens", draw);
}

/** @param {number} index */
const rowName = (index) => (index === 0 ? "embedding" : `layer ${index}`);

function draw() {
  const pen = canvas.getContext("2d");
  if (!shown || !pen) return;
  const { window: now, layers } = shown;
  const scale = devicePixelRatio || 1;
  const [width, height] = [now.length * WIDTH, (layers.length + 1) * HEIGHT];
  Object.assign(canvas, { width: width * scale, height: height * scale });
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  const style = getComputedStyle(box);
  const [ink, quiet, shade] = ["--sg-ink", "--sg-quiet", "--sg-shade"].map((name) =>
    style.getPropertyValue(name),
  );
  pen.scale(scale, scale);
  Object.assign(pen, { textAlign: "center", textBaseline: "middle" });
  const letter = (
    /** @type {string} */ character,
    /** @type {number} */ x,
    /** @type {number} */ y,
    /** @type {string} */ colour,
    weight = "",
  ) => {
    pen.fillStyle = colour;
    pen.font = `${weight} 15px ${style.getPropertyValue("--sg-mono")}`;
    pen.fillText(glyph(character), (x + 0.5) * WIDTH, (y + 0.5) * HEIGHT);
  };
  now.characters.forEach((character, x) => letter(character, x, 0, quiet));
  layers.forEach(({ characters, probabilities }, y) => {
    characters.forEach((best, x) => {
      pen.fillStyle = `rgb(${shade} / ${probabilities[x][0]})`;
      pen.fillRect(x * WIDTH + 1, (y + 1) * HEIGHT + 1, WIDTH - 2, HEIGHT - 2);
      const right = best[0] === now.characters[x + 1];
      letter(best[0], x, y + 1, ink, right ? "bold" : "");
      if (right) pen.fillRect(x * WIDTH + 5, (y + 2) * HEIGHT - 5, WIDTH - 10, 2);
    });
  });
  labels.replaceChildren(
    ...["reads", ...layers.map((_, i) => rowName(i))].map((name) => element("span", {}, name)),
  );
  write();
}

/** @param {MouseEvent | null} event */
function pointTo(event) {
  if (!shown || !event) {
    row = null;
    pointer.set(NOTHING);
    return null;
  }
  const x = Math.floor(event.offsetX / WIDTH);
  const line = Math.floor(event.offsetY / HEIGHT) - 1;
  row = line >= 0 && line < shown.layers.length ? line : null;
  const position = Math.min(Math.max(x, 0), shown.window.length - 1) + shown.window.start;
  pointer.set({ ...NOTHING, query: position });
  write();
  return position;
}

/** @param {KeyboardEvent} event */
function key(event) {
  const now = focus();
  if (!shown || !now) return;
  const last = shown.layers.length - 1;
  if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
    const step = event.key === "ArrowLeft" ? -1 : 1;
    const first = shown.window.start;
    const position = Math.min(Math.max(now.chosen + step, first), first + shown.window.length - 1);
    view.set({ position: position + 1 });
  } else if (event.key === "ArrowUp") row = Math.max(0, (row ?? last) - 1);
  else if (event.key === "ArrowDown") row = Math.min(last, (row ?? last) + 1);
  else return;
  event.preventDefault();
  write();
}

/** The five likeliest after each layer, at the character that is pointed at or chosen. */
function write() {
  const now = focus();
  if (!shown || !now || shown.window !== session.get().window) return;
  const position = pointer.get().query ?? now.chosen;
  const x = position - shown.window.start;
  if (x < 0 || x >= shown.window.length) return;
  const line = row ?? shown.layers.length - 1;
  column.hidden = table.hidden = false;
  column.style.left = `${x * WIDTH}px`;
  if (!canvas.matches(":hover")) {
    const rightmost = Math.max(scroller.scrollLeft, (x + 2) * WIDTH - scroller.clientWidth);
    scroller.scrollLeft = Math.min(rightmost, (x - 1) * WIDTH);
  }
  const next = session.get().text[position + 1];
  const best = (/** @type {LogitLens["layers"][number]} */ { characters, probabilities }) =>
    [...characters[x]].map((character, i) => ({ character, probability: probabilities[x][i] }));
  top5.replaceChildren(
    ...shown.layers.map((layer, i) =>
      element(
        "tr",
        { class: i === line ? "sg-chosen-row" : null },
        element("th", { scope: "row" }, rowName(i)),
        ...best(layer).map(({ character, probability }) =>
          element(
            "td",
            { class: character === next ? "sg-right" : null, style: `--share:${probability}` },
            element("b", {}, glyph(character)),
            ` ${percent(probability)}`,
          ),
        ),
      ),
    ),
  );
  const listed = best(shown.layers[line])
    .map(({ character, probability }) => `'${glyph(character)}' ${percent(probability)}`)
    .join(", ");
  sentence.textContent =
    `After ${line === 0 ? "the embedding" : rowName(line)}, having read up to ${at(position)}, it would say: ${listed}.` +
    (next === undefined ? "" : ` What comes next in the text: '${glyph(next)}'.`);
}
