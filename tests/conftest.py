"""What several test files share: small models, the bundled checkpoint, the corpus, and no skipping in CI."""

from __future__ import annotations

import os
from pathlib import Path

# Before gradio or huggingface_hub is imported: no test calls home.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("DO_NOT_TRACK", "1")

import pytest
import torch
from hypothesis import settings

import shakespeare_gpt as sg
from shakespeare_gpt.model import GPT
from shakespeare_gpt.tokenizer import Tokenizer
from support import VOCABULARY

# The models of the tests are too small to gain from a second thread, and waiting for it costs on a busy machine.
torch.set_num_threads(1)

# A shared machine may stall for a moment; a slow example is no bug. The same examples in every run.
settings.register_profile("shakespeare", deadline=None, derandomize=True)
settings.load_profile("shakespeare")


@pytest.fixture(scope="session")
def model() -> GPT:
    """The bundled checkpoint. Shared by all tests: do not change it."""
    return sg.load()


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return Tokenizer(VOCABULARY)


@pytest.fixture(scope="session")
def corpus() -> str:
    """The text of tiny-shakespeare, for tests of the corpus itself."""
    path = os.environ.get("SHAKESPEARE_CORPUS")
    if not path:
        pytest.skip("needs tiny-shakespeare: set SHAKESPEARE_CORPUS to the file")
    return Path(path).read_text(encoding="ascii")


# The files that take longest, the longest first: two processes that begin with them end at about the same time.
LONGEST = (
    "browser/test_page", "browser/test_writing", "browser/test_failures", "browser/test_what_if",
    "browser/test_take_away", "browser/test_links", "browser/test_model_tab", "browser/test_buttons",
    "browser/test_nginx", "browser/test_inside", "browser/test_maps", "browser/test_strip",
    "browser/test_lessons", "browser/test_lenses", "app/test_start", "app/test_space_starts", "app/test_abuse",
    "unit/test_training", "hub/test_space", "hub/test_problems", "hub/test_waiting", "hub/test_checkpoints",
    "hub/test_model", "unit/test_generation", "unit/test_distributed", "app/test_launched",
    "unit/test_training_evaluate", "unit/test_measure",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(f"{item.path.parent.name}/{item.path.stem}", len(place)))


def may_not_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Tests skip where there is no browser, no node or no corpus; in CI all are there, and a skip is a failure."""
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"Nothing may be skipped in CI: {report.longrepr[2]}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    report = yield
    may_not_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    report = yield
    may_not_skip(report)  # a whole file that skips itself
    return report
