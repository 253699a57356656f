"""A checkpoint of one's own on the page: all that is shown is its own, and what is missing is said to be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import shakespeare_gpt as sg
from launched import PATIENCE
from shakespeare_gpt import checkpoint, nanogpt
from shakespeare_gpt.checkpoint import CheckpointError
from shakespeare_gpt.record import MOST
from shakespeare_gpt.snapshots import Snapshots
from shakespeare_gpt.training import measure, train
from shakespeare_gpt.ui.core.served import SHAKESPEARE, measure_command, served
from shakespeare_gpt.ui.demo import build_demo
from shakespeare_gpt.ui.launch import main, parser
from shakespeare_gpt.ui.model.api import About
from support import ASSETS, ROOT, TEXT, small_gpt

LINE = "Мой дядя самых честных правил, {0} раз; когда не в шутку занемог, {1}.\n"
FLAGS = [
    *("--generations=1", "--n-layer=2", "--n-head=1", "--n-embd=16", "--context-length=32", "--batch-size=4"),
    *("--characters=5120", "--evaluations=2", "--precision=fp32", "--calibration=1", "--name=евгений_онегин"),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a Russian text, not measured yet."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "onegin.txt").write_text("".join(LINE.format(i, i * i) for i in range(99)), encoding="utf-8")
    assert train.main([*FLAGS, f"--corpus={folder / 'onegin.txt'}", f"--out={folder / 'run'}"]) == 0
    return folder / "run"


def strings(value: object) -> list[str]:
    """Every text in a JSON value."""
    if isinstance(value, dict):
        return [*value, *(text for one in value.values() for text in strings(one))]
    if isinstance(value, list):
        return [text for one in value for text in strings(one)]
    return [value] if isinstance(value, str) else []


def test_title_first_text_and_examples_are_the_checkpoint_s(run: Path):
    model = sg.load(run)
    about = served(model, run)
    assert about.title == "Евгений онегин GPT" and "“евгений онегин”" in about.description
    assert [*about.examples.values()] == model.checkpoint.training["examples"]
    assert about.first.startswith("Мой дядя") and model.tokenizer.normalize(about.first) == (about.first, [])
    assert all(len(label) < 30 for label in about.examples) and len(about.prompts) == 3
    demo = build_demo(folder=run)
    assert demo.title == about.title and demo.facts["title"] == about.title
    assert demo.facts["vocabulary"] == model.tokenizer.vocabulary
    told = demo.told()
    assert told["strip"]["text"] == about.first
    assert told["lessons"][0]["view"]["text"] == about.first
    # Nothing of the bundled model: its plays, its names, its number of characters.
    for text in strings([told, demo.facts, demo.opening.html(about.title)]):
        for foreign in ("Shakespeare", "ROMEO", "Quavendrim", "tiny-shakespeare"):
            assert foreign not in text, text


def test_its_record_says_of_which_text_it_is(run: Path):
    model = sg.load(run)
    about = About(model, Snapshots(model, run), run)
    told, record = about.about(), json.loads((run / "training.json").read_text())
    assert told["text"]["loss"] == record["validation_loss"] and told["others"] == []
    assert "евгений_онегин, sha256" in told["text"]["of"] and "the last 10%" in told["text"]["of"]
    assert "евгений_онегин" in told["limits"][0] and "plays" not in " ".join(told["limits"])
    assert "Karpathy" not in told["data"] and record["corpus_sha256"][:12] in told["data"]
    assert len(told["training"]["moments"]) > 2
    assert all(one["prompt"].startswith("Мой") for one in about.samples()["samples"])


def test_what_was_not_measured_is_missing_and_can_be_made(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Beside the checkpoint lies what was made from another one: as good as nothing."""
    for path in run.rglob("*"):
        if path.is_file():
            (tmp_path / path.relative_to(run)).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path.relative_to(run)).write_bytes(path.read_bytes())
    for name in ("heads.json", "prices.json"):
        (tmp_path / name).write_bytes((ASSETS / name).read_bytes())
    demo = build_demo(folder=tmp_path)
    told = demo.told()
    assert told.get("roles") is None and told["what-if"]["prices"] is None
    monkeypatch.chdir(tmp_path.parent)
    command = measure_command(tmp_path, str(tmp_path))
    assert command == f"python -m shakespeare_gpt.training.measure {tmp_path.name}"
    assert measure.main(command.split()[3:]) == 0
    told = build_demo(folder=tmp_path).told()
    assert len(told["roles"]["heads"]) == 2 and told["what-if"]["prices"]["text"]["corpus_sha256"]


