"""Temperature, top-k, top-p and the draw, against plain Python that follows their definitions word by word."""

from __future__ import annotations

import math
import random
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shakespeare_gpt.sampling import Sampling, distribution, draw, sample, unnormalized

# Multiples of 1/8, so that equal logits are common.
LOGITS = st.lists(st.integers(-160, 160).map(lambda n: n / 8), min_size=1, max_size=20)
TEMPERATURES = st.floats(0.05, 5)


def softmax(logits: list[float], temperature: float) -> list[float]:
    if temperature == 0:
        best = logits.index(max(logits))
        return [float(i == best) for i in range(len(logits))]
    powers = [math.exp((logit - max(logits)) / temperature) for logit in logits]
    return [power / math.fsum(powers) for power in powers]


def by_size(values: list[float]) -> list[int]:
    """The places of the values, the largest first; of equal ones the earlier first."""
    return sorted(range(len(values)), key=lambda i: (-values[i], i))


def nucleus(probabilities: dict[int, float], order: list[int], p: float) -> set[int]:
    """The fewest of the characters, most likely first, whose probabilities add up to at least p."""
    total = sum(Fraction(x) for x in probabilities.values())
    chosen: set[int] = set()
    held = Fraction(0)
    for i in order:
        if i in probabilities and held < Fraction(p) * total:
            chosen.add(i)
            held += Fraction(probabilities[i])
    return chosen


