"""Put the app and the model on the Hugging Face Hub: python -m shakespeare_gpt.hub --help"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from shakespeare_gpt.checkpoint import ASSETS, CONFIG, WEIGHTS, CheckpointError, facts_of, load
from shakespeare_gpt.experiments import PRICES
from shakespeare_gpt.heads import HEADS
from shakespeare_gpt.snapshots import FOLDER, RECORD
from shakespeare_gpt.training import corpus

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationCopy, HfApi, SpaceHardware

    from shakespeare_gpt.model import GPT

ROOT = ASSETS.parent
# All that a Space needs. A list of what goes up can't leak what nobody thought of; a list of what stays could.
SPACE_FILES = (
    *("README.md", "LICENSE", "requirements.txt", "app.py", "shakespeare_gpt/*.py"),
    *(f"shakespeare_gpt/ui/**/*.{suffix}" for suffix in ("py", "js", "css", "svg", "png", "html", "json")),
    *(f"assets/{name}" for name in (WEIGHTS, CONFIG, RECORD, HEADS.name, PRICES.name)),
)  # and the snapshots that the record names
STAYS_HERE = {"shakespeare_gpt/hub.py"}
NEEDED = ("README.md", "requirements.txt", "app.py", f"assets/{WEIGHTS}", f"assets/{CONFIG}")
# In a Space these folders are the app's own: what is there and no longer here is deleted.
OWN_FOLDERS = ("shakespeare_gpt/", "assets/")
# A new repo on the Hub holds these before anybody has uploaded anything.
FROM_THE_HUB = {".gitattributes", "README.md"}

# The versions that ZeroGPU's machines carry (hub docs, "Spaces ZeroGPU", August 2026).
ZERO_GPU_TORCH = "torch>=2.9,<2.12"

START_MINUTES = 30  # a Space that is not up by then is stopped by the Hub
OLD_NEWS_SECONDS = 60  # how long a stage is put down to the commit before ours
FAILED = {
    "BUILD_ERROR": "could not be built",
    "RUNTIME_ERROR": "was built, but its app stopped with an error",
    "CONFIG_ERROR": "has a README.md whose first lines the Hub does not accept",
    "NO_APP_FILE": "has no app.py",
    "PAUSED": "is paused: start it in its settings",
    "STOPPED": "is stopped: start it in its settings",
    "DELETING": "is being deleted",
}


class HubError(RuntimeError):
    """Something on the way to the Hub that a person can put right; the message says how."""


def space_files(root: Path = ROOT, hardware: str | None = None) -> dict[str, bytes]:
    """What a Space needs, by its path there.

    Args:
        hardware: the Space's; for ZeroGPU, requirements.txt asks for a torch that its machines carry.

    Raises:
        HubError: a file without which no Space starts is missing.
    """
    files = {}
    for pattern in [*SPACE_FILES, *snapshots(root / "assets")]:
        for path in root.glob(pattern):
            inside = path.relative_to(root)
            hidden = any(part.startswith(".") for part in inside.parts)
            if path.is_file() and not hidden and inside.as_posix() not in STAYS_HERE:
                files[inside.as_posix()] = path.read_bytes()
    for name in NEEDED:
        if name not in files:
            raise HubError(f"There is no {root / name}, and a Space can't start without it.")
    front_matter = re.match(rb"---\r?\n(.*?)^---\r?$", files["README.md"], re.DOTALL | re.MULTILINE)
    if not front_matter or b"sdk: gradio" not in front_matter[1].splitlines():
        raise HubError(
            f"{root / 'README.md'} must begin with the lines that configure a Space: between two lines of ---, "
            "among them `sdk: gradio`."
        )
    if is_zero_gpu(hardware):
        lines = files["requirements.txt"].decode().splitlines()
        lines = [ZERO_GPU_TORCH if re.match(r"torch(?![\w.-])", line) else line for line in lines]
        files["requirements.txt"] = ("\n".join(lines) + "\n").encode()
    return dict(sorted(files.items()))


def snapshots(assets: Path) -> list[str]:
    """The snapshots that the record of the training names, as paths from the root."""
    try:
        named = json.loads((assets / RECORD).read_bytes())["snapshots"]
        return [f"assets/{FOLDER}/{Path(one['file']).name}" for one in named]
    except (OSError, ValueError, KeyError, TypeError):
        return []  # a model that was trained elsewhere: the page does without


def is_zero_gpu(hardware: str | None) -> bool:
    return (hardware or "").startswith("zero")


def model_files(repo: str, assets: Path = ASSETS) -> dict[str, bytes]:
    """What a model repo needs, by its path there: the checkpoint and its card.

    Raises:
        HubError: the checkpoint does not load, or its card would say what is not so.
    """
    model = loaded(assets)
    if facts_of(model).get("corpus_sha256", corpus.SHA256) != corpus.SHA256:
        raise HubError(
            "The checkpoint was trained on another text than tiny-shakespeare, of which the card speaks, losses and "
            "all. Upload its model.safetensors and config.json with a card of your own: `hf upload`."
        )
    card = model_card(repo, model.num_parameters(), assets)
    files = {name: (assets / name).read_bytes() for name in (WEIGHTS, CONFIG)}
    return {"README.md": card.encode(), **files}


def loaded(assets: Path = ASSETS) -> GPT:
    """The checkpoint; HubError if it does not load: better here than where somebody else wants to use it.

    Neither is one published whose losses are not those of the validation text: card and page show them beside others.
    """
    try:
        model = load(assets)
        split = corpus.split_of(facts_of(model))
    except (CheckpointError, corpus.CorpusError) as error:
        raise HubError(str(error)) from error
    if split != corpus.VALIDATION:
        raise HubError(
            f"The checkpoint in {assets} is a run with --dev: its losses are of {corpus.SPLITS[split]}, and compare with "
            "no validation loss. Publish a run without --dev."
        )
    return model


def model_card(repo: str, parameters: int, assets: Path = ASSETS) -> str:
    """The model card: front matter and text, every figure read from the checkpoint's own files."""
    from huggingface_hub import EvalResult, ModelCardData

    config = json.loads((assets / CONFIG).read_text(encoding="utf-8"))
    shape, facts = config["shape"], config["training"]
    training_loss = last_training_loss(assets, config["sha256"])
    loss = facts.get("validation_loss")
    data = ModelCardData(
        language="en",
        license="mit",
        library_name="shakespeare-gpt",
        pipeline_tag="text-generation",
        tags=["character-level", "gpt", "attention", "interpretability", "education"],
        datasets=["karpathy/tiny_shakespeare"],
        model_name="Shakespeare GPT" if loss else None,
        eval_results=loss
        and [
            EvalResult(
                task_type="text-generation",
                dataset_type="karpathy/tiny_shakespeare",
                dataset_name="tiny-shakespeare",
                dataset_split="validation",
                metric_type="loss",
                metric_name="Validation loss, nats a character",
                metric_value=loss,
            )
        ],
    )
    sizes = {
        "Parameters": f"{parameters:,}",
        "Layers": shape["n_layer"],
        "Heads in a layer": shape["n_head"],
        "Width of the residual stream": shape["n_embd"],
        "Context length, characters": shape["context_length"],
        "Vocabulary, characters": len(config["vocabulary"]),
        "Stored as": f"{config['dtype']} (safetensors), used as float32",
    }
    losses: dict[str, object] = {}
    if loss:
        losses["Validation loss, nats a character"] = f"{loss:.4f}"
        losses["The same in bits a character"] = f"{loss / math.log(2):.4f}"
        losses["Perplexity a character"] = f"{math.exp(loss):.3f}"
    if training_loss:
        losses["Training loss over the last stretch, with dropout on"] = f"{training_loss:.4f}"
    losses["For comparison: guessing evenly"] = f"{math.log(len(config['vocabulary'])):.4f}"
    recipe = {f"`{name}`": value for name, value in facts.get("recipe", {}).items()}
    if "characters" in facts:
        text = facts.get("text_characters", facts["characters"])  # the others are strings that repeat
        times = text / train_length()
        recipe["Characters seen"] = f"{facts['characters']:,}, the training part {times:.1f} times"
    if "seconds" in facts:
        recipe["Time"] = f"{facts['seconds'] / 60:.0f} minutes"
    if facts.get("teachers"):
        recipe["Teachers"] = (
            f"{len(facts['teachers'])} earlier runs, {facts.get('teachers_seconds', 0) / 60:.0f} minutes"
        )
    if "hardware" in facts:
        recipe["Hardware"] = facts["hardware"]
    return CARD.format(
        front_matter=data.to_yaml(),
        repo=repo,
        parameters=f"{parameters / 1e6:.1f} million",
        n_layer=shape["n_layer"],
        n_head=shape["n_head"],
        context_length=shape["context_length"],
        sizes=table("The decoder", sizes),
        losses=table("Loss", losses),
        recipe=table("Recipe", recipe) if recipe else "The settings of this run were not recorded.",
        length=f"{corpus.LENGTH:,}",
        train=f"{train_length():,}",
        validation=f"{corpus.LENGTH - train_length():,}",
        train_percent=f"{corpus.TRAIN_FRACTION:.0%}",
        validation_percent=f"{1 - corpus.TRAIN_FRACTION:.0%}",
        corpus_sha256=facts.get("corpus_sha256", corpus.SHA256),
        sha256=config["sha256"],
    )


