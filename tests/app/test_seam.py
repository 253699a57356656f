"""What this app overrides and uses of Gradio's insides: if it goes, importing the page fails, with a sentence."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import gradio as gr
import gradio.blocks
import gradio.components
import gradio.route_utils
import httpx
import pytest
from gradio.state_holder import SessionState

from shakespeare_gpt.ui.gradio_seam import document, page


class Without:
    """Nothing that is looked for."""


def renamed(name: str) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patch: patch.delattr(gr.Blocks, name)


def other(name: str, instead: object) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patch: patch.setattr(gr.Blocks, name, instead)


async def awaited(self, block_fn, inputs):
    """As validate_inputs, but nobody who does not wait for it would have an answer."""


def swapped(self, inputs, block_fn):
    """As validate_inputs, with its parameters in another order."""


async def unchecked(self, block_fn, inputs, state):
    """As preprocess_data, which no longer looks at what comes in."""


def module(owner: object, name: str, instead: object) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patch: patch.setattr(owner, name, instead)


GONE = {
    **{name: (renamed(name), name) for name in (*page.OVERRIDDEN, "preprocess_data")},
    **{f"{name} takes other things": (other(name, lambda: None), name) for name in page.OVERRIDDEN},
    "validate_inputs is awaited": (other("validate_inputs", awaited), "validate_inputs"),
    "validate_inputs has another order": (other("validate_inputs", swapped), "validate_inputs"),
    "nobody calls validate_inputs": (other("preprocess_data", unchecked), "validate_inputs"),
    "_Keywords": (module(gradio.components, "_Keywords", None), "_Keywords"),
    "FINISHED_ITERATING": (module(gradio.components, "_Keywords", Without), "FINISHED_ITERATING"),
    "what a component was built with": (module(gradio.blocks, "Block", Without), "Block.get_config"),
    "BlockFunction": (module(gradio.blocks, "BlockFunction", Without), "BlockFunction"),
    "Component": (module(gradio.components, "Component", Without), "Component"),
    "the prefix of the routes": (module(gradio.route_utils, "API_PREFIX", "/api"), "API_PREFIX"),
}


@pytest.mark.parametrize("case", GONE)
def test_what_gradio_no_longer_has_stops_the_import(case, monkeypatch):
    change, named = GONE[case]
    change(monkeypatch)
    spec = importlib.util.spec_from_file_location("page_again", page.__file__)
    with pytest.raises(RuntimeError) as stopped:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    told = str(stopped.value)
    assert named in told and gr.__version__ in told and "requirements.txt" in told
    assert "\n" not in told


def test_this_gradio_has_it_all():
    page.check()


def test_the_document_has_the_places_of_what_we_write_into_it(url):
    """Ours comes before Gradio's own scripts, and after what says to which address ours are relative."""
    text = httpx.get(url).text
    parts = (
        "<base ",
        "page.css",
        "page-facts",
        "gradio_config",
        "<noscript>",
        "async src=",
        'id="opening"',
        "<gradio-app",
    )
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    bare = b"<html><head></head><body></body></html>"
    assert document.completed(bare, "<title>x</title>", "<p>y</p>") == bare


def test_a_new_visitor_makes_gradio_ask_no_component_again(
    demo: page.Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    built_with = {key: type(block).get_config(block) for key, block in demo.blocks.items()}
    monkeypatch.setattr(gradio.blocks.Block, "get_config", None)
    one, other = SessionState(demo).config_values, SessionState(demo).config_values
    for key, props in built_with.items():
        told = {name: value for name, value in props.items() if value is not None}
        assert {**one[key]["props"], **told} == one[key]["props"]
    for config in one.values():
        config["props"]["value"] = "of this visitor alone"
    assert "of this visitor alone" not in [config["props"].get("value") for config in other.values()]


def test_gradio_looks_for_no_matplotlib_where_there_is_none(url: str) -> None:
    assert importlib.util.find_spec("matplotlib") is None
    with pytest.raises(ImportError, match="halted"):
        import matplotlib  # noqa: F401
