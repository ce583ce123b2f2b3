"""What is answered where something is wrong: RFC 9457, in sentences, and nothing of our insides."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import falcon
import msgspec

from esl_agent.errors import EslAgentError
from esl_agent.web.ports import DatabaseAwayError, DatabaseRefusedError, TooSlowError

PROBLEM_TYPE: Final = "application/problem+json"

#: What the database can't do for us now, what to do about it, and after how many seconds.
_NOT_NOW: Final[tuple[tuple[type[EslAgentError], str, int], ...]] = (
    (DatabaseAwayError, "try again soon; the log's DB_DOWN says since when", 5),
    (TooSlowError, "name an account, or a shorter period", 30),
    (DatabaseRefusedError, "run `esl-agent doctor`: it says what is missing", 60),
)


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong (`title`, `detail`), where (`where`: a field, a header), and what to do about it."""

    status: int
    title: str
    detail: str = ""
    where: str = ""
    to_do: str = ""
    type: str = "about:blank"


class ProblemError(falcon.HTTPError):
    """Raised by a route, or by what stands before it, when nothing was done.

    `may_pass`: the same request may be answered otherwise soon, or by another
    daemon.  So may what is not found, and what failed for a fault of ours.
    """

    def __init__(
        self, status: HTTPStatus, detail: str, *, where: str = "", to_do: str = "",
        headers: dict[str, str] | None = None, passes: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(status, headers=headers)
        is_ours = status >= HTTPStatus.INTERNAL_SERVER_ERROR
        self.may_pass = passes or is_ours or status == HTTPStatus.NOT_FOUND
        self.problem = Problem(int(status), status.phrase, detail, where, to_do)


def as_problem(error: EslAgentError) -> ProblemError:
    """What a sentence for people means to a program: a conflict with how things are, if nothing else."""
    for kind, to_do, retry_after_s in _NOT_NOW:
        if isinstance(error, kind):
            headers = {"Retry-After": str(retry_after_s)}
            return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, str(error), to_do=to_do, headers=headers)
    return ProblemError(HTTPStatus.CONFLICT, str(error))


def serialize(req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError) -> None:
    """Every error as application/problem+json, falcon's own too."""
    if isinstance(error, ProblemError):
        problem = error.problem
    else:
        status = HTTPStatus(error.status_code)
        problem = Problem(int(status), status.phrase, error.description or "")
    resp.data = msgspec.json.encode(problem)
    resp.content_type = PROBLEM_TYPE
