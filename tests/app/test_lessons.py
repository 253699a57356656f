"""Where a lesson says that something can be seen, it can, on the bundled checkpoint: its numbers are the model's."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import shakespeare_gpt as sg
from shakespeare_gpt.arrays import log_softmax, softmax
from shakespeare_gpt.experiments import PRICES, compare, read_prices, text_loss
from shakespeare_gpt.heads import HEADS, ROLES, read_heads
from shakespeare_gpt.inside import head_account
from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.model import GPT
from shakespeare_gpt.ui.core.facts import CHOICES, LESSONS, TABS, view
from shakespeare_gpt.ui.core.served import SHAKESPEARE
from shakespeare_gpt.ui.core.traces import TraceCache
from shakespeare_gpt.ui.demo import our_lessons
from shakespeare_gpt.ui.lessons.lessons import WORD, Subject, lessons
from support import ASSETS, VOCABULARY, small_gpt

NAMES = (
    "prediction", "query_and_key", "scale", "mask", "softmax", "value", "heads", "positions", "feed_forward",
    "residual_and_norm", "matters", "copying",
)  # fmt: skip
ABLATED = ("scale", "mask", "heads", "positions", "feed_forward", "residual_and_norm")

Lessons = dict[str, dict[str, Any]]

FIRST = SHAKESPEARE["Romeo"]


@pytest.fixture(scope="module")
def told(model: GPT) -> Lessons:
    return dict(zip(NAMES, our_lessons(model, TraceCache(model), ASSETS, FIRST), strict=True))


def words(lesson: dict[str, Any]) -> str:
    return f"{lesson['do']} {lesson['see']}"


def shown(model: GPT, lesson: dict[str, Any]) -> tuple[sg.trace, int, int, int]:
    """What the lesson's View shows: the Trace, its layer, head, and held place, from 0."""
    chosen = lesson["view"]
    seen = sg.trace(model, chosen["text"])
    held = chosen.get("position") or seen.start + len(seen.characters)
    return seen, chosen["layer"] - 1, chosen["head"] - 1, held - 1 - seen.start


def changed(model: GPT, lesson: dict[str, Any]):
    config = model.config
    off = Intervention.from_json(lesson["view"]["intervention"], config.n_layer, config.n_head)
    assert off, "nothing is switched off"
    return compare(model, lesson["view"]["text"], off)


def named(lesson: dict[str, Any], seen, index: int) -> bool:
    """Does the lesson name this character of the window, by its place?"""
    glyph = {" ": "␣", "\n": "⏎"}.get(seen.characters[index], seen.characters[index])
    return f"'{glyph}' at {seen.start + index + 1}" in words(lesson)


def losses(model: GPT, compared) -> tuple[float, float]:
    before, after = (text_loss(model, each).mean() for each in (compared.before, compared.after))
    return float(before), float(after)


@pytest.mark.parametrize("name", NAMES)
def test_each_is_a_question_one_thing_to_do_and_one_to_see(told: Lessons, name: str, model: GPT):
    lesson = told[name]
    assert lesson["title"].endswith("?") and lesson["do"].endswith(".") and lesson["see"].endswith(".")
    sentences = re.split(r"(?<=[.?!:])\s+(?=[A-Z“e])", lesson["see"])
    assert 2 <= len(sentences) <= 6
    assert len(words(lesson)) <= 420  # so that it is read at a glance, and fits on its card
    known = view(model.config.vocab_size)
    assert set(lesson["view"]) <= set(known)
    for key, choices in CHOICES.items():
        assert lesson["view"].get(key, known[key]) in choices
    assert (lesson["at"] is None) == (lesson["view"]["tab"] == TABS[0])
    assert not set("{}$") & set(words(lesson))


def test_there_are_as_many_as_a_link_can_name(told: Lessons):
    assert len(told) == LESSONS == 12


@pytest.mark.parametrize("name", ABLATED)
def test_where_a_part_is_said_to_do_something_it_is_off_and_the_loss_rises_as_told(
    told: Lessons, name: str, model: GPT
):
    lesson = told[name]
    assert lesson["view"]["tab"] == "What if?"
    before, after = losses(model, changed(model, lesson))
    assert after > before + 0.3
    assert f"rises from {before:.2f} to {after:.2f} nats a character" in words(lesson)


def test_a_prediction(told: Lessons, model: GPT):
    seen = sg.trace(model, told["prediction"]["view"]["text"])
    p = softmax(seen.logits[-1])
    assert "position" not in told["prediction"]["view"]  # the bars are about what comes next
    for i in np.argsort(-p)[:2]:
        glyph = {" ": "␣", "\n": "⏎"}.get(model.tokenizer.vocabulary[i], model.tokenizer.vocabulary[i])
        assert f"'{glyph}' {p[i]:.0%}" in words(told["prediction"])


