// The textbook's claims, one button each: it sets the switches, and the server checks the claim on the visitor's text.

import { answers } from "../core/answers.js";
import { session } from "../core/session.js";
import { nullOr, rowOf } from "../core/shape.js";
import { view } from "../core/store.js";
import { canonical } from "../core/intervention.js";
import { element, glyph, percent } from "../core/text.js";

const ask = answers(24, {
  claim: {
    ...{ claim: "string", title: "string", look: "string", intervention: "object" },
    ...{ checks: [{ sentence: "string", holds: nullOr("boolean") }] },
    ...{ price: nullOr({ price: "number", loss: "number" }) },
    shuffled: nullOr({ text: "string", next: [rowOf("string", "number", "number")] }),
  },
});
let root, box;
let tested = null; // {claim, layer, head, intervention, told} of the claim on show
let testing = null; // {claim, layer, head} of the latest question, until it is dropped
let question = 0;

export function mount(piece, told) {
  root = piece;
  box = root.querySelector("#what-if-claim");
  root
    .querySelector("#what-if-claims")
    .replaceChildren(
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
    else if (tested && changed.has("layer")) draw();
  });
  session.subscribe((_, changed) => changed.has("window") && testing && test(testing.claim, testing));
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
    button.setAttribute("aria-pressed", button.dataset.claim === tested?.claim);
}

async function test(claim, { layer, head } = view.get()) {
  const { window } = session.get();
  if (!window || session.get().streaming) return;
  const now = ++question;
  testing = { claim, layer, head };
  if (!tested) show(element("p", {}, "Testing it on your text…"));
  try {
    const told = await ask("claim", window.text, claim, layer, head);
    if (now !== question) return;
    const intervention = canonical(told.intervention);
    view.set({ intervention });
    tested = { claim, layer, head, intervention: JSON.stringify(intervention), told };
    mark();
    draw();
  } catch (error) {
    if (now === question) show(element("p", { class: "sg-error" }, error.message));
  }
}

function show(...parts) {
  box.hidden = false;
  box.replaceChildren(...parts);
}

function draw() {
  const { told } = tested;
  const verdict = (holds) =>
    ({ true: "✓ holds", false: "✗ does not hold here", null: "nothing to see here" })[String(holds)];
  const parts = [
    element("h3", {}, told.title),
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
    const row = ([character, p, q]) =>
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
