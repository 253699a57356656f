"""What can go wrong on the way to the Hub: one sentence by its cause, and tried again where that helps."""

from __future__ import annotations

import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hub_server import Hub, Refusal, Repo
from hub_worker import environment, space


def test_without_a_token_it_says_how_to_get_one(worker, hub: Hub):
    for command in ("space", "model"):
        worker(command, "alice/demo", token=None).failed("No Hub token", "hf auth login", "HF_TOKEN")
    assert hub.requests == []


def test_a_token_that_the_hub_does_not_know(worker, hub: Hub):
    worker("space", "alice/demo", token="hf_wrong").failed("does not accept this token", "hf auth login")


@pytest.mark.parametrize("command", ["space", "model"])
def test_a_namespace_that_is_not_yours(worker, hub: Hub, command: str):
    worker(command, "mallory/demo").failed("mallory is not yours", "alice, globe")
    assert hub.repos == {}


@pytest.mark.parametrize("command", ["space", "model"])
def test_a_namespace_that_is_not_yours_for_a_token_that_may_not_say_whose_it_is(
    worker, hub: Hub, command: str
):
    hub.fail["GET /api/whoami-v2"] = Refusal(403, "This token may not do that")
    worker(command, "mallory/demo").failed("may not write to mallory/demo", "write access")


def test_somebody_elses_space_with_this_app(worker, hub: Hub):
    files = {"app.py": b"", "shakespeare_gpt/model.py": b""}
    hub.repos["space", "mallory/demo"] = Repo("space", dict(files))
    hub.fail["GET /api/whoami-v2"] = Refusal(403, "This token may not do that")
    worker("space", "mallory/demo", "--yes").failed("may not write to mallory/demo")
    assert space(hub, "mallory/demo").files == files


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("You don't have write access to this repo", ("may not write to alice/demo", "write access")),
        ("Private repository storage limit reached", ("no more room", "storage limit reached")),
        ("You have exceeded your quota of Spaces", ("no more room", "quota")),
        ("Access to this resource is disabled.", ("was disabled on the Hub",)),
        ("Not in your country", ("The Hub refuses this (Not in your country)",)),
    ],
)
def test_a_403_is_told_by_its_cause(worker, hub: Hub, said: str, words: tuple[str, ...]):
    hub.fail["POST .*/commit/main"] = Refusal(403, said)
    worker("space", "alice/demo").failed(*words)


@pytest.mark.parametrize(
    ("hardware", "words"),
    [
        ((), ("--hardware zero-a10g", "--static")),
        (("--hardware", "cpu-basic"), ("--hardware zero-a10g", "--static")),
        (("--hardware", "t4-small"), ("t4-small is paid by the hour", "billing", "zero-a10g")),
        (("--hardware", "zero-a10g"), ("pricing", "--static")),
    ],
)
def test_a_plan_that_does_not_allow_it(worker, hub: Hub, hardware: tuple[str, ...], words: tuple[str, ...]):
    hub.fail["POST /api/repos/create"] = Refusal(402, "Payment required")
    worker("space", "free/demo", *hardware, token="hf_free").failed("Payment required", *words)


def test_a_name_that_is_taken(worker, hub: Hub):
    hub.fail["POST /api/repos/create"] = Refusal(409, "You already created this space repo")
    worker("space", "alice/demo").failed("alice/demo is there already", "choose another name")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.parametrize("call", ["POST /api/repos/create", "POST .*/commit/main", "GET /api/whoami-v2"])
def test_a_hub_that_is_busy_is_asked_again(worker, hub: Hub, status: int, call: str):
    hub.fail[call] = [Refusal(status, "Not now") for _ in range(5)]
    result = worker("space", "alice/demo")
    assert result.code == 0, result
    assert re.findall(rf"The Hub answers {status}: once more in (\d) s", result.err) == [
        "1",
        "2",
        "4",
        "8",
        "8",
    ]
    assert len(hub.committed()) == 1 or call == "POST .*/commit/main"


def test_too_many_requests(worker, hub: Hub):
    hub.fail["POST /api/repos/create"] = [Refusal(429, "You have created 100 repos today") for _ in range(6)]
    worker("space", "alice/demo").failed("100 repos today", "try again in a few minutes")


def test_a_hub_that_stays_out_of_order(worker, hub: Hub):
    hub.fail["POST .*/commit/main"] = [Refusal(500, "Internal error") for _ in range(6)]
    worker("space", "alice/demo").failed("out of order (500: Internal error)", "status.huggingface.co")


@pytest.mark.parametrize("command", ["space", "model"])
def test_no_network(worker, hub: Hub, command: str):
    with hub.down():
        result = worker(command, "alice/demo")
    result.failed("Could not reach the Hub", "same command again")
    assert "once more" not in result.err, "nobody waits half a minute to hear that there is no network"


def test_the_network_fails_during_the_upload(worker, hub: Hub):
    hub.fail["POST .*/commit/main"] = [Refusal(0, "The line is cut") for _ in range(6)]
    worker("space", "alice/demo").failed("the Hub", "disconnected", "same command again")


def test_the_network_fails_while_the_weights_go_up(worker, hub: Hub):
    """The client hides the cause behind an error of its own."""
    hub.fail["PUT /lfs/.*"] = [Refusal(0, "The line is cut") for _ in range(60)]
    worker("space", "alice/demo").failed("broke during the upload", "disconnected", "same command again")


