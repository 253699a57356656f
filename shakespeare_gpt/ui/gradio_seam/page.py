"""The page as Gradio's Blocks, with what Gradio does otherwise overridden; and a check that it still can be.

Gradio promises nothing about what is overridden and used here. So this module looks at it when it is imported: a
Gradio without, say, `validate_inputs` must not leave the door open that this app closes there.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from functools import partial
from typing import Any

import gradio as gr
import gradio.blocks
import gradio.components
import gradio.route_utils

from shakespeare_gpt.ui.core import limits
from shakespeare_gpt.ui.gradio_seam import document, files, guard, pieces
from shakespeare_gpt.ui.gradio_seam.guard import PREFIX

TESTED = "6.24 to 6.31"  # versions of Gradio
# What Page overrides: the first parameters, in order, and whether it is awaited.
OVERRIDDEN = {
    "validate_inputs": (("self", "block_fn", "inputs"), False),
    "postprocess_data": (("self", "block_fn", "predictions", "state"), True),
    "process_api": (("self", "block_fn"), True),
    "get_config_file": (("self",), False),
    "launch": (("self",), False),
}


def check() -> None:
    """RuntimeError, with a sentence, if Gradio no longer has what this package overrides and uses."""
    blocks = {name: getattr(gr.Blocks, name, None) for name in (*OVERRIDDEN, "preprocess_data")}
    for name, (first, awaited) in OVERRIDDEN.items():
        found = tuple(parameters(blocks[name]))
        alike = found[: len(first)] == first and inspect.iscoroutinefunction(blocks[name]) == awaited
        require(alike, f"Blocks.{name}({', '.join(first)})")
    code = getattr(blocks["preprocess_data"], "__code__", None)
    calls = code is not None and "validate_inputs" in code.co_names
    require(calls, "Blocks.preprocess_data that calls validate_inputs")
    require("root_path" in parameters(blocks["process_api"]), "Blocks.process_api(root_path=)")
    require("app_kwargs" in parameters(blocks["launch"]), "Blocks.launch(app_kwargs=)")
    called = {"fn", "inputs", "postprocess"} <= set(parameters(getattr(gradio.blocks, "BlockFunction", None)))
    require(called, "BlockFunction(fn=, inputs=, postprocess=)")
    block = getattr(gradio.blocks, "Block", None)
    require(hasattr(block, "get_config"), "Block.get_config()")
    component = getattr(gradio.components, "Component", None)
    require("value" in parameters(component), "Component(value=)")
    keywords = getattr(gradio.components, "_Keywords", None)
    require(hasattr(keywords, "FINISHED_ITERATING"), "_Keywords.FINISHED_ITERATING")
    prefix = getattr(gradio.route_utils, "API_PREFIX", None)
    require(prefix == PREFIX, f'route_utils.API_PREFIX = "{PREFIX}"')


def parameters(function: Any) -> list[str]:
    """The names of what a function takes; none if there is no such function."""
    return list(inspect.signature(function).parameters) if callable(function) else []


def require(there: bool, what: str) -> None:
    if not there:
        raise RuntimeError(
            f"This Gradio ({gr.__version__}) has no {what} as this app knows it, so its inputs would go unchecked. "
            f"Install the version that requirements.txt names (tested: {TESTED}), or adapt ui/gradio_seam/page.py."
        )


check()

FINISHED = gradio.components._Keywords.FINISHED_ITERATING  # what a stream tells after its last piece


class Page(gr.Blocks):
    """Blocks that look at a call's inputs before Gradio does, and spare it the answers of `gr.api` functions.

    The last inputs may be left out: they take their defaults, as in Python. Answers are JSON as they stand;
    Gradio would look for files in them, number by number (60 ms of a map's 100), and keep the latest of each
    visitor.
    """

    facts: dict[str, Any]  # what the browser is told before anything else: core/facts.py
    opening: document.Opening  # and what it shows

    def __exit__(self, *raised: Any) -> None:
        """The page is built. For each new visitor, and each call of a program, Gradio asks every component what it was
        built with, which takes it a few milliseconds; so each remembers what it said.
        """
        super().__exit__(*raised)
        for block in () if any(raised) else self.blocks.values():
            block.get_config = partial(dict, block.get_config())  # type: ignore[method-assign]

    def validate_inputs(self, block_fn: Any, inputs: list[Any]) -> None:
        expected = block_fn.inputs
        if len(inputs) > len(expected):
            raise limits.Refused(f"This call takes at most {len(expected)} values.")
        limits.plain(inputs)
        inputs.extend(block.value for block in expected[len(inputs) :])

    async def postprocess_data(self, block_fn: Any, predictions: Any, state: Any) -> list[Any]:
        if block_fn.postprocess or predictions is FINISHED:
            return await super().postprocess_data(block_fn, predictions, state)
        return [predictions]

    async def process_api(self, block_fn: Any, *args: Any, **how: Any) -> dict[str, Any]:
        if not block_fn.postprocess:
            how["root_path"] = None  # of files, again
        try:
            if block_fn.fn is None:
                raise limits.Refused("What this button does, it does in the browser.")
            return await super().process_api(block_fn, *args, **how)
        except limits.Refused:
            guard.note_refusal()
            raise

    def get_config_file(self) -> Any:
        """What the browser builds the page from, and Gradio's clients know of the endpoints.

        The browser would build something of each input of a `gr.api` function too, and look at every function once more
        for each part of the page: those that no program is told of, and no event calls, are left out.
        """
        config: Any = super().get_config_file()
        inputs = {one["id"]: one["props"] for one in config["components"] if one["type"] == "api"}
        for props in inputs.values():
            props["visible"] = False  # or it would wait for them
        for layout in (config["layout"], *(page["layout"] for page in config["page"].values())):
            layout["children"] = [part for part in layout["children"] if part["id"] not in inputs]
        config["dependencies"] = [
            function
            for function in config["dependencies"]
            if function["targets"] or function["api_visibility"] != "undocumented"
        ]
        return config

    def told(self) -> dict[str, Any]:
        """What the pieces of the page are told, by their names."""
        return pieces.told_to(self.blocks.values())

    def app_kwargs(self) -> dict[str, Any]:
        """What stands around Gradio's app, and what of this page is served beside it: see guard.py."""
        told = files.Told(self.told())
        tags = document.head(str(self.title), self.opening.description, self.facts, told)
        return guard.options(tags, self.opening.html(str(self.title)), told)

    def launch(self, *args: Any, **how: Any) -> Any:
        # Before and after every event Gradio tries to import matplotlib. Where there is none it would be looked for on
        # the disk each time, a quarter of all that Gradio does while a class writes.
        if importlib.util.find_spec("matplotlib") is None:
            sys.modules.setdefault("matplotlib", None)  # type: ignore[arg-type]
        return super().launch(*args, **{"app_kwargs": self.app_kwargs(), **how})
