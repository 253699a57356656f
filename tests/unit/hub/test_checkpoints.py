"""A model of one's own in a Space, and the explorer without a server."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import yaml

from hub_server import Hub, Repo
from hub_worker import listed, space
from shakespeare_gpt.checkpoint import save, save_snapshot
from support import small_gpt


@pytest.fixture
def run(tmp_path: Path, project: Path) -> Path:
    """A folder with a small model of another text, its record and a snapshot, and with what was made from another model."""
    folder = tmp_path / "mine"
    model = small_gpt()
    facts = {"corpus_sha256": "5" * 64, "corpus_name": "Faust", "validation_loss": 2.0}
    sha256 = save(model, folder, facts)
    snapshot = save_snapshot(model, folder / "snapshots" / "step-000010.safetensors")
    (folder / "snapshots" / "step-000099.safetensors").write_bytes(b"of another run")
    record = {
        "sha256": sha256,
        "snapshots": [{"file": "step-000010.safetensors", "sha256": snapshot}],
        "history": [],
    }
    (folder / "training.json").write_text(json.dumps(record))
    shutil.copy(project / "assets/heads.json", folder)  # as copying a checkpoint over another one leaves it
    (folder / "state.safetensors").write_bytes(b"the optimizer's")
    return folder


def test_a_run_is_published_with_what_belongs_to_it(worker, hub: Hub, run: Path):
    result = worker("space", "alice/demo", "--checkpoint", str(run))
    assert result.code == 0, result
    assert "heads.json" in result.err and "shakespeare_gpt.training.measure" in result.err
    files = space(hub).files
    assets = {name.removeprefix("assets/") for name in files if name.startswith("assets/")}
    assert assets == {
        "model.safetensors",
        "config.json",
        "training.json",
        "snapshots/step-000010.safetensors",
    }
    for name in assets:
        assert files[f"assets/{name}"] == (run / name).read_bytes()
    readme = files["README.md"].decode()
    front_matter = yaml.safe_load(readme.split("---\n")[1])
    assert "datasets" not in front_matter and front_matter["sdk"] == "gradio"
    assert front_matter["title"] == "Faust GPT"
    assert "3 layers of\n4 heads" in readme and "from Faust" in readme and "1.3850" not in readme


def test_what_belonged_to_the_model_before_goes(worker, hub: Hub, run: Path):
    assert worker("space", "alice/demo").code == 0
    assert "assets/heads.json" in space(hub).files
    told = listed(worker("space", "alice/demo", "--checkpoint", str(run), "--dry-run"))
    deleted = {path for path, (what, _) in told.items() if what == "deleted"}
    assert {"assets/heads.json", "assets/prices.json", "assets/loss.svg"} <= deleted
    assert worker("space", "alice/demo", "--checkpoint", str(run)).code == 0
    assert not deleted & space(hub).files.keys()


def test_a_model_on_the_hub_is_published_too(worker, hub: Hub, project: Path):
    assert worker("model", "alice/model").code == 0
    assert worker("space", "alice/demo", "--checkpoint", "alice/model").code == 0
    assert space(hub).files["assets/model.safetensors"] == (project / "assets/model.safetensors").read_bytes()
    assert "assets/heads.json" not in space(hub).files


@pytest.mark.parametrize("name", ["nothing", "folder"])
def test_a_folder_without_a_checkpoint(worker, hub: Hub, tmp_path: Path, name: str):
    (tmp_path / "folder").mkdir()
    worker("space", "alice/demo", "--checkpoint", str(tmp_path / name)).failed(str(tmp_path / name))
    assert hub.requests == []


def test_the_card_speaks_of_no_other_text(worker, hub: Hub, run: Path):
    worker("model", "alice/model", "--checkpoint", str(run)).failed(
        "another text than tiny-shakespeare", "hub space"
    )
    assert hub.requests == []


# Without a server


def test_a_static_space_is_two_files(worker, hub: Hub):
    result = worker("space", "alice/static", "--static")
    assert (result.code, result.out) == (0, f"{hub.url}/spaces/alice/static\n"), result
    [created] = hub.calls("POST /api/repos/create")
    assert created["sdk"] == "static" and "hardware" not in created
    files = space(hub, "alice/static").files
    assert set(files) == {".gitattributes", "README.md", "index.html"}
    front_matter = yaml.safe_load(files["README.md"].decode().split("---\n")[1])
    assert (front_matter["sdk"], front_matter["app_file"]) == ("static", "index.html")
    assert "sdk_version" not in front_matter and "python_version" not in front_matter
    assert hub.calls("GET .*/runtime") == [], "it needs no building"
    assert worker("space", "alice/static", "--static").code == 0
    assert len(hub.committed()) == 1, "the same files again are no commit"


def test_a_static_space_replaces_nothing_else(worker, hub: Hub):
    assert worker("space", "alice/demo").code == 0
    worker("space", "alice/demo", "--static").failed("is not this explorer", "--update")
    hub.repos["space", "alice/page"] = Repo(
        "space", {"index.html": b"mine", "README.md": b"---\nsdk: static\n---\n"}
    )
    worker("space", "alice/page", "--static").failed("is not this explorer", "--update")
    worker("space", "alice/page", "--static", "--update").failed("2 files", "--yes")
    worker("space", "alice/new", "--static", "--hardware", "cpu-basic").failed("no hardware")


def test_the_same_files_for_a_folder_need_no_hub(worker, hub: Hub, tmp_path: Path):
    out = tmp_path / "page"
    result = worker("space", "--static", "--out", str(out), token=None)
    assert (result.code, result.out) == (0, f"{out / 'index.html'}\n"), result
    assert hub.requests == []
    assert {path.name for path in out.iterdir()} == {"index.html", "README.md"}
    assert worker("space", "--static", "--out", str(out), token=None).code == 0, "once more, over its own"
    assert worker("space", "alice/static", "--static").code == 0
    there = space(hub, "alice/static").files["index.html"]
    assert hashlib.sha256(there).digest() == hashlib.sha256((out / "index.html").read_bytes()).digest()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("mine")
    worker("space", "--static", "--out", str(tmp_path / "full"), token=None).failed("holds something else")
    (tmp_path / "file").write_text("mine")
    worker("space", "--static", "--out", str(tmp_path / "file"), token=None).failed("Could not write")


def test_out_goes_with_static_and_otherwise_a_name_is_needed(worker):
    for arguments in (("--out", "x"), ("alice/demo", "--out", "x"), ("--static",), ()):
        assert worker("space", *arguments).code == 2
