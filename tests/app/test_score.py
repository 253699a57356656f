"""How sure the model was of a written text, worked out again from the text: as it was when it was written."""

from __future__ import annotations

import pytest

from shakespeare_gpt.generation import stream
from shakespeare_gpt.ui.core.limits import Refused
from shakespeare_gpt.ui.take_away.api import Score, windows
from support import small_gpt

PROMPT = "ROMEO:\nBut"


@pytest.fixture(scope="module")
def tiny():
    return small_gpt()  # a context of 24 characters


def write(model, prompt: str, count: int, **settings) -> list:
    return list(stream(model, prompt, count, seed=3, **settings))


@pytest.mark.parametrize("prompt", ["R", PROMPT, "O Romeo, Romeo! wherefore art thou Romeo?\n"])
@pytest.mark.parametrize("settings", [{}, {"temperature": 1.3, "top_k": 9}, {"top_p": 0.6}])
def test_it_tells_what_the_writing_told(tiny, prompt, settings):
    steps = write(tiny, prompt, 70, **settings)
    text = prompt + "".join(step.character for step in steps)
    run = [70, settings.get("temperature", 0.8), settings.get("top_k", 0), settings.get("top_p", 1)]
    told = Score(tiny).score(text, [run])["steps"]
    assert len(told) == 70
    for step, (probability, rank, entropy, start) in zip(steps, told, strict=True):
        assert probability == pytest.approx(step.probability, abs=1e-4)
        assert entropy == pytest.approx(step.entropy, abs=1e-3)
        assert (rank, start) == (step.rank, step.start + 1)


def test_several_runs_each_begin_with_the_text_so_far(tiny):
    text, told = PROMPT, []
    for count, temperature in [(30, 0.8), (25, 1.2)]:
        steps = write(tiny, text, count, temperature=temperature)
        told += steps
        text += "".join(step.character for step in steps)
    again = Score(tiny).score(text, [[30, 0.8, 0, 1], [25, 1.2, 0, 1]])["steps"]
    assert [start for *_, start in again] == [step.start + 1 for step in told]
    assert [p for p, *_ in again] == pytest.approx([step.probability for step in told], abs=1e-4)


def test_windows_cover_every_character_once():
    for prompt in (1, 5, 24, 25, 100):
        seen = [i for _, first, end in windows(prompt, 90, 24) for i in range(first, end)]
        assert seen == list(range(prompt, prompt + 90))
        assert all(
            0 < i - start <= 24 for start, first, end in windows(prompt, 90, 24) for i in range(first, end)
        )


@pytest.mark.parametrize(
    ("text", "runs", "message"),
    [
        (7, [[1, 0.8, 0, 1]], "at most 4,000"),
        ("a" * 4001, [[1, 0.8, 0, 1]], "at most 4,000"),
        ("caf\u00e9", [[1, 0.8, 0, 1]], "cannot have written"),
        ("ROMEO", [[5, 0.8, 0, 1]], "longer than the text"),
        ("ROMEO", [[4, 0.8, 0, 1]] * 2, "longer than the text"),
        ("ROMEO", [], "runs must be a list"),
        ("ROMEO", {"a": 1}, "runs must be a list"),
        ("ROMEO", [[1, 0.8, 0, 1]] * 51, "runs must be a list"),
        ("ROMEO", [[1, 0.8]], "runs must be a list"),
        ("ROMEO", [[1.5, 0.8, 0, 1]], "characters must be a whole number"),
        ("ROMEO", [[0, 0.8, 0, 1]], "characters must be a whole number"),
        ("ROMEO", [[1, float("nan"), 0, 1]], "temperature"),
        ("ROMEO", [[1, 0.8, 66, 1]], "top_k"),
        ("ROMEO", [[1, 0.8, 0, 0]], "top_p"),
        ("ROMEO", [["<b>", 0.8, 0, 1]], "characters must be"),
    ],
)
def test_what_is_wrong_is_refused_with_a_reason(tiny, text, runs, message):
    with pytest.raises(Refused) as refused:
        Score(tiny).score(text, runs)
    assert message in refused.value.message and "<" not in refused.value.message
