"""What stands in front of Gradio: small bodies only, no uploads, a 4xx where Gradio has a 500 for what was refused.

Gradio serves routes that this app has no use for, among them uploads to the server's disk, and answers some
malformed calls with an exception. An app on the open net wants neither. And proxies and monitors take a 500 for a broken
server.
"""

from __future__ import annotations

import json
import logging
from contextvars import ContextVar
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shakespeare_gpt.ui.gradio_seam import files
from shakespeare_gpt.ui.gradio_seam.document import Document

PREFIX = "/gradio_api"  # of every route of Gradio's that a page or a program calls
MAX_BODY = 256 * 2**10  # bytes; the longest honest call has 2,000 characters, each at most 12 bytes of JSON
# What a page, gradio_client, curl and MCP clients call under PREFIX; the rest is closed.
OPEN = (
    "api/", "app_id", "call/", "cancel", "heartbeat/", "info", "login_check", "mcp", "openapi.json",
    "queue/", "reset", "run/", "startup-events", "theme.css",
)  # fmt: skip

# A proxy that collects an answer before it hands it on, or packs it, would hold back a text that is being written.
STREAM = {"X-Accel-Buffering": "no", "Cache-Control": "no-cache, no-transform"}

# What Gradio says of a run that is not here, and what is said instead: its page would take that for a server that is gone.
NOT_FOUND = b'"404: Not Found"'
UNKNOWN = (
    "This server does not know that run: another copy of the app began it, or this one was started again. "
    "Please try once more."
)
FAILED = {"error": UNKNOWN, "title": "Nothing was written", "visible": True, "duration": 10}
UNKNOWN_RUN = (
    {"msg": "process_completed", "event_id": None, "output": FAILED, "success": False},
    {"msg": "close_stream", "event_id": None},
)

log = logging.getLogger(__name__)
_refused: ContextVar[list[bool] | None] = ContextVar(
    "refused", default=None
)  # of the request that is answered


def note_refusal() -> None:
    """What was asked is refused: Gradio's 500 becomes a 422."""
    noted = _refused.get()
    if noted is not None:
        noted.append(True)


def options(tags: str, opening: str, told: files.Told) -> dict[str, Any]:
    """The arguments for the FastAPI app under Gradio: `launch(app_kwargs=options(...))`.

    Args:
        tags: for the head of the document.
        opening: what it shows first.
        told: what the pieces of the page are told.
    """
    return {
        "routes": files.routes(told),
        # Gradio compresses files only, by their suffix; our answers are JSON of up to 800 KB.
        "middleware": [
            Middleware(Guard),
            Middleware(GZipMiddleware, minimum_size=1_000, compresslevel=4),
            Middleware(Document, tags=tags, opening=opening),
        ],
        "exception_handlers": {RequestValidationError: malformed},
    }


async def malformed(request: Request, error: Exception) -> JSONResponse:
    """FastAPI would repeat what was sent, and fail on a NaN in it."""
    return refusal(422, 'Send {"data": [...]} as Content-Type: application/json; "Use via API" shows how.')


def refusal(status: int, message: str) -> JSONResponse:
    # What is left of an unread body ends with the connection.
    return JSONResponse({"detail": message}, status, {"Connection": "close"})


class Guard:
    """The middleware. Everything it refuses it refuses with a sentence, and notes in one line of the log."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        _, found, name = scope["path"].partition(f"{PREFIX}/")
        if found and not name.startswith(OPEN):
            return await refusal(403, "This app has no such service.")(scope, receive, send)
        if scope["method"] not in ("GET", "HEAD", "OPTIONS"):
            body = await read(receive)
            if body is None:
                return await refusal(413, f"At most {MAX_BODY:,} bytes are read.")(scope, receive, send)
            receive = replay(body, receive)
        started = streams = unknown = False
        refused: list[bool] = []
        _refused.set(refused)

        async def send_on(message: Message) -> None:
            nonlocal started, streams, unknown
            if message["type"] == "http.response.start":
                started = True
                if refused and message["status"] == 500:
                    message["status"] = 422
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/event-stream"):
                    streams = True
                    headers.update(STREAM)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Referrer-Policy", "same-origin")
            elif streams and NOT_FOUND in message.get("body", b"")[:200]:
                unknown = True
                message["body"] = unknown_run(message["body"])
            await send(message)

        try:
            await self.app(scope, receive, send_on)
        except Exception as error:
            if unknown:  # with that, Gradio breaks the stream off
                return await send({"type": "http.response.body", "body": b""})
            log.warning("could not answer %s %r: %r", scope["method"], scope["path"][:100], error)
            if started:
                raise
            await refusal(400, 'There is no such call. "Use via API" shows what there is.')(
                scope, receive, send
            )


def unknown_run(event: bytes) -> bytes:
    """The event in which Gradio says that a run is not here, in words for who asked."""
    if b'"unexpected_error"' in event:  # the page's own stream
        return b"".join(f"data: {json.dumps(message)}\n\n".encode() for message in UNKNOWN_RUN)
    return event.replace(NOT_FOUND, json.dumps(UNKNOWN).encode())


async def read(receive: Receive) -> bytes | None:
    """The whole body; None if it is longer than MAX_BODY."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MAX_BODY:
            return None
    return body


def replay(body: bytes, receive: Receive) -> Receive:
    """A receive that first gives the body that was read, then what comes after it."""
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again
