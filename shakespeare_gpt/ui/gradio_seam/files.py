"""The page's own JavaScript, CSS and first numbers, and Plotly, served by routes of the app.

The modules of ui/ become a few files (bundle.py), the style sheets one. core/plotly.min.js is the cartesian bundle of
plotly.js as its authors publish it (plotly.js-cartesian-dist-min on npm): the whole of it, which the Python package
brings, has maps and 3-D too and keeps a slow browser busy for three times as long. Its version goes with the Python
package's, which writes the figures.

Gradio's /file= would show where the files lie on the server, and compress the megabytes of Plotly anew for
every visitor. Here a file is compressed once, when it is first asked for, and a browser keeps it: the
address carries a version that changes with the content.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import brotli
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shakespeare_gpt.ui.gradio_seam.bundle import Bundle, bundle

UI = Path(__file__).resolve().parent.parent
PLOTLY = "core/plotly.min.js"
SCRIPT, SHEET, DATA = "page.js", "page.css", "told.json"
# What the file to take away is made of; see take_away/standalone_file.js.
ALONE, ALONE_SHEET = "standalone.js", "standalone.css"
INSTEAD = {"core/api.js": "take_away/standalone_api.js"}
STYLES = (
    "core/core.css", "stage/stage.css", "writing/writing.css", "text/text.css", "text/next_character.css",
    "attention/attention.css", "inside/inside.css", "what_if/what_if.css", "two_texts/two_texts.css", "model/model.css",
    "lessons/lessons.css", "take_away/take_away.css",
    "stage/print.css",
)  # fmt: skip
ALONE_STYLES = ("core/core.css", "text/text.css", "attention/attention.css")
TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".map": "application/json",
}
A_YEAR = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class File:
    """What a browser gets: the content, and packed for those that unpack it, each once."""

    body: bytes
    kind: str

    @cached_property
    def gzip(self) -> bytes:
        return gzip.compress(self.body, compresslevel=6, mtime=0)

    @cached_property
    def br(self) -> bytes:
        return brotli.compress(self.body, quality=9)

    def answer(self, request: Request) -> Response:
        headers = {"Cache-Control": A_YEAR, "Vary": "Accept-Encoding"}
        accepted = request.headers.get("accept-encoding", "")
        if "br" in accepted:
            body, headers["Content-Encoding"] = self.br, "br"
        elif "gzip" in accepted:
            body, headers["Content-Encoding"] = self.gzip, "gzip"
        else:
            body = self.body
        return Response(body, headers=headers, media_type=self.kind)


def source(name: str) -> str:
    """A script or style sheet as it is written, by its path under ui/, such as "core/store.js"."""
    return (UI / name).read_text(encoding="utf-8")


@cache
def served() -> dict[str, File]:
    """Every file that is the same for all models."""
    first = bundle("main.js", source, SCRIPT)
    made: dict[str, str] = {}
    _add(made, SCRIPT, first)
    for name in first.later:
        _add(made, name, bundle(name, source, name, first))
    made[ALONE] = bundle("standalone.js", source, ALONE, instead=INSTEAD).text
    for sheet, names in ((SHEET, STYLES), (ALONE_SHEET, ALONE_STYLES)):
        made[sheet] = "\n".join(source(name) for name in names)
    made[PLOTLY] = source(PLOTLY)
    return {name: File(text.encode(), TYPES[Path(name).suffix]) for name, text in made.items()}


def _add(made: dict[str, str], name: str, put_together: Bundle) -> None:
    made[name] = f"{put_together.text}//# sourceMappingURL={Path(name).name}.map\n"
    made[f"{name}.map"] = put_together.map


@cache
def version() -> str:
    """Changes when any of the files does. One for all, so that they can name each other."""
    digest = hashlib.sha256()
    for file in served().values():
        digest.update(file.body)
    return digest.hexdigest()[:12]


def url(name: str) -> str:
    """The address of a file, relative to the page: it works behind a proxy and in a Space's frame."""
    if name not in served():
        raise KeyError(f"No {name} is served.")
    return f"shakespeare/{version()}/{name}"


def serve(request: Request) -> Response:
    file = served().get(request.path_params["name"])
    return file.answer(request) if file else _nothing()


def _nothing() -> Response:
    return Response("There is no such file.", status_code=404, media_type="text/plain")


class Told:
    """What the pieces of one page are told, by their names: the first text's numbers and what was measured."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        body = json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()
        self._file = File(body, TYPES[".json"])
        self.url = f"shakespeare/{hashlib.sha256(body).hexdigest()[:12]}/{DATA}"

    def serve(self, request: Request) -> Response:
        return self._file.answer(request) if request.url.path.endswith(self.url) else _nothing()


def routes(told: Told) -> list[Route]:
    methods = ["GET", "HEAD"]
    return [
        Route(f"/shakespeare/{{version}}/{DATA}", told.serve, methods=methods),
        Route("/shakespeare/{version}/{name:path}", serve, methods=methods),
    ]
