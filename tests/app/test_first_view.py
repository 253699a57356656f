"""What the page opens with says something, whatever checkpoint is bundled."""

from __future__ import annotations

import numpy as np
import pytest

import shakespeare_gpt as sg
from shakespeare_gpt.checkpoint import read_derived
from shakespeare_gpt.heads import HEADS, as_its_role
from shakespeare_gpt.model import GPT
from shakespeare_gpt.sampling import distribution
from shakespeare_gpt.trace import Trace
from shakespeare_gpt.ui.attention.payloads import as_role, first_choice, layer, roles_of
from shakespeare_gpt.ui.core.served import SHAKESPEARE
from support import small_gpt

FIRST = SHAKESPEARE["Romeo"]


@pytest.fixture(scope="module")
def first(model: GPT) -> Trace:
    return sg.trace(model, FIRST)


def test_the_first_text_ends_at_a_real_choice(first: Trace):
    assert distribution(first.logits[-1]).entropy >= 2.5  # bits, of what the model itself says


def test_the_first_view_shows_a_head_with_a_role_at_a_row_that_says_it_clearly(model: GPT, first: Trace):
    roles = roles_of(read_derived(model, HEADS))
    assert roles, "no head of this checkpoint has a role"
    chosen = first_choice(first, roles)
    place = (chosen["layer"] - 1, chosen["head"] - 1)
    row = chosen["position"] - 1 - first.start
    weights = first.attention[place]
    assert as_its_role(weights, first.characters, roles[place])[row]
    clear = [
        first.attention[at][as_its_role(first.attention[at], first.characters, role)].max(initial=0)
        for at, role in roles.items()
    ]
    assert weights[row].max() >= min(0.8, max(clear))
    # And the page is told that this row is one of them, so that its sentence can say so.
    told = layer(first, chosen["layer"], model, roles=roles)["as_role"][chosen["head"] - 1]
    assert told["role"] == roles[place] and told["rows"][row] == "1"


def test_where_nothing_was_measured_it_is_the_head_that_tells_most():
    seen = sg.trace(small_gpt(), "abcab")
    chosen = first_choice(seen, {})
    assert chosen["layer"] == 1 and chosen["position"] is None
    assert as_role(seen, 0, 0, {}) is None


def test_the_rows_that_are_as_the_role_says(first: Trace):
    told = as_role(first, 0, 0, {(0, 0): "previous_character"})
    strongest = first.attention[0, 0].argmax(axis=-1)
    expected = strongest == np.arange(len(strongest)) - 1
    assert told == {"role": "previous_character", "rows": "".join("01"[int(each)] for each in expected)}
