"""The command line: what is asked for, and in which order it is done."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from shakespeare_gpt.hub.card import model_files
from shakespeare_gpt.hub.client import HubError, again, connect, explained, say
from shakespeare_gpt.hub.files import OUR_KIND, about_torch, chosen, missing, space_files
from shakespeare_gpt.hub.plan import FROM_THE_HUB, TITLE, Plan, There, agreed, look, plan
from shakespeare_gpt.hub.static import static_files
from shakespeare_gpt.hub.waiting import address, wait_until_running

if TYPE_CHECKING:
    from huggingface_hub import (
        CommitOperationAdd,
        CommitOperationCopy,
        CommitOperationDelete,
        HfApi,
        SpaceHardware,
    )

THIS_APP = {"app.py", "shakespeare_gpt/model.py"}
THIS_EXPLORER = {"index.html", "README.md"}


def publish_space(args: argparse.Namespace) -> str | None:
    """Create or update a Space, wait until it runs, and return its address; None for a dry run.

    Raises:
        HubError: it did not work; the message says why and what to do.
    """
    checkpoint = chosen(args.checkpoint)
    lacks = missing(checkpoint)
    if lacks:
        say(
            f"{checkpoint.folder} has no {', '.join(lacks)} of its checkpoint, and the page will do without; what can be "
            f"measured makes `python -m shakespeare_gpt.training.measure {checkpoint.folder}`."
        )
    with explained(args.repo, args.hardware):
        api, there = arrive(args, "space")
        runtime = again(api.get_space_runtime, args.repo) if api and there else None
        present = (runtime.requested_hardware or runtime.hardware) if runtime else None
        hardware = args.hardware or present
        models = also_there(api, args.repo, "model")
        files = space_files(checkpoint, args.repo, hardware, models)
        made = plan(
            files, there, {path: bool(OUR_KIND.fullmatch(path)) for path in (there.files if there else ())}
        )
        if args.dry_run:
            say(about_torch(files, hardware))
            show(made)
            return None
        assert api
        if there and not (
            there.files.keys() >= THIS_APP or there.files.keys() <= FROM_THE_HUB or args.update
        ):
            raise HubError(
                f"The Space {args.repo} exists and is not this app: choose another name, or add --update to replace it."
            )
        agreed(made, args.repo, args.yes)
        say(about_torch(files, hardware))
        if there is None:
            there = create(api, args, "space", space_sdk="gradio", space_hardware=args.hardware)
        else:
            if args.private:
                again(api.update_repo_settings, args.repo, repo_type="space", private=True)
            if args.hardware and args.hardware != present:
                again(api.request_space_hardware, args.repo, cast("SpaceHardware", args.hardware))
        commit = upload(api, args.repo, "space", made, there)
        wait_until_running(api, args.repo, commit, sent=commit != there.head)
        return address(api, args.repo)


def publish_static(args: argparse.Namespace) -> str | None:
    """Create or update a static Space with the explorer of a few texts, and return its address; or write it to a folder.

    Raises:
        HubError: it did not work; the message says why and what to do.
    """
    if args.hardware:
        raise HubError("A static Space has no hardware: leave --hardware out, or --static.")
    checkpoint = chosen(args.checkpoint)
    files = static_files(checkpoint)
    if args.out:
        return written(files, args.out)
    with explained(args.repo):
        api, there = arrive(args, "space")
        made = plan(files, there)
        if args.dry_run:
            show(made)
            return None
        assert api
        is_ours = there and there.uploaded is not None and there.files.keys() >= THIS_EXPLORER
        if there and not (is_ours or there.files.keys() <= FROM_THE_HUB or args.update):
            raise HubError(
                f"The Space {args.repo} exists and is not this explorer: choose another name, or add --update to "
                "replace it."
            )
        agreed(made, args.repo, args.yes)
        if there is None:
            there = create(api, args, "space", space_sdk="static")
        elif args.private:
            again(api.update_repo_settings, args.repo, repo_type="space", private=True)
        upload(api, args.repo, "space", made, there)
        return address(api, args.repo)  # it needs no building


def written(files: Mapping[str, bytes], folder: Path) -> str:
    """Write the files into a folder; returns where the page lies.

    Raises:
        HubError: it can't be written to, or holds something else.
    """
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if there - files.keys() - {".git", ".nojekyll"}:
        raise HubError(f"{folder} holds something else: name a folder that is new or empty.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise HubError(f"Could not write {folder}: {error.strerror or error}.") from error
    return str(folder / "index.html")


def publish_model(args: argparse.Namespace) -> str | None:
    """Create or update a model repo, and return its address; None for a dry run.

    Raises:
        HubError: it did not work; the message says why and what to do.
    """
    checkpoint = chosen(args.checkpoint)
    with explained(args.repo):
        files = model_files(checkpoint, args.repo)  # before anything is asked: it may be refused
        api, there = arrive(args, "model")
        spaces = also_there(api, args.repo, "space")
        if spaces:
            files = model_files(checkpoint, args.repo, *spaces)
        made = plan(files, there)
        if args.dry_run:
            show(made)
            return None
        assert api
        if there and not (
            there.files.keys() <= FROM_THE_HUB or args.update or is_our_model(api, args.repo, there)
        ):
            raise HubError(
                f"The model repo {args.repo} exists and holds another model: choose another name, or add --update to "
                "replace it."
            )
        agreed(made, args.repo, args.yes)
        if there is None:
            there = create(api, args, "model")
        elif args.private:
            again(api.update_repo_settings, args.repo, repo_type="model", private=True)
        upload(api, args.repo, "model", made, there)
        return f"{api.endpoint}/{args.repo}"


def arrive(args: argparse.Namespace, kind: str) -> tuple[HfApi | None, There | None]:
    """The client, and what lies in the repo. A dry run without a token does without both."""
    from huggingface_hub import get_token

    if args.dry_run and get_token() is None:
        say("Without a Hub token nobody can tell what lies there: this is what a new one would hold.")
        return None, None
    api = connect(args.repo)
    return api, look(api, args.repo, kind)


def also_there(api: HfApi | None, repo: str, kind: str) -> tuple[str, ...]:
    """The repo of this name and the other kind, as a tuple of one; () if there is none."""
    return (repo,) if api and again(api.repo_exists, repo, repo_type=kind) else ()


def show(made: Plan) -> None:
    """What a dry run prints."""
    print("\n".join(made.lines()))


def create(api: HfApi, args: argparse.Namespace, kind: str, **how: Any) -> There:
    """A new repo. An answer that got lost may have made it already."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        again(api.create_repo, args.repo, repo_type=kind, private=args.private or None, **how)
        there = look(api, args.repo, kind)
    except HfHubHTTPError as error:
        there = look(api, args.repo, kind) if error.response.status_code == 409 else None
        if there is None or not there.fresh:
            raise
    return there or There({})


