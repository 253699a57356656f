"""The app in this process, and the app launched on a free port: one of each for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest
from gradio_client import Client
from starlette.testclient import TestClient

from launched import connect, launch, pen  # noqa: F401
from shakespeare_gpt.model import GPT
from shakespeare_gpt.ui.demo import build_demo
from shakespeare_gpt.ui.gradio_seam.page import Page


@pytest.fixture(scope="session", autouse=True)
def temporary_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Gradio's folder for uploads, so that a test can see what was left there."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("gradio")
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        yield folder


@pytest.fixture(scope="session")
def demo(model: GPT) -> Page:
    return build_demo(model)


@pytest.fixture(scope="session")
def http(demo: Page) -> TestClient:
    """Requests to the app without a port."""
    app = gr.routes.App.create_app(demo, app_kwargs=demo.app_kwargs())
    return TestClient(app)


@pytest.fixture(scope="session")
def url(model: GPT) -> Iterator[str]:
    demo = build_demo(model)
    yield launch(demo)
    demo.close()


@pytest.fixture(scope="session")
def client(url: str) -> Client:
    return connect(url)
