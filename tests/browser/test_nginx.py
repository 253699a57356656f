"""The app behind a real nginx: a path prefix, TLS that ends there, buffers and gzip, two copies, a policy, a frame."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page

import shakespeare_gpt as sg
from launched import connect, eventually, http, launch, press
from pages import TIMEOUT, new_page, ready, settle
from pages import press as press_button
from shakespeare_gpt.model import GPT
from shakespeare_gpt.ui.demo import build_demo

PROMPT = "JULIET:\nO Romeo"
# As the README has it.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:"
)
STRICT = POLICY.replace(" 'unsafe-eval'", "")
# Each case is a server of its own: {app}, {other} and {prefixed} are the addresses of three launched apps.
CASES = {
    "prefix": "location /demo/ { proxy_pass http://{app}/; }",
    "prefix that the app knows": "location /demo/ { proxy_pass http://{prefixed}/; }",
    "tls": "location / { proxy_pass http://{app}; proxy_set_header Host $http_host;"
    " proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host; }",
    "tls, and the app is not told": "location / { proxy_pass http://{app}; }",
    "buffers and gzip": "gzip on; gzip_types *; gzip_proxied any; gzip_min_length 1; proxy_buffering on;"
    " proxy_buffers 16 64k; location / { proxy_pass http://{app}; }",
    "two copies, sticky": "location / { proxy_pass http://sticky; }",
    # The worst of a round robin, each time: who takes the number has never the run.
    "two copies": "location / { proxy_pass http://{app}; }"
    " location /gradio_api/queue/data { proxy_pass http://{other}; }"
    " location ~ ^/gradio_api/call/generate/. { proxy_pass http://{other}; }",
    "policy": f'add_header Content-Security-Policy "{POLICY}" always; location / {{ proxy_pass http://{{app}}; }}',
    "policy without unsafe-eval": f'add_header Content-Security-Policy "{STRICT}" always;'
    " location / { proxy_pass http://{app}; }",
    "policy without scripts": "add_header Content-Security-Policy \"script-src 'none'\" always;"
    " location / { proxy_pass http://{app}; }",
    "frame": "location = /frame { default_type text/html; return 200"
    " '<!doctype html><iframe src=\"http://localhost:{port}/\" style=\"width:1400px;height:1200px\"></iframe>'; }",
}  # fmt: skip
MAIN = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/log;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream sticky {{ ip_hash; server {app}; server {other}; }}
  {servers}
}}
"""


def free_ports(count: int) -> list[int]:
    taken = [socket.socket() for _ in range(count)]
    for each in taken:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in taken]
    for each in taken:
        each.close()
    return ports