def test_a_query_of_a_head_with_a_role_at_a_row_that_shows_it(told: Lessons, model: GPT):
    seen, layer, head, at = shown(model, told["query_and_key"])
    heads = read_heads(model)["heads"]
    role = next(each["role"] for each in heads if (each["layer"], each["head"]) == (layer + 1, head + 1))
    row = seen.attention[layer, head, at]
    assert ROLES[role].targets(seen.characters)[at, row.argmax()]
    assert row.max() >= 0.8
    assert ROLES[role].sentence[1:] in words(told["query_and_key"])


def test_a_key_whose_score_is_the_highest(told: Lessons, model: GPT):
    seen, layer, head, at = shown(model, told["query_and_key"])
    scores = head_account(model, seen, layer, head, at).scores[: at + 1]
    best, second = np.argsort(-scores)[:2]
    assert named(told["query_and_key"], seen, best) and named(told["query_and_key"], seen, second)
    assert f"{scores[best]:.1f}" in words(told["query_and_key"]) and f"{scores[second]:.1f}" in words(
        told["query_and_key"]
    )
    assert scores[best] > scores[second]


def test_without_the_scale_one_character_takes_more(told: Lessons, model: GPT):
    before, after = (each.mean() for each in changed(model, told["scale"]).largest_weights)
    assert after > before + 0.2
    assert f"the largest weight is {after:.2f} instead of {before:.2f}" in words(told["scale"])


def test_without_the_mask_the_weight_flows_ahead(told: Lessons, model: GPT):
    compared = changed(model, told["mask"])
    ahead = float(compared.future_weight.mean())
    assert ahead > 0.1 and f"{ahead:.0%} of all weight" in words(told["mask"])
    place = told["mask"]["view"]["layer"] - 1, told["mask"]["view"]["head"] - 1
    assert compared.looked_elsewhere[place] == compared.looked_elsewhere.max()  # the maps that are compared
    assert np.triu(compared.after.attention[place], 1).sum() > 0.1 * len(compared.after.characters)


def test_softmax_makes_a_lead_larger(told: Lessons, model: GPT):
    seen, layer, head, at = shown(model, told["softmax"])
    numbers = head_account(model, seen, layer, head, at)
    best, second = np.argsort(-numbers.weights)[:2]
    for index in (best, second):
        assert named(told["softmax"], seen, index)
        assert f"{numbers.scaled[index]:.2f}" in words(told["softmax"])
    assert numbers.weights[best] >= 0.8
    assert (layer, head) != shown(model, told["query_and_key"])[1:3]  # another head than before


def test_a_value_that_makes_up_most_of_what_the_head_found(told: Lessons, model: GPT):
    lesson = told["value"]
    seen, layer, head, at = shown(model, lesson)
    weights, values = seen.attention[layer, head, at], seen.value[layer, head]
    best = int(weights.argmax())
    found = weights @ values
    share = float(weights[best] * values[best] @ found / (found @ found))
    assert named(lesson, seen, best) and f"{weights[best]:.2f}" in words(lesson)
    assert share > 0.5 and f"{share:.0%} of the sum's length" in words(lesson)


def test_a_head_that_is_off_and_its_neighbours_that_do_not_notice(told: Lessons, model: GPT):
    compared = changed(model, told["heads"])
    layer, head = told["heads"]["view"]["layer"] - 1, told["heads"]["view"]["head"] - 1
    assert compared.after.intervention.heads_off == {(layer, head)}
    assert np.abs(compared.attention_difference[layer]).max() == 0
    assert np.abs(compared.attention_difference[layer + 1 :]).max() > 0.1
    helped = sg.effects(model, FIRST).helped.mean(-1)
    assert helped[layer, head] == helped.max()


def test_without_positions_equal_letters_get_equal_weight(told: Lessons, model: GPT):
    lesson = told["positions"]
    compared = changed(model, lesson)
    assert lesson["view"]["layer"] == 1
    head = lesson["view"]["head"] - 1
    before, after = (each.attention[0, head] for each in (compared.before, compared.after))
    just_before = [np.diagonal(each, -1).mean() for each in (before, after)]
    assert just_before[0] > 0.8 > 0.3 > just_before[1]
    last, characters = after[-1], np.array(compared.after.characters)
    for letter in set(characters):
        alike = last[characters == letter]
        assert np.ptp(alike) < 1e-5


def test_the_feed_forward_is_off_everywhere(told: Lessons, model: GPT):
    off = changed(model, told["feed_forward"]).after.intervention
    assert off.feed_forward_off == frozenset(range(model.config.n_layer))


