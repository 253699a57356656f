"""The launched app, for the tests that need one; `from launched import ...` (see pyproject.toml)."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator

import gradio as gr
import httpx

from shakespeare_gpt.ui.demo import LAUNCH


def launch(demo: gr.Blocks) -> str:
    """The address of the demo, launched as app.py does it, on a free port; close it with demo.close()."""
    # A copy: Gradio writes into these arguments.
    options = {**LAUNCH, "app_kwargs": dict(LAUNCH["app_kwargs"])}
    with socket.socket() as free:  # Gradio's own search for one would meet the other test worker's
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    _, url, _ = demo.launch(
        prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", server_port=port, **options
    )
    return url


def post(address: str, body: object) -> httpx.Response:
    """Send JSON as JavaScript would write it, NaN and infinity included."""
    headers = {"Content-Type": "application/json"}
    return httpx.post(address, content=json.dumps(body), headers=headers, timeout=60)


def press(url: str, *data: object) -> Iterator[dict]:
    """Every message in answer to the Generate button, called through the queue as a browser does it."""
    dependencies = httpx.get(f"{url}config").json()["dependencies"]
    button = next(d["id"] for d in dependencies if d["api_name"] == "write")
    session = f"test-{time.monotonic_ns()}"
    body = {"data": list(data), "fn_index": button, "session_hash": session}
    joined = post(f"{url}gradio_api/queue/join", body)
    assert joined.status_code == 200, joined.text
    params = {"session_hash": session}
    with httpx.stream("GET", f"{url}gradio_api/queue/data", params=params, timeout=60) as events:
        for line in events.iter_lines():
            if line.startswith("data: "):
                yield json.loads(line[6:])


def eventually(condition: Callable[[], bool], seconds: float = 15) -> bool:
    """True as soon as the condition holds, False if it does not within so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()