@pytest.fixture(scope="module")
def behind(url: str, model: GPT, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The address of each case."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        pytest.skip("needs nginx: apt-get install nginx-light")
    folder = tmp_path_factory.mktemp("nginx")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    other, prefixed = build_demo(model), build_demo(model)
    with pytest.MonkeyPatch.context() as patch:
        apps = {"app": url, "other": launch(other)}
        patch.setenv("GRADIO_ROOT_PATH", "/demo")
        launch(prefixed)
        apps["prefixed"] = prefixed.local_url
    apps = {name: httpx.URL(address).netloc.decode() for name, address in apps.items()}
    addresses, servers = {}, []
    for (name, said), port in zip(CASES.items(), free_ports(len(CASES)), strict=True):
        listen = f"listen 127.0.0.1:{port}"
        if name.startswith("tls"):
            listen += f" ssl; ssl_certificate {certificate}; ssl_certificate_key {key}"
        for app, address in {**apps, "port": apps["app"].rpartition(":")[2]}.items():
            said = said.replace(f"{{{app}}}", address)
        servers.append(f"server {{ {listen}; {said} }}")
        scheme, path = ("https" if name.startswith("tls") else "http"), "demo/" if "prefix" in name else ""
        addresses[name] = f"{scheme}://127.0.0.1:{port}/{path}"
    (folder / "conf").write_text(MAIN.format(folder=folder, servers="\n  ".join(servers), **apps))
    process = subprocess.Popen([nginx, "-p", folder, "-c", folder / "conf"], stderr=subprocess.PIPE)
    try:
        assert eventually(lambda: process.poll() is not None or answers(addresses["prefix"]))
        assert process.poll() is None, (process.communicate()[1], log(folder))
        yield addresses
    finally:
        process.terminate()
        process.wait()
        other.close()
        prefixed.close()


def answers(address: str) -> bool:
    try:
        return http.get(address).status_code == 200
    except httpx.TransportError:
        return False


def log(folder: Path) -> str:
    return (folder / "log").read_text() if (folder / "log").exists() else ""


@pytest.fixture
def opened(browser: Browser) -> Iterator[Callable[[str], Page]]:
    """A page of one's own at an address."""
    pages: list[Page] = []

    def open_one(address: str) -> Page:
        pages.append(new_page(browser, ignore_https_errors=True))
        pages[-1].goto(address)
        return pages[-1]

    yield open_one
    for page in pages:
        page.context.close()


@pytest.mark.parametrize(
    "case", ["prefix", "prefix that the app knows", "tls", "tls, and the app is not told", "policy"]
)
def test_the_page_draws_and_writes(behind, opened, case):
    page = opened(behind[case])
    ready(page)
    press_button(page)
    assert page.evaluate("shakespeare.session.get().written") == 300


def test_the_page_draws_and_writes_in_a_frame_of_another_site(behind, opened):
    page = opened(f"{behind['frame']}frame")
    frame = page.frame_locator("iframe")
    frame.locator("#head-map").wait_for(timeout=TIMEOUT)
    frame.locator("#text-strip [data-position]").first.wait_for()
    frame.locator("#generate").click()
    frame.locator(".run-status", has_text="Wrote 300 characters").wait_for(timeout=TIMEOUT)


@pytest.mark.parametrize("case", ["prefix", "prefix that the app knows", "two copies, sticky"])
def test_programs_are_served(behind, model, case):
    client = connect(behind[case])
    for seed in range(3):
        text = client.predict(PROMPT, 30, seed=seed, api_name="/generate")
        assert text == PROMPT + sg.generate(model, PROMPT, 30, seed=seed)
    assert client.predict("ROMEO:", 1, 1, api_name="/attention")["characters"] == list("ROMEO:")


def test_a_text_comes_through_buffers_and_gzip_as_it_is_written(behind, pen):
    """The first character is here while the second is not yet written."""
    pen.hold()
    settings = {"samples": 1, "length": 40, "temperature": 0.8, "top_k": 0, "top_p": 1, "seed": 7}
    messages = press(behind["buffers and gzip"], PROMPT, {"offset": 0, "before": 0}, settings)
    seen = [next(messages)]  # asked for as a browser does: it takes gzip
    pen.give(1)
    while seen[-1]["msg"] != "process_generating":
        seen.append(next(messages))
    assert pen.characters == 1
    pen.let_go()
    assert [*messages][-1]["msg"] == "close_stream"
    page = http.get(behind["buffers and gzip"])
    assert page.headers["content-encoding"] == "gzip"


def test_the_wrong_copy_says_so_and_the_text_stays(behind, opened):
    page = opened(behind["two copies"])
    ready(page)
    before = page.evaluate("shakespeare.session.get().text")
    page.locator("#generate").click()
    page.get_by_text("This server does not know that run").first.wait_for(timeout=TIMEOUT)
    settle(page)
    assert page.evaluate("shakespeare.session.get().text") == before
    assert page.locator("#prompt textarea").input_value() == before
    call = http.post(f"{behind['two copies']}gradio_api/call/generate", json={"data": [PROMPT, 5]}).json()
    events = http.get(f"{behind['two copies']}gradio_api/call/generate/{call['event_id']}").text
    assert "does not know that run" in json.loads(events.partition("data: ")[2])


def test_where_functions_of_text_are_forbidden_the_page_says_what_it_needs(behind, opened):
    page = opened(behind["policy without unsafe-eval"])
    page.locator("#blocked[data-now]").wait_for(timeout=TIMEOUT)
    assert page.locator("#blocked").is_visible()
    assert "Content-Security-Policy" in page.locator("#blocked").inner_text()


def test_where_all_scripts_are_forbidden_the_document_says_so_by_itself(behind, opened):
    page = opened(behind["policy without scripts"])
    page.locator("#blocked").wait_for(timeout=TIMEOUT)
    assert page.locator("#opening").is_visible()
