"""Hold under abuse: whatever comes in over HTTP, what comes out is ours, and afterwards the app still answers.

What remains Gradio's own, and why it does no harm: a call that is malformed at the level of its protocol gets a
bare {"error": null} (a job that ended without an answer), or the guard's 400; neither says anything about the server.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import string
from collections import Counter

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import shakespeare_gpt as sg
from launched import PATIENCE, generate_button
from shakespeare_gpt.ui.core import limits
from shakespeare_gpt.ui.gradio_seam import files, guard
from support import ROOT

# Valid calls may write at most this much, so that the test does not become a load test.
FEW = 3

texts = st.text(max_size=50) | st.text(alphabet=string.printable, max_size=50)
nasty = st.sampled_from(
    [
        "", "\x00", "\ud800", "\u202e\u2066", "e" + "\u0301" * 500, "\U0001f600" * 100, "x" * 2000, "x" * 2001,
        "x" * 50_000, "<img src=x onerror=alert(1)>", "${alert(1)}", "{{7*7}}", "../../etc/passwd", "%s%n%x",
        "'; DROP TABLE x; --", "\r\nSet-Cookie: a=b", "nan", "__class__",
    ]
)  # fmt: skip
numbers = (
    st.integers(-3, FEW)
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.sampled_from([0, -1, 10**30, -(10**30), 1e308, 2**31, 2**63, 0.1])
)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts | nasty,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
) | st.just({"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}})
calls = st.lists(values, max_size=8)
places = st.fixed_dictionaries({name: st.integers(0, 20) | values for name in ("offset", "before")})
# What the page itself sends to write: prompt, place, settings.
writes = st.tuples(
    texts | values,
    places | values,
    st.fixed_dictionaries(
        {
            "samples": st.integers(1, 4) | values,
            "length": st.integers(-1, FEW) | st.none() | texts | st.floats(max_value=FEW),
            "temperature": st.floats(0, 2) | values,
            "top_k": st.integers(0, 65) | values,
            "top_p": st.floats(0, 1) | values,
            "seed": st.integers(-1, 100) | values,
        }
    )
    | values,
).map(list)
once = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture(scope="module")
def http(url):
    with httpx.Client(base_url=url, timeout=PATIENCE) as http:
        yield http


def post(http: httpx.Client, path: str, body: object) -> httpx.Response:
    raw = json.dumps(body).encode()  # NaN and lone surrogates included, as a rude client would
    return http.post(path, content=raw, headers={"Content-Type": "application/json"})


def check(text: str) -> None:
    """Nothing in an answer tells of the server."""
    for secret in ("Traceback", "site-packages", str(ROOT), "root:x:", "Error("):
        assert secret not in text


def still_answers(http: httpx.Client) -> None:
    told = post(http, "gradio_api/run/attention", {"data": ["ROMEO:", 1, 1]}).json()["data"][0]
    assert told["characters"] == list("ROMEO:")


@pytest.fixture(scope="module")
def endpoints(http) -> list[dict]:
    """What every documented endpoint says of itself: "name", "parameters", "queue"."""
    queue = {d["api_name"]: d["queue"] for d in http.get("config").json()["dependencies"]}
    named = http.get("gradio_api/info").json()["named_endpoints"]
    return [
        {"name": n[1:], "queue": queue[n[1:]] is not False, **about} for n, about in sorted(named.items())
    ]


@settings(once, max_examples=300)
@given(pick=st.integers(0), data=calls)
def test_raw_calls(http, endpoints, pick, data):
    direct = [endpoint for endpoint in endpoints if not endpoint["queue"]]
    endpoint = direct[pick % len(direct)]
    response = post(http, f"gradio_api/run/{endpoint['name']}", {"data": data})
    check(response.text)
    if response.status_code == 200:
        assert len(data) <= len(endpoint["parameters"])
    else:
        assert response.status_code == 422 and response.json()["title"] == "Please check"


# For each of them every value of a call is wrong.
BAD = [
    [], [None], [None] * 9, ["x" * 3000], [{}], [[]], [True], [float("nan")], ["a", 99, 99, 99], ["a", "b", "c"],
    ["a", {"no_mask": 1}], ["a", -1, -1, -1], ["a", 1.5, 1.5],
    [{"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}],
]  # fmt: skip


def test_no_refusal_is_a_broken_server(http, demo):
    """Every call there is, the page's own too, with values of every wrong kind: a proxy or a monitor never sees a 5xx."""
    names = {fn.api_name for fn in demo.fns.values() if fn.api_name}
    assert {"attention", "logits", "write", "what_if_continuation"} < names and len(names) > 15
    told = Counter()
    for name, route, data in itertools.product(sorted(names), ("run", "api"), BAD):
        response = post(http, f"gradio_api/{route}/{name}", {"data": data})
        check(response.text)
        told[response.status_code] += 1
        assert response.status_code in (200, 404, 422), (name, data, response.text)
        if response.status_code == 422:
            assert response.json()["title"] == "Please check" and response.json()["error"].endswith(".")
    assert told[422] > 300, told


