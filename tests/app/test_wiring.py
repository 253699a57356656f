"""The app without a port: what it serves, what it documents, what it refuses."""

from __future__ import annotations

import json
import re

import httpx
import numpy as np
import pytest
from plotly.offline import get_plotlyjs_version
from starlette.testclient import TestClient

import shakespeare_gpt as sg
from launched import PATIENCE
from shakespeare_gpt.sampling import Sampling, draw, unnormalized
from shakespeare_gpt.ui.core import limits
from shakespeare_gpt.ui.core.served import SHAKESPEARE as EXAMPLES
from shakespeare_gpt.ui.gradio_seam import events, files, guard
from shakespeare_gpt.ui.launch import LAUNCH

TEXT = "ROMEO:\nBut, soft!"


def run(http: TestClient, name: str, *data):
    """Call an endpoint with plain HTTP; NaN and infinity travel as JavaScript would write them."""
    return http.post(
        f"/gradio_api/run/{name}",
        content=json.dumps({"data": list(data)}),
        headers={"Content-Type": "application/json"},
    )


def answer(http: TestClient, name: str, *data):
    response = run(http, name, *data)
    assert response.status_code == 200, response.text
    (value,) = response.json()["data"]
    return value


@pytest.fixture(scope="module")
def page(url) -> httpx.Response:
    """What a browser gets first; only a launched app has it whole."""
    response = httpx.get(url, timeout=PATIENCE)
    assert response.status_code == 200
    return response


# --- the page ----------------------------------------------------------------------------------------------------


def test_the_page_has_the_ids_that_tests_and_links_rely_on(http, page):
    config = http.get("/config").json()
    ids = {component["props"].get("elem_id") for component in config["components"]}
    assert {"prompt", "generate", "stop", "write-on", "clear", "copy"} <= ids
    for template_id in (
        "text-strip",
        "continuation",
        "layer",
        "head",
        "head-grid",
        "head-map",
        "layer-maps",
        "said",
    ):
        assert f'id=\\"{template_id}\\"' in page.text


def test_the_page_opens_with_a_filled_prompt_and_its_payload(http, demo, model):
    components = {c["props"].get("elem_id"): c for c in http.get("/config").json()["components"]}
    first = next(iter(EXAMPLES.values()))
    assert components["prompt"]["props"]["value"] == first
    told = json.loads(http.get(files.Told(demo.told()).url).text)["strip"]
    assert told["text"] == first
    assert told["overview"]["characters"] == sg.trace(model, first).characters
    assert told["layer"]["layer"] == told["chosen"]["layer"]


def test_the_page_travels_small(page):
    assert page.headers["content-encoding"] == "gzip"
    assert int(page.headers["content-length"]) < 40_000


def test_five_examples_that_fit(model):
    assert len(EXAMPLES) == 5
    for text in EXAMPLES.values():
        assert len(text) < model.config.context_length
        assert model.tokenizer.normalize(text) == (text, [])


def test_nothing_is_asked_of_a_foreign_host(page):
    assert not re.search(r"(src|href)=.{0,2}https?://", page.text)
    assert "fonts.googleapis" not in page.text


def test_launch_leaves_name_and_port_to_the_environment():
    assert not {"server_name", "server_port", "share", "allowed_paths"} & set(LAUNCH)
    assert LAUNCH["enable_monitoring"] is False and LAUNCH["run_history"] is False
    assert LAUNCH["ssr_mode"] is False and LAUNCH["show_error"] is False


def test_what_gradios_events_call_is_there(http):
    """By the names that events.js exports, after waiting for it; nothing counts on a global that may not be there yet."""
    config = http.get("/config").json()
    scripts = [event["js"] for event in config["dependencies"] if isinstance(event.get("js"), str)]
    scripts += [
        component["props"]["js_on_load"]
        for component in config["components"]
        if component["props"].get("js_on_load")
    ]
    assert not [script for script in scripts if "window.shakespeare" in script]
    called = {name for script in scripts for name in re.findall(r"(?:\)\)|events)\.(\w+)\(", script)}
    assert called - {"then"} == events.exported()
    with pytest.raises(KeyError):
        events.event("nothing")


