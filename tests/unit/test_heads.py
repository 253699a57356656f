"""What heads do: the scorers on attention of a known kind."""

from __future__ import annotations

import json

import numpy as np
import pytest

import shakespeare_gpt as sg
from shakespeare_gpt import heads
from shakespeare_gpt.model import Checkpoint
from support import TEXT, VOCABULARY, small_gpt

PLAY = "ROMEO:\nA rose, a rose.\nIt is.\n\nFirst Lord:\nNo: say\nno more:\nso"


def uniform(T: int) -> np.ndarray:
    """Causal attention that looks at everything equally."""
    return np.tri(T) / np.arange(1, T + 1)[:, None]


def looking_at(targets: np.ndarray) -> np.ndarray:
    """Attention that looks at nothing but the targets, and at itself where there are none."""
    attention = np.where(targets.any(-1, keepdims=True), targets, np.eye(len(targets)))
    return attention / attention.sum(-1, keepdims=True)


def pairs(text: str, targets: np.ndarray) -> set[tuple[int, int]]:
    return {(int(q), int(k)) for q, k in zip(*np.nonzero(targets), strict=True)}


def test_targets_by_hand():
    assert pairs("abc", heads.previous_character("abc")) == {(1, 0), (2, 1)}
    assert pairs("abaa", heads.same_character_before("abaa")) == {(2, 0), (3, 0), (3, 2)}
    assert pairs("abcab", heads.induction("abcab")) == {(3, 1), (4, 2)}
    assert pairs("aab", heads.induction("aab")) == {(1, 1)}
    assert pairs("abc", heads.first_character("abc")) == {(1, 0), (2, 0)}
    assert pairs("an ox's", heads.start_of_word("an ox's")) == {(1, 0), (4, 3), (5, 3), (6, 3)}
    assert pairs("an ox's", heads.current_word("an ox's")) == {
        (1, 0),
        (4, 3),
        (5, 3),
        (5, 4),
        (6, 3),
        (6, 4),
        (6, 5),
    }
    assert pairs("a\n", heads.start_of_line("a\n")) == pairs("", heads.start_of_line("ab")) == set()
    # the line "a" starts before the text; "\n" ends the empty line; "cd" ends with the text
    assert pairs("a\n\ncd", heads.start_of_line("a\n\ncd")) == {(2, 1), (3, 2), (4, 2), (4, 3)}
    assert pairs("\nab\nc", heads.start_of_line("\nab\nc")) == {
        (1, 0),
        (2, 0),
        (2, 1),
        (3, 0),
        (3, 1),
        (4, 3),
    }


def test_speaker_names_are_lines_after_an_empty_one_that_end_with_a_colon():
    targets = heads.speaker_name(PLAY)
    named = "".join(c if looked_at else "_" for c, looked_at in zip(PLAY, targets[-1], strict=True))
    assert named.replace("_", "") == "ROMEO:First Lord:"
    first, second = PLAY.index("\n"), PLAY.index("First")
    assert not targets[:first].any()  # within a name nothing is asked for
    assert targets[first, :first].all() and not targets[first, first:].any()
    assert not targets[second : second + len("First Lord:")].any()


@pytest.mark.parametrize("key", heads.ROLES)
def test_attention_of_a_known_kind_scores_one_and_uniform_attention_scores_chance(key):
    targets = heads.ROLES[key].targets(PLAY)
    assert heads.score(looking_at(targets), targets) == pytest.approx(1)
    expected = heads.chance(targets)
    assert 0 < expected < 0.4
    assert heads.score(uniform(len(PLAY)), targets) == pytest.approx(expected)
    assert heads.excess(1.0, expected) == 1 and heads.excess(expected, expected) == 0
    assert not np.triu(targets, k=1).any()  # no role looks ahead


@pytest.mark.parametrize("key", heads.ROLES)
def test_a_head_of_a_known_kind_gets_its_role_and_a_uniform_one_none(key):
    chances = heads.chances(PLAY)
    found = heads.measure(looking_at(heads.ROLES[key].targets(PLAY)), PLAY)
    assert key in heads.roles(found, chances)
    assert all(heads.kl_divergence(found[other], chances[other]) >= 0 for other in heads.ROLES)
    assert heads.roles(heads.measure(uniform(len(PLAY)), PLAY), chances) == []