@given(LOGITS, TEMPERATURES)
def test_temperature_divides_the_logits(logits, temperature):
    told = distribution(np.array(logits), Sampling(temperature))
    np.testing.assert_allclose(told.tempered, softmax(logits, temperature), rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(told.probabilities, told.tempered, rtol=1e-14)
    assert told.kept.all()


@given(LOGITS)
def test_temperature_zero_is_the_most_likely_character(logits):
    told = distribution(np.array(logits), Sampling(0))
    assert told.probabilities.tolist() == softmax(logits, 0)


@given(LOGITS)
def test_a_tiny_temperature_shares_among_the_largest(logits):
    told = distribution(np.array(logits), Sampling(5e-324))
    largest = np.array(logits) == max(logits)
    np.testing.assert_allclose(told.probabilities, largest / largest.sum())
    assert told.kept.all()


@given(LOGITS)
def test_rank_counts_from_one_and_breaks_ties_by_the_id(logits):
    assert np.argsort(distribution(np.array(logits)).rank).tolist() == by_size(logits)
    assert sorted(distribution(np.array(logits)).rank) == list(range(1, len(logits) + 1))


@given(LOGITS, TEMPERATURES, st.integers(1, 25))
def test_top_k_keeps_the_k_most_likely(logits, temperature, k):
    told = distribution(np.array(logits), Sampling(temperature, top_k=k))
    kept = set(by_size(logits)[:k])
    assert set(np.flatnonzero(told.kept)) == kept
    tempered = softmax(logits, temperature)
    total = math.fsum(tempered[i] for i in kept)
    expected = [tempered[i] / total if i in kept else 0 for i in range(len(logits))]
    np.testing.assert_allclose(told.probabilities, expected, rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(told.tempered, tempered, rtol=1e-9, atol=1e-300)


@given(LOGITS, TEMPERATURES, st.none() | st.integers(1, 25), st.floats(1e-6, 1))
def test_top_p_keeps_the_fewest_that_hold_p(logits, temperature, k, p):
    told = distribution(np.array(logits), Sampling(temperature, top_k=k, top_p=p))
    order = by_size(logits)
    tempered = softmax(logits, temperature)
    left = {i: tempered[i] for i in order[:k]}
    kept = set(np.flatnonzero(told.kept))
    if p == 1:
        assert kept == set(left)
    else:
        # A sum that meets p within rounding may count as either side of it.
        assert nucleus(left, order, p * (1 - 1e-12)) <= kept <= nucleus(left, order, min(1, p * (1 + 1e-12)))
    assert set(order[: len(kept)]) == kept  # never a character while a more likely one is cut
    total = math.fsum(tempered[i] for i in kept)
    expected = [tempered[i] / total if i in kept else 0 for i in range(len(logits))]
    np.testing.assert_allclose(told.probabilities, expected, rtol=1e-9, atol=1e-300)


def test_top_p_by_hand():
    logits = np.log([0.1, 0.4, 0.2, 0.3])
    for p, kept in (
        (0.01, [1]),
        (0.39, [1]),
        (0.41, [1, 3]),
        (0.69, [1, 3]),
        (0.71, [1, 2, 3]),
        (0.95, [0, 1, 2, 3]),
    ):
        told = distribution(logits, Sampling(top_p=p))
        assert np.flatnonzero(told.kept).tolist() == kept
    np.testing.assert_allclose(distribution(logits, Sampling(top_p=0.5)).probabilities, [0, 4 / 7, 0, 3 / 7])
    # Of the two that top-k leaves, the larger holds 4/7 = 0.57.
    assert np.flatnonzero(distribution(logits, Sampling(top_k=2, top_p=0.5)).kept).tolist() == [1]
    # Equal probabilities that meet p exactly.
    assert np.flatnonzero(distribution(np.zeros(4), Sampling(top_p=0.5)).kept).tolist() == [0, 1]


@given(st.lists(LOGITS.filter(lambda row: len(row) >= 3).map(lambda row: row[:3]), min_size=1, max_size=4))
def test_rows_do_not_mix(rows):
    together = distribution(np.array(rows), Sampling(0.7, 2, 0.9))
    for i, row in enumerate(rows):
        alone = distribution(np.array(row), Sampling(0.7, 2, 0.9))
        for field in ("logits", "rank", "tempered", "kept", "probabilities"):
            np.testing.assert_array_equal(getattr(together, field)[i], getattr(alone, field))


@given(LOGITS, st.just(0) | TEMPERATURES, st.none() | st.integers(1, 25), st.none() | st.floats(1e-6, 1))
def test_the_numbers_drawn_with_are_the_probabilities_told(logits, temperature, k, p):
    told = distribution(np.array(logits), Sampling(temperature, k, p))
    drawn_with = unnormalized(np.array(logits), Sampling(temperature, k, p))
    np.testing.assert_allclose(drawn_with / drawn_with.sum(), told.probabilities, rtol=1e-12, atol=0)
    assert not drawn_with[~told.kept].any()


@given(LOGITS, TEMPERATURES)
def test_entropy_is_in_bits(logits, temperature):
    told = distribution(np.array(logits), Sampling(temperature, top_k=3))
    expected = -math.fsum(p * math.log2(p) for p in told.probabilities if p)
    assert told.entropy == pytest.approx(expected, abs=1e-12)
    assert distribution(np.zeros(8)).entropy == pytest.approx(3)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=8).filter(any), st.floats(0, 1, exclude_max=True))
def test_draw_finds_where_a_number_falls(weights, number):
    place = draw(np.array(weights, dtype=float), number)
    assert weights[place] > 0
    exact = [Fraction(sum(weights[:i]), sum(weights)) for i in range(len(weights) + 1)]
    assert float(exact[place]) - 1e-12 <= number <= float(exact[place + 1]) + 1e-12


def test_the_largest_number_below_one_draws_the_last_that_can_be_drawn():
    largest = math.nextafter(1, 0)
    for weights in ([0.3, 0.7, 0, 0], [0.1] * 10 + [0], [1, 0], [0, 1], [1 / 3] * 3, [0.7, 0.3, 1e-300, 0]):
        assert weights[draw(np.array(weights), largest)] >= 0.1
    for total in (0.5, 1 - 2**-53, 1 + 2**-52, 1.5, 2 - 2**-52):
        assert draw(np.array([total, 0]), largest) == 0
    assert draw(np.array([0, 0.5, 0.5]), 0.0) == 1


