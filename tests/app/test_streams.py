"""Streams of events as they leave the app: nothing on the way may hold them back, and a stranger's gets a sentence."""

from __future__ import annotations

import json

import pytest

from launched import http


def read(address: str) -> tuple[dict, str]:
    answer = http.get(address)
    assert answer.status_code == 200
    return dict(answer.headers), answer.text


@pytest.mark.parametrize("path", ["queue/data?session_hash=nobody", "call/generate/0123456789abcdef"])
def test_who_asks_for_a_run_that_is_not_here_gets_a_sentence(url, path):
    """As with two copies of the app behind one address: it is no server that is gone, and the page keeps its text."""
    _, events = read(f"{url}gradio_api/{path}")
    first, *more = [json.loads(line[6:]) for line in events.splitlines() if line.startswith("data: ")]
    told = first if isinstance(first, str) else first["output"]["error"]
    assert [message["msg"] for message in more] == ([] if told is first else ["close_stream"])
    assert "does not know that run" in told and told.endswith(".")


def test_streams_say_that_they_are_not_to_be_held_back(url):
    for path in ("queue/data?session_hash=nobody", "call/generate/0123456789abcdef"):
        headers, _ = read(f"{url}gradio_api/{path}")
        assert headers["x-accel-buffering"] == "no" and "no-transform" in headers["cache-control"]
        assert "content-encoding" not in headers