def queued(http: httpx.Client, path: str, body: dict) -> str:
    """The events that a queued call is answered with, or what it was refused with."""
    joined = post(http, path, body)
    check(joined.text)
    if joined.status_code != 200:
        assert joined.status_code in (400, 422, 503)
        return joined.text
    if path.startswith("gradio_api/call"):
        events = http.get(f"{path}/{joined.json()['event_id']}").text
    else:
        events = http.get("gradio_api/queue/data", params={"session_hash": body["session_hash"]}).text
    check(events)
    return events


@settings(once, max_examples=100)
@given(pick=st.integers(0), data=calls)
def test_queued_calls(http, endpoints, pick, data):
    name = endpoints[pick % len(endpoints)]["name"]
    if name == "generate" and len(data) < 2:
        data = [*data, "", FEW][-2:]  # the default would write 200 characters
    events = queued(http, f"gradio_api/call/{name}", {"data": data})
    assert "event: complete" in events or "Please check" in events


@settings(once, max_examples=80)
@given(data=calls, number=st.integers(-2, 60), session=st.text("abc", min_size=1, max_size=3))
def test_every_event_of_the_page_by_its_number(http, data, number, session):
    """The private ones too: "private" only hides them."""
    body = {
        "data": data,
        "fn_index": number,
        "session_hash": session,
        "trigger_id": number,
        "event_data": data,
    }
    if len(data) < 2:
        data = body["data"] = ["", {}]  # the default of /generate would write 200 characters
    queued(http, "gradio_api/queue/join", body)


@settings(once, max_examples=150)
@given(data=writes)
def test_the_pages_own_writing(http, url, data):
    body = {"data": data, "fn_index": generate_button(url), "session_hash": "w"}
    events = queued(http, "gradio_api/queue/join", body)
    assert "process_completed" in events


@once
@given(
    body=values | st.dictionaries(st.sampled_from(["data", "fn_index", "session_hash", "event_id"]), values)
)
def test_malformed_bodies(http, body):
    for path in ("run/attention", "call/generate", "call/v2/attention", "queue/join", "cancel", "reset"):
        response = post(http, f"gradio_api/{path}", body)
        check(response.text)
        assert response.status_code < 500 or response.json().keys() & {"error", "detail"}


@once
@given(raw=st.binary(max_size=200))
def test_bodies_that_are_no_json(http, raw):
    response = http.post(
        "gradio_api/run/attention", content=raw, headers={"Content-Type": "application/json"}
    )
    check(response.text)
    assert response.status_code in (400, 422)


@pytest.mark.parametrize("depth", [100, 5_000, 100_000])
def test_deep_json(http, depth):
    raw = '{"data": ' + "[" * depth + "]" * depth + "}"
    headers = {"Content-Type": "application/json"}
    for path in ("run/attention", "call/attention", "run/logits"):
        response = http.post(f"gradio_api/{path}", content=raw, headers=headers)
        check(response.text)
        assert response.status_code in (200, 400, 413, 422, 500)
    still_answers(http)


@once
@given(name=st.text("./\\%abc~", max_size=30) | st.sampled_from(["app.py", "shakespeare_gpt/ui/demo.py"]))
def test_no_file_of_the_server_can_be_read(http, name):
    for path in (
        f"gradio_api/file={name}",
        f"shakespeare/{files.version()}/{name}",
        f"static/{name}",
        f"svelte/{name}",
    ):
        try:
            response = http.get(path)
        except httpx.InvalidURL:
            continue
        assert "import gradio" not in response.text and "build_demo" not in response.text


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "/proc/self/environ", "app.py", "../app.py", "%2e%2e/app.py", "C:/x"]
)
def test_the_file_route_is_closed(http, path):
    assert http.get(f"gradio_api/file={path}").status_code in (403, 404)
    assert http.get(f"file={path}").status_code in (403, 404)


def test_uploads_are_refused(http, temporary_files):
    for size in (1, 10_000_000):
        try:
            response = http.post("gradio_api/upload", files={"files": ("a.txt", b"x" * size)})
            assert response.status_code == 403
        except httpx.TransportError:
            pass  # the server hung up in the middle, which is an answer too
    assert [path for path in temporary_files.rglob("*") if path.is_file()] == []
    still_answers(http)


def test_an_endless_body_is_cut_off(url, http):
    host, port = httpx.URL(url).host, httpx.URL(url).port
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    sent = 0
    with socket.create_connection((host, port), timeout=PATIENCE) as connection:
        connection.sendall(
            b"POST /gradio_api/run/attention HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        with contextlib.suppress(ConnectionError):  # hung up: that is what should happen
            while sent < 50 * guard.MAX_BODY:
                connection.sendall(chunk)
                sent += 0x10000
    assert sent < 50 * guard.MAX_BODY
    still_answers(http)


def test_after_all_that_the_app_writes_as_before(http, client, model):
    still_answers(http)
    text = client.predict("ROMEO:", 30, seed=3, api_name="/generate")
    assert text == "ROMEO:" + sg.generate(model, "ROMEO:", 30, seed=3)
    assert len(text) <= limits.MAX_NEW
