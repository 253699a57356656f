"""What decides the meaning of a run's numbers is part of the run: checked when it is resumed, said wherever one is read."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest
import torch

import shakespeare_gpt as sg
from shakespeare_gpt.checkpoint import CONFIG, CheckpointError, save
from shakespeare_gpt.experiments import read_prices
from shakespeare_gpt.hub import command
from shakespeare_gpt.hub.card import model_files
from shakespeare_gpt.hub.client import HubError
from shakespeare_gpt.hub.files import chosen
from shakespeare_gpt.pictures import loss_svg
from shakespeare_gpt.snapshots import Snapshots
from shakespeare_gpt.training import corpus, evaluate, install, measure, samples, train
from shakespeare_gpt.training.corpus import DEV, SPLITS, VALIDATION, Corpus, CorpusError
from shakespeare_gpt.training.evaluate import encode, windowed_loss
from shakespeare_gpt.training.recipe import Recipe
from shakespeare_gpt.training.run import STATE, Run, check_same, read_state
from shakespeare_gpt.ui.model.api import About
from support import TEXT, small_gpt

CORPUS = TEXT * 10
OTHER = TEXT * 9 + TEXT[::-1]  # of the same characters
LEARNED, VALIDATION_TEXT = corpus.split(CORPUS)
DEV_LEARNED, DEV_TEXT = corpus.split_dev(LEARNED)
TINY = {
    "n_layer": 1, "n_head": 2, "n_embd": 16, "context_length": 8, "batch_size": 4, "characters": 4 * 8 * 10,
    "dropout": 0.1, "precision": "fp32",
}  # fmt: skip


def flags(**changes: object) -> list[str]:
    named = {**TINY, "generations": 1, "evaluations": 2, **changes}
    return [f"--{name.replace('_', '-')}={value}" for name, value in named.items()]


@pytest.fixture(scope="module", autouse=True)
def small_corpus() -> Iterator[None]:
    """A text of the tests' own in the corpus's place, for every command."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shakespeare_gpt.training.corpus.find_corpus", lambda _path: Corpus(CORPUS, "a test"))
        patch.setenv("SHAKESPEARE_CORPUS", "a file that is not read")
        yield


def stopped_run(folder: Path, *more: str) -> None:
    """Begin a run, and press Ctrl-C at its third step."""
    step = Run.train_step

    def ctrl_c(run: Run) -> torch.Tensor:
        if run.step == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return step(run)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "train_step", ctrl_c)
        assert train.main([*flags(out=folder), *more]) == 130


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run that was stopped, for each split."""
    folders = {split: tmp_path_factory.mktemp(f"begun-{split}") for split in SPLITS}
    for split, folder in folders.items():
        stopped_run(folder, *(["--dev"] if split == DEV else []))
    return folders


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A complete run for each split."""
    folders = {split: tmp_path_factory.mktemp(f"finished-{split}") for split in SPLITS}
    for split, folder in folders.items():
        assert train.main([*flags(out=folder), *(["--dev"] if split == DEV else [])]) == 0
    return folders


# --- resumed


def another(name: str, value: object) -> object:
    """A value of this setting that is allowed beside TINY's others, and is not this one."""
    if isinstance(value, str):
        return "bf16"
    if isinstance(value, int):
        return 2 * value or 64
    return value / 2 if value else 0.5


@pytest.mark.parametrize("name", [field.name for field in fields(Recipe)])
def test_another_setting_is_refused(name: str, begun: dict[str, Path], capsys: pytest.CaptureFixture):
    then = getattr(Recipe(**TINY), name)
    now = another(name, then)
    state = (begun[VALIDATION] / STATE).read_bytes()
    assert train.main([*flags(out=begun[VALIDATION], **{name: now}), "--resume"]) == 1
    said = capsys.readouterr().err
    assert f"{name} {then} -> {now}" in said and said.endswith("Resume with the same ones.\n")
    assert (begun[VALIDATION] / STATE).read_bytes() == state


@pytest.mark.parametrize("split", SPLITS)
def test_another_split_is_refused(split: str, begun: dict[str, Path], capsys: pytest.CaptureFixture):
    state = (begun[split] / STATE).read_bytes()
    other = [] if split == DEV else ["--dev"]
    assert train.main([*flags(out=begun[split]), "--resume", *other]) == 1
    said = capsys.readouterr().err
    assert f"is scored on {SPLITS[split]}. Resume it {'with' if split == DEV else 'without'} --dev" in said
    assert (begun[split] / STATE).read_bytes() == state


