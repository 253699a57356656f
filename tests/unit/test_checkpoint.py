"""Checkpoints: a round trip, atomic writes, and one clear error for everything that can be wrong with a file."""

from __future__ import annotations

import errno
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)
from safetensors.torch import load_file, save_file

import shakespeare_gpt as sg
from shakespeare_gpt import checkpoint
from shakespeare_gpt.checkpoint import CheckpointError, load_snapshot, save, save_snapshot, write
from shakespeare_gpt.model import GPT
from support import ASSETS, TEXT, VOCABULARY, small_gpt

FACTS = {"characters": 123, "validation_loss": 1.5}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good checkpoint."""
    save(small_gpt(), tmp_path / "good", FACTS)
    return tmp_path / "good"


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# --- round trip


def test_what_is_saved_is_what_is_loaded(folder: Path):
    model, loaded = small_gpt(dropout=0.3), sg.load(folder)
    for name, weight in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], weight.half().float()), name
    assert loaded.tokenizer.vocabulary == VOCABULARY
    assert not loaded.training and loaded.config.dropout == 0
    assert {(p.dtype, p.device.type) for p in loaded.parameters()} == {(torch.float32, "cpu")}
    assert loaded.checkpoint.training == FACTS
    assert set(files(folder)) == {"model.safetensors", "config.json"}


def test_saving_again_gives_the_same_bytes(folder: Path, tmp_path: Path):
    """float16 is lost once, not at every save; and the sha256 of equal weights is equal."""
    sha256 = save(sg.load(folder), tmp_path / "again", FACTS)
    assert files(tmp_path / "again") == files(folder)
    assert sg.load(folder).checkpoint.sha256 == sha256


def test_half_precision_costs_little(folder: Path):
    """What is shown is computed from the weights as stored; they are close to the trained ones."""
    ids = torch.tensor([small_gpt().tokenizer.encode(TEXT[:24])])
    with torch.no_grad():
        exact, stored = (model(ids).log_softmax(-1) for model in (small_gpt(), sg.load(folder)))
    assert (exact - stored).abs().max() < 0.1
    assert (folder / "model.safetensors").stat().st_size < 2.2 * small_gpt().num_parameters() + 5000


def test_the_bundled_checkpoint_is_plain_and_small(model: GPT):
    weights = load_file(ASSETS / "model.safetensors")
    assert {w.dtype for w in weights.values()} == {torch.float16}
    assert set(weights) == set(model.state_dict())
    assert (ASSETS / "model.safetensors").stat().st_size < 10_000_000, "the Hub takes 10 MB as a plain file"
    assert model.checkpoint.sha256 == json.loads((ASSETS / "config.json").read_text())["sha256"]
    assert model.tokenizer.vocabulary == VOCABULARY


def test_a_folder_may_be_named_as_text(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(folder.parent)
    assert sg.load(str(folder)).checkpoint == sg.load("good").checkpoint == sg.load(Path("good")).checkpoint


# --- everything that can be wrong


def change_config(folder: Path, change: Callable[[dict], object]) -> None:
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))


def change_weights(folder: Path, change: Callable[[dict], object]) -> None:
    """Other weights with a config that vouches for them."""
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")
    change_config(folder, lambda config: config.pop("sha256"))


def set_weights(folder: Path, data: bytes) -> None:
    (folder / "model.safetensors").write_bytes(data)


def good(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def flip_a_byte(folder: Path) -> None:
    data = bytearray(good(folder))
    data[-100] ^= 1
    set_weights(folder, bytes(data))


WRONG_WEIGHTS = {
    "missing": lambda f: (f / "model.safetensors").unlink(),
    "empty": lambda f: set_weights(f, b""),
    "truncated header": lambda f: set_weights(f, good(f)[:50]),
    "truncated data": lambda f: set_weights(f, good(f)[:-1]),
    "something appended": lambda f: set_weights(f, good(f) + b"x"),
    "noise": lambda f: set_weights(f, bytes(range(256)) * 10),
    "one byte flipped": flip_a_byte,
    "a pickle": lambda f: set_weights(f, pickle.dumps({"token_embedding.weight": 1})),
    "a git-lfs pointer": lambda f: set_weights(
        f, b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"
    ),
    "a folder": lambda f: ((f / "model.safetensors").unlink(), (f / "model.safetensors").mkdir()),
    "a tensor missing": lambda f: change_weights(f, lambda w: w.pop("norm.weight")),
    "a tensor too many": lambda f: change_weights(f, lambda w: w.update(extra=torch.zeros(1))),
    "a tensor of another shape": lambda f: change_weights(
        f, lambda w: w.update({"norm.weight": torch.zeros(9)})
    ),
    "not finite": lambda f: change_weights(f, lambda w: w["norm.weight"].fill_(torch.inf)),
    "not a number": lambda f: change_weights(f, lambda w: w["norm.weight"].fill_(torch.nan)),
}
WRONG_CONFIG = {
    "missing": lambda f: (f / "config.json").unlink(),
    "empty": lambda f: (f / "config.json").write_text(""),
    "not JSON": lambda f: (f / "config.json").write_text('{"shape": '),
    "not UTF-8": lambda f: (f / "config.json").write_bytes(b"\xff\xfe\x00"),
    "a list": lambda f: (f / "config.json").write_text("[1, 2]"),
    "a number": lambda f: (f / "config.json").write_text("1"),
    "nested too deep": lambda f: (f / "config.json").write_text("[" * 100_000),
    "no shape": lambda f: change_config(f, lambda c: c.pop("shape")),
    "shape is no object": lambda f: change_config(f, lambda c: c.update(shape=[6, 6])),
    "an unknown field": lambda f: change_config(f, lambda c: c["shape"].update(n_expert=8)),
    "a size as text": lambda f: change_config(f, lambda c: c["shape"].update(n_layer="3")),
    "a size of zero": lambda f: change_config(f, lambda c: c["shape"].update(n_head=0)),
    "heads that do not divide": lambda f: change_config(f, lambda c: c["shape"].update(n_head=5)),
    "no vocabulary": lambda f: change_config(f, lambda c: c.pop("vocabulary")),
    "vocabulary too short": lambda f: change_config(f, lambda c: c.update(vocabulary="abc")),
    "vocabulary repeats": lambda f: change_config(f, lambda c: c.update(vocabulary="a" * 65)),
    "vocabulary is no text": lambda f: change_config(f, lambda c: c.update(vocabulary=list(VOCABULARY))),
    "vocabulary of words": lambda f: change_config(
        f, lambda c: c.update(vocabulary=[str(i) for i in range(65)])
    ),
}
MISMATCHED = {
    "another layer count": lambda f: change_config(f, lambda c: c["shape"].update(n_layer=2)),
    "another width": lambda f: change_config(f, lambda c: c["shape"].update(n_embd=64)),
    "another context": lambda f: change_config(f, lambda c: c["shape"].update(context_length=25)),
    "another sha256": lambda f: change_config(f, lambda c: c.update(sha256="0" * 64)),
    "weights of another model": lambda f: (
        save(small_gpt(seed=1), f.parent / "other"),
        shutil.copy(f.parent / "other" / "model.safetensors", f),
    ),
}


def assert_explains(error: CheckpointError, *names: str) -> None:
    """One sentence or a few that name the file and the remedy, not a dump."""
    message = str(error)
    assert all(name in message for name in names), message
    assert len(message) < 1000 and "Traceback" not in message
    assert any(
        word in message for word in ("Get the file again", "train a new one", "checkpoint folder", "Is it")
    )


@pytest.mark.parametrize("break_it", WRONG_WEIGHTS.values(), ids=WRONG_WEIGHTS.keys())
def test_wrong_weights_give_one_clear_error(folder: Path, break_it: Callable):
    break_it(folder)
    with pytest.raises(CheckpointError) as caught:
        sg.load(folder)
    assert_explains(caught.value, str(folder / "model.safetensors"))


@pytest.mark.parametrize("break_it", WRONG_CONFIG.values(), ids=WRONG_CONFIG.keys())
def test_a_wrong_config_gives_one_clear_error(folder: Path, break_it: Callable):
    break_it(folder)
    with pytest.raises(CheckpointError) as caught:
        sg.load(folder)
    assert_explains(caught.value, str(folder / "config.json"))


@pytest.mark.parametrize("break_it", MISMATCHED.values(), ids=MISMATCHED.keys())
def test_a_mismatch_gives_one_clear_error(folder: Path, break_it: Callable):
    break_it(folder)
    with pytest.raises(CheckpointError) as caught:
        sg.load(folder)
    assert_explains(caught.value, "model.safetensors", "config.json")


def test_the_bundled_checkpoint_s_remedy_is_git_or_training(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(checkpoint, "ASSETS", folder)
    assert sg.load().num_parameters() == small_gpt().num_parameters()
    for name in ("config.json", "model.safetensors"):
        (folder / name).unlink()
        with pytest.raises(CheckpointError) as caught:
            sg.load()
        assert "git checkout -- assets" in str(caught.value)
        assert "python -m shakespeare_gpt.training.train" in str(caught.value)


def test_no_pickle_is_looked_at(tmp_path: Path):
    """A folder as other projects write it: nothing in it is opened, so nothing in it can run."""
    burst = tmp_path / "burst"

    class Bomb:
        def __reduce__(self):
            return (Path.touch, (burst,))

    for name in ("pytorch_model.bin", "model.pt", "model.safetensors", "ckpt.pt", "meta.pkl"):
        (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
    save(small_gpt(), tmp_path / "other")
    shutil.copy(tmp_path / "other" / "config.json", tmp_path)
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        sg.load(tmp_path)
    assert not burst.exists()


@pytest.mark.parametrize(
    "source", ["/no/such/folder", "./nowhere", "~/nowhere", "a/b/c", "word", Path("a/b"), "x" * 9999]
)
def test_a_source_that_is_nowhere_is_refused_without_a_network(
    source: str | Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *_, **__: pytest.fail("asked the Hub"))
    with pytest.raises(CheckpointError, match=r'There is no folder .* Hub repo id such as "user/model"'):
        sg.load(source)


# --- writing


def no_space(*_args, **_kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("operation", ["open", "fsync", "replace"])
def test_a_failing_write_leaves_the_old_file(operation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    if operation == "open":
        monkeypatch.setattr(checkpoint, "open", no_space, raising=False)
    else:
        monkeypatch.setattr(checkpoint.os, operation, no_space)
    with pytest.raises(CheckpointError) as caught:
        write(path, b"new")
    assert str(path) in str(caught.value) and "No space left on device" in str(caught.value)
    assert files(tmp_path) == {"file": b"old"}, "and nothing is left lying about"


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("operation", ["fsync", "replace"])
def test_a_failing_save_leaves_the_old_checkpoint(
    operation: str, nth: int, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    """Also when the second of the two files is the one that does not fit."""
    before = files(folder)
    calls, real = [], getattr(checkpoint.os, operation)

    def fail_once(*args):
        calls.append(args)
        return no_space() if len(calls) == nth else real(*args)

    monkeypatch.setattr(checkpoint.os, operation, fail_once)
    with pytest.raises(CheckpointError, match="No space left on device"):
        save(small_gpt(seed=1), folder)
    monkeypatch.undo()
    assert files(folder) == before
    assert sg.load(folder).checkpoint.training == FACTS


def test_a_failing_first_save_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(checkpoint.os, "fsync", no_space)
    with pytest.raises(CheckpointError):
        save(small_gpt(), tmp_path / "new")
    assert not list(tmp_path.rglob("*.*"))


def test_a_folder_that_cannot_be_made_is_explained(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match="choose a folder that you may write to"):
        save(small_gpt(), tmp_path / "file" / "checkpoint")
    assert (tmp_path / "file").read_text() == "in the way"


# --- snapshots


def test_a_snapshot_is_close_and_compact(tmp_path: Path):
    model = small_gpt()
    save_snapshot(model, tmp_path / "s.safetensors")
    snapshot = load_snapshot(tmp_path / "s.safetensors", model)
    assert not snapshot.training and snapshot.config == model.config
    for name, weight in model.state_dict().items():
        step = weight.abs().amax(-1, keepdim=True) / 127  # int8, a scale for each row
        assert ((snapshot.state_dict()[name] - weight).abs() <= 0.5001 * step).all(), name
    assert (tmp_path / "s.safetensors").stat().st_size < 1.5 * model.num_parameters() + 10_000


@pytest.mark.parametrize("data", [None, b"", b"x" * 100], ids=["missing", "empty", "noise"])
def test_a_wrong_snapshot_is_explained(tmp_path: Path, data: bytes | None):
    path = tmp_path / "s.safetensors"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"s\.safetensors is not a snapshot of this model"):
        load_snapshot(path, small_gpt())


def test_a_snapshot_of_another_shape_is_refused(tmp_path: Path):
    save_snapshot(small_gpt(n_layer=2), tmp_path / "s.safetensors")
    with pytest.raises(CheckpointError, match="is not a snapshot of this model"):
        load_snapshot(tmp_path / "s.safetensors", small_gpt())


# --- the Hub (test_hub.py loads through the real client from a loopback server)


def test_a_repo_id_is_loaded_from_the_hub(folder: Path, monkeypatch: pytest.MonkeyPatch):
    asked = []

    def download(repo: str, name: str) -> str:
        asked.append((repo, name))
        return str(folder / name)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    assert sg.load("user/model").checkpoint == sg.load(folder).checkpoint
    assert asked == [("user/model", "model.safetensors"), ("user/model", "config.json")]


def test_a_folder_goes_before_a_repo_of_its_name(folder: Path, monkeypatch: pytest.MonkeyPatch):
    shutil.copytree(folder, folder.parent / "user" / "model")
    monkeypatch.chdir(folder.parent)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *_: pytest.fail("asked the Hub"))
    assert sg.load("user/model").checkpoint == sg.load(folder).checkpoint


def refusal(kind: type[HfHubHTTPError], status: int, text: str) -> HfHubHTTPError:
    import httpx

    request = httpx.Request("GET", "https://hub.example/user/model")
    return kind(text, response=httpx.Response(status, request=request))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (LocalEntryNotFoundError("offline"), "Could not reach the Hub for user/model"),
        (HFValidationError("bad"), "neither a folder nor a Hub repo id"),
        (refusal(RepositoryNotFoundError, 404, "404 Client Error\n\nRepository Not Found"), "Check the name"),
        (refusal(HfHubHTTPError, 503, "503 Server Error"), "503 Server Error"),
        (OSError(errno.ENOSPC, "No space left on device"), "Could not download user/model"),
        (ConnectionError("reset"), "Could not download user/model"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_the_hub_says_is_one_clear_error(error: Exception, words: str, monkeypatch: pytest.MonkeyPatch):
    def download(*_args):
        raise error

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    with pytest.raises(CheckpointError, match="user/model") as caught:
        sg.load("user/model")
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_damaged_download_is_explained(folder: Path, monkeypatch: pytest.MonkeyPatch):
    set_weights(folder, b"damaged")
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda _repo, name: str(folder / name))
    with pytest.raises(CheckpointError, match="damaged or incomplete"):
        sg.load("user/model")
