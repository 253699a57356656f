"""The Hub's client: who we are there, what is tried again, and what went wrong in one sentence by its cause."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

Answer = TypeVar("Answer")
# What huggingface_hub does for the calls that it tries again itself (utils.http_backoff), for those that it does not.
AGAIN = (408, 429, 500, 502, 503, 504)
TRIES, FIRST_PAUSE, LONGEST_PAUSE = 6, 1.0, 8.0  # s
PATIENCE = 60.0  # s, if the Hub names a pause: for a longer one the command is left to be called later


class HubError(RuntimeError):
    """Something on the way to the Hub that a person can put right; the message says how."""


def say(line: str) -> None:
    """Tell how it goes, beside the standard output: that is for the result."""
    print(line, file=sys.stderr, flush=True)


def connect(repo: str) -> HfApi:
    """The Hub's client, once there is a token and it may write to the repo's namespace, as far as one can tell."""
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.errors import HfHubHTTPError

    if get_token() is None:
        raise HubError(
            "No Hub token: log in with `hf auth login`, or set HF_TOKEN to a token with write access "
            "(huggingface.co/settings/tokens)."
        )
    api = HfApi(library_name="shakespeare-gpt")
    try:
        who = again(api.whoami, lost_too=False)
    except HfHubHTTPError as error:
        if error.response.status_code != 403:
            raise
        return api  # a narrow token may not ask who it is; whether it may write, the Hub says when it does
    names = [who["name"], *(organisation["name"] for organisation in who.get("orgs", []))]
    if repo.split("/")[0].lower() not in [name.lower() for name in names]:
        raise HubError(
            f"{repo.split('/')[0]} is not yours to write to: this token may write to {', '.join(names)}."
        )
    return api


def again(call: Callable[..., Answer], *args: Any, lost_too: bool = True, **how: Any) -> Answer:
    """The call's answer; the call is repeated while the Hub is busy or out of order.

    Args:
        lost_too: also where there was no answer, because the connection broke.
    """
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.errors import HTTPError as ClientError

    pause = FIRST_PAUSE
    for left in range(TRIES - 1, -1, -1):
        try:
            return call(*args, **how)
        except HfHubHTTPError as error:
            status, wait = error.response.status_code, asked_to_wait(error) or pause
            if status not in AGAIN or not left or wait > PATIENCE:
                raise
            say(f"The Hub answers {status}: once more in {wait:.0f} s ...")
        except ClientError:
            if not left or not lost_too:
                raise
            wait = pause
            say(f"The connection broke: once more in {wait:.0f} s ...")
        time.sleep(wait)
        pause = min(2 * pause, LONGEST_PAUSE)
    raise AssertionError  # the last try returns or raises


def asked_to_wait(error: HfHubHTTPError) -> float | None:
    """Seconds, if the answer names them."""
    said = error.response.headers.get("Retry-After", "")
    return float(said) if said.isdigit() else None


@contextmanager
def explained(repo: str, hardware: str | None = None) -> Iterator[None]:
    """Turn what the Hub's client raises into a HubError of one sentence."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
    from huggingface_hub.errors import HTTPError as ClientError  # of the HTTP library that the client uses

    try:
        yield
    except HubError:
        raise
    except Exception as error:
        cause = (
            first(error, (HfHubHTTPError, OfflineModeIsEnabled, ClientError, json.JSONDecodeError)) or error
        )
        if isinstance(error, ValueError) and not isinstance(error, (HfHubHTTPError, json.JSONDecodeError)):
            raise HubError(
                f"The upload failed: {one_line(error)}."
            ) from error  # the client's own words, of README.md
        if isinstance(cause, HfHubHTTPError):
            raise HubError(refused(cause, repo, hardware)) from error
        if isinstance(cause, OfflineModeIsEnabled):
            raise HubError("HF_HUB_OFFLINE is set: unset it to reach the Hub.") from error
        if isinstance(cause, ClientError):
            when = (
                "The connection to the Hub broke during the upload"
                if cause is not error
                else "Could not reach the Hub"
            )
            raise HubError(
                f"{when} ({one_line(cause)}): check it, and give the same command again."
            ) from error
        if isinstance(cause, json.JSONDecodeError):
            raise HubError(
                "Something answered in the Hub's place, with a page instead of data, as the log-in page of a network "
                "does: open a browser, log in there, and give the same command again."
            ) from error
        if isinstance(cause, (OSError, RuntimeError)):
            raise HubError(f"The upload failed: {one_line(cause)}.") from error
        raise


def first(error: BaseException | None, kinds: tuple[type[BaseException], ...]) -> BaseException | None:
    """The error, or the nearest of those that brought it about, that is of one of the kinds."""
    while error is not None and not isinstance(error, kinds):
        error = error.__cause__ or error.__context__
    return error


def one_line(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def refused(error: HfHubHTTPError, repo: str, hardware: str | None) -> str:
    """One sentence about an answer that is a refusal: what the Hub said, and what to do."""
    status = error.response.status_code
    said = " ".join((error.server_message or error.response.reason_phrase).split()).rstrip(".")
    if status == 401:
        return (
            f"The Hub does not accept this token ({said}): log in again with `hf auth login`, or set HF_TOKEN to a valid "
            "one."
        )
    if status == 402:
        return f"The Hub wants to be paid for this ({said}){affordable(hardware)}."
    if status == 403:
        return forbidden(said, repo)
    if status == 404:
        return f"The Hub has no {repo}, or this token may not see it ({said})."
    if status == 409:
        return (
            f"{repo} is there already, but this token may not see it, or somebody has just made it ({said}): choose "
            "another name, or a token that may read it."
        )
    if status == 412:
        return (
            f"Somebody changed {repo} just now ({said}): give the same command again, to see what is there."
        )
    if status == 429:
        return f"The Hub asks for a pause ({said}): try again in a few minutes."
    if status >= 500:
        return f"The Hub is out of order ({status}: {said}): try again later; status.huggingface.co tells how it is."
    return f"The Hub answered {status} to {error.response.url.path} ({said})."


def affordable(hardware: str | None) -> str:
    """What else there is, for who may not have this hardware."""
    if (hardware or "").startswith("zero"):
        return ": see huggingface.co/pricing, or publish a Space without a server, with --static"
    if not hardware or hardware == "cpu-basic":
        return ": a free account can use --hardware zero-a10g, or --static"
    return f": {hardware} is paid by the hour (huggingface.co/settings/billing); a free account can use zero-a10g"


def forbidden(said: str, repo: str) -> str:
    """Why, as far as the Hub's words tell."""
    words = said.lower()
    if "disabled" in words:
        return f"{repo} was disabled on the Hub ({said}): its page says why."
    if any(word in words for word in ("storage", "quota", "limit", "exceed", "too many")):
        return (
            f"The Hub has no more room for you ({said}): delete what you no longer need, or change the plan."
        )
    if any(
        word in words for word in ("write", "right", "permission", "token", "authoriz", "namespace", "role")
    ):
        return (
            f"This token may not write to {repo} ({said}): the namespace must be you or an organisation of yours, and the "
            "token needs write access."
        )
    return f"The Hub refuses this ({said})."