def test_the_threshold_decides():
    chances = dict.fromkeys(heads.ROLES, 0.1)
    enough = 0.1 + 0.9 * heads.THRESHOLD
    scores = dict.fromkeys(heads.ROLES, 0.1) | {"induction": enough + 1e-9, "start_of_line": enough - 1e-9}
    assert heads.roles(scores, chances) == ["induction"]
    assert heads.roles(scores | {"speaker_name": float("nan")}, chances) == ["induction"]


def test_the_narrower_of_two_roles_comes_first():
    chances = heads.chances(PLAY)
    found = heads.measure(looking_at(heads.start_of_word(PLAY)), PLAY)
    assert found["current_word"] == pytest.approx(found["start_of_word"]) == pytest.approx(1)
    assert heads.roles(found, chances)[:2] == ["start_of_word", "current_word"]
    assert heads.kl_divergence(1, 0.25) == pytest.approx(np.log(4))
    assert heads.kl_divergence(0.5, 0.25) == pytest.approx(0.5 * np.log(2) + 0.5 * np.log(2 / 3))
    assert heads.kl_divergence(0.2, 0.25) == 0


def test_shift_by_one():
    T = 12
    attention = looking_at(heads.previous_character("x" * T))
    assert heads.score(attention, heads.previous_character("x" * T)) == 1
    assert heads.mean_distance(attention) == 1
    assert heads.entropy(attention).max() == 0
    assert heads.weight_by_distance(attention)[1] == 1  # every row that has a previous character


def test_uniform_attention_has_entropy_one():
    T = 9
    np.testing.assert_allclose(heads.normalised_entropy(uniform(T)), 1)
    np.testing.assert_allclose(heads.entropy(uniform(T)), np.log(np.arange(1, T + 1)))
    np.testing.assert_allclose(heads.normalised_entropy(np.full((T, T), 1 / T), causal=False), 1)
    np.testing.assert_allclose(heads.mean_distance(uniform(T)), np.mean(np.arange(1, T) / 2))


def test_weight_by_distance_by_hand():
    attention = np.array([[1.0, 0, 0], [0.25, 0.75, 0], [0.5, 0.2, 0.3]])
    np.testing.assert_allclose(heads.weight_by_distance(attention), [2.05 / 3, 0.225, 0.5])


def test_hand_made_induction():
    text = "wxyzwxyz"
    attention = np.eye(8)
    for query in range(4, 8):
        attention[query] = np.eye(8)[query - 3]  # what followed the same character, one block earlier
    assert heads.score(attention, heads.induction(text)) == 1


def test_repeated_random_text():
    for length in (4, 9, 2 * len(VOCABULARY)):
        text = heads.repeated_random_text(VOCABULARY, length, np.random.default_rng(1))
        half = len(text) // 2
        assert len(text) == length // 2 * 2 and text[:half] == text[half:] and len(set(text)) == half
        assert (heads.induction(text).sum(-1)[half:] == 1).all()  # one place to copy from
    for length in (3, 2 * len(VOCABULARY) + 2):
        with pytest.raises(ValueError, match="from 4 to 131"):
            heads.repeated_random_text(VOCABULARY, length, np.random.default_rng(1))


def test_leading_dimensions_stay():
    rng = np.random.default_rng(0)
    attention = rng.random((2, 3, len(PLAY), len(PLAY))).astype(np.float32) * np.tri(
        len(PLAY), dtype=np.float32
    )
    attention /= attention.sum(-1, keepdims=True)
    told = heads.measure(attention, PLAY)
    assert all(value.shape == (2, 3) for value in told.values())
    one = heads.measure(attention[1, 2], PLAY)
    for key, value in told.items():
        assert one[key] == pytest.approx(value[1, 2], abs=1e-5), key
    assert heads.weight_by_distance(attention).shape == (2, 3, len(PLAY))


def test_a_text_that_cannot_show_a_role():
    told = heads.measure(np.ones((2, 2, 1, 1)), "a")
    assert told["mean_distance"].shape == (2, 2)
    assert all(np.isnan(told[key]).all() for key in heads.ROLES)
    assert np.isnan(told["entropy"]).all()
    assert np.isnan(heads.chance(heads.speaker_name("no name here")))
    assert heads.roles({key: told[key][0, 0] for key in heads.ROLES}, heads.chances("a")) == []