def test_the_norm_that_one_is_told_to_switch_off_costs_what_is_said(told: Lessons, model: GPT):
    lesson = told["residual_and_norm"]
    layer = int(re.search(r"“norm” of layer (\d)", lesson["do"])[1]) - 1
    before, after = losses(model, compare(model, FIRST, Intervention(norm_off={layer})))
    assert after > before + 0.3 and lesson["see"].endswith(f"the loss goes from {before:.2f} to {after:.2f}.")
    prices = read_prices(model, ASSETS / PRICES.name)["prices"]
    costs = {
        entry["intervention"]["norm_off"][0]: entry["price"]
        for entry in prices
        if list(entry["intervention"]) == ["norm_off"] and len(entry["intervention"]["norm_off"]) == 1
    }
    assert costs[layer + 1] == max(costs.values())


def test_a_head_that_looks_hard_and_matters_little_and_one_that_matters_and_hardly_looks(
    told: Lessons, model: GPT
):
    lesson = told["matters"]
    seen, layer, head, at = shown(model, lesson)
    assert (lesson["view"]["direction"], lesson["view"]["grid"], lesson["view"]["map"]) == (
        "what mattered", "mattered", "effect",
    )  # fmt: skip
    other = tuple(int(number) - 1 for number in re.search(r"layer (\d) head (\d)", lesson["do"]).groups())
    before = log_softmax(seen.logits[at])
    moved = []
    for off in ((layer, head), other):
        after = log_softmax(sg.trace(model, FIRST, Intervention(heads_off={off})).logits[at])
        moved.append(float((np.exp(before) * (before - after)).sum()))
    loud, quiet = seen.attention[layer, head, at], seen.attention[other][at]
    assert loud.max() >= 0.8 and moved[0] < 0.05
    assert quiet.max() <= 0.35 and moved[1] > 0.5
    assert named(lesson, seen, loud.argmax())
    for number in (f"{loud.max():.2f}", f"{quiet.max():.2f}", f"{moved[0]:.3f}", f"{moved[1]:.2f}"):
        assert number in words(lesson)


def test_copying_says_the_true_score_of_the_best_head(told: Lessons, model: GPT):
    lesson = told["copying"]
    seen, layer, head, at = shown(model, lesson)
    measured = read_heads(model, ASSETS / HEADS.name)
    best = max(measured["heads"], key=lambda each: each["induction"])
    assert (best["layer"], best["head"]) == (layer + 1, head + 1)
    assert f"{best['induction']:.3f}" in words(lesson)
    assert f"{measured['chance']['induction']:.3f}" in words(lesson)
    copies = best["induction"] - measured["chance"]["induction"] > 0.4
    assert ("it copies." in words(lesson)) == copies
    # The character held stands in the second word; what is named came after the same letters of the first.
    text = "".join(seen.characters)
    first, second = text.index(WORD), text.rindex(WORD)
    target = first + (at - second) + 1
    assert first < second <= at < second + len(WORD) - 1
    assert named(lesson, seen, target)
    assert f"gives {seen.attention[layer, head, at, target]:.2f} to" in words(lesson)
    p = softmax(seen.logits)[at, model.tokenizer.encode(text[target])[0]]
    assert (f"{p:.0%} here" if p >= 0.0995 else f"{p:.1%} here") in words(lesson)


def test_nobody_wrote_the_word(corpus: str):
    assert WORD not in corpus


ALPHABETS = {
    "ours": VOCABULARY,
    "Cyrillic": "\n !,-.АБВГабвгдежзийклмнопрстуфхцчшщыьэюя",
    "Chinese": "一丁七万丈三上下不与丑专且世丘丙",
    "two letters": "ab",
}


@pytest.mark.parametrize("alphabet", ALPHABETS)
@pytest.mark.parametrize("shape", [{}, {"context_length": 128}, {"n_layer": 1, "n_head": 1}])
def test_there_are_twelve_for_a_model_of_which_nothing_was_measured(shape: dict[str, int], alphabet: str):
    small = small_gpt(**shape, vocabulary=ALPHABETS[alphabet])
    first = FIRST if alphabet == "ours" else ALPHABETS[alphabet] * 3
    found = lessons(Subject(small, TraceCache(small), first, None, None))
    fits = small.config.context_length > 24 or alphabet != "ours"  # of their own characters the text is short
    assert ("is invented" in words(found[-1])) == (fits and alphabet != "two letters"), "else it has no room"
    assert len(found) == LESSONS
    for lesson in found:
        assert "nan" not in words(lesson) and "None" not in words(lesson)
        assert 1 <= lesson["view"].get("position", 1) <= len(lesson["view"]["text"])
        assert lesson["view"]["layer"] <= small.config.n_layer
        assert lesson["view"]["head"] <= small.config.n_head
