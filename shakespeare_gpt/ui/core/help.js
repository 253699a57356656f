// "?" beside a heading: at most three sentences that explain what is seen there, opened and closed by the same button.

import { element } from "./text.js";

// By the heading they stand beside. Plain words; a term is used only after it was explained on the page.
const HELP = {
  ".sg-strip legend": [
    "The model reads one character after the other and says at each place which character could come next.",
    "To say so, each of its attention heads looks back at earlier characters and gives each one a weight; the weights of one character add up to 1.",
    "The shading shows these weights for the head that is chosen below, or how likely the model found each character.",
  ],
  ".sg-all h3": [
    "The model has several layers, one after the other, and each layer has several heads that look at the text at the same time, each in its own way.",
    "A row of a picture is a character that looks, a column one that is looked at: a bright line just under the diagonal is a head that looks at the character before.",
    "A weight says where a head looked, not why the model wrote what it wrote: weights are not explanations.",
  ],
  "#head-map-heading": [
    "Point at a cell to read its weight, the rank among all in its row, and how it compares with looking at all characters alike (chance).",
    "The upper right half is empty because no character may look at a later one: the model must foretell it.",
  ],
  ".sg-layer h3": [
    "All heads of the chosen layer read the same characters, and each finds something else in them.",
    "Their results are put side by side and added to what the model knows about each character.",
  ],
  "#logit-lens h3": [
    "Each layer adds something to what the model knows about a character.",
    "Reading this sum before the last layer shows how the answer takes shape, although the early layers were never trained to be read like this.",
  ],
  "#inside-heading": [
    "What this character looks for (its query) is held against what each character offers (its key), and the better the two fit, the more it takes of what that one hands over (its value).",
    "Queries, keys and values are made by three tables of numbers that the head learned, the same for every character.",
    "All numbers here are the model's own, so every step can be worked out again by hand.",
  ],
  "#inside-check-heading": [
    "Query and key are multiplied number by number and added up, divided by the root of the head size, and turned into a weight by the softmax.",
    "Every line can be copied into a calculator; it is the arithmetic that the model itself does for this pair.",
  ],
  "#inside-stream-heading": [
    "The stream is a list of numbers for each character that runs through all layers, and every part reads it and adds to it.",
    "A long addition changes much of what later layers read, a short one little.",
  ],
  "#inside-parts-heading": [
    "The last sum decides what comes next, so each addition to it can be read as votes for and against a character.",
    "This counts direct votes only: a head may also matter through what later layers make of its addition.",
  ],
  "#what-if-switches-heading": [
    "A part that is off adds nothing, and everything behind it has to work with what is left.",
    "A large difference says that the model as it was trained relies on this part; one that is trained without it might find another way.",
  ],
  "#what-if-claims-heading": [
    "Textbooks say these things about every transformer; here each is measured on this one, with your text.",
    "Some follow from the way it is built and hold for any text; that the loss rises is only found, and a short text can show the opposite.",
  ],
  "#what-if-next-heading": [
    "Both models have read the same text up to the held character; the bars are what each expects next.",
    "Where the two bars of a character agree, the part that is off is not needed for this prediction.",
  ],
  "#what-if-written-heading": [
    "Both write on with the same seed: the dice fall alike, so every difference comes from what is off.",
    "Where the probabilities differ little the texts may stay equal for long, and after the first different letter they part.",
  ],
  "#what-if-maps-heading": [
    "The first map is the head as trained, the second the same head with something off, the third the second minus the first.",
    "A head changes too when something in an earlier layer is off, because it reads other numbers then.",
  ],
  "#what-if-divergence-heading": [
    "A high bar marks a place whose prediction needs what is off.",
    "0 means that both models expect exactly the same; the unit is the nat, as for the loss.",
  ],
  "#what-if-numbers-heading": [
    "The loss is minus the natural logarithm of the probability that the model gave to the character that did come, averaged; the unit of such numbers is the nat.",
    "The KL (Kullback-Leibler) divergence says how far the changed prediction lies from the trained one: 0 where they agree.",
    "The entropy of a row says how widely its weight is spread: 0 if one character has it all, the logarithm of n if n characters share it equally.",
  ],
  ".sg-roles-heading": [
    "A role is a simple rule, such as “look at the character before”, and the score is the share of the weight that follows it.",
    "Looking everywhere alike would follow each rule a little too: a role is given only to a head that is well above this chance, and many heads have none.",
    "Scores come from text that the model did not learn from; “on this text” repeats the measurement on yours.",
  ],
  ".sg-forming-heading": [
    "A model starts with random numbers, and its heads then look everywhere almost alike.",
    "During the training its weights were saved a few times, and the slider puts your text through each of these earlier models.",
  ],
  "#drawing-heading": [
    "The text goes in as characters, and every layer adds to what is known about each of them.",
    "Out comes a number for each of the 65 characters that says how well it would fit as the next one.",
  ],
  "#samples-heading": [
    "Nothing here was chosen: the first three texts with this seed are shown.",
    "At each place one character is drawn by its probability, so another seed writes another text.",
  ],
  "#character-map-heading": [
    "The model starts with random points and moves each a little whenever this makes its predictions better.",
    "The two axes are the directions in which the points differ most; much of the difference lies in directions that cannot be drawn here.",
  ],
  "#position-map-heading": [
    "Attention by itself does not know in which order characters stand, so a learned list of numbers for each place is added to the character.",
    "A broad bright band along the diagonal means that neighbouring places got similar numbers.",
  ],
  "#loss-heading": [
    "The loss is minus the natural logarithm of the probability that the model gave to the character that did come, averaged over the text.",
    "Guessing evenly among 65 characters would give 4.17; a loss of 1.4 is like choosing among four equally likely characters.",
    "The broken curve is taken while parts of the model are switched off at random, which keeps it from learning by heart, so it may lie above the other.",
  ],
  "#others-heading": [
    "Smaller losses are better, but a model of ten million parameters also needs a graphics card to learn in minutes.",
    "Others report the lowest value that they saw during the training, on random pieces of the same text; ours is the last one, over every character.",
  ],
};

let count = 0;

/** Put a "?" beside a heading; `sentences` are at most three. */
export function help(heading, sentences) {
  const id = `help-${++count}`;
  const panel = element("p", { class: "sg-help-text", id, hidden: true }, sentences.join(" "));
  const button = element(
    "button",
    {
      type: "button",
      class: "sg-help",
      "aria-expanded": "false",
      "aria-controls": id,
      "aria-label": `Help: ${(heading.querySelector("label") ?? heading).textContent.trim() || "this view"}`,
      onclick: () => open(panel.hidden),
      onkeydown: (event) => event.key === "Escape" && open(false),
    },
    "?",
  );
  const open = (shown) => {
    panel.hidden = !shown;
    button.setAttribute("aria-expanded", shown);
  };
  if (heading.matches("legend")) heading.append(" ", button);
  else {
    const line = element("div", { class: "sg-headed" });
    heading.replaceWith(line);
    line.append(heading, button);
  }
  (heading.matches("legend") ? heading : button.parentElement).after(panel);
}

/** The help of all headings in a piece of the page. */
export function mount(piece) {
  for (const [selector, sentences] of Object.entries(HELP)) {
    const heading = piece.querySelector(selector);
    if (heading) help(heading, sentences);
  }
}