def test_on_this_text():
    T = len(PLAY)
    attention = np.stack([[looking_at(heads.previous_character(PLAY)), uniform(T)]])  # one layer of two heads
    table = [
        {"layer": 1, "head": 1, "role": "previous_character"},
        {"layer": 1, "head": 2, "role": "previous_character"},
        {"layer": 1, "head": 2, "role": None},
    ]
    does, does_not, nothing = heads.on_this_text(table, attention, PLAY)
    assert does["holds"] is True and does["score"] == pytest.approx(1)
    assert does_not["holds"] is False and does_not["score"] == pytest.approx(does_not["chance"])
    assert nothing["holds"] is None and nothing["role"] is None
    table = [{"layer": 1, "head": 1, "role": "speaker_name"}]
    assert heads.on_this_text(table, attention, "x" * T)[0]["holds"] is None


def test_measures_of_a_trace():
    t = sg.trace(small_gpt(context_length=64), TEXT)
    told = heads.measure(t.attention, t.characters)
    assert told["entropy"].shape == (3, 4)
    assert all(
        (told[key] >= 0).all() and (told[key] <= 1 + 1e-6).all()
        for key in heads.ROLES
        if key != "speaker_name"
    )
    assert (told["entropy"] <= 1 + 1e-6).all() and (told["mean_distance"] <= 63).all()


def test_a_table_made_from_another_checkpoint_is_not_used(tmp_path):
    model = small_gpt()
    path = tmp_path / "heads.json"
    assert heads.read_heads(model, path) is None
    path.write_text(json.dumps({"sha256": "a", "heads": []}))
    assert heads.read_heads(model, path) is None  # a model without a checkpoint
    model.checkpoint = Checkpoint("b", {})
    assert heads.read_heads(model, path) is None
    model.checkpoint = Checkpoint("a", {})
    assert heads.read_heads(model, path) == {"sha256": "a", "heads": []}
    path.write_text("[1")
    assert heads.read_heads(model, path) is None


# --- single rows ---------------------------------------------------------------------------------------------


def attention_of(T: int, *links: tuple[int, int, int, int, float]) -> np.ndarray:
    """(2, 2, T, T): each head looks at itself, but for the links (layer, head, query, key, weight)."""
    attention = np.tile(np.eye(T), (2, 2, 1, 1))
    for layer, head, query, key, weight in links:
        attention[layer, head, query] = 0
        attention[layer, head, query, key] = weight
        attention[layer, head, query, query] = 1 - weight
    return attention


def test_the_rows_in_which_a_head_does_what_its_role_says():
    attention = attention_of(6, (0, 0, 2, 0, 0.9), (0, 0, 5, 4, 0.6))
    rows = heads.as_its_role(attention[0, 0], "abc de", "start_of_word")
    assert rows.tolist() == [False, False, True, False, False, True]


def test_the_clearest_row_is_nearly_the_strongest_and_reaches_furthest_back():
    roles = {(0, 0): "start_of_word", (1, 1): "previous_character"}
    near = (1, 1, 1, 0, 0.99)  # 'b' looks at the 'a' before it
    far = (0, 0, 3, 0, 0.95)
    further_but_weak = (0, 0, 4, 0, 0.9)
    text = "abcde f"
    assert heads.clearest_row(attention_of(7, near, far, further_but_weak), text, roles) == (0, 0, 3)
    assert heads.clearest_row(attention_of(7, near, further_but_weak), text, roles) == (1, 1, 1)
    # A strong link that is not what the role says shows nothing of it.
    astray = (0, 0, 6, 0, 1.0)
    assert heads.clearest_row(attention_of(7, far, astray), text, roles) == (0, 0, 3)


def test_without_a_role_there_is_no_clearest_row():
    attention = attention_of(5, (0, 0, 3, 0, 0.9))
    assert heads.clearest_row(attention, "abcde", {}) is None
    assert heads.clearest_row(attention, "     ", {(0, 0): "start_of_word"}) is None
