"""The model on the Hub: published, loaded again, and a card that tells the truth."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
import yaml

from hub_server import Hub, Repo


def card_of(hub: Hub, name: str = "alice/model") -> str:
    return hub.repos["model", name].files["README.md"].decode()


def test_a_published_model_can_be_loaded(worker, hub: Hub, project: Path):
    result = worker("model", "alice/model")
    assert (result.code, result.out) == (0, f"{hub.url}/alice/model\n"), result
    repo = hub.repos["model", "alice/model"]
    for name in ("config.json", "model.safetensors"):
        assert repo.files[name] == (project / "assets" / name).read_bytes()
    there, here = worker("load", "alice/model", token=None), worker("load", token=None)
    assert there.code == 0 and there.out == here.out, there
    assert hub.calls("GET /alice/model/resolve/.*/model.safetensors")


def test_the_model_card_tells_the_truth(worker, hub: Hub, project: Path, model):
    assert worker("model", "alice/model", "--private").code == 0
    assert hub.repos["model", "alice/model"].private
    card = card_of(hub)
    front_matter = yaml.safe_load(card.split("---\n")[1])
    assert (front_matter["license"], front_matter["language"]) == ("mit", "en")
    assert front_matter["pipeline_tag"] == "text-generation"
    assert front_matter["datasets"] == ["karpathy/tiny_shakespeare"]
    config = json.loads((project / "assets/config.json").read_text(encoding="utf-8"))
    loss = config["training"]["validation_loss"]
    [result] = front_matter["model-index"][0]["results"]
    assert result["metrics"][0]["type"] == "perplexity"  # an id that the Hub knows
    assert result["metrics"][0]["value"] == pytest.approx(math.exp(loss), abs=1e-4)
    assert f"| {loss:.4f} |" in card
    assert f"| {model.num_parameters():,} |" in card
    assert f"`{config['sha256']}`" in card and f"`{config['training']['corpus_sha256']}`" in card
    for name, value in config["training"]["recipe"].items():
        assert f"| `{name}` | {value} |" in card
    assert f"| {config['training']['characters']:,}, " in card
    assert 'sg.load("alice/model")' in card
    assert "1,003,854" in card and "111,540" in card  # the split, as others publish it
    for heading in ("Try it", "How to load it", "Data and split", "Training", "Loss", "its limits"):
        assert re.search(rf"^## .*{heading}$", card, re.MULTILINE), heading
    assert "None" not in card and "{" not in card


def test_the_card_says_what_its_loss_means(worker, hub: Hub, project: Path):
    record = json.loads((project / "assets/training.json").read_text(encoding="utf-8"))
    calibration, history = record["recipe"]["calibration"], record["history"]
    assert calibration != 1 and history[-1]["characters"] == history[-2]["characters"]
    assert worker("model", "alice/model").code == 0
    card = card_of(hub)
    before = f"| Before its logits were divided by {calibration:g} | {history[-2]['validation_loss']:.4f} |"
    assert before in card
    assert "mean of -ln p" in card and "lower is better" in card
    assert "`soft_targets` is a share of the training loss" in card


def test_the_card_leads_to_a_running_page_if_there_is_one(worker, hub: Hub):
    assert worker("model", "alice/demo").code == 0
    assert "hf download" not in card_of(hub, "alice/demo")
    assert "pip install ." in card_of(hub, "alice/demo")
    assert worker("space", "alice/demo").code == 0
    assert worker("model", "alice/demo").code == 0
    card = card_of(hub, "alice/demo")
    assert f"]({hub.url}/spaces/alice/demo)" in card
    assert (
        "hf download alice/demo --repo-type space --local-dir demo" in card and "pip install ./demo" in card
    )
    assert set(hub.committed()[-1]) == {"README.md"}


def test_a_model_of_another_run_does_not_lend_its_history(worker, hub: Hub, edit, project: Path):
    record = json.loads((project / "assets/training.json").read_text(encoding="utf-8"))
    last = f"{record['history'][-1]['training_loss']:.4f}"
    worker("model", "alice/model")
    assert last in card_of(hub)
    edit("assets/training.json", json.dumps(record | {"sha256": "0" * 64}).encode())
    worker("model", "alice/model")
    assert last not in card_of(hub)
    assert set(hub.committed()[-1]) == {"README.md"}, "only the card has changed"


def test_a_card_that_was_edited_there_is_not_lost(worker, hub: Hub):
    assert worker("model", "alice/model").code == 0
    hub.repos["model", "alice/model"].commit({"README.md": b"---\nlicense: mit\n---\nMy own words.\n"})
    worker("model", "alice/model").failed("README.md", "--yes")
    assert "My own words" in card_of(hub)
    assert worker("model", "alice/model", "--yes").code == 0
    assert "My own words" not in card_of(hub)


def test_a_repo_with_another_model_is_left_alone(worker, hub: Hub):
    theirs = {".gitattributes": b"", "config.json": b'{"model_type": "gpt2"}', "model.safetensors": b"x"}
    hub.repos["model", "alice/other"] = Repo("model", dict(theirs))
    worker("model", "alice/other").failed("alice/other", "another model", "--update")
    assert hub.repos["model", "alice/other"].files == theirs
    worker("model", "alice/other", "--update").failed("2 files", "--yes")
    assert worker("model", "alice/other", "--update", "--yes").code == 0
    assert hub.repos["model", "alice/other"].files["model.safetensors"] != b"x"
    assert worker("model", "alice/other").code == 0, "now it is ours"


@pytest.mark.parametrize(
    ("name", "repo"), [("private", Repo("model", private=True)), ("empty", Repo("model")), ("nothing", None)]
)
def test_loading_from_the_hub_explains_what_went_wrong(worker, hub: Hub, name: str, repo: Repo | None):
    if repo:
        hub.repos["model", f"alice/{name}"] = repo
    missing = "Entry not found" if name == "empty" else "Repository not found"
    worker("load", f"alice/{name}", token=None).failed(f"alice/{name}", missing, "token")


def test_loading_without_a_network(worker, hub: Hub):
    with hub.down():
        worker("load", "alice/never-seen").failed("Could not", "the Hub", "alice/never-seen")
