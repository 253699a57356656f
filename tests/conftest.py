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


# They skip where there is no browser, or no node with its packages; in CI they must run.
MAY_NOT_SKIP = {"browser", "javascript"}


def may_not_skip(report: pytest.TestReport | pytest.CollectReport, kinds: set[str]) -> None:
    """In CI a skip of a test of one of these kinds is a failure."""
    kinds &= MAY_NOT_SKIP
    if kinds and report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"Tests of the kind {kinds.pop()} may not be skipped in CI: {report.longrepr[2]}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    report = yield
    may_not_skip(report, {mark.name for mark in item.iter_markers()})
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector):
    report = yield
    may_not_skip(report, set(collector.path.parts))  # a whole file that skips itself
    return report