# --- static files ------------------------------------------------------------------------------------------------


def test_plotly_goes_with_the_installed_one_and_is_compressed_and_kept(http):
    response = http.get(files.url("core/plotly.min.js"), headers={"Accept-Encoding": "gzip"})
    assert response.status_code == 200
    major = get_plotlyjs_version().split(".")[0]
    assert f"plotly.js (cartesian - minified) v{major}." in response.text[:200]
    assert int(response.headers["content-length"]) < 600_000
    assert response.headers["content-encoding"] == "gzip"
    assert "immutable" in response.headers["cache-control"]
    assert response.headers["content-type"].startswith("text/javascript")
    plain = http.get(files.url("core/plotly.min.js"), headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers and plain.text == response.text


def test_a_file_that_changes_gets_another_address(monkeypatch):
    uncached_served, uncached_version, source = (
        files.served.__wrapped__,
        files.version.__wrapped__,
        files.source,
    )
    monkeypatch.setattr(files, "served", uncached_served)
    before = uncached_version()
    assert before == uncached_version() == files.version()
    monkeypatch.setattr(
        files, "source", lambda name: source(name) + ("// changed\n" if name == "core/text.js" else "")
    )
    assert uncached_version() != before
    assert files.Told({"a": 1}).url != files.Told({"a": 2}).url


@pytest.mark.parametrize(
    "name", ["demo.py", "..%2Fdemo.py", "%2e%2e%2fdemo.py", "", "core/store.js", "main.js"]
)
def test_only_the_listed_files_are_served(http, name):
    response = http.get(f"/shakespeare/{files.version()}/{name}")
    assert response.status_code == 404
    assert "build_demo" not in response.text


def test_each_browser_gets_what_it_unpacks(http, demo):
    told = files.Told(demo.told()).url
    for address in (files.url("page.js"), files.url("page.css"), told):
        texts = set()
        for encoding in ("br", "gzip", "identity"):
            response = http.get(address, headers={"Accept-Encoding": encoding})
            assert response.headers.get("content-encoding", "identity") == encoding
            assert "Accept-Encoding" in response.headers["vary"]
            assert "immutable" in response.headers["cache-control"]
            texts.add(response.text)
        assert len(texts) == 1
    assert http.get(told.replace("told", "untold")).status_code == 404
    assert http.get(re.sub(r"/\w+/told", "/0123456789ab/told", told)).status_code == 404, "another page's"


def test_the_document_names_what_the_page_needs_before_gradios_scripts_run(page):
    """And nothing of it stands in the document twice, or in Gradio's config."""
    assert page.text.count(f'<link rel="stylesheet" href="{files.url("page.css")}">') == 1
    assert page.text.count(f'<link rel="modulepreload" href="{files.url("page.js")}">') == 1
    assert page.text.count("thumbnails") == 0
    assert '<meta name="description" content="A small language model' in page.text
    assert page.text.count("<title>") == 1 and 'lang="en"' in page.text
    assert len(re.findall(r'id="page-told" href="shakespeare/\w+/told\.json"', page.text)) == 1


# --- what the endpoints say about themselves ---------------------------------------------------------------------


def test_the_api_page_names_what_is_for_programs_with_honest_types(http):
    endpoints = http.get("/gradio_api/info").json()["named_endpoints"]
    assert set(endpoints) == {"/generate", "/attention", "/effects"}  # the page's own are not listed
    for endpoint in endpoints.values():
        assert len(endpoint["description"]) > 40
        (returned,) = endpoint["returns"]
        assert returned["type"]["type"] in ("string", "object")
        for parameter in endpoint["parameters"]:
            assert parameter["type"]["type"] in ("string", "integer", "number", "array", "object", "boolean")
            assert parameter["python_type"]["type"] != "Any"
    defaults = {p["parameter_name"]: p["parameter_default"] for p in endpoints["/generate"]["parameters"]}
    assert defaults == {
        "prompt": None,
        "max_new_tokens": 200,
        "temperature": 0.8,
        "top_k": 0,
        "top_p": 1.0,
        "seed": -1,
    }
    assert [p["parameter_name"] for p in endpoints["/attention"]["parameters"]] == ["text", "layer", "head"]
    assert [p["parameter_name"] for p in endpoints["/effects"]["parameters"]] == ["text", "position"]
    assert endpoints["/generate"]["returns"][0]["type"] == {"type": "string"}


# --- what they answer --------------------------------------------------------------------------------------------


def test_attention_is_the_trace(http, model):
    told = answer(http, "attention", TEXT, 2, 5)
    seen = sg.trace(model, TEXT)
    assert list(told) == ["characters", "start", "layer", "head", "weights", "notes"]
    assert told["characters"] == list(TEXT)
    assert (told["start"], told["layer"], told["head"], told["notes"]) == (1, 2, 5, [])
    weights = np.array(told["weights"])
    np.testing.assert_allclose(weights, seen.attention[1, 4], atol=1e-8)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)
    assert (weights[np.triu_indices(len(TEXT), 1)] == 0).all()