@pytest.mark.parametrize("split", SPLITS)
def test_another_corpus_is_refused(
    split: str, begun: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    monkeypatch.setattr("shakespeare_gpt.training.corpus.find_corpus", lambda _path: Corpus(OTHER, "a test"))
    same = ["--dev"] if split == DEV else []
    assert train.main([*flags(out=begun[split]), "--resume", *same]) == 1
    assert "learns from another text. Resume it with the same corpus." in capsys.readouterr().err


def test_other_teachers_are_refused(
    begun: dict[str, Path], finished: dict[str, Path], capsys: pytest.CaptureFixture
):
    assert train.main([*flags(out=begun[VALIDATION], teachers=finished[VALIDATION]), "--resume"]) == 1
    assert "had other teachers. Resume with the same ones." in capsys.readouterr().err


def test_all_that_a_run_means_is_in_its_state_and_compared(begun: dict[str, Path]):
    """Each part of it by itself: whatever differs, it is another run."""
    facts, _ = read_state(begun[DEV])
    then = {
        name: facts[name] for name in ("recipe", "split", "corpus_sha256", "vocabulary", "teachers", "start")
    }
    run = Run(
        Recipe(**TINY), DEV_LEARNED, DEV_TEXT, corpus.vocabulary(CORPUS), split=DEV,
        corpus_sha256=corpus.sha256(CORPUS),
    )  # fmt: skip
    assert run.meaning() == then
    check_same(then, facts, begun[DEV])
    others = {
        "recipe": {**then["recipe"], "seed": 0},
        "split": VALIDATION,
        "corpus_sha256": "0" * 64,
        "vocabulary": "abc",
        "teachers": ["0" * 64],
        "start": "0" * 64,
    }
    assert others.keys() == then.keys()
    for name, other in others.items():
        with pytest.raises(CheckpointError, match="Resume"):
            check_same({**then, name: other}, facts, begun[DEV])


def test_it_is_refused_before_a_teacher_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    """Of two runs, the second one is there and is another: no step is taken for the first one."""
    for folder in (tmp_path, tmp_path / "teacher-1"):
        stopped_run(folder, "--calibration", "1")
    monkeypatch.setattr(Run, "train_step", lambda _: pytest.fail("it trained"))
    assert train.main([*flags(out=tmp_path, generations=2, calibration=1), "--resume"]) == 1
    assert f"The run in {tmp_path} has other settings: seed 1337 -> 1338" in capsys.readouterr().err


def test_a_run_that_was_begun_before_all_this_was_recorded_counts_as_without_dev(
    tmp_path: Path, begun: dict[str, Path]
):
    then, _ = read_state(begun[VALIDATION])
    now = {name: then[name] for name in ("recipe", "split", "corpus_sha256", "vocabulary", "teachers")}
    old = {
        name: value for name, value in then.items() if name not in ("split", "corpus_sha256", "vocabulary")
    }
    check_same(now, old, tmp_path)
    with pytest.raises(CheckpointError, match="without --dev"):
        check_same({**now, "split": DEV}, old, tmp_path)


def test_a_run_that_was_begun_before_there_were_other_windows_had_none(
    tmp_path: Path, begun: dict[str, Path]
):
    then, _ = read_state(begun[VALIDATION])
    shares = ("copying_characters", "repeats", "renamed")
    old = {
        **then,
        "recipe": {name: value for name, value in then["recipe"].items() if not name.startswith(shares)},
    }
    now = {name: then[name] for name in ("recipe", "split")}
    check_same(now, old, tmp_path)
    for name in shares:
        with pytest.raises(CheckpointError, match=rf"other settings: {name} 0(\.0)? -> 1\."):
            check_same({**now, "recipe": {**now["recipe"], name: 1}}, old, tmp_path)


# --- read


@pytest.mark.parametrize("split", SPLITS)
def test_the_record_says_what_it_was_scored_on(split: str, finished: dict[str, Path]):
    held_out = DEV_TEXT if split == DEV else VALIDATION_TEXT
    model = sg.load(finished[split])
    record = json.loads((finished[split] / "training.json").read_text())
    config = json.loads((finished[split] / CONFIG).read_text())["training"]
    for facts in (record, config, read_state(finished[split])[0]):
        assert facts["split"] == split and facts["corpus_sha256"] == corpus.sha256(CORPUS)
    assert record["validation_loss"] == pytest.approx(windowed_loss(model, encode(model, held_out)), abs=2e-3)


def test_a_dev_run_has_read_neither_of_the_two_texts(finished: dict[str, Path]):
    """Whatever stands in them, the weights are the same."""
    weights = []
    for held_out in (DEV_TEXT, "R" * len(DEV_TEXT)):
        run = Run(Recipe(**TINY), DEV_LEARNED, held_out, corpus.vocabulary(CORPUS), split=DEV)
        run.train_step()
        weights.append(run.model.token_embedding.weight.detach().clone())
    assert torch.equal(*weights)
    assert CORPUS.startswith(DEV_LEARNED + DEV_TEXT + VALIDATION_TEXT[:1]), "and it learns from neither"


@pytest.mark.parametrize("split", SPLITS)
def test_training_says_what_it_scores_on(split: str, tmp_path: Path, capsys: pytest.CaptureFixture):
    assert train.main([*flags(out=tmp_path), *(["--dev"] if split == DEV else [])]) == 0
    out = capsys.readouterr().out
    assert f"into {tmp_path}, scored on {SPLITS[split]}\n" in out
    assert f"Done: {tmp_path}/model.safetensors, scored on {SPLITS[split]}." in out
    entries = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    assert entries and all(entry["split"] == split for entry in entries)


def test_evaluating_a_dev_run_scores_the_dev_slice_and_says_so(
    finished: dict[str, Path], capsys: pytest.CaptureFixture
):
    model = sg.load(finished[DEV])
    assert evaluate.main([str(finished[DEV]), "--quick"]) == 0
    out = capsys.readouterr().out
    assert f"windowed loss      {windowed_loss(model, encode(model, DEV_TEXT)):.4f}" in out
    assert f"{len(DEV_TEXT):,} characters of {SPLITS[DEV]}" in out and "validation characters" not in out
    assert "compares with other --dev runs, and with no validation loss" in out
    assert evaluate.main([str(finished[DEV]), "--quick", "--validation"]) == 0
    out = capsys.readouterr().out
    assert f"windowed loss      {windowed_loss(model, encode(model, VALIDATION_TEXT)):.4f}" in out
    assert f"{len(VALIDATION_TEXT):,} validation characters" in out


def test_a_run_that_has_read_the_dev_slice_is_not_scored_on_it(
    finished: dict[str, Path], capsys: pytest.CaptureFixture
):
    assert evaluate.main([str(finished[VALIDATION]), "--dev"]) == 1
    assert "trained without --dev, so it has read the dev slice" in capsys.readouterr().err


@pytest.mark.parametrize("split", SPLITS)
def test_what_is_measured_says_on_which_text(
    split: str, finished: dict[str, Path], capsys: pytest.CaptureFixture
):
    folder, held_out = finished[split], DEV_TEXT if split == DEV else VALIDATION_TEXT
    assert measure.main([str(folder), "--windows", "2"]) == 0
    model = sg.load(folder)
    windows = measure.sample(held_out, 2, 8)
    for name in ("heads.json", "prices.json"):
        source = json.loads((folder / name).read_text())["text"]["source"]
        assert ("dev slice" in source) == (split == DEV) != ("validation text" in source)
    loss = json.loads((folder / "prices.json").read_text())["as_trained"]["loss"]
    expected = sum(windowed_loss(model, encode(model, one), offsets=[0]) for one in windows) / 2
    assert loss == pytest.approx(expected, rel=1e-4)
    assert "nanoGPT" not in (folder / "loss.svg").read_text(), "which is of another text"


def test_published_losses_stand_beside_those_of_the_same_text_alone(finished: dict[str, Path]):
    for split in SPLITS:
        record = json.loads((finished[split] / "training.json").read_text())
        assert "nanoGPT" not in loss_svg(record)
        assert ("nanoGPT" in loss_svg({**record, "corpus_sha256": corpus.SHA256})) == (split == VALIDATION)


@pytest.mark.parametrize("split", SPLITS)
def test_samples_compare_with_the_text_that_was_held_out(
    split: str, finished: dict[str, Path], capsys: pytest.CaptureFixture
):
    assert samples.main(["--checkpoint", str(finished[split]), "--characters", "5"]) == 0
    out = capsys.readouterr().out
    assert f"a test ({split})" in out and f"The text is a test, sha256 {corpus.sha256(CORPUS)[:12]}." in out


@pytest.mark.parametrize("split", SPLITS)
def test_the_page_shows_no_loss_of_a_dev_run_as_one_of_validation_text(split: str, finished: dict[str, Path]):
    """However it came there: by --checkpoint, or copied by hand."""
    assert measure.main([str(finished[split]), "--windows", "1"]) == 0
    model, is_validation = sg.load(finished[split]), split == VALIDATION
    snapshots = Snapshots(model, finished[split])
    moments = snapshots.moments
    assert len(moments) > 1 and (moments[-1].validation_loss is not None) == is_validation
    assert (read_prices(model, finished[split] / "prices.json") is not None) == is_validation
    told = About(model, snapshots, finished[split]).about()["training"]
    assert (told is not None) == is_validation


def test_a_dev_run_is_not_put_on_the_page(
    tmp_path: Path, finished: dict[str, Path], capsys: pytest.CaptureFixture
):
    assert install.main([str(finished[DEV]), "--assets", str(tmp_path), "--windows", "1"]) == 1
    assert "Train it without --dev." in capsys.readouterr().err and not [*tmp_path.iterdir()]


@pytest.mark.parametrize("kind", [["space"], ["model"], ["space", "--static"]])
def test_a_dev_run_is_not_published(
    kind: list[str],
    finished: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
):
    monkeypatch.setattr(command, "connect", lambda _repo: pytest.fail("it went to the Hub"))
    assert command.main([*kind, "alice/demo", "--checkpoint", str(finished[DEV])]) == 1
    assert "Publish a run without --dev" in capsys.readouterr().err


def test_the_card_speaks_of_tiny_shakespeare_alone(finished: dict[str, Path]):
    with pytest.raises(HubError, match="trained on another text than tiny-shakespeare"):
        model_files(chosen(finished[VALIDATION]), "alice/model")


@pytest.mark.parametrize("command", [evaluate, measure, samples])
def test_a_checkpoint_of_another_corpus_is_not_scored(
    command, finished: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    monkeypatch.setattr("shakespeare_gpt.training.corpus.find_corpus", lambda _path: Corpus(OTHER, "a test"))
    flag = ["--checkpoint"] if command is samples else []
    assert command.main([*flag, str(finished[VALIDATION])]) == 1
    assert "trained on another text" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["test", "", None, ["dev"]])
def test_a_split_that_nobody_knows_is_refused(name: object):
    with pytest.raises(CorpusError, match="validation or dev"):
        corpus.split_of({"split": name})


def test_the_bundled_checkpoint_is_scored_on_validation_text(model):
    assert corpus.split_of(model.checkpoint.training) == VALIDATION


# --- taught


def taught(teacher: Path, split: str, text: str = CORPUS) -> Run:
    learned, held_out = corpus.parts(text, split)
    return Run(
        replace(Recipe(**TINY), seed=5), learned, held_out, corpus.vocabulary(text), teachers=[sg.load(teacher)],
        split=split, corpus_sha256=corpus.sha256(text),
    )  # fmt: skip


def test_a_teacher_may_not_have_read_what_its_pupil_is_scored_on(
    tmp_path: Path, finished: dict[str, Path], capsys: pytest.CaptureFixture
):
    assert len(taught(finished[DEV], DEV).teachers) == 1
    assert len(taught(finished[VALIDATION], VALIDATION).teachers) == 1
    assert len(taught(finished[DEV], VALIDATION).teachers) == 1, "it has read less than it might"
    assert train.main([*flags(out=tmp_path, teachers=finished[VALIDATION]), "--dev"]) == 1
    assert "it has read the dev slice" in capsys.readouterr().err
    with pytest.raises(ValueError, match="trained on another corpus"):
        taught(finished[VALIDATION], VALIDATION, OTHER)


def test_the_teachers_of_generations_are_held_to_the_same_text(tmp_path: Path):
    assert train.main([*flags(out=tmp_path, generations=2), "--dev"]) == 0
    for folder in (tmp_path, tmp_path / "teacher-1"):
        assert json.loads((folder / "training.json").read_text())["split"] == DEV


def test_a_model_of_unknown_making_counts_as_trained_without_dev(tmp_path: Path):
    save(small_gpt(n_layer=1, n_head=2, n_embd=16, context_length=8), tmp_path)
    text = "".join(sorted(set(sg.load(tmp_path).tokenizer.vocabulary))) * 20
    with pytest.raises(ValueError, match="read the dev slice"):
        taught(tmp_path, DEV, text)
    assert asdict(taught(tmp_path, VALIDATION, text).recipe)["seed"] == 5
