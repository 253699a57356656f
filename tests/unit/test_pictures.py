"""The drawn decoder and the loss curve: well-formed, complete, and right."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import pytest

from shakespeare_gpt.model import GPTConfig
from shakespeare_gpt.pictures import decoder_svg, loss_svg, parts, ticks
from shakespeare_gpt.published import PUBLISHED
from shakespeare_gpt.record import TINY_SHAKESPEARE
from support import ASSETS

SVG = "{http://www.w3.org/2000/svg}"
REMEDY = "is stale: python -m shakespeare_gpt.training.measure --only pictures"


def record(*losses: tuple[float, float]) -> dict:
    entries = [
        {"characters": 500_000 * (i + 1), "training_loss": a, "validation_loss": b}
        for i, (a, b) in enumerate(losses)
    ]
    return {"sha256": "ab" * 32, "history": entries, "corpus_sha256": TINY_SHAKESPEARE}


@pytest.mark.parametrize(
    "config", [GPTConfig(), GPTConfig(n_layer=2, n_head=4, n_embd=64, context_length=32)]
)
def test_the_decoder_names_every_tensor_with_its_shape(config):
    root = ElementTree.fromstring(decoder_svg(config))
    words = [node.text for node in root.iter(f"{SVG}text")]
    c, heads, size = config.n_embd, config.n_head, config.n_embd // config.n_head
    for shape in (
        f"{config.vocab_size} × {c}",
        f"{config.context_length} × {c}",
        f"T × {heads} × {size}",
        f"{heads} × T × T",
        f"{c} → {4 * c} → {c}",
        f"query · key / √{size}",
        f"layer, {config.n_layer} of them",
    ):
        assert shape in words
    assert root.find(f"{SVG}title").text.startswith("The decoder")


def test_boxes_do_not_overlap_and_lie_in_the_picture():
    boxes = [part for part in parts(GPTConfig()).values()]
    for i, a in enumerate(boxes):
        assert a.x >= 0 and a.x + a.width <= 420 and a.y + a.height <= 908
        assert a.sentence.endswith(".")
        for b in boxes[i + 1 :]:
            apart_x = a.x + a.width <= b.x or b.x + b.width <= a.x
            apart_y = a.y + a.height <= b.y or b.y + b.height <= a.y
            assert apart_x or apart_y, (a.key, b.key)


def test_on_the_page_each_part_is_a_button_with_a_name():
    drawn = decoder_svg(GPTConfig(), page=True)
    root = ElementTree.fromstring(drawn)
    buttons = {node.get("data-part"): node for node in root.iter("g") if node.get("role") == "button"}
    assert set(buttons) == set(parts(GPTConfig()))
    assert all(node.get("tabindex") == "0" and node.get("aria-label") for node in buttons.values())
    assert "<style" not in drawn and "{" not in drawn  # Gradio reads braces in its templates


def test_the_loss_curve_runs_through_the_history():
    svg = loss_svg(record((3.0, 2.5), (2.0, 1.9), (1.5, 1.6)))
    root = ElementTree.fromstring(svg)
    assert f"sha256 {'ab' * 32}" in svg
    curves = {
        node.get("class"): [tuple(map(float, pair.split())) for pair in node.get("d")[1:].split("L")]
        for node in root.iter(f"{SVG}path")
        if "L" in node.get("d")
    }
    validation, training = curves["curve validation"], curves["curve training"]
    assert len(validation) == len(training) == 3
    (x0, y0), (x1, y1), (x2, y2) = validation
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    # The same scale for both: a loss of 2.5 lies between 2.0 and 3.0, and lower is further down.
    assert y0 == pytest.approx((training[0][1] + training[1][1]) / 2, abs=0.2)
    assert y0 < y1 < y2
    words = [node.text for node in root.iter(f"{SVG}text")]
    assert any("1.4697" in word for word in words) and any("1.6688" in word for word in words)


def test_a_history_that_is_empty_cannot_be_drawn():
    with pytest.raises(ValueError, match="history"):
        loss_svg(record())


@pytest.mark.parametrize("low, high", [(0, 0.3), (0, 24), (1.4, 4.2), (0, 3), (0, 1e-3), (1.38, 1.52)])
def test_ticks(low, high):
    found = ticks(low, high)
    assert 5 <= len(found) <= 11
    assert found[0] <= low < found[1] and found[-2] < high <= found[-1]


def test_published_results_are_plausible_and_say_where_they_stand():
    for result in PUBLISHED:
        assert 1.38 < result.value < 1.9 and result.source and result.hardware
        assert re.fullmatch(r"(\d+\.\d+M)?", result.parameters)
    assert [r.value for r in PUBLISHED] == sorted((r.value for r in PUBLISHED), reverse=True)


# --- the committed files -------------------------------------------------------------------------------------


def test_the_committed_drawing_is_of_the_committed_shape(model):
    assert (ASSETS / "decoder.svg").read_text() == decoder_svg(model.config), f"assets/decoder.svg {REMEDY}"


def test_the_committed_curve_is_of_the_committed_checkpoint(model):
    told = json.loads((ASSETS / "training.json").read_text())
    assert told["sha256"] == model.checkpoint.sha256
    assert (ASSETS / "loss.svg").read_text() == loss_svg(told), f"assets/loss.svg {REMEDY}"
