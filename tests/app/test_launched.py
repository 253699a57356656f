"""The launched app, driven as programs drive it: streams, seeds, Stop, lanes, limits."""

from __future__ import annotations

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

import shakespeare_gpt as sg
from launched import PATIENCE, connect, http, launch, post, press
from shakespeare_gpt import batching
from shakespeare_gpt.ui import demo as demo_module
from shakespeare_gpt.ui.core import limits
from shakespeare_gpt.ui.demo import build_demo
from shakespeare_gpt.ui.gradio_seam import endpoints as seam
from shakespeare_gpt.ui.writing import api as writing

PROMPT = "JULIET:\nO Romeo"
SETTINGS = {"samples": 1, "length": 60, "temperature": 0.8, "top_k": 0, "top_p": 1, "seed": 7}


def write(client: Client, prompt: str = PROMPT, **changed):
    """A job that calls what the Generate button calls; Gradio's client leaves private events alone."""
    return press(client.src, prompt, {"offset": 0, "before": 0}, {**SETTINGS, **changed})


def told(messages) -> list[dict]:
    """The lines of a run, from the last message of its stream."""
    last = [m for m in messages if m["msg"] == "process_completed"][-1]
    assert last["success"], last
    return [json.loads(line) for line in last["output"]["data"][0].splitlines()]


# --- generate --------------------------------------------------------------------------------------------------


def test_generate_streams_the_text_so_far_and_is_the_sampler(client, model):
    texts = list(client.submit(PROMPT, 200, 0.8, 0, 1.0, 7, api_name="/generate"))
    assert texts[-1] == PROMPT + sg.generate(model, PROMPT, 200, temperature=0.8, seed=7)
    assert len(texts) >= 10
    lengths = [len(PROMPT), *map(len, texts)]
    for before, after, text in zip(lengths, lengths[1:], texts, strict=False):
        assert before <= after <= before + 20
        assert texts[-1].startswith(text)


def test_generate_passes_every_setting_on(client, model):
    wanted = sg.generate(model, PROMPT, 50, temperature=1.3, top_k=5, top_p=0.7, seed=11)
    assert client.predict(PROMPT, 50, 1.3, 5, 0.7, 11, api_name="/generate") == PROMPT + wanted
    greedy = sg.generate(model, PROMPT, 50, temperature=0)
    assert client.predict(PROMPT, 50, temperature=0, api_name="/generate") == PROMPT + greedy


def test_the_defaults_are_those_of_the_design(client):
    text = client.predict(PROMPT, api_name="/generate")
    assert len(text) == len(PROMPT) + 200
    assert client.predict(PROMPT, api_name="/generate") != text  # seed -1 draws one


def test_generate_normalizes_and_starts_from_nothing(client, model):
    text = client.predict("Café—", 5, seed=1, api_name="/generate")
    assert text.startswith("Cafe--") and len(text) == 11
    assert client.predict("", 5, seed=1, api_name="/generate") == sg.generate(model, "", 5, seed=1)


def test_two_thousand_characters_past_the_context(client, model):
    text = client.predict("x" * limits.MAX_PROMPT, 300, seed=3, api_name="/generate")
    assert len(text) == limits.MAX_PROMPT + 300


def test_curl_as_in_the_readme(url, model):
    """POST, then the stream of events; as little as a person would type."""
    call = http.post(f"{url}gradio_api/call/generate", json={"data": [PROMPT, 40, 0.8, 0, 1.0, 5]})
    event = call.json()["event_id"]
    stream = http.get(f"{url}gradio_api/call/generate/{event}").text
    last = stream.strip().split("\n\n")[-1]
    assert last.startswith("event: complete")
    (text,) = json.loads(last.split("data: ")[1])
    assert text == PROMPT + sg.generate(model, PROMPT, 40, seed=5)


WRONG = {
    "prompt": [None, 3, ["a"], "x" * 2001],
    "max_new_tokens": [0, -1, 2001, 1.5, "10", None, True, float("nan"), float("inf")],
    "temperature": [-0.1, 5.1, float("nan"), float("inf"), "1", None, True],
    "top_k": [-1, 66, 2.5, "3", None, False, float("nan")],
    "top_p": [0, -0.5, 1.01, float("nan"), "1", None],
    "seed": [-2, 2**31, 1.5, "7", None, float("inf")],
}
RANGES = {
    "prompt": "2,000",
    "max_new_tokens": "from 1 to 2,000",
    "temperature": "from 0 to 5",
    "top_k": "from 0 to 65",
    "top_p": "at most 1",
    "seed": "from -1 to 2,147,483,647",
}


