"""A request with an Idempotency-Key is carried out once; sent again it gets the answer of the first time."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final

import falcon
import gevent
import msgspec

from esl_agent.store import api_answers
from esl_agent.store.api_answers import Key, StoredAnswer
from esl_agent.web.gate import Caller
from esl_agent.web.ports import Books, DatabaseAwayError, TooSlowError
from esl_agent.web.problems import PROBLEM_TYPE, ProblemError

HEADER: Final = "Idempotency-Key"
KEY_CHARACTERS_MAX: Final = 200
KEY_PATTERN: Final = "[!-~]+"
KEY: Final = re.compile(KEY_PATTERN)
#: How long the same request that is under way already is waited for, and how often it is looked at.
WAIT_S: Final = 5.0
LOOK_EVERY_S: Final = 0.05
#: How often answers that are too old are removed.
FORGET_EVERY_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer as it is sent."""

    status: int
    content_type: str
    body: bytes
    is_replayed: bool = False


class Replays:
    def __init__(self, books: Books) -> None:
        self._books = books
        self._forgot_s = -FORGET_EVERY_S

    def once(
        self, req: falcon.Request, caller: Caller, body: bytes, work: Callable[[], Answered]
    ) -> Answered:
        """The answer of `work`, or of the same request before; raises ProblemError as `work` does.

        A problem that may pass is not kept: the request may be sent again at once.
        """
        sent = req.get_header(HEADER)
        if sent is None:
            return work()
        key = Key(caller.name, _checked(sent), _digest(req, body))
        before = self._begin(key)
        if before is not None:
            return before
        try:
            answered = work()
        except ProblemError as error:
            if error.may_pass:
                self._give_up(key)
            else:
                kept = Answered(error.problem.status, PROBLEM_TYPE, msgspec.json.encode(error.problem))
                self._finish(key, kept)
            raise
        except BaseException:
            self._give_up(key)
            raise
        self._finish(key, answered)
        return answered

    def _begin(self, key: Key) -> Answered | None:
        """None where it is to be carried out now."""
        self._forget_now_and_then()
        until_s = time.monotonic() + WAIT_S
        while True:
            stored = self._books.work(lambda conn: api_answers.begin(conn, key))
            if stored is None:
                return None
            if stored.request_sha256 != key.request_sha256:
                raise ProblemError(
                    HTTPStatus.CONFLICT,
                    "this key was used for another request",
                    where=HEADER,
                    to_do="take a new key for a new request",
                )
            answered = _answered(stored)
            if answered is not None:
                return answered
            if time.monotonic() > until_s:
                raise ProblemError(
                    HTTPStatus.CONFLICT,
                    "the same request is under way",
                    where=HEADER,
                    to_do="send it again in a minute",
                    headers={"Retry-After": "60"},
                )
            gevent.sleep(LOOK_EVERY_S)

    def _finish(self, key: Key, answered: Answered) -> None:
        """What is done is done: where it can't be kept, the request may be repeated after a while."""
        with suppress(DatabaseAwayError, TooSlowError):
            self._books.work(
                lambda conn: api_answers.finish(
                    conn, key, answered.status, answered.content_type, answered.body
                )
            )

    def _give_up(self, key: Key) -> None:
        with suppress(DatabaseAwayError, TooSlowError):
            self._books.work(lambda conn: api_answers.give_up(conn, key))

    def _forget_now_and_then(self) -> None:
        if time.monotonic() - self._forgot_s >= FORGET_EVERY_S:
            self._forgot_s = time.monotonic()
            self._books.work(api_answers.forget_old)


def _answered(stored: StoredAnswer) -> Answered | None:
    if stored.status is None or stored.content_type is None or stored.body is None:
        return None
    return replace(Answered(stored.status, stored.content_type, bytes(stored.body)), is_replayed=True)


def _checked(sent: str) -> str:
    if len(sent) > KEY_CHARACTERS_MAX or not KEY.fullmatch(sent):
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"a key is 1 to {KEY_CHARACTERS_MAX} visible characters of ASCII",
            where=HEADER,
        )
    return sent


def _digest(req: falcon.Request, body: bytes) -> bytes:
    return hashlib.sha256(f"{req.method} {req.path}\n".encode() + body).digest()
