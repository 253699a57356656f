"""What the document says before Gradio's scripts run: who it is, its facts, its style sheet, script and first numbers.

Gradio's own `head=` is put into the page by its scripts, half a second later; and twice into the document. So a
middleware writes into the document on its way out. Where Gradio's page should no longer have the places that it looks
for, the page is left as it is, and tests/app/test_seam.py says so.
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shakespeare_gpt.ui.gradio_seam import files

HEAD = re.compile(rb"<base\b[^>]*>")  # our addresses are relative to it
BODY = re.compile(rb"<gradio-app\b")
NO_SCRIPT = (
    "<noscript><p style='padding: 24px'>This page draws what a model looks at with JavaScript, which is switched off "
    "here. Please switch it on and open the page again.</p></noscript>"
)


# What stands there until the page does (opening.js). Without our script Gradio's page comes into sight by itself, later.
# The sentence appears where nothing else does: at once where our script runs and Gradio's cannot, else after a while.
OPENING = """
<div id="opening" aria-hidden="true"><p><b>{title}</b> {sentence}</p><pre>{text}</pre></div>
<p id="blocked" role="alert">Still nothing here? This page draws with scripts, and something keeps them away: an
add-on, or a Content-Security-Policy of the server. "Behind a proxy" in the README says what that must allow.</p>
"""
# Gradio tells its scripts the address at which the server believes to be. Behind a proxy that is not the one that counts.
ROOT = '<script>window.gradio_config.root = new URL(".", document.baseURI).href.slice(0, -1);</script>'


@dataclass(frozen=True)
class Opening:
    """What a page is, for who opens it and for who searches.

    Args:
        sentence: beside the title.
        description: for search engines.
        text: what the page shows first.
    """

    sentence: str
    description: str
    text: str

    def html(self, title: str) -> str:
        parts = {"title": title, "sentence": self.sentence, "text": self.text}
        return OPENING.format(**{name: html.escape(part) for name, part in parts.items()})


def head(title: str, description: str, facts: dict[str, Any], told: files.Told) -> str:
    """Tags for the document's head."""
    return "\n".join(
        [
            f"<title>{html.escape(title)}</title>",
            f'<meta name="description" content="{html.escape(description)}">',
            f'<link rel="preload" as="style" href="{files.url(files.SHEET)}">',
            f'<link rel="preload" as="fetch" crossorigin id="page-told" href="{told.url}">',
            f'<link rel="modulepreload" href="{files.url(files.SCRIPT)}">',
            data_tag("page-facts", facts),
        ]
    )


def data_tag(id: str, value: Any) -> str:
    """JSON for a document: a script that never runs, with nothing in it that could end it."""
    told = json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" id="{id}">{told}</script>'


def completed(document: bytes, tags: str, opening: str) -> bytes:
    """Gradio's document with our tags in its head, our script, the opening, and a sentence for who has no JavaScript."""
    place, body = HEAD.search(document), BODY.search(document)
    if not place or not body:
        return document
    # Behind every sheet of the head, also those that Gradio's scripts put there later: of equal rules ours holds.
    sheet = f'<link rel="stylesheet" href="{files.url(files.SHEET)}">'
    # As soon as it is here, and in nobody's way: Gradio's own script comes before or after it.
    script = f'<script type="module" async src="{files.url(files.SCRIPT)}"></script>'
    return b"".join(
        [
            document[: place.end()],
            tags.encode(),
            document[place.end() : body.start()],
            (ROOT + sheet + NO_SCRIPT + script + opening).encode(),
            document[body.start() :],
        ]
    )


class Document:
    """The middleware; what is not the page passes unchanged."""

    def __init__(self, app: ASGIApp, tags: str, opening: str) -> None:
        self.app, self.tags, self.opening = app, tags, opening

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/" or scope["method"] != "GET":
            return await self.app(scope, receive, send)
        start: Message = {}
        parts: list[bytes] = []

        async def send_on(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            parts.append(message.get("body", b""))
            if message.get("more_body"):
                return
            body = b"".join(parts)
            headers = MutableHeaders(scope=start)
            if headers.get("content-type", "").startswith("text/html"):
                body = completed(body, self.tags, self.opening)
                headers["Content-Length"] = str(len(body))
            await send(start)
            await send({"type": "http.response.body", "body": body})

        await self.app(scope, receive, send_on)
