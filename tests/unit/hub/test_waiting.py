"""Waiting for a Space: what the Hub says of another commit, or of none, is not taken for the fate of ours.

In answers that the production Hub has given, `sha` is there once a Space is built, and not before; the stub does as much.
"""

from __future__ import annotations

import itertools

import pytest

from hub_server import Hub, Repo

OLDER = "1" * 40


def waits(hub: Hub, *answers: str | dict) -> None:
    """A Space that answers so about how it fares, the first time when it is asked for its hardware."""
    told = [answer if isinstance(answer, dict) else {"stage": answer} for answer in answers]
    hub.repos["space", "alice/demo"] = Repo("space", runtimes=[{"stage": "RUNNING", "sha": OLDER}, *told])


def older(stage: str) -> dict:
    return {"stage": stage, "sha": OLDER}


def unknown(stage: str) -> dict:
    """Of no commit, where the Hub usually names one."""
    return {"stage": stage, "sha": None}


def told(err: str) -> list[str]:
    return [line for line in err.splitlines() if line.startswith("The Space")]


def test_it_waits_until_the_space_runs(worker, hub: Hub):
    waits(hub, "BUILDING", "BUILDING", "APP_STARTING", "RUNNING")
    result = worker("space", "alice/demo")
    assert (result.code, result.out) == (0, f"{hub.url}/spaces/alice/demo\n")
    assert told(result.err) == [
        "The Space is being built.",
        "The Space is starting.",
        "The Space is running.",
    ]


@pytest.mark.parametrize(
    "before",
    [
        [older("RUNNING")] * 60,  # for minutes
        [older("BUILD_ERROR"), older("RUNTIME_ERROR")],
        ["BUILD_ERROR"],  # of no commit, and soon no more
        ["NO_APP_FILE"],
        ["PAUSED"],
        [unknown("RUNNING"), unknown("RUNNING")],
        [older("RUNNING_BUILDING"), older("RUNNING_APP_STARTING")],
        [older("RUNNING"), "BUILDING", older("SLEEPING")],
    ],
    ids=lambda before: "-".join(str(b if isinstance(b, str) else b["stage"]) for b in before[:3]),
)
def test_what_is_said_of_the_commit_before_is_not_taken_for_ours(worker, hub: Hub, before: list):
    waits(hub, *before, "RUNNING")
    result = worker("space", "alice/demo")
    assert result.code == 0, result
    assert told(result.err)[-1] == "The Space is running."
    assert len(hub.calls("GET .*/runtime")) == len(before) + 2

    waits(hub, *before, "BUILDING", "BUILD_ERROR")
    worker("space", "alice/demo").failed("could not be built")


def test_a_build_error_counts_though_the_space_before_went_on_running(worker, hub: Hub):
    waits(hub, *[older("RUNNING")] * 30, "BUILD_ERROR")
    worker("space", "alice/demo").failed("could not be built")


def test_a_space_that_never_says_it_runs_this_commit_is_not_called_running(worker, hub: Hub):
    for answer in (older("RUNNING"), unknown("RUNNING"), unknown("SLEEPING")):
        waits(hub, answer)
        result = worker("space", "alice/demo")
        result.failed("does not run commit", "after 30 minutes", "?logs=container")
        assert "is running." not in result.err


def test_where_nothing_was_sent_what_is_said_is_about_what_is_there(worker, hub: Hub):
    assert worker("space", "alice/demo").code == 0
    repo = hub.repos["space", "alice/demo"]
    for stage in ("SLEEPING", "RUNNING"):
        repo.runtimes = [unknown(stage)]
        assert worker("space", "alice/demo").code == 0
    repo.runtimes = [{"stage": "PAUSED"}]
    worker("space", "alice/demo").failed("is paused")
    assert len(hub.committed()) == 1


def test_a_sleeping_space_is_up(worker, hub: Hub):
    waits(hub, "BUILDING", "SLEEPING")
    result = worker("space", "alice/demo")
    assert (
        result.code == 0 and told(result.err)[-1] == "The Space is asleep: it wakes when somebody opens it."
    )


def test_a_question_that_got_lost_does_not_end_the_wait(worker, hub: Hub):
    waits(hub, "BUILDING", {"fail": 503}, {"fail": 502}, {"fail": 429}, "RUNNING")
    assert worker("space", "alice/demo").code == 0
    waits(hub, "BUILDING", *[{"fail": 503}] * 5)
    worker("space", "alice/demo").failed("out of order (503")


@pytest.mark.parametrize(
    ("stage", "words", "place", "log"),
    [
        ("BUILD_ERROR", ("could not be built (no matching distribution)",), "?logs=build", "build"),
        ("RUNTIME_ERROR", ("was built, but its app stopped with an error",), "?logs=container", "run"),
        ("CONFIG_ERROR", ("README.md",), "/blob/main/README.md", None),
        ("NO_APP_FILE", ("has no app.py",), "/tree/main", None),
        ("PAUSED", ("is paused: start it in its settings",), "/settings", None),
    ],
)
def test_a_space_that_does_not_come_up_is_an_error_with_the_end_of_the_log_that_tells(
    worker, hub: Hub, stage: str, words: tuple[str, ...], place: str, log: str | None
):
    waits(hub, "BUILDING", {"stage": stage, "errorMessage": "no matching\ndistribution"})
    repo = hub.repos["space", "alice/demo"]
    repo.logs = {which: [f"{which} {number}" for number in range(50)] for which in ("build", "run")}
    result = worker("space", "alice/demo")
    result.failed(*words, f"{hub.url}/spaces/alice/demo{place}.")
    shown = [line.strip() for line in result.err.splitlines() if line.startswith("    ")]
    assert shown == ([f"{log} {number}" for number in range(30, 50)] if log else [])
    assert not [line for line, _ in itertools.pairwise(told(result.err)) if "error" in line]


def test_a_log_that_the_hub_does_not_give_hides_nothing(worker, hub: Hub):
    waits(hub, "BUILDING", "BUILD_ERROR")
    worker("space", "alice/demo").failed("could not be built", "?logs=build")
