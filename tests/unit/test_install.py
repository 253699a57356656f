"""A run goes on the page as a whole: what only the run before it had is gone, what is derived is of the new one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import shakespeare_gpt as sg
from shakespeare_gpt import checkpoint
from shakespeare_gpt.checkpoint import CheckpointError, sha256_of
from shakespeare_gpt.snapshots import Snapshots
from shakespeare_gpt.training import measure
from shakespeare_gpt.training.corpus import Corpus
from shakespeare_gpt.training.install import install, main
from shakespeare_gpt.training.recipe import Recipe
from shakespeare_gpt.training.run import Run
from shakespeare_gpt.training.train import train
from support import TEXT

ALWAYS = {
    "model.safetensors", "config.json", "training.json", "heads.json", "prices.json", "decoder.svg", "loss.svg"
}  # fmt: skip


def finished(folder: Path, steps: int) -> Path:
    """A run of so many steps: how many decides what its snapshots are called."""
    recipe = Recipe(
        n_layer=1, n_head=2, n_embd=16, context_length=8, batch_size=2, characters=steps * 16, precision="fp32"
    )  # fmt: skip
    assert train(Run(recipe, TEXT * 9, TEXT), folder)
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "shakespeare_gpt.training.corpus.find_corpus", lambda _path: Corpus(TEXT * 10, "a test")
        )
        patch.setenv("SHAKESPEARE_CORPUS", "a file that is not read")
        yield finished(tmp_path_factory.mktemp("short"), 20), finished(tmp_path_factory.mktemp("long"), 40)


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names(folder)}


def test_the_next_run_replaces_the_one_before_it(runs: tuple[Path, Path], tmp_path: Path):
    seen = []
    for run in runs:
        there = install(run, tmp_path, windows=2)
        record = json.loads((run / "training.json").read_text())
        snapshots = {f"snapshots/{one['file']}" for one in record["snapshots"]}
        assert names(tmp_path) == ALWAYS | snapshots == {p.relative_to(tmp_path).as_posix() for p in there}
        for name in ("model.safetensors", "config.json", "training.json", *snapshots):
            assert (tmp_path / name).read_bytes() == (run / name).read_bytes(), name
        model = sg.load(tmp_path)
        for name in ("training.json", "heads.json", "prices.json"):
            assert json.loads((tmp_path / name).read_text())["sha256"] == sha256_of(model)
        assert str(sha256_of(model)) in (tmp_path / "loss.svg").read_text()
        seen.append(snapshots)
    assert seen[0] - seen[1], "the first one had snapshots that the second has not"


def test_the_run_s_own_folder_is_only_read(runs: tuple[Path, Path], tmp_path: Path):
    before = contents(runs[0])
    install(runs[0], tmp_path, windows=1)
    assert contents(runs[0]) == before


def test_it_is_measured_as_measure_does(runs: tuple[Path, Path], tmp_path: Path):
    install(runs[0], tmp_path, windows=2)
    before = contents(tmp_path)
    assert measure.main([str(tmp_path), "--windows", "2"]) == 0
    assert contents(tmp_path) == before


def test_what_else_lies_there_stays(runs: tuple[Path, Path], tmp_path: Path):
    (tmp_path / "page.png").write_bytes(b"a picture")
    install(runs[0], tmp_path, windows=1)
    assert (tmp_path / "page.png").read_bytes() == b"a picture"


def test_the_page_takes_no_snapshot_that_the_record_does_not_name(runs: tuple[Path, Path], tmp_path: Path):
    """Where somebody copies by hand, and the files of two runs lie side by side."""
    install(runs[1], tmp_path, windows=1)
    moments = Snapshots(sg.load(tmp_path), tmp_path).moments
    for path in (runs[0] / "snapshots").iterdir():
        if not (tmp_path / "snapshots" / path.name).exists():
            (tmp_path / "snapshots" / path.name).write_bytes(path.read_bytes())
    assert len([*(tmp_path / "snapshots").iterdir()]) > len(moments) - 2
    assert Snapshots(sg.load(tmp_path), tmp_path).moments == moments


def test_what_can_t_be_written_leaves_the_run_that_was_there(
    runs: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    install(runs[0], tmp_path, windows=1)
    before = contents(tmp_path)

    def full(_file_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.os, "fsync", full)
    with pytest.raises(CheckpointError, match="No space left on device"):
        install(runs[1], tmp_path, windows=1)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    "damage", ["no record", "another record", "no snapshot", "another snapshot", "no weights"]
)
def test_half_a_run_is_not_installed(
    damage: str, runs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture
):
    half, assets = tmp_path / "half", tmp_path / "assets"
    for name, content in contents(runs[0]).items():
        (half / name).parent.mkdir(parents=True, exist_ok=True)
        (half / name).write_bytes(content)
    snapshot = next(iter((half / "snapshots").iterdir()))
    if damage == "no record":
        (half / "training.json").unlink()
    elif damage == "another record":
        (half / "training.json").write_bytes((runs[1] / "training.json").read_bytes())
    elif damage == "no snapshot":
        snapshot.unlink()
    elif damage == "another snapshot":
        snapshot.write_bytes(b"something else")
    else:
        (half / "model.safetensors").unlink()
    assert main([str(half), "--assets", str(assets), "--windows", "1"]) == 1
    err = capsys.readouterr().err
    assert str(half) in err and err.endswith(".\n")
    assert not assets.exists()
