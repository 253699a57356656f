"""The app in this process, and the app launched on a free port: one of each for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr
import pytest
from gradio_client import Client
from starlette.testclient import TestClient

from launched import connect, launch, pen  # noqa: F401
from shakespeare_gpt.model import GPT
from shakespeare_gpt.ui.demo import LAUNCH, build_demo


@pytest.fixture(scope="session", autouse=True)
def temporary_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Gradio's folder for uploads, so that a test can see what was left there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("gradio")))
        yield


@pytest.fixture(scope="session")
def demo(model: GPT) -> gr.Blocks:
    return build_demo(model)


@pytest.fixture(scope="session")
def http(demo: gr.Blocks) -> TestClient:
    """Requests to the app without a port."""
    # A copy: Gradio writes into the arguments.
    app = gr.routes.App.create_app(demo, app_kwargs=dict(LAUNCH["app_kwargs"]))
    return TestClient(app)


@pytest.fixture(scope="session")
def url(model: GPT) -> Iterator[str]:
    demo = build_demo(model)
    yield launch(demo)
    demo.close()


@pytest.fixture(scope="session")
def client(url: str) -> Client:
    return connect(url)
