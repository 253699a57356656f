"""Every option of every command with values that nobody means: each ends in an answer, none in a traceback.

The options are found in the parsers, so a new one is tried without a line here.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import huggingface_hub.constants
import pytest
import torch

from shakespeare_gpt import checkpoint, generation, nanogpt
from shakespeare_gpt.hub import card
from shakespeare_gpt.hub import command as hub_command
from shakespeare_gpt.training import corpus, evaluate, install, measure, samples, train
from support import TEXT

HUGE, LONG = str(10**30), "9" * 400
NUMBERS = ("0", "-1", "1", "1.5", "nan", "inf", "-inf", "1e400", HUGE, LONG)
WORDS = ("", " ", "word", "{}", "user/")
# Made in every test's own folder.
PLACES = ("missing/folder", "folder", "file", "noise")

# What each command needs besides the option that is tried, as short as it can be. RUN is a finished run.
RUN = "RUN"
COMMANDS: dict[str, tuple[ModuleType, dict[str, str | None]]] = {
    "train": (
        train,
        {
            "--out": "new", "--generations": "1", "--n-layer": "1", "--n-head": "1", "--n-embd": "4",
            "--context-length": "8", "--batch-size": "2", "--characters": "32", "--evaluations": "1",
            "--precision": "fp32", "--threads": "1",
        },
    ),
    "evaluate": (evaluate, {"checkpoint": RUN}),
    "measure": (measure, {"checkpoint": RUN, "--windows": "1"}),
    "install": (install, {"run": RUN, "--assets": "assets", "--windows": "1"}),
    "samples": (samples, {"--checkpoint": RUN, "--characters": "1"}),
    "generation": (generation, {"--checkpoint": RUN, "--max-new-tokens": "1"}),
    "hub": (hub_command, {"repo": "alice/demo", "--dry-run": None}),
    "checkpoint": (
        nanogpt,
        {"file": f"{RUN}/ckpt.pt", "checkpoint": RUN, "--meta": f"{RUN}/meta.pkl", "--out": "other"},
    ),
}  # fmt: skip


def options(
    parser: argparse.ArgumentParser, above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], str]]:
    """(subcommands, name) of each option and argument, those of subcommands too."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                yield from options(sub, (*above, name))
        elif not isinstance(action, argparse._HelpAction):
            yield above, action.option_strings[-1] if action.option_strings else action.dest


def takes_value(parser: argparse.ArgumentParser, above: tuple[str, ...], name: str) -> bool:
    for sub in above:
        [parser] = [
            action.choices[sub]
            for action in parser._actions
            if isinstance(action, argparse._SubParsersAction)
        ]
    [action] = [a for a in parser._actions if name in (*a.option_strings, a.dest)]
    return action.nargs != 0


TRIED = [
    pytest.param(command, above, name, id=" ".join((command, *above, name)))
    for command, (module, _) in COMMANDS.items()
    for above, name in options(module.parser())
]