def test_attention_of_a_long_text_says_where_it_starts(http, model):
    context = model.config.context_length
    text = TEXT * 30
    told = answer(http, "attention", text)
    assert told["start"] == len(text) - context + 1
    assert told["characters"] == list(text[-context:])
    assert len(told["weights"]) == context
    assert str(context) in " ".join(told["notes"])


def test_attention_says_what_it_changed(http):
    told = answer(http, "attention", "Café €5")
    assert "".join(told["characters"]) == "Cafe "
    assert "é" in " ".join(told["notes"]) and "€" in " ".join(told["notes"])


def test_an_empty_text_starts_from_a_line_break(http):
    assert answer(http, "attention", "")["characters"] == ["\n"]


def test_missing_last_values_take_their_defaults(http):
    assert answer(http, "attention", TEXT) == answer(http, "attention", TEXT, 1, 1)


def test_whole_numbers_with_a_point_are_whole_numbers(http):
    assert answer(http, "attention", TEXT, 3.0, 2.0) == answer(http, "attention", TEXT, 3, 2)


def test_overview_layer_lens_and_logits_answer(http, model):
    seen = sg.trace(model, TEXT)
    assert answer(http, "overview", TEXT)["characters"] == seen.characters
    assert answer(http, "layer", TEXT, 2)["layer"] == 2
    assert len(answer(http, "logit_lens", TEXT)["layers"]) == model.config.n_layer + 1
    np.testing.assert_allclose(answer(http, "logits", TEXT)["logits"], seen.logits[-1], atol=1e-8)
    np.testing.assert_allclose(answer(http, "logits", TEXT, 3)["logits"], seen.logits[2], atol=1e-8)


def test_a_seed_that_is_drawn_is_told_with_its_numbers(http):
    told = answer(http, "numbers")
    assert told == answer(http, "numbers", told["seed"], 0)
    assert 0 <= told["seed"] < limits.NEW_SEEDS


def test_logits_and_numbers_draw_what_generate_writes_also_past_the_context(http, model):
    """Character for character: with what the model saw then, and the number that the seed had for it."""
    sampling = Sampling(0.8, None, 0.95)
    steps = list(sg.stream(model, TEXT, 380, 0.8, top_p=0.95, seed=11))
    text = TEXT + "".join(step.character for step in steps)
    context = model.config.context_length
    full = context - len(TEXT)  # the number of the last step in the first window
    for number in [*range(0, 380, 60), *range(full - 2, full + 3), 379]:
        step, place = steps[number], len(TEXT) + number
        told = np.array(answer(http, "logits", text[step.start : place])["logits"])
        drawn_with = answer(http, "numbers", 11, number)["numbers"][0]
        assert draw(unnormalized(told, sampling), drawn_with) == step.id, number
    assert steps[full].start == 0 < steps[full + 1].start


def test_no_answer_is_larger_than_a_megabyte_and_the_wire_carries_less(http, model):
    text = (TEXT * 30)[-model.config.context_length :]
    for name in ("overview", "layer", "logit_lens", "attention"):
        response = run(http, name, text)
        assert len(response.content) < 1_000_000
        assert response.headers["content-encoding"] == "gzip"


# --- what they refuse --------------------------------------------------------------------------------------------

