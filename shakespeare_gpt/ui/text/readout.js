// The strongest links of the chosen character with their numbers, or how sure the model was of it.

import { current, session, windowNow } from "../core/session.js";
import { focus, links, worth } from "../core/focus.js";
import { agreement, mattered, spearman } from "../core/mattered.js";
import { SCALES, strongest } from "../core/lenses.js";
import { at, linkLines, matteredMost, missing, range, sureness, surenessSentence } from "../core/said.js";
import { NOTHING, pointer, view } from "../core/store.js";
import { perFrame } from "../core/tasks.js";
import { bar, element, find, four, named, percent } from "../core/text.js";

/** @import { Focus } from "../core/types.d.ts" */

const COUNT = 5;
let [readout, shading] = /** @type {HTMLElement[]} */ ([]); // see mount

/** @param {HTMLElement} root */
export function mount(root) {
  [readout, shading] = ["#readout", "#strip-shading"].map((selector) => find(root, selector));
  const draw = perFrame(write);
  view.subscribe(draw);
  pointer.subscribe(draw);
  session.subscribe(draw);
  mattered.subscribe(draw);
  draw();
}

function write() {
  const now = focus();
  if (!now) return;
  const parts =
    session.get().streaming || (now.sure && current())
      ? sure(now)
      : current()
        ? strongestLinks(now)
        : [element("p", {}, missing(now.layer))];
  const pressed = readout.contains(document.activeElement);
  readout.replaceChildren(...parts);
  if (pressed) readout.querySelector("button")?.focus(); // the keyboard stays here
  shading.textContent =
    session.get().streaming || now.direction === "how sure"
      ? "Shading is the probability that the model gave."
      : now.direction === "what mattered"
        ? "Shading follows the square root of the effect, the largest one full."
        : `Shading follows ${SCALES[now.lens.scale]}.`;
}

/** @param {Focus} now */
function strongestLinks(now) {
  const weights = links(now);
  const backwards = now.direction === "looked at by";
  /** @type {HTMLElement[]} */
  const parts = [
    element(
      "h2",
      {},
      `${now.end > now.chosen ? range(now) : at(now.chosen)} ${backwards ? "is looked at by" : "looks at"}`,
    ),
  ];
  if (!weights) return [...parts, element("p", {}, missing(now.layer))];
  const { error } = mattered.get();
  const effects = backwards ? null : worth(now);
  const mattering = now.direction === "what mattered";
  const list = element("ol", { class: mattering ? "sg-by-effect" : null });
  if (!backwards && now.end === now.chosen)
    parts[0].append(
      element(
        "small",
        { class: "sg-columns" },
        element("span", {}, "weight"),
        element("span", {}, "mattered"),
      ),
    );
  for (const index of strongest(mattering && effects ? effects : weights, COUNT))
    list.append(pressable(index + windowNow().start, weights[index], effects, index));
  parts.push(
    list.childElementCount
      ? list
      : element("p", {}, backwards ? "Nobody, in this head." : "Nothing, in this head."),
  );
  if (now.end > now.chosen)
    parts.push(
      element("p", { class: "sg-quiet" }, `the mean over its ${now.end - now.chosen + 1} characters`),
    );
  const left = weights.filter((weight) => weight > 0).length - list.childElementCount;
  if (effects) parts.push(element("p", { class: "sg-verdict" }, verdict(now, weights, effects)));
  else if (mattering && error) parts.push(element("p", { class: "sg-error" }, error));
  else if (left > 0) parts.push(element("p", { class: "sg-quiet" }, `and ${left} more, each weaker`));
  if (now.query !== null && now.key !== null) {
    const lines = linkLines(now.layer, now.head, now.query, now.key, now.lens);
    parts.push(element("div", { class: "sg-link" }, ...lines.map((line) => element("p", {}, line))));
  }
  return parts;
}

/**
 * A link; pressing it holds its character, so that one can go on from there.
 * @param {number} position
 * @param {number} weight
 * @param {Float32Array | null} effects of each character of the window
 * @param {number} index in the window
 */
function pressable(position, weight, effects, index) {
  const line = bar(at(position), weight, four(weight), () => {
    pointer.set(NOTHING);
    view.set({ position: position + 1 });
  });
  if (!effects) return line;
  const filled = find(line, ".sg-bar");
  filled.style.setProperty("--effect", String(effects[index] / (Math.max(...effects) || 1)));
  find(line, ".sg-figure").after(element("span", { class: "sg-effect" }, effects[index].toFixed(3)));
  return line;
}

/**
 * What mattered most, and how far looking and mattering agree in this row.
 * @param {Focus} now
 * @param {Float32Array} weights
 * @param {Float32Array} effects
 */
function verdict(now, weights, effects) {
  const seen = now.chosen - windowNow().start + 1;
  const rho = spearman(weights.subarray(0, seen), effects.subarray(0, seen));
  const words = agreement(rho);
  const said = matteredMost(now.chosen, effects);
  return `${said[0].toUpperCase()}${said.slice(1)}.${words ? ` In this head ${words} (Spearman’s ρ ${rho.toFixed(2)}).` : ""}`;
}

/** @param {Focus} now */
function sure(now) {
  const position = session.get().streaming ? session.get().text.length - 1 : (now.other ?? now.chosen);
  const parts = [element("h2", {}, "How sure was it?"), element("p", {}, surenessSentence(position))];
  const [probability] = sureness(position) ?? [];
  if (probability === undefined) return parts;
  const line = bar(named(session.get().text[position], position), probability, percent(probability));
  return [...parts, element("ol", {}, line)];
}
