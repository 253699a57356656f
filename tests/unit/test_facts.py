"""One owner for a fact: core/facts.py against what it is taken from, and against the style sheets, which cannot read it."""

from __future__ import annotations

import json
import re
from dataclasses import fields

import pytest

from shakespeare_gpt.heads import ROLES
from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.pictures import parts
from shakespeare_gpt.ui.attention.tab import LENSES, MAPS
from shakespeare_gpt.ui.core import facts, limits
from shakespeare_gpt.ui.core.served import served
from shakespeare_gpt.ui.demo import HELP
from shakespeare_gpt.ui.gradio_seam import files
from shakespeare_gpt.ui.text.next_character import NEXT_CHARACTER
from shakespeare_gpt.ui.text.tab import STRIP
from shakespeare_gpt.ui.what_if.tab import WITHOUT
from shakespeare_gpt.ui.writing.tab import SETTINGS
from support import VOCABULARY, small_gpt

STYLES = {name: files.source(name) for name in files.STYLES}


@pytest.fixture(scope="module")
def told():
    return facts.page_facts(small_gpt(), {"h2": ["A sentence."]}, served(small_gpt()))


def test_they_are_plain_json(told):
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_every_role_has_its_badge(told):
    assert list(told["roles"]) == list(ROLES) == list(facts.BADGES)
    badges = [role["badge"] for role in told["roles"].values()]
    assert len(set(badges)) == len(badges) and all(len(badge) <= 5 for badge in badges)


def test_every_field_of_an_intervention_has_its_words_and_its_kind(told):
    assert list(told["intervention"]) == [field.name for field in fields(Intervention)]
    everything = Intervention({(0, 0)}, True, True, True, True, {0}, {0}, {0}).to_json()
    for name, about in told["intervention"].items():
        shape = {"heads": [[1, 1]], "flag": True, "layers": [1]}[about["kind"]]
        assert everything[name] == shape and about["words"]


def test_the_usual_settings_are_in_their_range_and_the_outside_may_say_them(told):
    for name, setting in told["sampling"].items():
        assert setting["least"] <= setting["usual"] <= setting["most"], name
        assert told["view"]["sampling"][name] == setting["usual"]
    for end in ("least", "most", "usual"):
        values = {name: setting[end] for name, setting in told["sampling"].items()}
        limits.sampling(values["temperature"], values["top_k"], values["top_p"], len(VOCABULARY))
        limits.seed(values["seed"])


def test_the_view_begins_with_one_of_its_choices(told):
    for name, choices in told["choices"].items():
        assert told["view"][name] in choices
    assert told["choices"]["tab"] == told["tabs"]
    assert all(told["view"][name] is False for name in told["flags"])


def test_the_drawing_has_every_part(told):
    assert list(told["drawing"]) == list(parts(small_gpt().config))


def test_the_style_sheets_break_where_the_page_does():
    widths = {int(width) for text in STYLES.values() for width in re.findall(r"-width:\s*(\d+)px\)", text)}
    wanted = {facts.BREAKPOINTS[name] - 1 for name in ("narrow", "cards", "medium", "wide")}
    assert widths == wanted


def test_the_mark_of_the_style_sheets_is_the_page_s():
    said = [colour for text in STYLES.values() for colour in re.findall(r"--sg-mark:\s*(#\w+)", text)]
    assert said == [facts.MARK]
    assert not [name for name, text in STYLES.items() if text.count(facts.MARK) > text.count("--sg-mark:")]


def test_every_help_is_three_sentences_at_most():
    for selector, sentences in HELP.items():
        assert 1 <= len(sentences) <= 3, selector
        assert all(sentence == sentence.strip() and sentence[-1] in ".”" for sentence in sentences), selector


def test_the_templates_offer_the_choices_of_the_view():
    directions = re.findall(r'data-view="direction" value="([^"]+)"', STRIP)
    assert tuple(directions) == facts.CHOICES["direction"]
    for name in ("over", "scale"):
        (select,) = re.findall(rf'<select data-view="{name}".*?</select>', LENSES, re.DOTALL)
        assert tuple(re.findall(r'<option value="([^"]+)"', select)) == facts.CHOICES[name]
    for name in ("grid", "map"):
        assert tuple(re.findall(rf'data-view="{name}" value="([^"]+)"', MAPS)) == facts.CHOICES[name]
    assert tuple(re.findall(r'type="checkbox" data-view="([^"]+)"', LENSES + MAPS)) == facts.FLAGS
    assert f"Keep what carries {facts.KEEP_MOST:.0%}" in LENSES


def test_every_setting_has_one_control_and_is_explained(told):
    beside = re.findall(
        r'<label>.*? (?:type="\w+" )?data-setting="(\w+)".*?<span>([^<]+)</span>', SETTINGS, re.DOTALL
    )
    bars = re.findall(
        r'<label>([\w-]+) <output></output><input type="range" data-setting="(\w+)">', NEXT_CHARACTER
    )
    assert sorted([name for name, _ in beside] + [name for _, name in bars]) == sorted(told["sampling"])
    assert all(sentence for _, sentence in beside)
    explained = " ".join(HELP["#next-heading"])
    assert all(label in explained for label, _ in bars)


def test_the_switches_of_the_whole_model_are_the_flags(told):
    flags = [name for name, about in told["intervention"].items() if about["kind"] == "flag"]
    assert list(WITHOUT) == flags
