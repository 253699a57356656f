// The text itself: every character can be pointed at, held, and read.

import { strength } from "../core/colours.js";
import { current, promptLength, session, windowNow } from "../core/session.js";
import { focus, held, links, worth } from "../core/focus.js";
import { mattered } from "../core/mattered.js";
import { sureness } from "../core/said.js";
import { NOTHING, pointer, view } from "../core/store.js";
import { perFrame } from "../core/tasks.js";
import { around, element, find } from "../core/text.js";
import { drawArcs } from "../core/arcs.js";

const STRONG = 0.55; // of a shading: a letter on it is dark, or light
let [strip, prompt, continuation, box] = /** @type {HTMLElement[]} */ ([]); // see mount
/** @type {SVGElement} */
let arcs;
/** @type {HTMLElement[]} */
const cells = []; // one span a character of the whole text
/** @type {WeakMap<HTMLElement, string>} */
const shades = new WeakMap(); // of each cell, as it was set: the style reads back in other words

/** @param {HTMLElement} root */
export function mount(root) {
  strip = find(root, "#text-strip");
  prompt = find(strip, ".sg-prompt");
  continuation = find(strip, "#continuation");
  box = root;
  arcs = find(root, ".sg-arcs", SVGElement);
  strip.addEventListener("pointermove", (event) => {
    if (event.pointerType === "mouse") pointTo(positionOf(event));
  });
  strip.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "mouse") pointer.set(NOTHING);
  });
  strip.addEventListener("scroll", draw); // the arcs do not scroll with it
  strip.addEventListener("pointerdown", beginRange);
  strip.addEventListener("click", click);
  strip.addEventListener("keydown", key);
  new ResizeObserver(() => draw()).observe(strip);
  session.subscribe((state, changed) => {
    strip.setAttribute("aria-busy", String(state.loading || state.streaming));
    if (changed.has("text") || changed.has("steps") || !cells.length) write();
    draw();
  });
  view.subscribe(draw);
  pointer.subscribe(draw);
  mattered.subscribe(draw);
  if (session.get().window) {
    write();
    draw();
  }
}

/** @param {Event} event */
const positionOf = (event) => {
  const cell = around(event, "[data-position]");
  return cell ? Number(cell.dataset.position) : null;
};

/** @param {number} position */
const inWindow = (position) => {
  const { window: seen } = session.get();
  return seen !== null && position >= seen.start && position < seen.start + seen.length;
};

/** @param {number | null} position */
function pointTo(position) {
  if (position !== null && !inWindow(position)) position = null;
  pointer.set({ ...NOTHING, query: position });
}

/**
 * Hold all characters from one to another.
 * @param {number} one
 * @param {number} other
 */
function holdRange(one, other) {
  if (!inWindow(one) || !inWindow(other)) return;
  const [from, to] = [Math.min(one, other), Math.max(one, other)];
  pointer.set(NOTHING);
  view.set({ position: from + 1, until: to > from ? to + 1 : null });
}

let dragged = false; // the click at the end of a drag holds nothing else

/** A drag with the mouse over several characters holds them. @param {PointerEvent} event */
function beginRange(event) {
  const begun = positionOf(event);
  dragged = false;
  if (begun === null || event.pointerType !== "mouse" || event.button !== 0 || event.shiftKey) return;
  const move = (/** @type {PointerEvent} */ moved) => {
    const position = positionOf(moved);
    if (position === null || (position === begun && !dragged)) return;
    dragged = true;
    holdRange(begun, position);
  };
  strip.addEventListener("pointermove", move);
  const end = () => strip.removeEventListener("pointermove", move);
  addEventListener("pointerup", end, { once: true });
  addEventListener("pointercancel", end, { once: true });
}

/** @param {MouseEvent} event */
function click(event) {
  const position = positionOf(event);
  if (position === null || dragged) return;
  if (event.shiftKey) return holdRange(held() ?? focus()?.chosen ?? position, position);
  // A finger cannot hover: its first tap points, a second one on the same character holds.
  const touched = event instanceof PointerEvent && event.pointerType === "touch";
  if (touched && pointer.get().query !== position && held() !== position) pointTo(position);
  else hold(position);
}

/**
 * Hold a character, or let it go if it is held; one that scrolled out of the window brings its window back.
 * @param {number} position
 */
function hold(position) {
  const { position: from, until } = view.get();
  if (inWindow(position)) view.set({ position: from === position + 1 && !until ? null : position + 1 });
  else if (position >= promptLength()) view.set({ step: position - promptLength() + 1, position: null });
}

/** @param {KeyboardEvent} event */
function key(event) {
  const now = focus();
  if (!now || !current()) return;
  const { start: first, length } = windowNow();
  const last = first + length - 1;
  const from = event.shiftKey ? (now.other ?? now.chosen) : now.chosen;
  /** @type {Record<string, number>} */
  const moves = {
    ArrowLeft: from - 1,
    ArrowRight: from + 1,
    ArrowUp: above(from, -1),
    ArrowDown: above(from, 1),
    Home: first,
    End: last,
  };
  const to = moves[event.key];
  if (to !== undefined) {
    const position = Math.min(Math.max(to, first), last);
    // With Shift a second character moves: the link between the two is read out.
    if (event.shiftKey) pointTo(position);
    else {
      pointer.set(NOTHING);
      view.set({ position: position + 1 });
    }
    if (event.shiftKey && view.get().position === null) view.set({ position: now.chosen + 1 });
  } else if (event.key === "Enter" || event.key === " ") hold(now.chosen);
  else if (event.key === "Escape") {
    pointer.set(NOTHING);
    view.set({ position: null });
  } else return;
  event.preventDefault();
}

