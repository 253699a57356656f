"""What is let through and what is refused, for any value that JSON or Python can hold."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shakespeare_gpt.sampling import Sampling
from shakespeare_gpt.ui.core import limits
from shakespeare_gpt.ui.core.limits import Refused

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=5)
    | st.complex_numbers() | st.fractions() | st.decimals()
)  # fmt: skip
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(anything, st.integers(-1000, 1000), st.integers(0, 1000))
def test_whole_gives_back_the_number_itself_or_refuses(value, least, width):
    most = least + width
    fits = (
        type(value) in (int, float)
        and math.isfinite(value if isinstance(value, float) else 0)
        and least <= value <= most
        and int(value) == value
    )
    if fits:
        assert limits.whole("layer", value, least, most) == value
        assert type(limits.whole("layer", value, least, most)) is int
    else:
        with pytest.raises(Refused) as error:
            limits.whole("layer", value, least, most)
        assert error.value.message == f"layer must be a whole number from {least:,} to {most:,}."


@given(st.integers(-5, 70))
def test_whole_takes_every_number_of_its_range(value):
    assert limits.whole("top_k", float(value), -5, 70) == value


@given(anything)
def test_number_gives_back_the_number_itself_or_refuses(value):
    if type(value) in (int, float) and 0 <= value <= 5:
        assert limits.number("temperature", value, 0, 5) == value
    else:
        with pytest.raises(Refused, match="temperature must be a number from 0 to 5"):
            limits.number("temperature", value, 0, 5)


@given(anything | st.integers(1990, 2010).map(lambda n: "x" * n))
def test_text_gives_back_the_text_itself_or_refuses(value):
    if isinstance(value, str) and len(value) <= 2000:
        assert limits.text("prompt", value) is value
    else:
        with pytest.raises(Refused, match="2,000"):
            limits.text("prompt", value)


def test_off_and_random_in_the_words_of_the_sampler():
    assert limits.sampling(0, 0, 1, 65) == Sampling(0.0, None, None)
    assert limits.sampling(5.0, 65, 0.5, 65) == Sampling(5.0, 65, 0.5)
    assert limits.seed(-1) is None and limits.seed(0) == 0


@given(anything, anything, anything, anything)
def test_sampling_is_the_samplers_or_refused(temperature, top_k, top_p, seed):
    """Whatever comes in, what comes out is something that the sampler takes."""
    try:
        how = limits.sampling(temperature, top_k, top_p, 65)
        drawn_with = limits.seed(seed)
    except Refused:
        return
    assert 0 <= how.temperature <= limits.MAX_TEMPERATURE
    assert how.top_k is None or 1 <= how.top_k <= 65
    assert how.top_p is None or 0 < how.top_p < 1
    assert drawn_with is None or 0 <= drawn_with <= limits.MAX_SEED


@given(anything)
def test_a_place_is_two_whole_numbers_or_refused(value):
    try:
        place = limits.place(value)
    except Refused:
        return
    assert set(place) == {"offset", "before"} and all(n >= 0 for n in place.values())


def test_files_and_deep_nests_are_refused_everywhere():
    limits.plain(["a", 1, None, {"offset": 1, "heads_off": [[1, 2]]}])
    file = {"path": "https://example.org/x", "meta": {"_type": "gradio.FileData"}}
    for value in (file, [file], {"a": [{"b": file}]}, {"url": "x"}):
        with pytest.raises(Refused, match="no files"):
            limits.plain(value)
    deep = []
    for _ in range(10_000):
        deep = [deep]
    with pytest.raises(Refused, match="nested"):
        limits.plain(deep)