WHOLE = [
    "3",
    None,
    True,
    False,
    1.5,
    0,
    -1,
    10**400,
    -(10**400),
    1e308,
    float("nan"),
    float("inf"),
    [],
    [1],
    {},
    "",
]
TEXTS = [None, 3, 1.5, True, ["a"], {"a": 1}, float("nan"), "x" * 2001]


def refused(response, *words: str) -> None:
    """An answer that is one of our sentences, and says what is allowed."""
    assert response.status_code == 422
    told = response.json()
    assert told["title"] == "Please check"
    assert "Traceback" not in response.text and ".py" not in response.text
    for word in words:
        assert word in told["error"]


@pytest.mark.parametrize("value", [*WHOLE, 7])
def test_attention_refuses_a_layer_or_head_out_of_range(http, model, value):
    refused(run(http, "attention", TEXT, value, 1), "layer", f"from 1 to {model.config.n_layer}")
    refused(run(http, "attention", TEXT, 1, value), "head", f"from 1 to {model.config.n_head}")
    refused(run(http, "layer", TEXT, value), "layer", f"from 1 to {model.config.n_layer}")


@pytest.mark.parametrize("value", TEXTS)
def test_every_endpoint_refuses_what_is_no_text(http, value):
    for name in ("attention", "overview", "layer", "logit_lens", "logits"):
        refused(run(http, name, value), "text", "2,000")


def test_the_message_never_repeats_what_was_sent(http):
    for value in ("<img src=x onerror=alert(1)>" * 100, ["<script>"], "<b>1</b>"):
        assert "<" not in run(http, "attention", value, "<b>").json()["error"]


@pytest.mark.parametrize("value", [value for value in WHOLE if value not in (0, -1)])
def test_logits_and_numbers_refuse_a_place_or_a_seed_out_of_range(http, value):
    refused(run(http, "logits", TEXT, value), "position", f"from 0 to {len(TEXT)}")
    refused(run(http, "numbers", value), "seed", "from -1 to 2,147,483,647")
    refused(run(http, "numbers", 7, value), "after", "from 0 to 2,000")


def test_too_many_values_are_refused(http):
    refused(run(http, "attention", TEXT, 1, 1, 1), "at most 3")


# --- what stands in front ----------------------------------------------------------------------------------------


def test_large_bodies_are_refused_before_they_are_read_as_json(http):
    body = b'{"data": ["' + b"x" * guard.MAX_BODY + b'"]}'
    response = http.post("/gradio_api/run/attention", content=body)
    assert response.status_code == 413 and "bytes" in response.json()["detail"]


def test_the_longest_honest_call_fits(http):
    worst = "\U0001f600" * limits.MAX_PROMPT  # 12 bytes each in JSON
    assert answer(http, "attention", worst)["characters"] == ["\n"]


@pytest.mark.parametrize(
    "path", ["upload", "file=/etc/passwd", "file=app.py", "proxy=http://127.0.0.1/", "deep_link?session_hash=a",
             "component_server", "vibe-edit", "process_recording", "run-history/records", "dev/reload"]
)  # fmt: skip
def test_services_that_nobody_needs_are_closed(http, path):
    for method in ("GET", "POST"):
        response = http.request(method, f"/gradio_api/{path}")
        assert response.status_code == 403 and "no such service" in response.text


@pytest.mark.parametrize("body", ["", "{}", "[]", "null", '{"data": 1}', '{"data": NaN}', "{", "[" * 100_000])
def test_a_malformed_body_gets_a_sentence(http, body):
    response = http.post(
        "/gradio_api/run/attention", content=body, headers={"Content-Type": "application/json"}
    )
    assert response.status_code in (400, 422)
    assert "detail" in response.json() and "Traceback" not in response.text


@pytest.mark.parametrize(
    "path", ["run/nothing", "call/nothing", "call/v2/nothing", "run/generate", "run/write"]
)
def test_a_call_that_does_not_exist_gets_a_sentence(http, path):
    response = http.post(f"/gradio_api/{path}", json={"data": []})
    assert response.status_code in (400, 404)
    assert len(response.json()["detail"]) > 20
