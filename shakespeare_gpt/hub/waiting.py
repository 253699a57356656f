"""Wait until a Space runs what was uploaded, and if it does not, say why, with the last lines of the log that tells."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from shakespeare_gpt.hub.client import HubError, say

if TYPE_CHECKING:
    from huggingface_hub import HfApi, SpaceRuntime

START_MINUTES = 30  # the Hub marks a Space that is not up by then as unhealthy (`startup_duration_timeout`)
OLD_NEWS_SECONDS = 60.0  # how long a stage without a commit may still be that of the commit before
LOG_LINES = 20
WORDS = {
    "BUILDING": "The Space is being built.",
    "RUNNING_BUILDING": "The Space is being built; what was there before goes on running.",
    "APP_STARTING": "The Space is starting.",
    "RUNNING_APP_STARTING": "The Space is starting; what was there before goes on running.",
    "RUNNING": "The Space is running.",
    "SLEEPING": "The Space is asleep: it wakes when somebody opens it.",
}
UP = ("RUNNING", "SLEEPING")
# What went wrong, and where on the Space's page more is to be seen.
BUILD_LOG, APP_LOG, SETTINGS = "?logs=build", "?logs=container", "/settings"
FAILED = {
    "BUILD_ERROR": ("could not be built", BUILD_LOG),
    "RUNTIME_ERROR": ("was built, but its app stopped with an error", APP_LOG),
    "CONFIG_ERROR": ("has a README.md whose first lines the Hub does not accept", "/blob/main/README.md"),
    "NO_APP_FILE": ("has no app.py", "/tree/main"),
    "PAUSED": ("is paused: start it in its settings", SETTINGS),
    "STOPPED": ("is stopped: start it in its settings", SETTINGS),
    "DELETING": ("is being deleted", SETTINGS),
}


def wait_until_running(api: HfApi, repo: str, commit: str, sent: bool = True) -> None:
    """Wait until the Space runs this commit.

    The Hub says which commit it speaks of only of a Space that is built. Just after a commit it may still tell how the one
    before fares; so nothing of another commit counts, and what is said of none counts as a failure only when something has
    moved since, or it stays.

    Args:
        sent: there was a new commit; if not, all that is said is about it.

    Raises:
        HubError: it failed, or did not come up in time.
    """
    begun, told, pause, missed = time.monotonic(), "", 0.5, 0
    moved, since, last = not sent, begun, ""
    while time.monotonic() - begun < 60 * START_MINUTES:
        time.sleep(pause)
        pause = min(1.5 * pause, 10)
        runtime, missed = asked(api, repo, missed)
        if runtime is None:
            continue
        stage, sha = str(runtime.stage), runtime.raw.get("sha")
        if stage != last:
            last, since = stage, time.monotonic()
        ours = sha == commit or (not sha and not sent)
        if sha and not ours and "BUILDING" not in stage and "STARTING" not in stage:
            continue  # how the commit before fares
        moved = moved or ours or stage not in (*UP, *FAILED)
        if stage in UP:
            if ours:
                say(WORDS[stage])
                return
        elif stage in FAILED:
            if ours or moved or time.monotonic() - since > OLD_NEWS_SECONDS:
                raise HubError(failed(api, repo, stage, str(runtime.raw.get("errorMessage") or "")))
        elif WORDS.get(stage, stage) != told:
            told = WORDS.get(stage, f"The Space says: {stage.replace('_', ' ').lower()}.")
            say(told)
    raise HubError(
        f"The Space does not run commit {commit[:7]} after {START_MINUTES} minutes; the Hub may still bring it up. Its "
        f"logs are at {address(api, repo)}{APP_LOG}."
    )


def asked(api: HfApi, repo: str, missed: int) -> tuple[SpaceRuntime | None, int]:
    """How the Space fares, and how many questions in a row got lost: in minutes one may, and is no reason to give up."""
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.errors import HTTPError as ClientError

    try:
        return api.get_space_runtime(repo), 0
    except ClientError as error:
        status = error.response.status_code if isinstance(error, HfHubHTTPError) else 500
        if missed == 4 or (status < 500 and status not in (408, 429)):
            raise
        return None, missed + 1


def failed(api: HfApi, repo: str, stage: str, message: str) -> str:
    """One sentence about a Space that did not come up; the end of its log is told before."""
    what, place = FAILED[stage]
    if place in (BUILD_LOG, APP_LOG):
        for line in last_lines(api, repo, place == BUILD_LOG):
            say(f"    {line}")
    said = " ".join(message.split())
    return f"The Space {what}{f' ({said})' if said else ''}: see {address(api, repo)}{place}."


def last_lines(api: HfApi, repo: str, build: bool) -> list[str]:
    """The end of a log; nothing if the Hub does not give it."""
    try:
        return "".join(api.fetch_space_logs(repo, build=build)).splitlines()[-LOG_LINES:]
    except Exception:  # it is told beside what matters, which is not to be lost over it
        return []


def address(api: HfApi, repo: str) -> str:
    return f"{api.endpoint}/spaces/{repo}"
