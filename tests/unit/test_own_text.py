"""A text of one's own, from its file to the figures: trained on, scored, measured and written on, in any alphabet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import shakespeare_gpt as sg
from shakespeare_gpt.training import corpus, evaluate, install, measure, samples, train

LINES = {
    "faust": "FAUST:\r\nHabe nun, ach! Größe und Maß, {0} Zöllner für {1} Öfen.\r\n\r\n",
    "onegin": "Мой дядя самых честных правил, {0} раз; когда не в шутку занемог, {1}.\n",
    "signs": "".join(chr(0x4E00 + i) for i in range(110)) + " {0} 学而时习之 {1}\n",
    "one line": "so it goes on and on {0} and on {1} and ",
}
SMALL = [
    *("--generations=1", "--n-layer=2", "--n-head=2", "--n-embd=16", "--context-length=16", "--batch-size=4"),
    *("--characters=1280", "--evaluations=2", "--precision=fp32", "--calibration=1"),
]


def text_file(folder: Path, name: str, lines: int = 150) -> Path:
    path = folder / f"{name}.txt"
    path.write_bytes("".join(LINES[name].format(i, i * i % 97) for i in range(lines)).encode())
    return path


@pytest.fixture(autouse=True)
def shakespeare_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another text where SHAKESPEARE_CORPUS says: it is not this run's."""
    (tmp_path / "other.txt").write_text("To be, or not to be. " * 99)
    monkeypatch.setenv("SHAKESPEARE_CORPUS", str(tmp_path / "other.txt"))


@pytest.mark.parametrize("name", LINES)
def test_a_text_of_one_s_own(name: str, tmp_path: Path, capsys: pytest.CaptureFixture):
    path, run = text_file(tmp_path, name), tmp_path / "run"
    assert train.main([*SMALL, f"--corpus={path}", f"--out={run}"]) == 0
    out = capsys.readouterr().out
    text = path.read_text(encoding="utf-8")  # which reads CRLF as one character
    sha256 = corpus.sha256(text)
    assert f"{name}: {len(text):,} characters, {len(set(text))} different ones, sha256 {sha256[:12]}\n" in out
    assert "Losses on this text compare with losses on this text alone" in out
    assert ("Windows line ends" in out) == (name == "faust")
    for file in ("training.json", "config.json"):
        facts = json.loads((run / file).read_text(encoding="utf-8"))
        facts = facts.get("training", facts)
        told = ("corpus_name", "corpus_sha256", "corpus_characters", "split")
        assert [facts[key] for key in told] == [name, sha256, len(text), "validation"]
        assert facts["examples"] and all(piece in text for piece in facts["examples"])
        assert str(tmp_path) not in json.dumps(facts), "where it lay is nobody else's business"
    model = sg.load(run)
    assert set(model.tokenizer.vocabulary) == set(text)

    # Without a word about the text: the run knows which it was, and where.
    named = f"{name} (sha256 {sha256[:12]})"
    assert evaluate.main([str(run)]) == 0
    assert f"validation characters (the last 10%) of {named}\n" in capsys.readouterr().out
    assert measure.main([str(run)]) == 0
    assert samples.main(["--checkpoint", str(run), "--characters", "20"]) == 0
    out = capsys.readouterr().out
    assert f"{name} (validation)" in out and f"The text is {name}, sha256 {sha256[:12]}." in out
    for file in ("heads.json", "prices.json"):
        source = json.loads((run / file).read_text())["text"]
        assert source["source"] == f"validation text of {name}, windows spread evenly"
        assert source["corpus_sha256"] == sha256
    assert "nanoGPT" not in (run / "loss.svg").read_text()
    assert install.main([str(run), "--assets", str(tmp_path / "assets")]) == 0

    path.write_text(text + "changed", encoding="utf-8")
    for command, flags in ((evaluate, []), (measure, []), (samples, ["--checkpoint"])):
        assert command.main([*flags, str(run)]) == 1
        said = capsys.readouterr().err
        assert "trained on another text" in said and named[:-1].replace(" (", ", ") in said, said


def test_it_may_be_called_something_else(tmp_path: Path):
    path, run = text_file(tmp_path, "faust"), tmp_path / "run"
    assert train.main([*SMALL, f"--corpus={path}", f"--out={run}", "--name=Goethe, Faust"]) == 0
    assert json.loads((run / "training.json").read_text())["corpus_name"] == "Goethe, Faust"
    renamed = path.rename(tmp_path / "goethe.txt")
    assert evaluate.main([str(run), "--quick", f"--corpus={renamed}"]) == 0


def test_what_is_no_text_to_learn_from_is_refused_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture
):
    short = text_file(tmp_path, "onegin", lines=1)
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "latin.txt").write_bytes("Größe".encode("latin-1"))
    for path, said in (
        (short, "too short for a context of 256, which takes 604"),
        (tmp_path, "Is a directory"),
        (tmp_path / "empty.txt", "is empty"),
        (tmp_path / "latin.txt", "not text in UTF-8"),
        (tmp_path / "none.txt", "No such file"),
    ):
        assert train.main([f"--corpus={path}", f"--out={tmp_path / 'run'}"]) == 1
        err = capsys.readouterr().err
        assert str(path) in err and said in err and err.count("\n") == 1, err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("context_length", [1, 2, 16, 100])
def test_the_shortest_text_that_is_taken_trains(context_length: int, tmp_path: Path):
    path = tmp_path / "short.txt"
    for split in ([], ["--dev"]):
        path.write_text("abcd" * corpus.least_length(context_length))
        path.write_text(path.read_text()[: corpus.least_length(context_length)])
        flags = [*SMALL, f"--context-length={context_length}", f"--corpus={path}", "--characters=200"]
        assert train.main([*flags, f"--out={tmp_path / f'run{len(split)}'}", *split]) == 0


def test_names_are_invented_only_where_there_are_some(tmp_path: Path):
    path = text_file(tmp_path, "onegin")
    assert train.main([*SMALL, f"--corpus={path}", f"--out={tmp_path / 'none'}", "--renamed=0.5"]) == 0
    path = tmp_path / "few.txt"  # names, and few letters to invent others from
    path.write_text("und Hanna, so Hanna sah an, und Anna sah Hanna.\n" * 50)
    assert (
        train.main([*SMALL, f"--corpus={path}", f"--out={tmp_path / 'run'}", "--renamed=1", "--repeats=0.3"])
        == 0
    )


def test_of_a_long_text_a_part_is_scored_on_the_way_and_all_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    """Else 20 MB would take longer to score than to learn from."""
    monkeypatch.setattr(train, "ON_THE_WAY", 100)
    path, run = text_file(tmp_path, "onegin"), tmp_path / "run"
    assert train.main([*SMALL, f"--corpus={path}", f"--out={run}"]) == 0
    held_out = corpus.split(path.read_text(encoding="utf-8"))[1]
    assert f"Scoring all {len(held_out):,} held-out characters" in capsys.readouterr().out
    record, model = json.loads((run / "training.json").read_text()), sg.load(run)
    assert record["history_characters"] == 100
    loss = {
        n: evaluate.windowed_loss(model, evaluate.encode(model, held_out[:n])) for n in (100, len(held_out))
    }
    assert record["validation_loss"] == pytest.approx(loss[len(held_out)], abs=2e-3)
    first = evaluate.windowed_loss(model, evaluate.encode(model, held_out[:100]), offsets=[0])
    assert record["history"][-1]["validation_loss"] == pytest.approx(first, abs=2e-3)
    assert abs(loss[100] - loss[len(held_out)]) > 4e-3, "so that the two can be told apart"
