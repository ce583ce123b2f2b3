"""The live page: its files, the words that it explains, and the feed of what changes."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from http import HTTPStatus
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from typing import Final, NamedTuple

import falcon
import msgspec

from esl_agent.core.admission.reasons import REFUSALS, Refusal
from esl_agent.noc.words import WORDS, Word
from esl_agent.web.context import Context
from esl_agent.web.live.feed import ViewersFullError
from esl_agent.web.problems import ProblemError
from esl_agent.web.server import hold_open

TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
#: Scripts and styles are files of ours: what gets into the page by another way does nothing.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
INDEX: Final = "index.html"
EVENTS_PATH: Final = "/page/events"
#: What an event stream is told of, and every proxy on its way.
STREAM_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class _File(NamedTuple):
    content: bytes
    content_type: str
    etag: str


def add_routes(app: falcon.App[falcon.Request, falcon.Response], context: Context) -> None:
    page = _Page()
    app.add_route("/", page)
    app.add_route("/page/{path:path}", page)
    app.add_route("/page/words", _Words())
    app.add_route(EVENTS_PATH, _Events(context))


class _Page:
    """The files, read once.  They hold no secret, and so ask for no token."""

    def __init__(self) -> None:
        self._files = dict(_files_under(files("esl_agent.web.page")))

    def on_get(self, req: falcon.Request, resp: falcon.Response, path: str = INDEX) -> None:
        file = self._files.get(path)
        if file is None:
            raise ProblemError(HTTPStatus.NOT_FOUND, "the page has no such file", where=path[:100])
        resp.content_type = file.content_type
        resp.set_header("Cache-Control", "no-cache")
        resp.set_header("Content-Security-Policy", POLICY)
        resp.etag = file.etag
        if req.if_none_match and file.etag in req.if_none_match:
            resp.status = HTTPStatus.NOT_MODIFIED
        else:
            resp.data = file.content


class _Words:
    """What the words of the log and the reasons of refusals mean, and what to do about each."""

    def __init__(self) -> None:
        words = {word: _explained(entry) for word, entry in WORDS.items()}
        reasons = {reason: _explained(refusal) for reason, refusal in REFUSALS.items()}
        self._encoded = msgspec.json.encode({"words": words, "reasons": reasons})

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.data = self._encoded
        resp.content_type = falcon.MEDIA_JSON
        resp.set_header("Cache-Control", "no-cache")


def _explained(entry: Word | Refusal) -> dict[str, str]:
    return {"meaning": entry.meaning, "action": entry.action}


class _Events:
    def __init__(self, context: Context) -> None:
        self._gate = context.gate
        self._feed = context.ports.feed

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        caller = self._gate.may_read(req)
        last_event_id = req.get_header("Last-Event-ID") or ""
        try:
            viewer = self._feed.open(last_event_id, sees_all=caller.sees_all)
        except ViewersFullError as error:
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE, str(error), to_do="close pages that nobody looks at",
                headers={"Retry-After": "10"},
            ) from None  # fmt: skip
        hold_open(req.env)
        resp.content_type = "text/event-stream"
        resp.set_headers(STREAM_HEADERS)
        resp.stream = viewer


def _files_under(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, _File]]:
    for entry in folder.iterdir():
        path = f"{prefix}{entry.name}"
        content_type = TYPES.get(PurePosixPath(path).suffix)
        if entry.is_dir():
            yield from _files_under(entry, f"{path}/")
        elif content_type is not None:
            content = entry.read_bytes()
            yield path, _File(content, content_type, sha256(content).hexdigest()[:16])