@pytest.mark.parametrize("name", WRONG)
def test_generate_refuses_with_the_range(url, pen, name):
    names = list(WRONG)
    for value in WRONG[name]:
        data = [PROMPT, 10, 0.8, 0, 1.0, 7]
        data[names.index(name)] = value
        call = post(f"{url}gradio_api/call/generate", {"data": data})
        assert call.status_code == 200, call.text
        answer = http.get(f"{url}gradio_api/call/generate/{call.json()['event_id']}").text
        assert "event: error" in answer and "Traceback" not in answer
        message = json.loads(answer.split("data: ")[-1])["error"]
        assert name in message and RANGES[name] in message
    assert pen.begun == 0


def test_the_python_client_sees_the_message(client):
    with pytest.raises(AppError, match="temperature must be a number from 0 to 5"):
        client.predict(PROMPT, 10, 9.0, api_name="/generate")


# --- the page's buttons ----------------------------------------------------------------------------------------


def test_write_tells_a_run_line_by_line(client, model):
    messages = list(write(client, "Café", length=60, seed=7))
    first, *pieces, last = told(messages)
    assert first["prompt"] == "Cafe" and first["seeds"] == [7] and "é" in first["notes"][0]
    assert last["done"] is True
    text = "".join(piece["texts"][0] for piece in pieces)
    steps = [step for piece in pieces for step in piece["steps"][0]]
    wanted = list(sg.stream(model, "Cafe", 60, seed=7))
    assert text == "".join(step.character for step in wanted)
    assert steps == [[round(s.probability, 6), s.rank, round(s.entropy, 4), s.start] for s in wanted]
    # What goes over the wire is what is new, not the whole again.
    sent = [m["output"]["data"][0] for m in messages if m["msg"] == "process_generating"][1:]
    assert sent and all(change[0][0] == "append" for change in sent if change)


def test_several_continuations_run_as_one_batch(client, model, pen):
    first, *pieces, _ = told(write(client, samples=4, length=30, seed=5))
    texts = ["".join(piece["texts"][i] for piece in pieces) for i in range(4)]
    assert first["seeds"] == [5, 6, 7, 8]
    assert texts == sg.generate(model, PROMPT, 30, seed=5, num_samples=4)
    assert pen.begun == 1


def test_a_random_seed_is_told_and_repeats_the_text(client):
    def text(lines):
        return "".join(piece["texts"][0] for piece in lines[1:-1])

    lines = told(write(client, seed=-1))
    (seed,) = lines[0]["seeds"]
    assert text(told(write(client, seed=seed))) == text(lines)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"samples": 5}, "Continuations must be a whole number from 1 to 4"),
        ({"length": 2001}, "Length must be a whole number from 1 to 2,000"),
        ({"temperature": None}, "temperature must be a number from 0 to 5"),
        ({"top_k": 66}, "top_k must be a whole number from 0 to 65"),
        ({"top_p": 0}, "top_p must be a number above 0"),
        ({"seed": 1.5}, "seed must be a whole number"),
        ({"seed": None}, "seed must be a whole number"),
        ({"prompt": "x" * 2001}, "Your text has 2,001 characters"),
        ({"prompt": None}, "Your text must be a text"),
    ],
)
def test_write_refuses_with_the_range(client, pen, changed, words):
    last = list(write(client, **changed))[-2]
    assert not last["success"] and words in last["output"]["error"]
    assert pen.begun == 0


def test_write_takes_no_nonsense_for_a_place(client):
    for place in (None, [], {}, {"offset": -1, "before": 0}, {"offset": "0", "before": 0}, {"offset": 0}):
        last = list(press(client.src, PROMPT, place, SETTINGS))[-2]
        assert not last["success"] and "place." in last["output"]["error"]


def test_write_takes_no_nonsense_for_settings(client):
    for settings in (None, [], {}, "x", [1, 10, 0.8, 0, 1, 7]):
        last = list(press(client.src, PROMPT, {"offset": 0, "before": 0}, settings))[-2]
        assert not last["success"] and "Continuations must be" in last["output"]["error"]


# --- Stop, closed tabs, dropped clients ------------------------------------------------------------------------


def test_cancel_ends_the_work(url, pen):
    pen.endless(2000)
    job = connect(url).submit(PROMPT, 2000, 0.8, 0, 1.0, 7, api_name="/generate")
    pen.until(lambda: pen.characters > 20)
    job.cancel()
    pen.until(lambda: pen.ended == 1)


def test_a_dropped_client_ends_the_work(url, pen):
    pen.endless(2000)
    for _ in press(url, PROMPT, {"offset": 0, "before": 0}, {**SETTINGS, "length": 2000}):
        if pen.characters > 20:
            break  # closes the connection, as a closed tab does
    pen.until(lambda: pen.ended == 1)