/** The character nearest above or below another one. @param {number} from @param {-1 | 1} step up or down */
function above(from, step) {
  const here = cells[from].getBoundingClientRect();
  let [best, bestDistance] = [from, Infinity];
  /** @type {number | null} */
  let line = null;
  for (let i = from + step; i >= 0 && i < cells.length; i += step) {
    const other = cells[i].getBoundingClientRect();
    if (Math.abs(other.top - here.top) < here.height / 2) continue;
    line ??= other.top;
    if (Math.abs(other.top - line) > here.height / 2) break;
    const distance = Math.abs(other.left - here.left);
    if (distance < bestDistance) [best, bestDistance] = [i, distance];
  }
  return best;
}

/** Bring the spans in line with the text; while it streams in, only the new characters are added. */
function write() {
  const { text } = session.get();
  const length = promptLength();
  let same = 0;
  while (same < cells.length && same < text.length && cells[same].textContent === text[same]) same++;
  const moved = cells.length && prompt.childElementCount !== length; // a prompt became longer or shorter
  if (moved) same = Math.min(same, length, prompt.childElementCount);
  for (const cell of cells.splice(same)) cell.remove();
  const parts = [document.createDocumentFragment(), document.createDocumentFragment()];
  for (let position = same; position < text.length; position++) {
    const cell = element(
      "span",
      {
        id: `character-${position}`,
        role: "option",
        "aria-selected": "false",
        "data-position": position,
        class: text[position] === "\n" ? "sg-break" : null,
      },
      text[position],
    );
    if (text[position] === "\n") cell.setAttribute("aria-label", "line break");
    if (text[position] === " ") cell.setAttribute("aria-label", "space");
    cells.push(cell);
    parts[position < length ? 0 : 1].append(cell);
  }
  prompt.append(parts[0]);
  continuation.append(parts[1]);
  box.classList.toggle("sg-continued", session.get().written > 0);
}

const draw = perFrame(() => {
  const now = focus();
  if (!now || cells.length !== session.get().text.length) return;
  const { start } = windowNow();
  const { scale, step } = view.get();
  const here = current(); // else the weights are another text's, or another window's
  const sure = session.get().streaming || now.direction === "how sure";
  const mattering = !sure && now.direction === "what mattered";
  const weights = sure || mattering ? null : links(now);
  const effects = mattering ? worth(now) : null;
  const most = effects ? Math.max(...effects) || 1 : 1;
  const holding = held();
  const newest = step ? promptLength() + step - 1 : null; // the character whose choice is replayed
  strip.classList.toggle("sg-held", holding !== null);
  cells.forEach((cell, position) => {
    const foretold = sure ? sureness(position) : null; // null also where the model did not tell
    const inside = inWindow(position) || foretold !== null;
    const shown = weights?.[position - start] ?? (effects ? effects[position - start] / most : 0);
    const alpha = sure ? (foretold?.[0] ?? 0) : strength(inside && shown ? shown : 0, scale);
    const names = [];
    if (now.end > now.chosen && position >= now.chosen && position <= now.end && here) names.push("sg-range");
    else if (position === now.chosen && here)
      names.push(holding === position ? "sg-chosen sg-held" : "sg-chosen");
    if (position === now.other && here) names.push("sg-other");
    if (!inside) names.push("sg-outside");
    if (newest !== null && position === newest) names.push("sg-newest");
    if (newest !== null && position > newest && !alpha) names.push("sg-later");
    if (alpha > STRONG) names.push("sg-strong");
    if (cell.textContent === "\n") names.push("sg-break");
    const className = names.join(" ");
    if (cell.className !== className) cell.className = className;
    const shade = alpha > 0 ? `rgb(var(--sg-${mattering ? "mattered" : "shade"}) / ${alpha.toFixed(4)})` : "";
    if (shades.get(cell) !== shade) {
      cell.style.backgroundColor = shade;
      shades.set(cell, shade);
    }
    const selected = String(
      holding !== null && position >= holding && position <= Math.max(holding, now.end),
    );
    if (cell.getAttribute("aria-selected") !== selected) cell.setAttribute("aria-selected", selected);
  });
  if (here) strip.setAttribute("aria-activedescendant", `character-${now.chosen}`);
  else strip.removeAttribute("aria-activedescendant");
  follow();
  drawArcs(arcs, strip, cells, now, weights);
});

let followed = "";

/** A long text scrolls in its frame: to its end while it is written, to a character that was chosen by other means. */
function follow() {
  const holding = held();
  const wanted = session.get().streaming
    ? `end ${session.get().text.length}`
    : holding === null
      ? `end ${windowNow().text}`
      : `held ${holding} of ${session.get().text}`;
  const now = `${wanted} in ${strip.clientWidth} x ${strip.clientHeight}`;
  if (now === followed) return;
  followed = now;
  const end = session.get().streaming || holding === null || holding >= cells.length; // as a bad link may say
  if (end) strip.scrollTop = strip.scrollHeight;
  else {
    const [cell, frame] = [cells[holding].getBoundingClientRect(), strip.getBoundingClientRect()];
    if (cell.top < frame.top + 30) strip.scrollTop -= frame.top + 30 - cell.top;
    if (cell.bottom > frame.bottom - 30) strip.scrollTop += cell.bottom - frame.bottom + 30;
  }
}
