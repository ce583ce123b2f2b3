"""A route of the API as one value: what it is asked, what it answers, and who may ask.

From the same value comes its part of the OpenAPI document (web/openapi.py), so
that document and code can't drift apart.  What is asked is one Struct: fields
that the path names come from there, the others from the query of a GET or the
JSON body of a POST.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import UnionType
from typing import (
    Annotated,
    Any,
    Final,
    Generic,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import falcon
import msgspec

from esl_agent.errors import EslAgentError
from esl_agent.web.context import Context
from esl_agent.web.gate import Access, Caller
from esl_agent.web.idempotency import Answered, Replays
from esl_agent.web.problems import ProblemError, as_problem
from esl_agent.web.server import BODY_BYTES_MAX, BODY_TOO_LARGE

BASE: Final = "/api/v1"
PATH_FIELD: Final = re.compile(r"\{(\w+)\}")

Asked = TypeVar("Asked", bound=msgspec.Struct)
Method = Literal["GET", "POST"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(Generic[Asked]):
    """`handler` raises ProblemError, or an EslAgentError, which is a conflict with how things are."""

    method: Method
    path: str  # after BASE
    name: str  # operationId
    summary: str
    access: Access
    asked: type[Asked]
    answer: type[msgspec.Struct]
    handler: Callable[[Context, Caller, Asked], msgspec.Struct]
    status: HTTPStatus = HTTPStatus.OK
    problems: Mapping[HTTPStatus, str] = field(default_factory=dict)  # its own, and what each means

    @property
    def path_fields(self) -> tuple[str, ...]:
        return tuple(PATH_FIELD.findall(self.path))

    @property
    def changes(self) -> bool:
        return self.method == "POST"


def add_endpoints(
    app: falcon.App[falcon.Request, falcon.Response], context: Context, endpoints: tuple[Endpoint[Any], ...]
) -> None:
    """Each path once, with the methods that it has."""
    replays = Replays(context.reads)
    for path in dict.fromkeys(endpoint.path for endpoint in endpoints):
        methods = {each.method: each for each in endpoints if each.path == path}
        app.add_route(BASE + path, _Resource(context, replays, methods))


class _Resource:
    def __init__(self, context: Context, replays: Replays, methods: Mapping[Method, Endpoint[Any]]) -> None:
        self._context = context
        self._replays = replays
        if "GET" in methods:
            self.on_get = self._responder(methods["GET"])
        if "POST" in methods:
            self.on_post = self._responder(methods["POST"])

    def _responder(self, endpoint: Endpoint[Any]) -> Callable[..., None]:
        def respond(req: falcon.Request, resp: falcon.Response, **path: str) -> None:
            caller = self._context.gate.may(req, endpoint.access)
            asked, body = read(req, endpoint, path)
            if endpoint.changes:
                answered = self._replays.once(
                    req, caller, body, lambda: _answer(self._context, endpoint, caller, asked)
                )
            else:
                answered = _answer(self._context, endpoint, caller, asked)
            resp.status = HTTPStatus(answered.status)
            resp.data = answered.body
            resp.content_type = answered.content_type
            if answered.is_replayed:
                resp.set_header("Idempotency-Replayed", "true")

        return respond


def read(req: falcon.Request, endpoint: Endpoint[Any], path: Mapping[str, str]) -> tuple[Any, bytes]:
    """What is asked, and the body as it came; raises ProblemError, which says what is wrong where."""
    if req.env.get(BODY_TOO_LARGE):
        raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body has at most {BODY_BYTES_MAX} bytes")
    body: bytes = req.bounded_stream.read()
    given: dict[str, Any] = _body(req, body) if endpoint.changes else _query(req)
    hints = get_type_hints(endpoint.asked, include_extras=True)
    for name in path:
        if name in given:
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "it stands in the path already", where=name)
        given[name] = _convert_text(path[name], hints[name], name)
    if not endpoint.changes:
        for name in given.keys() & hints.keys() - path.keys():
            given[name] = _convert_text(given[name], hints[name], name)
    return _convert(given, endpoint.asked, "", strict=True), body


def _convert_text(text: object, hint: Any, where: str) -> Any:
    """Of a path or a query, where all is text: what is null is left out, and "null" is no null."""
    if get_origin(hint) in (Union, UnionType):
        [hint] = [kind for kind in get_args(hint) if kind is not type(None)]
    bare = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    return _convert(text, hint, where, strict=bare not in (int, bool))


def _body(req: falcon.Request, body: bytes) -> dict[str, Any]:
    if (req.content_type or "").partition(";")[0].strip().lower() != falcon.MEDIA_JSON:
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "a body is application/json", where="Content-Type"
        )
    try:
        given = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}") from None
    if not isinstance(given, dict):
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "the body is no JSON object")
    return given


def _query(req: falcon.Request) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for name, value in req.params.items():
        if isinstance(value, list):
            raise ProblemError(
                HTTPStatus.UNPROCESSABLE_ENTITY, "it is given more than once", where=name[:100]
            )
        given[name] = value
    return given


def _convert(value: object, hint: Any, where: str, *, strict: bool) -> Any:
    try:
        return msgspec.convert(value, hint, strict=strict)
    except (msgspec.ValidationError, OverflowError) as error:
        detail, _, place = str(error).partition(" - at ")
        name = where or place.strip("`").removeprefix("$").lstrip(".")
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, where=name[:100]) from None


def _answer(context: Context, endpoint: Endpoint[Any], caller: Caller, asked: Any) -> Answered:
    try:
        answer = endpoint.handler(context, caller, asked)
    except EslAgentError as error:
        raise as_problem(error) from None
    return Answered(int(endpoint.status), falcon.MEDIA_JSON, msgspec.json.encode(answer))
