"""Tells the operator of verdicts: a webhook, tried again for its time, and a command of his own.

Both have a queue and a greenlet of their own, so that neither the other nor a call waits for them.
"""

from __future__ import annotations

import heapq
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final, NoReturn
from uuid import uuid4

from gevent.event import Event

from esl_agent.agent.batches import BatchQueue, QueueFullError
from esl_agent.agent.clock import monotonic_us
from esl_agent.noc.hook import HookError, run_hook
from esl_agent.noc.log import Log
from esl_agent.noc.webhook import Webhook, WebhookError

#: Messages that wait for their receiver, or for the command.
MESSAGES_MAX: Final = 1_000
#: The pause after a first failure; it doubles up to the last.
PAUSE_MIN_S: Final = 1.0
PAUSE_MAX_S: Final = 300.0
US_PER_S: Final = 1_000_000

Fields = dict[str, object]


@dataclass(slots=True, eq=False)
class _Message:
    """On its way until it is taken, or it is given up."""

    body: str
    about: Fields
    give_up_us: int
    pause_s: float
    message_id: str = field(default_factory=lambda: f"msg_{uuid4().hex}")


class WebhookTeller:
    """`put` returns at once; `run` posts, each message until it is taken or its time is over."""

    def __init__(
        self,
        webhook: Webhook,
        log: Log,
        *,
        give_up_s: float,
        pause_min_s: float = PAUSE_MIN_S,
        messages_max: int = MESSAGES_MAX,
        now_us: Callable[[], int] = monotonic_us,
    ) -> None:
        self._webhook = webhook
        self._log = log
        self._give_up_s = give_up_s
        self._pause_min_s = pause_min_s
        self._messages_max = messages_max
        self._now_us = now_us
        self._waiting: list[tuple[int, int, _Message]] = []  # a heap: when it is due, and as they came
        self._numbers = count()
        self._posting: _Message | None = None
        self._more = Event()
        self._is_down = False

    def put(self, body: str, about: Fields) -> None:
        """`about` is what the log says of the message where it is never taken."""
        if len(self._waiting) >= self._messages_max:
            self._log("QUEUE_FULL", queue="traffic webhook", limit=self._messages_max)
            self._log("TRAFFIC_UNTOLD", **about, error="too many messages wait")
            return
        now_us = self._now_us()
        give_up_us = now_us + round(self._give_up_s * US_PER_S)
        self._wait(_Message(body, about, give_up_us, self._pause_min_s), now_us)

    def _wait(self, message: _Message, due_us: int) -> None:
        heapq.heappush(self._waiting, (due_us, next(self._numbers), message))
        self._more.set()

    def run(self) -> NoReturn:
        while True:
            self._more.clear()
            wait_s = (self._waiting[0][0] - self._now_us()) / US_PER_S if self._waiting else None
            if wait_s is None or wait_s > 0:
                self._more.wait(wait_s)
                continue
            self._posting = heapq.heappop(self._waiting)[2]
            self._post(self._posting)
            self._posting = None

    def _post(self, message: _Message) -> None:
        try:
            self._webhook.post(message.message_id, message.body)
        except WebhookError as error:
            self._failed(message, str(error))
        else:
            if self._is_down:
                self._is_down = False
                self._log("TRAFFIC_WEBHOOK_UP", waiting=len(self._waiting))

    def _failed(self, message: _Message, error: str) -> None:
        if not self._is_down:
            self._is_down = True
            self._log("TRAFFIC_WEBHOOK_DOWN", error=error)
        # Less by chance, so that daemons don't march in step.
        pause_s = message.pause_s * (1 - secrets.randbelow(250) / 1_000)
        due_us = self._now_us() + round(pause_s * US_PER_S)
        if due_us > message.give_up_us:
            self._log("TRAFFIC_UNTOLD", **message.about, error=error)
            return
        message.pause_s = min(message.pause_s * 2, PAUSE_MAX_S)
        self._wait(message, due_us)

    def give_up(self) -> None:
        """The daemon ends: what is still untold is said in the log."""
        waiting = [message for _, _, message in sorted(self._waiting)]
        for message in filter(None, (self._posting, *waiting)):
            self._log("TRAFFIC_UNTOLD", **message.about, error="the daemon ends")
        self._waiting.clear()


class HookTeller:
    """`put` returns at once; `run` runs the command, once for each message, which it gets on its input."""

    def __init__(self, command: Sequence[str], log: Log, messages_max: int = MESSAGES_MAX) -> None:
        self._command = command
        self._log = log
        self._messages_max = messages_max
        self._queue = BatchQueue[tuple[str, Fields]](messages_max, 1)

    def put(self, body: str, about: Fields) -> None:
        try:
            self._queue.put((body, about))
        except QueueFullError:
            self._log("QUEUE_FULL", queue="traffic hook", limit=self._messages_max)

    def run(self) -> None:
        self._queue.run(self._work)

    def _work(self, batch: Sequence[tuple[str, Fields]]) -> None:
        for body, about in batch:
            try:
                run_hook(self._command, body)
            except HookError as error:
                self._log("TRAFFIC_HOOK_FAILED", **about, error=str(error))