def test_not_a_character_more_is_written_after_a_cancel(url, pen):
    pen.hold()
    job = connect(url).submit(PROMPT, 2000, 0.8, 0, 1.0, 7, api_name="/generate")
    pen.give(30)
    job.cancel()
    pen.until(lambda: pen.ended == 1)
    assert pen.characters == 30


def test_the_clock_ends_a_run_with_what_is_there(client, monkeypatch):
    ticks = itertools.count()
    # A hundredth of a second for each look at it.
    clock = SimpleNamespace(monotonic=lambda: next(ticks) / 100)
    monkeypatch.setattr(batching, "time", clock)
    monkeypatch.setattr(writing, "TIME_LIMIT", 0.3)
    *pieces, last = told(write(client, length=2000))
    assert last["done"] and "the most that one run may take" in " ".join(last["notes"])
    assert 0 < sum(len(piece["texts"][0]) for piece in pieces[1:]) <= 30
    text = client.predict(PROMPT, 2000, api_name="/generate")
    assert len(PROMPT) < len(text) <= len(PROMPT) + 30


# --- lanes and the queue ---------------------------------------------------------------------------------------


def test_maps_never_wait_behind_texts(url, client, pen):
    pen.endless(2000)
    clients = [connect(url) for _ in range(4)]
    jobs = [c.submit(PROMPT, 2000, api_name="/generate") for c in clients]
    pen.until(lambda: pen.begun == 4)
    for head in range(1, 4):
        map = client.submit(PROMPT, 1, head, api_name="/attention")
        assert map.result(PATIENCE)["head"] == head
    assert pen.ended == 0 and all(not job.done() for job in jobs)
    for job in jobs:
        job.cancel()
    pen.until(lambda: pen.ended == 4)


def test_texts_grow_side_by_side(url, pen):
    """A short text begins and ends while a long one is being written."""
    pen.endless(2000)
    long, short = connect(url), connect(url)
    job = long.submit(PROMPT, 2000, api_name="/generate")
    pen.until(lambda: pen.characters > 40)
    short.submit(PROMPT, 20, api_name="/generate").result(PATIENCE)
    assert pen.ended == 1 and not job.done()
    job.cancel()
    pen.until(lambda: pen.ended == 2)


def test_a_full_queue_says_so_kindly(model, monkeypatch, pen):
    monkeypatch.setitem(seam.STREAMING, "concurrency_limit", 1)
    monkeypatch.setattr(demo_module, "MAX_WAITING", 1)
    pen.endless(2000)
    demo = build_demo(model)
    url = launch(demo)
    try:
        running = connect(url).submit(PROMPT, 2000, api_name="/generate")
        pen.until(lambda: pen.characters > 0)
        body = {"data": [PROMPT, 10]}
        assert http.post(f"{url}gradio_api/call/generate", json=body).status_code == 200
        full = http.post(f"{url}gradio_api/call/generate", json=body)
        assert full.status_code == 503 and "Queue is full" in full.json()["detail"]
        # Maps have no queue to be full.
        assert http.post(f"{url}gradio_api/run/attention", json={"data": [PROMPT]}).status_code == 200
        running.cancel()
    finally:
        pen.end()
        demo.close()


def test_many_visitors_at_once(url):
    """Every one of 20 is served, and gets the text of its own seed."""

    def visit(seed):
        with httpx.Client(base_url=url, timeout=PATIENCE) as visitor:
            data = [PROMPT, 40, 0.8, 0, 1.0, seed]
            event = visitor.post("gradio_api/call/generate", json={"data": data}).json()["event_id"]
            last = visitor.get(f"gradio_api/call/generate/{event}").text.strip().split("\n\n")[-1]
            assert last.startswith("event: complete")
            (text,) = json.loads(last.split("data: ")[1])
            asked = visitor.post("gradio_api/run/attention", json={"data": [text, 1, 1]})
            return text, asked.json()["data"][0]["characters"]

    with ThreadPoolExecutor(20) as pool:
        visits = list(pool.map(visit, range(20)))
    assert len({text for text, _ in visits}) == 20
    for text, characters in visits:
        assert "".join(characters) == text


def test_monitoring_is_closed(url):
    assert http.get(f"{url}monitoring/summary").status_code == 403


def test_nothing_is_left_behind(url, client, temporary_files):
    list(client.submit(PROMPT, 20, api_name="/generate"))
    client.predict(PROMPT, api_name="/attention")
    assert [path for path in temporary_files.rglob("*") if path.is_file()] == []