@pytest.fixture(scope="module", autouse=True)
def small_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A short text in the corpus's place, no network, and disks that are believed; returns where a finished run is."""
    home = tmp_path_factory.mktemp("home")
    text = TEXT * 20
    (home / "corpus.txt").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        # What goes to the Hub is the bundled checkpoint, of the real corpus.
        patch.setattr(card, "corpus", SimpleNamespace(**vars(corpus)))
        patch.setattr(corpus, "SHA256", hashlib.sha256(text.encode()).hexdigest())
        patch.setattr(corpus, "LENGTH", len(text))
        patch.setattr(corpus, "VOCAB_SIZE", len(set(text)))
        patch.setenv("SHAKESPEARE_CORPUS", str(home / "corpus.txt"))
        patch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)  # the variable is read at import
        patch.setattr(checkpoint.os, "fsync", lambda _: None)
        base = {**COMMANDS["train"][1], "--out": str(home / "run")}
        assert train.main([f"{name}={value}" for name, value in base.items()]) == 0
        assert nanogpt.main(["export", str(home / "run"), "--out", str(home / "run")]) == 0
        yield home / "run"


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own, to work in."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("a file\n")
    (tmp_path / "noise").write_bytes(b"\xff\xfe\x00 not UTF-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asked for a run or a text without end presses Ctrl-C after three steps or characters."""
    step, stream = train.Run.train_step, generation.stream

    def three_steps(run: train.Run) -> torch.Tensor:
        if run.step == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return step(run)

    def three_characters(*arguments: object, **named: object) -> Iterator[generation.Step]:
        steps = stream(*arguments, **named)

        def some() -> Iterator[generation.Step]:
            for _, one in zip(range(3), steps, strict=False):
                yield one
            if next(steps, None) is not None:
                raise KeyboardInterrupt

        return some()

    monkeypatch.setattr(train.Run, "train_step", three_steps)
    monkeypatch.setattr(generation, "stream", three_characters)


def given(command: str, above: tuple[str, ...], run: Path, changes: dict[str, str | None]) -> list[str]:
    """The command's arguments, some of them changed; an option whose value is None has none."""
    module, usual = COMMANDS[command]
    known = {name for sub, name in options(module.parser()) if sub == above}
    named = {**{name: value for name, value in usual.items() if name in known}, **changes}
    named = {name: value and value.replace(RUN, str(run)) for name, value in named.items()}
    flags = [name if value is None else f"{name}={value}" for name, value in named.items() if name[0] == "-"]
    return [*above, *flags, *(value for name, value in named.items() if value is not None and name[0] != "-")]


def outcome(main: Callable[[list[str]], int], arguments: list[str], capsys: pytest.CaptureFixture) -> int:
    """The exit code, after a look at how the command explained itself."""
    said = ""
    try:
        code = main(arguments)
    except SystemExit as stop:
        code, said = (stop.code, "") if isinstance(stop.code, int) else (1, str(stop.code))
    err = capsys.readouterr().err
    assert "Traceback" not in err
    last = (said or err).strip().splitlines()[-1:]
    if code == 1:
        assert last and re.search(r"\w+ \w.*[.?]$", last[0]), (arguments, err)
    if code == 2:
        assert last and re.search(r"error: .*\w", last[0]), (arguments, err)
    assert code in (0, 1, 2, 130), arguments
    return code


@pytest.mark.parametrize(("command", "above", "name"), TRIED)
def test_no_value_of_an_option_ends_in_a_traceback(
    command: str,
    above: tuple[str, ...],
    name: str,
    small_world: Path,
    places: Path,
    capsys: pytest.CaptureFixture,
):
    module, _ = COMMANDS[command]
    if not takes_value(module.parser(), above, name):
        outcome(module.main, given(command, above, small_world, {name: None}), capsys)
        return
    for value in (*NUMBERS, *WORDS, *PLACES):
        code = outcome(module.main, given(command, above, small_world, {name: value}), capsys)
        if value in ("nan", "inf", "-inf", LONG) and name in numeric(module.parser(), above):
            assert code != 0, f"{name} {value}"


def numeric(parser: argparse.ArgumentParser, above: tuple[str, ...]) -> set[str]:
    """The options whose default is a number: for these NaN and infinity are no values."""
    if above:
        return set()
    return {a.option_strings[-1] for a in parser._actions if type(a.default) in (int, float)}


def test_the_arguments_from_which_the_walk_starts_are_good_ones(
    small_world: Path, places: Path, capsys: pytest.CaptureFixture
):
    """Else everything would be refused for another reason."""
    for command, (module, _) in COMMANDS.items():
        for above in {above for above, _ in options(module.parser())}:
            assert outcome(module.main, given(command, above, small_world, {}), capsys) == 0, command


def test_the_walk_finds_every_command():
    """Each module of the package that runs as one."""
    package = Path(checkpoint.__file__).parent
    runs = {
        p.parent.name if p.stem == "__main__" else p.stem
        for p in package.rglob("*.py")
        if '__name__ == "__main__"' in p.read_text(encoding="utf-8")
    }
    assert runs == set(COMMANDS)