def train_length() -> int:
    return int(corpus.TRAIN_FRACTION * corpus.LENGTH)


def last_training_loss(assets: Path, sha256: str) -> float | None:
    """The last training loss of the run that made this checkpoint; None if its history is not there."""
    try:
        record = json.loads((assets / "training.json").read_text(encoding="utf-8"))
        return record["history"][-1]["training_loss"] if record["sha256"] == sha256 else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def table(title: str, rows: dict[str, object]) -> str:
    lines = [f"| {title} | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows.items())]
    return "\n".join(lines)


CARD = """\
---
{front_matter}
---

# Shakespeare GPT

A decoder-only transformer of {parameters} parameters, trained from scratch on tiny-shakespeare, one character
at a time. It writes on from your text in the manner of the plays, and it is small enough to be looked into:
{n_layer} layers of {n_head} heads, and an app that shows what each head attends to.

## How to load it

With the `shakespeare_gpt` package of the app on the path (it needs torch, safetensors and huggingface_hub):

```python
import shakespeare_gpt as sg

model = sg.load("{repo}")  # eval mode, CPU, float32
print(sg.generate(model, "ROMEO:", max_new_tokens=200, temperature=0.8, seed=7))

trace = sg.trace(model, "ROMEO:")
trace.attention  # (n_layer, n_head, T, T); each row sums to 1
```

`model.safetensors` holds the weights, `config.json` the shape, the vocabulary and the facts of the training.
There is no pickle and no remote code. The sha256 of the weights is `{sha256}`.

## The model

The block of GPT-2: pre-norm, causal self-attention, a feed-forward network four times as wide with GELU, learned
position embeddings, no biases; the head shares its weights with the token embedding.

{sizes}

## Data and split

tiny-shakespeare: {length} characters from the plays of William Shakespeare, which are in the public domain
(sha256 `{corpus_sha256}`). The first {train_percent}, {train} characters, are for training; the last
{validation_percent}, {validation} characters, are for validation and were never trained on. A token is one
character. Characters outside the vocabulary are replaced by the nearest plain ones or left out, and
`model.tokenizer.normalize` says which.

## Training

Muon for the matrices inside the blocks, AdamW for the embeddings and norms; the rate rises, then falls along a
cosine. The weights published here are the running average over the steps. The names in the table are the options
of `python -m shakespeare_gpt.training.train`.

{recipe}

## Loss

{losses}

The validation loss is the mean over every character of the validation part, in windows of {context_length}
characters that do not overlap, averaged over four places for the first window to start.

## What it is for, and its limits

It is for seeing how a decoder attends: for learning, teaching and trying things out. It is a small model of
characters. It invents words, names and facts; it answers no questions and follows no instructions; what it
writes sounds like a play and means little. It sees {context_length} characters and forgets what came before. It
knows English of about 1600 and nothing else, with the prejudices of that time, and with so little text to
learn from it may repeat lines of it. Don't use it where what is said has to be true.

The code and the weights are under the MIT licence.
"""


def put_space(repo: str, private: bool, hardware: str | None, update: bool) -> str:
    """Create or update a Space, wait until it runs, and return its address.

    Raises:
        HubError: it did not work; the message says why and what to do.
    """
    loaded()
    api = connect(repo)
    there = remote_files(api, repo, "space")
    if there is None:
        files = space_files(hardware=hardware)
        api.create_repo(
            repo,
            repo_type="space",
            space_sdk="gradio",
            private=private or None,
            space_hardware=cast("SpaceHardware | None", hardware),  # one that the client may not know yet
        )
    else:
        is_this_app = {"app.py", "shakespeare_gpt/model.py"} <= there
        if not (is_this_app or there <= FROM_THE_HUB or update):
            raise HubError(
                f"The Space {repo} exists and is not this app: choose another name, or add --update to replace it."
            )
        if private:
            api.update_repo_settings(repo, repo_type="space", private=True)
        runtime = api.get_space_runtime(repo)
        present = runtime.requested_hardware or runtime.hardware
        if hardware and hardware != present:
            api.request_space_hardware(repo, cast("SpaceHardware", hardware))
        files = space_files(hardware=hardware or present)
    stale = sorted(path for path in there or () if path.startswith(OWN_FOLDERS) and path not in files)
    commit = upload(api, repo, "space", files, stale)
    wait_until_running(api, repo, commit)
    return f"{api.endpoint}/spaces/{repo}"


def put_model(repo: str, private: bool, update: bool) -> str:
    """Create or update a model repo, and return its address.

    Raises:
        HubError: it did not work; the message says why and what to do.
    """
    files = model_files(repo)
    api = connect(repo)
    there = remote_files(api, repo, "model")
    if there is None:
        api.create_repo(repo, repo_type="model", private=private or None)
    else:
        if not (there <= FROM_THE_HUB or update or is_our_model(api, repo, there)):
            raise HubError(
                f"The model repo {repo} exists and holds another model: choose another name, or add --update to "
                "replace it."
            )
        if private:
            api.update_repo_settings(repo, repo_type="model", private=True)
    upload(api, repo, "model", files, [])
    return f"{api.endpoint}/{repo}"


def is_our_model(api: HfApi, repo: str, there: set[str]) -> bool:
    """True if what lies in the model repo is a checkpoint of this decoder."""
    if CONFIG not in there:
        return False
    try:
        config = json.loads(Path(api.hf_hub_download(repo, CONFIG)).read_text(encoding="utf-8"))
    except ValueError:
        return False
    return isinstance(config, dict) and {"shape", "vocabulary"} <= config.keys()


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
        who = api.whoami()
    except HfHubHTTPError as error:
        if error.response.status_code == 401:
            raise
        return api  # a narrow token may not ask who it is; whether it may write, the Hub says when it does
    names = [who["name"], *(organisation["name"] for organisation in who.get("orgs", []))]
    if repo.split("/")[0].lower() not in [name.lower() for name in names]:
        raise HubError(
            f"{repo.split('/')[0]} is not yours to write to: this token may write to {', '.join(names)}."
        )
    return api


def remote_files(api: HfApi, repo: str, repo_type: str) -> set[str] | None:
    """The paths of all files in a repo on the Hub, or None if there is no such repo."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return set(api.list_repo_files(repo, repo_type=repo_type))
    except HfHubHTTPError as error:
        if error.response.status_code == 404:
            return None
        raise


def upload(api: HfApi, repo: str, repo_type: str, files: dict[str, bytes], stale: list[str]) -> str:
    """Commit the files that differ from those on the Hub, delete the stale ones, and return the commit's sha.

    The client compares by hash, sends what differs, and makes no commit where nothing does.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    size = sum(map(len, files.values())) / 1e6
    say(f"Comparing {len(files)} files ({size:.1f} MB) with {repo}, and sending what differs ...")
    operations: list[CommitOperationAdd | CommitOperationDelete | CommitOperationCopy]
    operations = [CommitOperationAdd(path, content) for path, content in files.items()]
    operations += [CommitOperationDelete(path) for path in stale]
    commit = api.create_commit(repo, operations, commit_message="Shakespeare GPT", repo_type=repo_type)
    say(f"{repo} is at {commit.oid[:7]}.")
    return commit.oid


def wait_until_running(api: HfApi, repo: str, commit: str) -> None:
    """Wait until the Space runs this commit.

    Raises:
        HubError: it failed, or did not come up in time.
    """
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.errors import HTTPError as ClientError

    begun, seen, pause, missed = time.monotonic(), None, 0.5, 0
    while time.monotonic() - begun < 60 * START_MINUTES:
        time.sleep(pause)
        pause = min(1.5 * pause, 10)
        try:
            runtime = api.get_space_runtime(repo)
        except (
            ClientError
        ) as error:  # a build takes minutes, and one question that got lost is no reason to give up
            missed += 1
            if missed == 5 or (isinstance(error, HfHubHTTPError) and error.response.status_code < 500):
                raise
            continue
        stage, missed = str(runtime.stage), 0
        # Just after a commit the Hub still tells how the one before fares: "running", or "build error".
        ours = runtime.raw.get("sha", commit) == commit or time.monotonic() - begun > OLD_NEWS_SECONDS
        if ours and stage != seen:
            seen = stage
            say(f"The Space is {stage.replace('_', ' ').lower()}.")
        if ours and stage in ("RUNNING", "SLEEPING"):  # a sleeping one wakes when somebody opens it
            return
        if ours and stage in FAILED:
            said = " ".join(str(runtime.raw.get("errorMessage") or "").split())
            raise HubError(
                f"The Space {FAILED[stage]}{f' ({said})' if said else ''}: its logs are at "
                f"{api.endpoint}/spaces/{repo}?logs=build."
            )
    raise HubError(
        f"The Space is not up after {START_MINUTES} minutes: its logs are at "
        f"{api.endpoint}/spaces/{repo}?logs=build."
    )


@contextmanager
def explained(repo: str, hardware: str | None = None) -> Iterator[None]:
    """Turn what the Hub's client raises into a HubError of one sentence."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
    from huggingface_hub.errors import HTTPError as ClientError  # of the HTTP library that the client uses

    try:
        yield
    except HubError:
        raise
    except HfHubHTTPError as error:
        status = error.response.status_code
        said = " ".join((error.server_message or error.response.reason_phrase).split()).rstrip(".")
        raise HubError(
            {
                401: f"The Hub does not accept this token ({said}): log in again with `hf auth login`, or set "
                "HF_TOKEN to a valid one.",
                402: f"The Hub wants a paid plan for this ({said})"
                + ("." if is_zero_gpu(hardware) else "; a free account can use --hardware zero-a10g."),
                403: f"This token may not write to {repo} ({said}): the namespace must be you or an organisation "
                "of yours, and the token needs write access.",
                429: f"The Hub asks for a pause ({said}): try again in a few minutes.",
            }.get(
                status,
                f"The Hub answered {status} to {error.response.url.path} ({said}).",
            )
        ) from error
    except OfflineModeIsEnabled as error:
        raise HubError("HF_HUB_OFFLINE is set: unset it to reach the Hub.") from error
    except ClientError as error:
        raise HubError(f"Could not reach the Hub ({error}): check the connection and try again.") from error
    except (OSError, ValueError, RuntimeError) as error:
        raise HubError(f"The upload failed: {' '.join(str(error).split()).rstrip('.')}.") from error


def say(line: str) -> None:
    """Tell how it goes, beside the standard output: that is for the result."""
    print(line, file=sys.stderr, flush=True)


def repo_id(text: str) -> str:
    """USER/NAME as the Hub allows it."""
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", text, re.ASCII) or len(text) > 96:
        raise argparse.ArgumentTypeError(f'"{text}" is not of the form USER/NAME')
    return text


def hardware_name(text: str) -> str:
    """A name as the Hub has them, such as cpu-basic."""
    if not re.fullmatch(r"[\w.-]{1,96}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f'"{text}" is not the name of a hardware, such as cpu-basic')
    return text


def parser() -> argparse.ArgumentParser:
    """The options of both commands."""
    parser = argparse.ArgumentParser(
        prog="python -m shakespeare_gpt.hub",
        description="Put the app or the model on the Hugging Face Hub, or bring what is there up to date. The address "
        "goes to standard output, everything else to standard error.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, help in (
        ("space", "create or update a Space with this app, and wait until it runs"),
        ("model", "publish the checkpoint with its card, for shakespeare_gpt.load"),
    ):
        command = commands.add_parser(
            name, help=help, description=help, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        command.add_argument("repo", metavar="USER/NAME", type=repo_id, help="where on the Hub")
        command.add_argument(
            "--dry-run",
            action="store_true",
            help="only list what would be there, with sizes in bytes; needs no network",
        )
        command.add_argument("--private", action="store_true", help="only you can see it")
        command.add_argument(
            "--update", action="store_true", help="replace what is there even if it is something else"
        )
        if name == "space":
            command.add_argument(
                "--hardware",
                type=hardware_name,
                help="for example cpu-basic or zero-a10g; without it the Hub's default, or what is there",
            )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code: 0 done, 1 a problem that was explained, 130 interrupted."""
    args = parser().parse_args(arguments)
    hardware = getattr(args, "hardware", None)
    try:
        if args.dry_run:
            files = space_files(hardware=hardware) if args.command == "space" else model_files(args.repo)
            for path, content in files.items():
                print(path, len(content))
            return 0
        with explained(args.repo, hardware):
            if args.command == "space":
                print(put_space(args.repo, args.private, hardware, args.update))
            else:
                print(put_model(args.repo, args.private, args.update))
    except HubError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("Stopped. What the Hub has accepted stays there; the same command goes on from it.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
