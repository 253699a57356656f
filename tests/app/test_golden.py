"""One truth for both languages: tests/golden/*.json hold what Python says, and `node --test` reads the same files.

A test here says that a file is what Python makes today, numbers to 1e-6. After a wanted change write them again, with
`UPDATE_GOLDEN=1 python -m pytest tests/app/test_golden.py`, and read the difference.
"""

from __future__ import annotations

import base64
import itertools
import json
import math
import os
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
import torch
from starlette.testclient import TestClient

import shakespeare_gpt as sg
from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.model import GPT, GPTConfig
from shakespeare_gpt.sampling import distribution, draw, unnormalized
from shakespeare_gpt.tokenizer import Tokenizer
from shakespeare_gpt.ui.core import limits
from shakespeare_gpt.ui.core.facts import CHOICES, page_facts, view
from shakespeare_gpt.ui.core.served import served
from shakespeare_gpt.ui.demo import build_demo
from support import ROOT

GOLDEN = ROOT / "tests" / "golden"
TEXT = "ROMEO:\nBut, so! he lo"  # longer than the context
PLANES = {
    "weights": 3,
    "before": 3,
    "after": 3,
    "data": 1,
}  # what is packed in base64, and in how many bytes a number
LEAST = {3: 16, 1: 1}  # 16 of 2 ** 24 is 1e-6
SAMPLINGS = [
    {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    for temperature, top_k, top_p in [
        (0, 0, 1.0),
        (0.05, 0, 1.0),
        (0.8, 0, 0.95),
        (0.8, 0, 1.0),
        (1, 0, 1.0),
        (1, 1, 1.0),
        (1, 5, 1.0),
        (1, 0, 0.1),
        (1, 0, 0.5),
        (1, 5, 0.6),
        (2, 0, 0.9),
        (5, 12, 0.99),
    ]
]
LENSES = [
    {"hide_first": hide_first, "keep_most": keep_most, "by_moved": by_moved, "over": over}
    for hide_first, keep_most, by_moved, over in itertools.product(
        (False, True), (False, True), (False, True), ("head", "mean", "max")
    )
]

ALL_OFF = {"heads_off": [[1, 2], [2, 1]], "no_mask": True, "norm_off": [1, 2]}
SETTINGS = {"samples": 2, "length": 20, "temperature": 1.25, "top_k": 5, "top_p": 0.5, "seed": 7}
# What differs from a View that nobody has changed, and how a link says it.
VIEWS = [
    ({}, "text=&layer=1&head=1"),
    ({"text": TEXT, "layer": 2, "head": 2}, "text=ROMEO%3A%0ABut%2C+so%21+he+lo&layer=2&head=2"),
    ({"text": "a&b=c#d", "position": 3}, "text=a%26b%3Dc%23d&position=3&layer=1&head=1"),
    (
        {"direction": "looked at by", "tab": "What if?"},
        "text=&direction=looked+at+by&tab=What+if%3F&layer=1&head=1",
    ),
    (
        {"hide_first": True, "by_moved": True, "over": "max", "scale": "linear"},
        "text=&over=max&scale=linear&hide_first=1&by_moved=1&layer=1&head=1",
    ),
    ({"keep_most": True, "training_step": 1500}, "text=&keep_most=1&training_step=1500&layer=1&head=1"),
    ({"intervention": ALL_OFF}, "text=&heads_off=1-2.2-1&no_mask=1&norm_off=1.2&layer=1&head=1"),
    (
        {"sampling": SETTINGS},
        "text=&samples=2&length=20&temperature=1.25&top_k=5&top_p=0.5&seed=7&layer=1&head=1",
    ),
]


@pytest.fixture(scope="module")
def small() -> GPT:
    """A model so small that its answers fit a file one can read; its weights are the same on every machine."""
    vocabulary = "\n !,:BEMORTehlostu"
    shape = {"vocab_size": len(vocabulary), "context_length": 12, "n_layer": 2, "n_head": 2, "n_embd": 8}
    model = GPT(GPTConfig(**shape), Tokenizer(vocabulary)).eval()
    random = np.random.RandomState(0)  # whose numbers numpy promises never to change
    with torch.no_grad():
        for parameter in model.parameters():
            mean = 1.0 if parameter.dim() == 1 else 0.0
            parameter.copy_(torch.from_numpy(random.normal(mean, 0.5, tuple(parameter.shape))))
    return model


@pytest.fixture(scope="module")
def http(small: GPT) -> TestClient:
    """The small model's page."""
    demo = build_demo(small)
    return TestClient(gr.routes.App.create_app(demo, app_kwargs=demo.app_kwargs()))


@pytest.fixture(scope="module")
def answer(http: TestClient) -> Any:
    """Asks an endpoint, as the page's JavaScript does."""

    def ask(name: str, *data: Any) -> Any:
        response = http.post(f"/gradio_api/run/{name}", json={"data": list(data)})
        assert response.status_code == 200, response.text
        return response.json()["data"][0]

    return ask


def test_payloads(answer, small):
    trace = sg.trace(small, TEXT)
    change = {"heads_off": [[1, 2]], "no_positions": True}
    held(
        "overview",
        {"text": TEXT, "overview": answer("overview", TEXT), "attention": plain(trace.attention)},
    )
    rows, columns = np.tril_indices(len(trace.characters))
    told = {"layer": answer("layer", TEXT, 2), "weights": plain(trace.attention[1][:, rows, columns])}
    held("layer", {"text": TEXT, **told, "start": trace.start})
    held("logit_lens", answer("logit_lens", TEXT))
    held("logits", answer("logits", TEXT, 15))
    held("numbers", answer("numbers", 7, 3))
    held("inside", answer("inside", TEXT, 2, 1, 15))
    held("arithmetic", answer("arithmetic", TEXT, 2, 1, 15, 12))
    held("residual", answer("residual", TEXT, 15))
    after = sg.trace(small, TEXT, intervention=Intervention.from_json(change, 2, 2)).attention[1, 0]
    told = {"what_if": answer("what_if", TEXT, change, 2, 1, 15), "after": plain(after[rows, columns])}
    held("what_if", told)
    seeing = answer("what_if", TEXT, {"no_mask": True}, 1, 2)["attention"]
    after = sg.trace(small, TEXT, intervention=Intervention(no_mask=True)).attention[0, 1]
    held("what_if_no_mask", {"attention": seeing, "after": plain(after)})
    held("claim", answer("claim", TEXT, "mask_order"))
    held("score", answer("score", TEXT, [[4, 0.8, 0, 0.95]]))


def test_lenses(small):
    trace = sg.trace(small, TEXT)
    layer = 1
    values = trace.value[layer]  # (n_head, T, head_size)
    output = small.blocks[layer].attention.projection.weight.detach().numpy()  # (n_embd, n_embd)
    per_head = np.split(output, len(values), axis=1)
    moved = np.stack([np.linalg.norm(v @ o.T, axis=-1) for v, o in zip(values, per_head, strict=True)])
    weights = trace.attention[layer].astype(np.float64)  # (n_head, T, T)
    cases = []
    for lens in LENSES:
        for head, query in ((0, 0), (0, 7), (1, 11)):
            shown = through(lens, weights[:, query, : query + 1], moved[:, : query + 1], head)
            cases.append({"lens": lens, "head": head, "query": query, "shown": plain(shown)})
    held("lenses", {"layer": layer + 1, "moved": plain(moved), "cases": cases})


def through(lens: dict[str, Any], rows: np.ndarray, moved: np.ndarray, head: int) -> np.ndarray:
    """What a row shows through the lenses, said a second time, in numpy: rows, moved (n_head, q + 1) -> (q + 1,)."""
    if lens["over"] == "head":
        rows, moved = rows[head : head + 1], moved[head : head + 1]
    if lens["by_moved"]:
        rows = rows * moved / (rows * moved).sum(-1, keepdims=True)
    if lens["hide_first"]:
        rows = rows * (np.arange(rows.shape[1]) > 0)
        total = rows.sum(-1, keepdims=True)
        rows = np.divide(rows, total, out=np.zeros_like(rows), where=total > 0)
    row = rows.max(0) if lens["over"] == "max" else rows.mean(0)
    if lens["keep_most"]:
        order = np.argsort(-row, kind="stable")
        before = row[order].cumsum() - row[order]
        row = np.where(np.isin(np.arange(len(row)), order[before < 0.7 * row.sum() - 1e-6]), row, 0)
    return row


def test_sampling(small):
    """Of the small model's logits, and of some with equal ones among them."""
    logits = {"model": sg.trace(small, TEXT).logits[-1], "ties": np.array([1.0, 2.5, -1, 2.5, 1, 1, 2.5, -4])}
    generator = random.Random(7)
    numbers = [*(generator.random() for _ in range(8)), 0.0, 0.5, math.nextafter(1, 0)]
    cases = []
    for name, settings in itertools.product(logits, SAMPLINGS):
        how = limits.sampling(*settings.values(), small.config.vocab_size)
        told = distribution(logits[name], how)
        after_top_k = distribution(logits[name], replace(how, top_p=None)).kept
        cut_by = np.where(told.kept, None, np.where(after_top_k, "top-p", "top-k"))
        drawn = [int(draw(unnormalized(told.logits, how), number)) for number in numbers]
        arrays = {"rank": told.rank, "tempered": told.tempered, "kept": told.kept, "cut_by": cut_by}
        arrays.update(probabilities=told.probabilities, entropy=told.entropy)
        lists = {key: array.tolist() for key, array in arrays.items()}
        cases.append({"logits": name, "settings": settings, **lists, "drawn": drawn})
    told = {name: each.astype(np.float64).tolist() for name, each in logits.items()}
    held("sampling", {"logits": told, "numbers": numbers, "cases": cases})


def test_page_facts(small):
    """All but the help: only people read that."""
    held("page_facts", page_facts(small, {}, replace(served(small), examples={})))


def test_views(small):
    """Views and their links: whatever JavaScript writes and reads, Python allows."""
    usual = view(small.config.vocab_size)
    told = []
    for change, fragment in VIEWS:
        chosen = {**usual, **change}
        assert list(chosen) == list(usual)
        assert all(chosen[name] in values for name, values in CHOICES.items())
        limits.intervention("intervention", chosen["intervention"], 2, 2)
        settings = chosen["sampling"]
        how = [settings[name] for name in ("temperature", "top_k", "top_p")]
        limits.sampling(*how, small.config.vocab_size)
        limits.seed(settings["seed"])
        told.append({"view": chosen, "fragment": fragment})
    held("views", told)


def test_interventions():
    changes = [
        Intervention(),
        Intervention(heads_off={(1, 0)}),
        Intervention(heads_off={(1, 3), (0, 5), (1, 0), (0, 2)}),
        Intervention(no_scale=True),
        Intervention(no_mask=True, no_positions=True),
        Intervention(uniform_attention=True, feed_forward_off={5, 0}),
        Intervention(residual_off={2}, norm_off={1, 0, 3}),
        Intervention({(5, 5)}, True, True, True, True, {0, 1, 2, 3, 4, 5}, {4}, {5}),
    ]
    for change in changes:
        assert Intervention.from_json(change.to_json(), 6, 6) == change
    held("interventions", [change.to_json() for change in changes])


# --- the files ---------------------------------------------------------------------------------------------------


def plain(array: np.ndarray) -> list:
    """Nested lists of numbers with eight decimals."""
    return array.astype(np.float64).round(8).tolist()


def held(name: str, told: Any) -> None:
    """The golden file of this name holds what Python tells; with UPDATE_GOLDEN set it is written."""
    path = GOLDEN / f"{name}.json"
    told = json.loads(json.dumps(told, allow_nan=False))
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(written(told) + "\n", encoding="utf-8")
    golden = json.loads(path.read_text(encoding="utf-8"))
    assert same(golden, told), (
        f"{path.name} is no longer what Python says: see the head of {Path(__file__).name}."
    )


def same(golden: Any, told: Any, name: str = "") -> bool:
    """Equal, but for the last digit of a number, which another machine may round the other way."""
    if golden != told and isinstance(golden, str) and name in PLANES:
        return nearly(golden, told, PLANES[name])
    if isinstance(golden, dict) and isinstance(told, dict):
        return list(golden) == list(told) and all(same(golden[key], told[key], key) for key in golden)
    if isinstance(golden, list) and isinstance(told, list):
        return len(golden) == len(told) and all(map(same, golden, told))
    if {type(golden), type(told)} <= {int, float}:
        # Six significant digits are sent: the last of them is 1e-5 of a number at most.
        return math.isclose(golden, told, rel_tol=1.1e-5, abs_tol=1e-6)
    return type(golden) is type(told) and golden == told


def nearly(golden: str, told: str, planes: int) -> bool:
    """Two packed arrays of whole numbers, of which some may have been rounded the other way.

    Args:
        planes: bytes a number: 3 as packing.pack writes them, all high bytes first, or 1.
    """
    numbers = []
    for text in (golden, told):
        unpacked = np.frombuffer(base64.b64decode(text), np.uint8).reshape(planes, -1).astype(np.int64)
        numbers.append(sum(plane << 8 * (planes - 1 - i) for i, plane in enumerate(unpacked)))
    return len(numbers[0]) == len(numbers[1]) and bool((abs(numbers[0] - numbers[1]) <= LEAST[planes]).all())


def test_numbers_may_differ_in_their_last_digit_alone():
    packed = [base64.b64encode(bytes(numbers)).decode() for numbers in ([1, 255, 255], [2, 0, 0], [2, 0, 90])]
    assert same({"weights": packed[0]}, {"weights": packed[1]})
    assert not same({"weights": packed[0]}, {"weights": packed[2]})
    assert not same({"weights": packed[0]}, {"weights": 2 * packed[0]})
    assert same([1.0, 0.5], [1, 0.5000001]) and not same([0.5], [0.50001]) and not same([0.5], [True])
    assert not same({"a": 1}, {"b": 1}) and not same("a", "b") and not same(1, True)
    assert not same(None, 0.0) and not same(3, 4)


def written(told: Any, indent: str = "") -> str:
    """JSON with one line an entry down to the lists of plain values, so that a difference can be read."""
    inner = indent + " "
    if isinstance(told, dict) and told:
        entries = [f"{json.dumps(key)}: {written(value, inner)}" for key, value in told.items()]
        line = "{" + ", ".join(entries) + "}"
        if len(line) <= 100 and "\n" not in line:
            return line
        return "{\n" + ",\n".join(inner + entry for entry in entries) + f"\n{indent}}}"
    flat = json.dumps(told, ensure_ascii=False)
    nested = isinstance(told, list) and any(isinstance(one, (dict, list)) for one in told)
    if nested and len(flat) > 100:
        return "[\n" + ",\n".join(inner + written(one, inner) for one in told) + f"\n{indent}]"
    return flat