def test_snapshots_of_another_model_beside_it_are_not_shown(run: Path, tmp_path: Path):
    """A checkpoint copied over assets/: record and snapshots there are of the model that was there."""
    for path in ASSETS.rglob("*"):
        if path.is_file():
            (tmp_path / path.relative_to(ASSETS)).parent.mkdir(exist_ok=True)
            (tmp_path / path.relative_to(ASSETS)).write_bytes(path.read_bytes())
    for name in (checkpoint.WEIGHTS, checkpoint.CONFIG):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    assert build_demo(folder=tmp_path).told()["forming"]["moments"] == []
    (tmp_path / "training.json").write_bytes((run / "training.json").read_bytes())
    moments = build_demo(folder=tmp_path).told()["forming"]["moments"]
    assert [one["step"] for one in moments] == [0, moments[-1]["step"]], "its own snapshots were not copied"


def test_without_a_record_it_writes_its_own_beginnings():
    small = small_gpt(vocabulary="абвгд ежз")
    about = served(small)
    assert about.title == "Character GPT" and len(about.examples) == 3
    assert all(set(text) <= set("абвгд ежз") for text in about.examples.values())
    assert served(small_gpt()).examples is SHAKESPEARE, "whose characters it knows"


@pytest.mark.parametrize(
    "examples", [None, "text", [], [3, None], [""], ["\n"], ["日本"], ["a {{b}} ${c} <b>"] * 9]
)
def test_a_record_that_somebody_changed_does_no_harm(examples: object, tmp_path: Path):
    model = small_gpt(vocabulary="abcdefg {}$<>\n")
    facts = {"corpus_name": "<b>{{x}} ${alert(1)}</b>", "corpus_sha256": "0" * 64, "examples": examples}
    checkpoint.save(model, tmp_path, {**facts, "corpus_characters": "many", "validation_loss": "low"})
    about = served(sg.load(tmp_path))
    assert not set("<>{}$/") & set(about.title) and about.examples and all(about.examples.values())
    told = About(sg.load(tmp_path), Snapshots(sg.load(tmp_path), tmp_path), tmp_path).about()
    assert told["text"]["loss"] is None
    build_demo(folder=tmp_path)


def test_a_checkpoint_of_nanogpt_is_shown_with_what_it_says_of_itself(tmp_path: Path):
    told, meta = nanogpt.from_model(small_gpt(), "my_plays")
    facts = nanogpt.facts_told({**told, "iter_num": 5000, "best_val_loss": 1.47})
    model, _ = nanogpt.to_model(told["model"], told["model_args"], "".join(meta["itos"].values()))
    checkpoint.save(model, tmp_path, {"made_by": "nanoGPT", **facts}, exact=True)
    about = About(sg.load(tmp_path), Snapshots(sg.load(tmp_path), tmp_path), tmp_path).about()
    assert "5,000 iterations" in about["data"] and "1.4700" in about["data"]
    assert about["training"] is None and about["others"] == []
    assert sg.generate(sg.load(tmp_path), TEXT, 5, seed=1) == sg.generate(small_gpt(), TEXT, 5, seed=1)


@pytest.mark.parametrize("name", MOST)
def test_what_is_larger_than_the_page_is_refused_in_a_sentence(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture
):
    most = MOST[name][0]
    sizes = {"n_layer": 1, "n_head": 1, "n_embd": 1, "context_length": 8}
    shape = {**sizes, name: most + 1} if name != "vocab_size" else sizes
    if name == "n_head":
        shape["n_embd"] = most + 1
    vocabulary = "".join(chr(0x4E00 + i) for i in range(most + 1 if name == "vocab_size" else 8))
    checkpoint.save(small_gpt(vocabulary=vocabulary, **shape), tmp_path)
    with pytest.raises(CheckpointError, match="more than the page can show"):
        build_demo(folder=tmp_path)
    assert main(["--checkpoint", str(tmp_path)]) == 1
    err = capsys.readouterr().err
    assert f"{most + 1:,} {MOST[name][1]}" in err and err.count("\n") == 1


def test_the_environment_names_a_checkpoint_too(monkeypatch: pytest.MonkeyPatch):
    assert parser().parse_args([]).checkpoint is None
    monkeypatch.setenv("SHAKESPEARE_CHECKPOINT", "alice/model")
    assert parser().parse_args([]).checkpoint == "alice/model"
    assert parser().parse_args(["--checkpoint", "runs/mine"]).checkpoint == "runs/mine"
    command = measure_command(Path("/cache/snapshots/1234"), "alice/model")
    assert command.startswith("hf download alice/model --local-dir model && python -m ")


@pytest.mark.parametrize("how", ["option", "environment"])
def test_one_that_is_not_there_is_named_in_a_sentence(how: str, tmp_path: Path):
    missing = str(tmp_path / "none")
    environment = {**os.environ, **({"SHAKESPEARE_CHECKPOINT": missing} if how == "environment" else {})}
    flags = ["--checkpoint", missing] if how == "option" else []
    done = subprocess.run(
        [sys.executable, "app.py", *flags],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"There is no folder {missing}" in done.stderr
