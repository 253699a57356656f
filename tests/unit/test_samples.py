"""The measures of what the model writes."""

import pytest

from shakespeare_gpt.training.samples import distinct_share, longest_copy, word_share, words


def test_words_keep_their_apostrophes():
    assert words("'Tis o'er, my LORD--go!") == ["tis", "o'er", "my", "lord", "go"]


def test_word_share_leaves_out_a_word_cut_off_at_the_end():
    assert word_share("the king is de", {"the", "king", "is"}) == 1
    assert word_share("the blorp is de", {"the", "king", "is"}) == pytest.approx(2 / 3)
    assert word_share("", {"the"}) == word_share(" ", {"the"}) == 0


def test_distinct_share():
    assert distinct_share("a b c d e f g") == 1
    assert distinct_share("a b c d " * 10) == pytest.approx(4 / 37)


def test_longest_copy_equals_the_search_of_all_runs():
    source, text = "to be or not to be, that is the question", "xx not to bee, that is thy"
    every = [text[i:j] for i in range(len(text)) for j in range(i + 1, len(text) + 1) if text[i:j] in source]
    assert longest_copy(text, source) == max(every, key=len) == "e, that is th"