def test_draws_follow_the_distribution():
    probabilities = np.array([0.5, 0.25, 0.15, 0.1])
    generator = random.Random(1)
    n = 20_000
    counts = Counter(draw(probabilities, generator.random()) for _ in range(n))
    for i, p in enumerate(probabilities):
        assert abs(counts[i] - n * p) < 5 * math.sqrt(n * p * (1 - p))


def test_each_row_is_drawn_with_its_own_generator():
    rows = np.array([[0.0, 1, 2], [2, 1, 0], [1, 1, 1]])
    sampling = Sampling(1.3, top_k=2, top_p=0.9)
    generator = random.Random(3)
    for _ in range(50):
        numbers = np.array([generator.random() for _ in rows])
        alone = [
            draw(distribution(row, sampling).probabilities, number)
            for row, number in zip(rows, numbers, strict=True)
        ]
        assert sample(rows, sampling, numbers)[0].tolist() == alone


@pytest.mark.parametrize("error", [1e-2, 1e-5])
@given(
    logits=LOGITS,
    sampling=st.builds(
        Sampling,
        st.sampled_from([0, 1e-300, 1e-6, 1e-3]) | TEMPERATURES,
        st.none() | st.integers(1, 25),
        st.none() | st.floats(1e-6, 1),
    ),
    number=st.floats(0, 1, exclude_max=True),
    noise=st.integers(0, 1000),
)
def test_what_is_sure_is_drawn_whatever_the_error(error, logits, sampling, number, noise):
    exact = np.array([logits])
    ids, sure = sample(exact, sampling, np.array([number]), error)
    wrong = exact + error * np.random.default_rng(noise).uniform(-1, 1, exact.shape)
    assert not sure[0] or sample(wrong, sampling, np.array([number]))[0] == ids


def test_almost_every_draw_is_sure_and_a_tie_is_not():
    draws = np.random.default_rng(1)
    logits, numbers = draws.normal(0, 2, (5000, 65)), draws.random(5000)
    for sampling in (Sampling(), Sampling(0.8, 20), Sampling(0.8, None, 0.9), Sampling(0)):
        assert sample(logits, sampling, numbers, 1e-5)[1].mean() > 0.997
    tie = np.array([[1.0, 1.0 - 1e-6, -20]])
    for sampling, number in (
        (Sampling(0), 0.3),
        (Sampling(1, 1), 0.3),
        (Sampling(1), 0.5),
        (Sampling(top_p=0.5), 0.3),
    ):
        assert not sample(tie, sampling, np.array([number]), 1e-5)[1]
        assert sample(tie, sampling, np.array([number]), 1e-9)[1] or sampling == Sampling()


def test_as_it_stands_a_sampling_changes_nothing():
    told = distribution(np.array([1.0, 3, 2]), Sampling())
    np.testing.assert_allclose(told.probabilities, softmax([1.0, 3, 2], 1))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"temperature": -0.1}, "at least 0"),
        ({"temperature": math.nan}, "finite"),
        ({"temperature": math.inf}, "finite"),
        ({"temperature": True}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": None}, "temperature"),
        ({"top_k": 0}, "at least 1"),
        ({"top_k": -3}, "at least 1"),
        ({"top_k": 2.5}, "whole number"),
        ({"top_k": True}, "whole number"),
        ({"top_k": "3"}, "whole number"),
        ({"top_p": 0}, "above 0"),
        ({"top_p": 1.01}, "at most 1"),
        ({"top_p": math.nan}, "above 0"),
        ({"top_p": True}, "top_p"),
        ({"top_p": "0.9"}, "top_p"),
    ],
)
def test_a_setting_out_of_its_range_is_refused(settings, says):
    with pytest.raises(ValueError, match=says):
        Sampling(**settings)


def test_settings_in_range_are_accepted():
    for temperature in (0, 0.0, 1, np.float32(0.8), 1e9):
        Sampling(temperature, np.int64(3), np.float32(0.9))
    Sampling(1, None, None)
    Sampling(1, 10**9, 1)
