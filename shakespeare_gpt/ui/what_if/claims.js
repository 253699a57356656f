// The textbook's claims, one button each: it sets the switches, and the server checks the claim on the visitor's text.

import { answers } from "../core/answers.js";
import { session } from "../core/session.js";
import { nullOr, rowOf } from "../core/shape.js";
import { view } from "../core/store.js";
import { canonical } from "../core/intervention.js";
import { element, find, glyph, messageOf, percent } from "../core/text.js";

/** @import { Claim, Next } from "../core/types.d.ts" */
/** @import { Told } from "./what_if.js" */

const ask = answers(24, {
  claim: {
    claim: "string",
    title: "string",
    look: "string",
    intervention: "object",
    checks: [{ sentence: "string", holds: nullOr("boolean") }],
    price: nullOr({ price: "number", loss: "number" }),
    shuffled: nullOr({ text: "string", next: [rowOf("string", "number", "number")] }),
  },
});
let [root, box] = /** @type {HTMLElement[]} */ ([]); // see mount
/** @typedef {{claim: string, layer: number, head: number}} Asked */
/** @type {Asked & {intervention: string, answer: Claim} | null} */
let tested = null; // the claim on show
/** @type {Asked | null} */
let testing = null; // the latest question, until it is dropped
let question = 0;

/** @param {HTMLElement} piece @param {Told} told */
export function mount(piece, told) {
  root = piece;
  box = find(root, "#what-if-claim");
  find(root, "#what-if-claims").replaceChildren(
    ...told.claims.map(({ claim, title }) =>
      element(
        "li",
        {},
        element(
          "button",
          { type: "button", "data-claim": claim, "aria-pressed": "false", onclick: () => test(claim) },
          title,
        ),
      ),
    ),
  );
  // It stays while the visitor looks at it from other heads, ends when a switch is changed by hand (also while the
  // answer is on its way), and is tested again on another text.
  view.subscribe((chosen, changed) => {
    if (changed.has("intervention") && JSON.stringify(chosen.intervention) !== tested?.intervention) drop();
    else if (tested && changed.has("layer")) draw(tested.answer);
  });
  session.subscribe((_, changed) => {
    if (changed.has("window") && testing) test(testing.claim, testing);
  });
}

function drop() {
  tested = testing = null;
  question++;
  box.hidden = true;
  box.replaceChildren();
  mark();
}

function mark() {
  for (const button of root.querySelectorAll("[data-claim]"))
    button.setAttribute("aria-pressed", String(button.getAttribute("data-claim") === tested?.claim));
}

/** @param {string} claim @param {{layer: number, head: number}} where */
async function test(claim, { layer, head } = view.get()) {
  const { window: seen, streaming } = session.get();
  if (!seen || streaming) return;
  const now = ++question;
  testing = { claim, layer, head };
  if (!tested) show(element("p", {}, "Testing it on your text…"));
  try {
    /** @type {Claim} */
    const answer = await ask("claim", seen.text, claim, layer, head);
    if (now !== question) return;
    const intervention = canonical(answer.intervention);
    view.set({ intervention });
    tested = { claim, layer, head, intervention: JSON.stringify(intervention), answer };
    mark();
    draw(answer);
  } catch (error) {
    if (now === question) show(element("p", { class: "sg-error" }, messageOf(error)));
  }
}

/** @param {Node[]} parts */
function show(...parts) {
  box.hidden = false;
  box.replaceChildren(...parts);
}

/** @param {boolean | null} holds */
const verdict = (holds) =>
  holds === null ? "nothing to see here" : holds ? "✓ holds" : "✗ does not hold here";

/** @param {Claim} told */
function draw(told) {
  /** @type {HTMLElement[]} */
  const parts = [
    element("h2", {}, told.title),
    element("p", {}, told.look),
    element(
      "ul",
      { class: "wi-checks" },
      ...told.checks.map(({ sentence, holds }) =>
        element("li", { "data-holds": String(holds) }, element("b", {}, verdict(holds)), ` ${sentence}`),
      ),
    ),
  ];
  if (told.shuffled) {
    const row = (/** @type {Next} */ [character, p, q]) =>
      element(
        "tr",
        {},
        element("th", { scope: "row" }, `'${glyph(character)}'`),
        element("td", {}, percent(p)),
        element("td", {}, percent(q)),
      );
    parts.push(
      element("p", { class: "sg-quiet" }, "The text in its other order (the last character stays):"),
      element("p", { class: "wi-shuffled" }, told.shuffled.text.replaceAll("\n", "⏎")),
      element(
        "table",
        {},
        element("caption", {}, "What comes next, with the same things switched off"),
        element(
          "tr",
          {},
          element("td", {}),
          element("th", { scope: "col" }, "in order"),
          element("th", { scope: "col" }, "shuffled"),
        ),
        ...told.shuffled.next.map(row),
      ),
    );
  }
  if (told.price) {
    const { price, standard_error, loss } = told.price;
    parts.push(
      element(
        "p",
        {},
        `On validation text it costs ${price.toFixed(3)} ± ${(standard_error ?? 0).toFixed(3)} nats a character: the loss is ${loss.toFixed(3)}.`,
      ),
    );
  }
  if (told.claim === "positions" && view.get().layer !== 1) {
    parts.push(
      element("button", { type: "button", onclick: () => view.set({ layer: 1 }) }, "Choose layer 1"),
    );
  }
  show(...parts);
}
