"""The twelve lessons: each one question, one thing to do, one thing to see, and the View in which it can be seen.

Which head, which character and which numbers a lesson speaks of is found by measurement, on the lesson's own text and
with the model at hand: another checkpoint makes other lessons, as true as these.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from shakespeare_gpt.arrays import softmax
from shakespeare_gpt.effects import Effects, effects
from shakespeare_gpt.experiments import Comparison, text_loss
from shakespeare_gpt.heads import ROLES, THRESHOLD, clearest_row, excess
from shakespeare_gpt.inside import HeadAccount, head_account
from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.model import GPT
from shakespeare_gpt.tokenizer import Tokenizer
from shakespeare_gpt.trace import Trace
from shakespeare_gpt.ui.core.facts import TABS
from shakespeare_gpt.ui.core.traces import TraceCache

STAGE, INSIDE, WHAT_IF = TABS[:3]
# A name that nobody ever wrote, twice: who knows how it goes on the second time has copied.
WORD = "Quavendrim"
COPYING = f"KING:\nWhere is the lord of {WORD}?\nWe saw {WORD}"

Place = tuple[int, int, int]  # layer, head, query, from 0


@dataclass(frozen=True)
class Lesson:
    """One lesson, ready for JSON.

    Attributes:
        title: the question.
        do: the one thing to do.
        see: the one thing to see, in two to four sentences.
        view: what differs from a View as the page opens; see facts.view.
        at: a selector of the part of the page that it is about; None: the stage.
    """

    title: str
    do: str
    see: str
    view: dict[str, Any]
    at: str | None = None


@dataclass(frozen=True)
class Subject:
    """What the lessons are about: a model, a text, and what was measured on other text.

    Attributes:
        text: of all lessons but the last.
        measured: assets/heads.json, or None.
        prices: assets/prices.json, or None.
    """

    model: GPT
    traces: TraceCache
    text: str
    measured: Mapping[str, Any] | None
    prices: Mapping[str, Any] | None

    @cached_property
    def seen(self) -> Trace:
        return self.traces(self.text)

    @cached_property
    def effects(self) -> Effects:
        return effects(self.model, self.text, self.seen)

    @cached_property
    def roles(self) -> dict[tuple[int, int], str]:
        """Of the heads that have one, from 0."""
        heads = self.measured["heads"] if self.measured else []
        return {(head["layer"] - 1, head["head"] - 1): head["role"] for head in heads if head["role"]}

    def compare(self, **off: Any) -> Comparison:
        return Comparison(self.seen, self.traces(self.text, Intervention(**off)))

    @cached_property
    def clear(self) -> Place:
        """A row that shows clearly what a head does."""
        found = clearest_row(self.seen.attention, self.seen.characters, self.roles)
        return found or strongest_row(self.seen)

    @cached_property
    def clear_too(self) -> Place:
        """Another one, of a head with another role."""
        told = self.roles.get(self.clear[:2])
        others = {place: role for place, role in self.roles.items() if role != told}
        return clearest_row(self.seen.attention, self.seen.characters, others) or self.clear

    def dearest(self, field: str) -> int:
        """The layer, from 0, whose part costs most on validation text when it is switched off; the first if unknown."""
        alone = [
            (entry["price"], entry["intervention"][field][0] - 1)
            for entry in (self.prices or {}).get("prices", [])
            if list(entry["intervention"]) == [field] and len(entry["intervention"][field]) == 1
        ]
        return max(alone)[1] if alone else 0

    def losses(self, told: Comparison) -> tuple[float, float]:
        """On the text, as trained and changed, in nats a character."""
        before, after = (float(text_loss(self.model, each).mean()) for each in (told.before, told.after))
        return before, after


def strongest_row(seen: Trace) -> Place:
    """The row with the strongest link to an earlier character, of those behind the first few."""
    back = np.tril(seen.attention, -1).max(-1)  # (n_layer, n_head, T)
    back[..., :3] = 0
    layer, head, query = np.unravel_index(back.argmax(), back.shape)
    return int(layer), int(head), int(query)


# --- how things are written, as the page writes them (core/text.js) ------------------------------------------


def character(one: str) -> str:
    return "'" + {" ": "␣", "\n": "⏎"}.get(one, one) + "'"


def named(seen: Trace, index: int) -> str:
    """'J' at 80"""
    return f"{character(seen.characters[index])} at {seen.start + index + 1}"


def head_name(layer: int, head: int) -> str:
    return f"layer {layer + 1} head {head + 1}"


def capital(words: str) -> str:
    return words[0].upper() + words[1:]


def weight(number: float) -> str:
    """Two decimals, or as many as tell it from 1."""
    return f"{number:.{2 if not 0.995 <= number < 1 else 3 if number < 0.9995 else 4}f}"


def percent(p: float) -> str:
    if p >= 0.0995:
        return f"{math.floor(p * 100 + 0.5)}%"
    return f"{p * 100:.1f}%" if p >= 0.001 else "less than 0.1%"


def nats(number: float) -> str:
    return f"{number:.2f}" if number >= 0.1 else f"{number:.3f}"


def listed(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def shown(seen: Trace, text: str, place: Place | tuple[int, int, None], **more: Any) -> dict[str, Any]:
    """A View of a head, with a character held if there is one."""
    layer, head, query = place
    held = {} if query is None else {"position": seen.start + query + 1}
    return {"text": text, "layer": layer + 1, "head": head + 1, **held, **more}


# --- the lessons ---------------------------------------------------------------------------------------------


def prediction(told: Subject) -> Lesson:
    p = softmax(told.seen.logits[-1])
    order = np.argsort(-p, kind="stable")[:3]
    best = [f"{character(told.model.tokenizer.vocabulary[i])} {percent(float(p[i]))}" for i in order]
    return Lesson(
        "What is a prediction?",
        "Press Step, beside “Next character”: one character is drawn by these chances, and the text grows by it.",
        "The model reads the text and gives every character that it knows a chance to come next. After "
        f"{named(told.seen, len(told.seen.characters) - 1)} it gives {listed(best)}. It does so at every place: the "
        "stronger the shading, the surer it was of the character that did come.",
        shown(told.seen, told.text, (*told.clear[:2], None), tab=STAGE, direction="how sure"),
    )


def account(told: Subject, place: Place) -> HeadAccount:
    layer, head, query = place
    return head_account(told.model, told.seen, layer, head, query)


def habit(told: Subject, place: Place) -> str:
    """What the head does on other text, if that was measured."""
    role = told.roles.get(place[:2])
    return f" On other text too, {ROLES[role].sentence[0].lower()}{ROLES[role].sentence[1:]}" if role else ""


def query_and_key(told: Subject) -> Lesson:
    numbers = account(told, told.clear)
    layer, head, at = told.clear
    scores = numbers.scores[: at + 1]
    best, second = np.argsort(-scores, kind="stable")[:2].tolist() if at else (0, 0)
    return Lesson(
        "How does a character find what it looks at?",
        "Find the longest bar under “Scores”, and point at it.",
        f"In {head_name(layer, head)} each character makes a query, {len(numbers.query)} numbers that say what it looks "
        "for, and a key, as many that say what it offers. Query times key, number by number and added up, is the score. "
        f"To {named(told.seen, at)}, {named(told.seen, best)} fits best, with {scores[best]:.1f}; the next one is "
        f"{named(told.seen, second)}, with {scores[second]:.1f}.{habit(told, told.clear)}",
        shown(told.seen, told.text, told.clear, tab=INSIDE),
        '[data-step="scores"]',
    )


def most_changed(compared: Comparison) -> tuple[int, int]:
    """The head whose map changed most, from 0."""
    elsewhere = compared.looked_elsewhere
    layer, head = np.unravel_index(elsewhere.argmax(), elsewhere.shape)
    return int(layer), int(head)


def without(told: Subject, compared: Comparison, **more: Any) -> dict[str, Any]:
    """The View of an ablation: the head that changed most, as trained and changed."""
    intervention = compared.after.intervention.to_json()
    place = (*most_changed(compared), None)
    return shown(told.seen, told.text, place, tab=WHAT_IF, intervention=intervention, **more)


def rises(told: Subject, compared: Comparison) -> str:
    """The loss on this text rises from 1.15 to 1.81 nats a character"""
    before, after = told.losses(compared)
    verb = "rises" if after > before else "does not rise: it goes"
    return f"the loss on this text {verb} from {before:.2f} to {after:.2f} nats a character"


def scale(told: Subject) -> Lesson:
    compared = told.compare(no_scale=True)
    before, after = (float(each.mean()) for each in compared.largest_weights)
    size = told.model.config.head_size
    more = "takes more" if after > before else "does not take more"
    return Lesson(
        "Why is a score divided?",
        "The scale is off here. Read the verdict, then switch the scale on again.",
        f"A score is a sum of {size} products, and such sums grow with √{size} = {math.sqrt(size):.2f}; so each score is "
        f"divided by it. Without that one character {more} of a row: the largest weight is {after:.2f} instead of "
        f"{before:.2f}, on average over all heads. {capital(rises(told, compared))}.",
        without(told, compared),
        "[data-piece=what-if]",
    )


def mask(told: Subject) -> Lesson:
    compared = told.compare(no_mask=True)
    ahead = float(compared.future_weight.mean())
    return Lesson(
        "Why may nobody look ahead?",
        "Compare the two maps: the upper right half is empty as trained, and filled without the mask.",
        "What comes next is what the model has to foretell, so the mask hides it: no character sees a later one. "
        f"Without the mask {percent(ahead)} of all weight flows to later characters, which the model never learned to "
        f"use: {rises(told, compared)}.",
        without(told, compared),
        "#what-if-maps-heading",
    )


def softmaxed(told: Subject) -> Lesson:
    numbers = account(told, told.clear_too)
    layer, head, at = told.clear_too
    best, second = np.argsort(-numbers.weights, kind="stable")[:2].tolist() if at else (0, 0)
    return Lesson(
        "How do scores become weights?",
        "Compare the bars under “Mask” and under “Softmax”.",
        "e to the power of each score, divided by the sum of them all: every weight is above 0, and together they are 1. "
        f"So a lead becomes a larger one. In {head_name(layer, head)} at {named(told.seen, at)} the scaled scores of "
        f"{named(told.seen, best)} and {named(told.seen, second)} are {numbers.scaled[best]:.2f} and "
        f"{numbers.scaled[second]:.2f}; their weights are {weight(numbers.weights[best])} and "
        f"{weight(numbers.weights[second])}.",
        shown(told.seen, told.text, told.clear_too, tab=INSIDE),
        '[data-step="masked"]',
    )


def value(told: Subject) -> Lesson:
    numbers = account(told, told.clear)
    layer, head, at = told.clear
    best = int(numbers.weights.argmax())
    length = float(np.linalg.norm(numbers.output))
    # What each weighted value adds along the sum: these add up to the sum's length.
    share = float(numbers.weighted[best] @ numbers.output) / length**2 if length else 0.0
    return Lesson(
        "What does looking bring?",
        f"Compare the two pictures under “Values”: in the second, find the row of {named(told.seen, best)}.",
        f"Each character also makes a value: {len(numbers.output)} numbers that it hands to whoever looks at it. Each "
        "value is multiplied by its weight, and all are added up: that is what the head found. In "
        f"{head_name(layer, head)} at {named(told.seen, at)} the weight of {named(told.seen, best)} is "
        f"{weight(numbers.weights[best])}, and {percent(share)} of the sum's length comes from its value.",
        shown(told.seen, told.text, told.clear, tab=INSIDE),
        '[data-step="values"]',
    )


def heads(told: Subject) -> Lesson:
    cost = told.effects.helped.mean(-1)  # (n_layer, n_head)
    layer, head = (int(i) for i in np.unravel_index(cost.argmax(), cost.shape))
    compared = told.compare(heads_off={(layer, head)})
    config = told.model.config
    view = shown(
        told.seen, told.text, (layer, head, None), tab=WHAT_IF,
        intervention=compared.after.intervention.to_json(),
    )  # fmt: skip
    return Lesson(
        "Why so many heads?",
        "Press other heads in the grid to switch them off too, or this one to switch it on again.",
        f"Each of the {config.n_layer} layers has {config.n_head} heads that look side by side, each in its own way. Here "
        f"{head_name(layer, head)}, the one that is worth most on this text, is off: {rises(told, compared)}. The "
        "other heads of its layer look as before, for they work beside it; later layers miss what it wrote.",
        view,
        "[data-piece=what-if]",
    )


def positions(told: Subject) -> Lesson:
    compared = told.compare(no_positions=True)
    before, after = (
        np.diagonal(each.attention[0], -1, axis1=-2, axis2=-1).mean(-1)
        for each in (compared.before, compared.after)
    )  # (n_head,) each: the mean weight on the character just before, in layer 1
    head = int(before.argmax())
    view = shown(
        told.seen, told.text, (0, head, None), tab=WHAT_IF,
        intervention=compared.after.intervention.to_json(),
    )  # fmt: skip
    return Lesson(
        "How does it know where a letter stands?",
        "Compare the maps of “the chosen head”: on the right, equal letters have equal colours within a row.",
        "Attention alone has no order: each place has an embedding of its own, which is added to the letter's. Without "
        f"these, {head_name(0, head)} gives the character just before it {weight(float(after[head]))} instead of "
        f"{weight(float(before[head]))}, on average, as it can no longer tell it from its twins. "
        f"{capital(rises(told, compared))}.",
        view,
        "#what-if-maps-heading",
    )


def feed_forward(told: Subject) -> Lesson:
    layers = range(told.model.config.n_layer)
    compared = told.compare(feed_forward_off=layers)
    return Lesson(
        "What is the feed-forward for?",
        "All feed-forwards are off. Read the verdict, and what the model writes now, further down.",
        "Attention only moves things: what it hands on is an average of values that were there. The feed-forward, after "
        "it in each layer, makes something new of what was gathered, for each character alone. Without it "
        f"{rises(told, compared)}.",
        without(told, compared),
        "[data-piece=what-if]",
    )


def residual_and_norm(told: Subject) -> Lesson:
    residual, norm = told.dearest("residual_off"), told.dearest("norm_off")
    first, second = told.compare(residual_off={residual}), told.compare(norm_off={norm})
    before, after = told.losses(second)
    return Lesson(
        "What carries the text through?",
        f"The residual connections of layer {residual + 1} are off. Switch them on again, and “norm” of layer {norm + 1} "
        "off.",
        "A layer adds to the stream of numbers that it gets: a residual connection. Without those of layer "
        f"{residual + 1} what came in is lost, and {rises(told, first)}. A norm brings the stream to the same size "
        f"before a layer reads it: without those of layer {norm + 1} the loss goes from {before:.2f} to {after:.2f}.",
        without(told, first),
        "[data-piece=what-if]",
    )


@dataclass(frozen=True)
class Contrast:
    """At one place, from 0, a head that looks hard and matters little, and one that matters and hardly looks."""

    position: int
    loud: tuple[int, int]
    quiet: tuple[int, int]


LITTLE = 20  # times as much counts the effect that is to be little as that which is to be large


def contrast(seen: Trace, told: Effects) -> Contrast:
    """The clearest contrast of a text: where the two heads' effects lie furthest apart, and the one is little indeed."""
    largest = seen.attention.max(-1)  # (n_layer, n_head, T)
    key = seen.attention.argmax(-1)
    T = largest.shape[-1]
    for hard, hardly in ((0.8, 0.35), (0.6, 0.5), (0.0, 1.0)):
        loud = np.where((largest >= hard) & (key < np.arange(T)), told.moved, np.inf)
        quiet = np.where(largest <= hardly, told.moved, -np.inf)
        loud[..., : T // 4] = np.inf  # with little to look at, everybody looks hard
        gap = quiet.max((0, 1)) - LITTLE * loud.min((0, 1))
        if np.isfinite(gap).any():
            position = int(np.where(np.isfinite(gap), gap, -np.inf).argmax())
            break
    else:
        position = T - 1
    places = [
        np.unravel_index(index, largest.shape[:2])
        for index in (loud[..., position].argmin(), quiet[..., position].argmax())
    ]
    (a, b), (c, d) = places
    return Contrast(position, (int(a), int(b)), (int(c), int(d)))


def matters(told: Subject) -> Lesson:
    found = contrast(told.seen, told.effects)
    at, seen, moved = found.position, told.seen, told.effects.moved
    row = seen.attention[found.loud][at]
    most = float(seen.attention[found.quiet][at].max())
    return Lesson(
        "Does it matter?",
        f"Each thumbnail is as strong as what its head was worth here. Press {head_name(*found.quiet)}.",
        f"{capital(head_name(*found.loud))} looks hard: {named(seen, at)} gives {weight(float(row.max()))} to "
        f"{named(seen, int(row.argmax()))}. Yet without this head the prediction moves by {nats(moved[found.loud][at])} "
        f"nats. {capital(head_name(*found.quiet))} gives nobody more than {weight(most)}; without it the prediction "
        f"moves by {nats(moved[found.quiet][at])} nats.",
        shown(
            seen, told.text, (*found.loud, at),
            tab=STAGE, direction="what mattered", grid="mattered", map="effect",
        ),
    )  # fmt: skip


@dataclass(frozen=True)
class Copier:
    """The head that comes closest to copying, from 0, and where it does so best in a text.

    Attributes:
        position: in the second of the two words; target: what came after the same letter in the first.
        score: its induction score on random strings written twice; None: it was not measured.
        chance: the score of looking everywhere equally.
    """

    layer: int
    head: int
    position: int
    target: int
    score: float | None
    chance: float


FORESEEN = 0.2  # who gave the right letter so much at first need not copy it


def invented(tokenizer: Tokenizer) -> tuple[str, str]:
    """A word that nobody ever wrote, and a text in which it stands twice; of the model's own characters if it lacks ours.

    Of fewer than four characters no word can be made: "", and an empty text.
    """
    vocabulary = tokenizer.vocabulary
    if set(COPYING) <= set(vocabulary):
        return WORD, COPYING
    signs = [c for c in vocabulary if not c.isspace() and c != tokenizer.blank]
    small = [c for c in signs if c.islower()]
    letters = small if len(small) >= len(WORD) else signs
    word = "".join(np.random.default_rng(len(WORD)).permutation(letters)[: len(WORD)])
    return (word, f"{word}{tokenizer.blank}{word}") if len(word) > 3 else ("", "")


def copier(model: GPT, seen: Trace, measured: Mapping[str, Any] | None, word: str) -> Copier | None:
    """The best induction head, by what was measured; by this text, if nothing was.

    And its strongest link to where it should look, from a letter behind which the spelling alone does not tell what comes.

    Returns:
        None where the window is too short for the word twice.
    """
    text = "".join(seen.characters)
    first, second = text.find(word), text.rfind(word)
    if not word or not 0 <= first < second:
        return None
    inside = np.arange(1, len(word) - 1)  # of the first letter nobody knows yet which word it begins
    copied = seen.attention[:, :, second + inside, first + inside + 1]  # (n_layer, n_head, len(word) - 2)
    if measured and measured["chance"]["induction"] is not None:
        best = max(measured["heads"], key=lambda head: head["induction"])
        layer, head = best["layer"] - 1, best["head"] - 1
        score, by_chance = float(best["induction"]), float(measured["chance"]["induction"])
    else:
        layer, head = (int(i) for i in np.unravel_index(copied.mean(-1).argmax(), copied.shape[:2]))
        score, by_chance = None, 0.0
    ids = model.tokenizer.encode(word)
    guessed = softmax(seen.logits[first + inside])[np.arange(len(inside)), [ids[i + 1] for i in inside]]
    offset = int(inside[np.where(guessed < FORESEEN, copied[layer, head], -1).argmax()])
    return Copier(layer, head, second + offset, first + offset + 1, score, by_chance)


def copying(told: Subject) -> Lesson:
    word, text = invented(told.model.tokenizer)
    seen = told.traces(text)
    found = copier(told.model, seen, told.measured, word)
    if found is None:
        return Lesson(
            "Can it copy?",
            "Point at a few characters, and see how far back they look.",
            "Who can copy looks at what came after the same letters before. To try it, a word that nobody ever wrote "
            "must stand in the text twice, and this model sees too few characters for that, or knows too few.",
            shown(told.seen, told.text, (*told.clear[:2], None), tab=STAGE, direction="looks at"),
        )
    at, target = found.position, found.target
    given = seen.attention[found.layer, found.head, at, target]
    if found.score is None:
        verdict = "How well it copies elsewhere was not measured for this model."
    else:
        far = excess(found.score, found.chance)
        means = (
            "it copies" if far >= THRESHOLD else "it copies a little" if far >= 0.05 else "it hardly copies"
        )
        verdict = (
            f"Its score on random strings written twice is {found.score:.3f} (chance is {found.chance:.3f}, perfect 1): "
            f"{means}."
        )
    view = shown(seen, text, (found.layer, found.head, at), tab=STAGE, direction="looks at")
    p = softmax(seen.logits[[target - 1, at]])
    came = told.model.tokenizer.encode(seen.characters[target])[0]
    return Lesson(
        "Can it copy?",
        f"Point at {named(seen, target)}, which came after the same letters before.",
        f"“{word}” is invented: only who looks back knows how the second one goes on. The head that comes closest to "
        f"copying, {head_name(found.layer, found.head)}, gives {weight(float(given))} to {named(seen, target)}. {verdict} "
        f"The model gave {character(seen.characters[target])} {percent(float(p[1, came]))} here, "
        f"{percent(float(p[0, came]))} the first time.",
        view,
    )


LESSONS: tuple[Callable[[Subject], Lesson], ...] = (
    prediction, query_and_key, scale, mask, softmaxed, value, heads, positions, feed_forward, residual_and_norm, matters,
    copying,
)  # fmt: skip


def lessons(told: Subject) -> list[dict[str, Any]]:
    """All of them, ready for JSON."""
    return [asdict(lesson(told)) for lesson in LESSONS]
