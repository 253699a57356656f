"""The page's own JavaScript and CSS, and Plotly's, served by a route of the app.

core/plotly.min.js is the cartesian bundle of plotly.js as its authors publish it (plotly.js-cartesian-dist-min on npm):
the whole of it, which the Python package brings, has maps and 3-D too and keeps a slow browser busy for three times as
long before the first figure. Its version goes with the Python package's, which writes the figures.

Gradio's /file= would show where the files lie on the server, and compress the megabytes of Plotly anew for
every visitor. Here a file is read and compressed once, when it is first asked for, and a browser keeps it: the
address carries a version that changes with the content.
"""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

UI = Path(__file__).resolve().parent.parent
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
A_YEAR = "public, max-age=31536000, immutable"


@cache
def served() -> dict[str, Path]:
    """Every file that may be served, by its path under ui/, such as "core/store.js"."""
    paths = sorted(path for path in UI.rglob("*") if path.suffix in TYPES)
    return {path.relative_to(UI).as_posix(): path for path in paths}


@cache
def version() -> str:
    """Changes when any of the files does. One for all, so that modules can import each other by name."""
    digest = hashlib.sha256()
    for path in served().values():
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def url(name: str) -> str:
    """The address of a file, relative to the page: it works behind a proxy and in a Space's frame."""
    if name not in served():
        raise KeyError(f"There is no {name} in {UI}.")
    return f"shakespeare/{version()}/{name}"


def tags(*names: str) -> str:
    """The tags for a page's <head> that load these files."""
    style, script = '<link rel="stylesheet" href="{}">', '<script src="{}"></script>'
    return "\n".join((style if name.endswith(".css") else script).format(url(name)) for name in names)


@cache
def contents(name: str) -> tuple[bytes, bytes]:
    """A file as it is, and compressed."""
    body = served()[name].read_bytes()
    return body, gzip.compress(body, compresslevel=6, mtime=0)


def serve(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in served():
        return Response("There is no such file.", status_code=404, media_type="text/plain")
    body, small = contents(name)
    headers = {"Cache-Control": A_YEAR, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        body, headers["Content-Encoding"] = small, "gzip"
    return Response(body, headers=headers, media_type=TYPES[served()[name].suffix])


def routes() -> list[Route]:
    return [Route("/shakespeare/{version}/{name:path}", serve, methods=["GET", "HEAD"])]
