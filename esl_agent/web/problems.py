"""What is answered where something is wrong: RFC 9457, in sentences, and nothing of our insides."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import falcon
import msgspec

PROBLEM_TYPE: Final = "application/problem+json"


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong (`title`, `detail`), where (`where`: a field, a header), and what to do about it."""

    status: int
    title: str
    detail: str = ""
    where: str = ""
    to_do: str = ""
    type: str = "about:blank"


class ProblemError(falcon.HTTPError):
    """Raised by a route, or by what stands before it."""

    def __init__(
        self, status: HTTPStatus, detail: str, *, where: str = "", to_do: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(status, headers=headers)
        self.problem = Problem(int(status), status.phrase, detail, where, to_do)


def serialize(req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError) -> None:
    """Every error as application/problem+json, falcon's own too."""
    if isinstance(error, ProblemError):
        problem = error.problem
    else:
        status = HTTPStatus(error.status_code)
        problem = Problem(int(status), status.phrase, error.description or "")
    resp.data = msgspec.json.encode(problem)
    resp.content_type = PROBLEM_TYPE