def test_a_commit_whose_answer_got_lost_is_not_made_twice(worker, hub: Hub):
    hub.fail["POST .*/commit/main"] = Refusal(0, "The line is cut")
    hub.late = True  # the stub commits before it breaks the line
    result = worker("space", "alice/demo")
    assert result.code == 0, result
    assert [commit.title for commit in space(hub).commits] == ["Shakespeare GPT", "initial commit"]


def test_a_log_in_page_of_a_network_is_recognised(worker, hub: Hub):
    hub.fail["GET /api/whoami-v2"] = Refusal(200, "", page=b"<html><body>Welcome to the hotel")
    worker("space", "alice/demo").failed("in the Hub's place", "open a browser")


def test_front_matter_that_the_hub_refuses(worker, hub: Hub, edit, project: Path):
    readme = (project / "README.md").read_bytes()
    edit("README.md", re.sub(rb"(?m)^colorFrom: .*$", b"colorFrom: mauve", readme))
    worker("space", "alice/demo").failed("README.md", "colorFrom")


@pytest.mark.parametrize("content", [b"# Shakespeare GPT\n", b"---\ntitle: x\n---\nsdk: gradio\n---\n", b""])
def test_a_readme_that_configures_no_space(worker, hub: Hub, edit, content: bytes):
    edit("README.md", content)
    worker("space", "alice/demo").failed("README.md", "sdk: gradio")
    assert hub.calls("POST .*") == []


@pytest.mark.parametrize("name", ["README.md", "app.py", "requirements.txt", "assets/model.safetensors"])
def test_a_file_that_is_missing_here(worker, hub: Hub, edit, name: str):
    edit(name, None)
    worker("space", "alice/demo").failed(Path(name).name)
    assert hub.calls("POST .*") == []


@pytest.mark.parametrize("command", ["space", "model"])
def test_a_checkpoint_that_is_damaged_stays_here(worker, hub: Hub, edit, project: Path, command: str):
    edit("assets/model.safetensors", (project / "assets/model.safetensors").read_bytes()[:1000])
    worker(command, "alice/demo").failed("model.safetensors", "damaged")
    assert hub.requests == []


@pytest.mark.parametrize(
    "name", ["demo", "a/b/c", "../x", "alice/", "/demo", "alice/de mo", "alice/" + "x" * 99]
)
def test_a_name_that_is_none(worker, hub: Hub, name: str):
    result = worker("space", name)
    assert result.code == 2 and "USER/NAME" in result.err and hub.requests == []


def test_help_tells_every_option_and_default(worker):
    result = worker("space", "--help")
    assert result.code == 0
    for option in (
        "--dry-run",
        "--private",
        "--hardware",
        "--update",
        "--yes",
        "--checkpoint",
        "--static",
        "--out",
    ):
        assert option in result.out
    assert "default:" in result.out
    assert "--hardware" not in worker("model", "--help").out


# Ctrl-C


def begin(folder: Path, home: Path, endpoint: str, *python: str) -> subprocess.Popen:
    """The command in a process of its own, as from a terminal.

    Args:
        python: options of Python's own.
    """
    return subprocess.Popen(
        [sys.executable, *python, "-m", "shakespeare_gpt.hub", "space", "alice/demo"],
        cwd=folder,
        env={**environment(home, endpoint), "HF_TOKEN": "hf_alice", "HF_HUB_DISABLE_PROGRESS_BARS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def interrupted(process: subprocess.Popen, ready: Callable[[], bool]) -> tuple[float, str]:
    """Press Ctrl-C when it is ready: how many seconds it took to end, and what it said but for the import times."""
    while not ready():
        assert process.poll() is None, process.communicate()
        select.select([], [], [], 0.01)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    took = time.monotonic() - begun
    assert process.returncode == 130, err
    said = [line for line in err.splitlines() if line and not line.startswith("import time:")]
    assert "Traceback" not in err
    return took, said[-1]


STOPPED = "Stopped. What the Hub has accepted stays there; the same command goes on from it."


def test_ctrl_c_while_it_begins(project: Path, tmp_path: Path):
    process = begin(project, tmp_path, "http://127.0.0.1:9", "-X", "importtime")
    assert process.stderr
    seen: list[str] = []

    def imports_torch() -> bool:
        seen.append(process.stderr.readline())
        return "torch" in seen[-1]

    took, said = interrupted(process, imports_torch)
    assert said == STOPPED and took < 2


@pytest.mark.parametrize("where", ["GET /api/whoami-v2", "PUT /lfs/.*", "POST .*/commit/main"])
def test_ctrl_c_while_the_hub_does_not_answer(
    server: Hub, hub: Hub, project: Path, tmp_path: Path, where: str
):
    """Also in an upload that hangs, which a thread of the client's waits for."""
    hub.hangs = where
    process = begin(project, tmp_path, hub.url)
    try:
        took, said = interrupted(process, lambda: hub.hanging.is_set())
    finally:
        hub.let_go()
    assert said == STOPPED and took < 2


def test_ctrl_c_while_it_waits_for_the_space(hub: Hub, project: Path, tmp_path: Path):
    hub.repos["space", "alice/demo"] = Repo("space", runtimes=[{"stage": "BUILDING"}])
    process = begin(project, tmp_path, hub.url)
    took, said = interrupted(process, lambda: len(hub.calls("GET .*/runtime")) > 2)
    assert said == STOPPED and took < 2
