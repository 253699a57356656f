"""A real MCP client uses the launched app as tools, as an assistant would."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

import shakespeare_gpt as sg
from launched import launch
from shakespeare_gpt.ui.demo import build_demo
from support import run

pytest.importorskip("mcp", reason="needs gradio[mcp]")

from mcp import ClientSession, types
from mcp.client.streamable_http import streamable_http_client


def session(url: str, use: Callable[[ClientSession], Awaitable[Any]]) -> Any:
    """Open a session with the app's MCP server, use it, and return what that gives."""

    async def visit() -> Any:
        async with (
            streamable_http_client(f"{url}gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as opened,
        ):
            await opened.initialize()
            return await use(opened)

    return run(asyncio.wait_for(visit(), 120))


def call(url: str, tool: str, **arguments: Any) -> types.CallToolResult:
    return session(url, lambda opened: opened.call_tool(tool, arguments))


def text(result: types.CallToolResult) -> str:
    [content] = result.content
    return content.text


@pytest.fixture(scope="module")
def url(model) -> Iterator[str]:
    """The address of the demo, launched as the README says."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_MCP_SERVER", "True")
        demo = build_demo(model)
        yield launch(demo)
        demo.close()


@pytest.fixture(scope="module")
def tools(url: str) -> dict[str, types.Tool]:
    return {tool.name: tool for tool in session(url, lambda opened: opened.list_tools()).tools}


def test_three_tools_are_there_and_explain_themselves(tools: dict[str, types.Tool]):
    parameters = {
        "generate": ["prompt", "max_new_tokens", "temperature", "top_k", "top_p", "seed"],
        "attention": ["text", "layer", "head"],
        "effects": ["text", "position"],
    }
    assert set(tools) == set(parameters)  # and none of the page's own
    for name, names in parameters.items():
        tool = tools[name]
        assert len(tool.description) > 60
        properties = tool.inputSchema["properties"]
        assert list(properties) == names
        assert tool.inputSchema["required"] == names[:1]
        for parameter in names:
            assert len(properties[parameter].get("description", "")) > 15, (
                f"{name}: {parameter} is not explained"
            )
    kinds = {name: property["type"] for name, property in tools["generate"].inputSchema["properties"].items()}
    assert kinds == {
        "prompt": "string",
        "max_new_tokens": "integer",
        "temperature": "number",
        "top_k": "integer",
        "top_p": "number",
        "seed": "integer",
    }


def test_generate_writes_what_the_model_writes(url: str, model):
    result = call(url, "generate", prompt="ROMEO:", max_new_tokens=30, temperature=0.8, seed=7)
    assert not result.isError, text(result)
    expected = "ROMEO:" + sg.generate(model, "ROMEO:", 30, temperature=0.8, seed=7)
    assert text(result) == expected


def test_generate_needs_only_a_prompt(url: str):
    result = call(url, "generate", prompt="O ")
    assert not result.isError and len(text(result)) == 2 + 200


def test_attention_answers_with_the_models_weights(url: str, model):
    result = call(url, "attention", text="ROMEO:", layer=2, head=3)
    assert not result.isError, text(result)
    answer = ast.literal_eval(text(result))  # Gradio hands a dict over as Python writes it
    expected = sg.trace(model, "ROMEO:")
    assert answer["characters"] == expected.characters
    assert (answer["layer"], answer["head"], answer["start"]) == (2, 3, 1)
    for row, true in zip(answer["weights"], expected.attention[1, 2].tolist(), strict=True):
        assert row == pytest.approx(true, abs=1e-6)


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("generate", {"prompt": "x", "temperature": 99}, "temperature must be a number from 0 to 5"),
        ("generate", {"prompt": "x" * 2001}, "at most 2,000"),
        ("attention", {"text": "x", "layer": 99}, "layer must be a whole number from 1 to"),
        ("attention", {"text": "x", "head": 0}, "head must be a whole number from 1 to"),
    ],
)
def test_what_is_refused_is_explained(url: str, tool: str, arguments: dict[str, Any], words: str):
    result = call(url, tool, **arguments)
    assert result.isError
    assert words in text(result) and "Traceback" not in text(result)


def test_a_client_that_asks_for_progress_hears_of_it(url: str):
    heard = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        heard.append(message)

    async def use(opened: ClientSession) -> types.CallToolResult:
        arguments = {"prompt": "ROMEO:", "max_new_tokens": 300, "seed": 7}
        return await opened.call_tool("generate", arguments, progress_callback=progress)

    result = session(url, use)
    assert not result.isError and text(result).startswith("ROMEO:")
    assert heard
