"""The page's own JavaScript and CSS, and the installed Plotly's, served by routes of the app.

`gr.HTML(head=...)` and `/gradio_api/file=` would show where the files lie on the server, and compress five
megabytes of Plotly anew for every visitor. Here a file is read and compressed once, when it is first asked for,
and a browser keeps it: the address carries a version that changes with the content.
"""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

STATIC = Path(__file__).parent / "static"
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
A_YEAR = "public, max-age=31536000, immutable"


@cache
def served() -> dict[str, Path]:
    """Every file that may be served, by name: what lies in ui/static, and plotly.min.js."""
    own = {path.name: path for path in sorted(STATIC.iterdir()) if path.suffix in TYPES}
    return own | {"plotly.min.js": Path(str(files("plotly") / "package_data" / "plotly.min.js"))}


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
        raise KeyError(f"There is no {name} in {STATIC}.")
    return f"shakespeare/{version()}/{name}"


def head() -> str:
    """The tags for the page's <head>: every style sheet, Plotly, and the scripts in the order of their names."""
    names = sorted(served(), key=lambda name: (name != "plotly.min.js", name))
    styles = [f'<link rel="stylesheet" href="{url(name)}">' for name in names if name.endswith(".css")]
    scripts = [f'<script defer src="{url(name)}"></script>' for name in names if name.endswith(".js")]
    return "\n".join(styles + scripts)


@cache
def compressed(name: str) -> bytes:
    return gzip.compress(served()[name].read_bytes(), compresslevel=6, mtime=0)


def serve(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in served():
        return Response("There is no such file.", status_code=404, media_type="text/plain")
    headers = {"Cache-Control": A_YEAR, "Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff"}
    body = served()[name].read_bytes()
    if "gzip" in request.headers.get("accept-encoding", ""):
        body = compressed(name)
        headers["Content-Encoding"] = "gzip"
    return Response(body, headers=headers, media_type=TYPES[served()[name].suffix])


def routes() -> list[Route]:
    return [Route("/shakespeare/{version}/{name}", serve, methods=["GET", "HEAD"])]