def is_our_model(api: HfApi, repo: str, there: There) -> bool:
    """True if what lies in the model repo is a checkpoint of this decoder."""
    import json

    if "config.json" not in there.files:
        return False
    try:
        config = json.loads(Path(api.hf_hub_download(repo, "config.json")).read_text(encoding="utf-8"))
    except ValueError:
        return False
    return isinstance(config, dict) and {"shape", "vocabulary"} <= config.keys()


def upload(api: HfApi, repo: str, kind: str, made: Plan, there: There) -> str:
    """Commit what differs, delete what is stale, and return the sha of the repo's last commit.

    Where nothing differs there is no commit. Where somebody else has committed since we looked, neither.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete
    from huggingface_hub.errors import HfHubHTTPError

    operations: list[CommitOperationAdd | CommitOperationDelete | CommitOperationCopy]
    # What a repo that has just been made holds is not in the plan, and is overwritten with it.
    operations = [CommitOperationAdd(path, made.files[path]) for path in made.sends()]
    operations += [CommitOperationDelete(path) for path in made.deleted]
    if not operations and there.head:
        say(f"{repo} is up to date, at {there.head[:7]}.")
        return there.head
    say(f"{made.total()} ...")
    try:
        commit = again(
            api.create_commit,
            repo,
            operations,
            commit_message=TITLE,
            repo_type=kind,
            parent_commit=there.head,
        ).oid
    except HfHubHTTPError as error:
        # A try whose answer got lost may have been this commit.
        now = look(api, repo, kind) if error.response.status_code in (409, 412) else None
        if now is None or now.head is None or now.head == there.head or plan(made.files, now).sends():
            raise
        commit = now.head
    say(f"{repo} is at {commit[:7]}.")
    return commit


def repo_id(text: str) -> str:
    """USER/NAME as the Hub allows it."""
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", text, re.ASCII) or len(text) > 96:
        raise argparse.ArgumentTypeError(f'"{text}" is not of the form USER/NAME')
    return text


def hardware_name(text: str) -> str:
    """A name as the Hub has them, such as cpu-basic; one that this client does not know yet is left to the Hub."""
    from huggingface_hub import SpaceHardware

    known = [one.value for one in SpaceHardware]
    name = text.lower().replace("_", "-")
    if name in known:
        return name
    if not re.fullmatch(r"[\w.-]{1,96}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f'"{text}" is not the name of a hardware, such as cpu-basic')
    meant = ["zero-a10g"] if name.startswith("zero") else difflib.get_close_matches(name, known, 1, 0.75)
    if meant:
        raise argparse.ArgumentTypeError(f'the Hub has no hardware "{text}": did you mean {meant[0]}?')
    return name


def parser() -> argparse.ArgumentParser:
    """The options of both commands."""
    parser = argparse.ArgumentParser(
        prog="python -m shakespeare_gpt.hub",
        description="Put the page or the model on the Hugging Face Hub, or bring what is there up to date. The address "
        "goes to standard output, everything else to standard error.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, help in (
        ("space", "create or update a Space with the page, and wait until it runs"),
        ("model", "publish the checkpoint with its card, for shakespeare_gpt.load"),
    ):
        command = commands.add_parser(
            name, help=help, description=help, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        option = command.add_argument
        option("repo", metavar="USER/NAME", type=repo_id, nargs="?", help="where on the Hub")
        option(
            "--checkpoint",
            metavar="FOLDER",
            help="a run of yours, or a model on the Hub, instead of the bundled one",
        )
        option(
            "--dry-run",
            action="store_true",
            help="only tell what would be new, changed, deleted and left alone there, with sizes in bytes",
        )
        option("--private", action="store_true", help="only you can see it")
        option("--update", action="store_true", help="replace what is there even if it is something else")
        option(
            "--yes",
            action="store_true",
            help="don't ask before what others have changed there is overwritten",
        )
        if name == "space":
            option(
                "--hardware",
                type=hardware_name,
                help="for example cpu-basic or zero-a10g; without it the Hub's default, or what is there",
            )
            option(
                "--static",
                action="store_true",
                help="no server: one page with all numbers of a few texts, in it",
            )
            option(
                "--out", metavar="FOLDER", type=Path, help="with --static: write it there, and upload nothing"
            )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code: 0 done, 1 a problem that was explained, 130 interrupted."""
    reader = parser()
    args = reader.parse_args(arguments)
    out, static = getattr(args, "out", None), getattr(args, "static", False)
    if out and not static:
        reader.error("--out goes with --static")
    if not (args.repo or out):
        reader.error("USER/NAME is needed: where on the Hub")
    publish = publish_model if args.command == "model" else publish_static if static else publish_space
    try:
        address = publish(args)
    except HubError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    if address:
        print(address)
    return 0
