"""Where calls come in to be asked about: the outbound socket, and the module inside the switch."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from gevent.event import Event

from esl_agent.agent.admission.admission import Admission
from esl_agent.agent.book import Book
from esl_agent.agent.calls.desk import Desk
from esl_agent.agent.calls.live_call import LiveCall
from esl_agent.agent.database import Database
from esl_agent.config import AdmissionConfig
from esl_agent.core import budget
from esl_agent.core.admission.question import Question
from esl_agent.core.admission.variables import ADMITTED
from esl_agent.core.call import paid_end_us
from esl_agent.core.rating import rate_leg
from esl_agent.noc.log import Log
from esl_agent.store.accounts import find_account
from esl_agent.store.sip_users import find_sip_user
from esl_agent.switch.directory import SipUser
from esl_agent.switch.door import Answer
from esl_agent.switch.errors import DoorError
from esl_agent.switch.local_door import Books, LocalDoor, LocalDoorConfig, Report
from esl_agent.switch.outbound import OutboundDoor, OutboundDoorConfig
from esl_agent.switch.peers import DEFAULT_LIMITS, PeerLimits
from esl_agent.switch.trouble import Trouble

#: Calls that `live` tells of; a person asks, not a machine.
LIVE_SHOWN_MAX: Final = 200
#: How soon a door that could not be opened is tried again.
RETRY_S: Final = 1.0


class Doors:
    """`open` them when the daemon can decide; `close` them before it can't."""

    def __init__(
        self, config: AdmissionConfig, admission: Admission, desk: Desk, books: Books,
        now_us: Callable[[], int], log: Log, is_gone: Callable[[str], bool],
        may_act: Callable[[], bool] = lambda: True,
    ) -> None:  # fmt: skip
        self._log = log
        self._is_gone = is_gone
        self._may_act = may_act
        self._admission = admission
        self._desk = desk
        limits = PeerLimits(
            networks=config.networks,
            peers_max=config.peers_max,
            idle_max=min(DEFAULT_LIMITS.idle_max, config.peers_max),
            answer_timeout_s=config.deadline_ms / 1_000 + 1,
        )
        self._doors: list[OutboundDoor | LocalDoor] = []
        if config.outbound_port:
            outbound = OutboundDoorConfig(config.outbound_host, config.outbound_port, limits)
            self._doors.append(OutboundDoor(outbound, self._decide, now_us, self._trouble, self._undelivered))
        if config.local_socket:
            local = LocalDoorConfig(config.local_socket, config.local_secret, config.local_group)
            self._doors.append(
                LocalDoor(local, self._decide, books, now_us, self._trouble, self._undelivered)
            )

    def open(self) -> None:
        """Raises EslAgentError where an address can't be had."""
        for door in self._doors:
            door.start()

    def open_in_time(self, stop: Event) -> None:
        """As `open`, but an address that can't be had is tried again until `stop` is set."""
        is_told = False
        while not stop.is_set():
            try:
                return self.open()
            except DoorError as error:
                self.close()
                if not is_told:
                    self._log("DOOR_CLOSED", error=str(error))
                is_told = True
                stop.wait(RETRY_S)
        return None

    def close(self) -> None:
        for door in self._doors:
            door.stop()

    def _decide(self, question: Question) -> Answer:
        """No answer is given by one who may not act, or may not any more: the dialplan refuses the call."""
        answer = Answer(self._admission.answer(question)) if self._may_act() else None
        if answer is None or not self._may_act():
            raise DoorError("another daemon is active for the switch")
        return answer

    def _undelivered(self, question: Question, answer: Answer) -> None:
        """Nobody said that the answer was taken, and it may have been: a caller who is up may go on with it.

        What is held is given up at the caller's end, or where recovery finds that he is gone.
        """
        caller_leg_uuid = question.caller_leg_uuid
        if answer.variables.get(ADMITTED) == "true" and self._is_gone(caller_leg_uuid):
            self._desk.give_up_newest(caller_leg_uuid)

    def _trouble(self, trouble: Trouble) -> None:
        self._log(
            "DOOR_TROUBLE", door=trouble.door, kind=trouble.kind, times=trouble.times, detail=trouble.detail
        )


def books_of(book: Book, desk: Desk, database: Database, now_us: Callable[[], int]) -> Books:
    """What fs_cli and the switch's directory may be told."""

    def status() -> Report:
        return {"live_calls": len(desk.live), "database": "up" if database.is_up else "down", **book.sizes()}

    def live() -> Report:
        shown = list(islice(desk.live.values(), LIVE_SHOWN_MAX))
        return {"up": len(desk.live), "calls": [_live_line(each, now_us()) for each in shown]}

    def account(account_id: int) -> Report | None:
        found = database.work(lambda conn: find_account(conn, account_id))
        if found is None:
            return None
        return {
            "account": found.account_id,
            "state": found.state,
            "plan": found.plan,
            "balance": str(found.balance),
            "reserved": str(found.reserved),
            "available": str(found.available),
        }

    def user(name: str, domain: str) -> SipUser | None:
        row = database.work(lambda conn: find_sip_user(conn, name, domain))
        if row is None:
            return None
        payer = book.payer(row.account_id)
        return SipUser(
            user=row.user,
            domain=row.domain,
            a1_hash=row.a1_hash,
            account_id=row.account_id,
            caller_number=row.caller_number or "",
            emergency_caller_number=row.emergency_caller_number or "",
            max_calls=payer.limits.max_calls if payer else None,
            calls_per_second=payer.limits.calls_per_second if payer else None,
            cache_s=None,  # a phone must reach 911 while the agent is away
        )

    return Books(status, live, account, user)


def _live_line(live: LiveCall, now_us: int) -> dict[str, Any]:
    call, priced = live.call, live.priced
    talked_us = max(now_us - call.answered_us, 0) if call.answered_us is not None else None
    funded_us = paid_end_us(call) if budget.is_metered(call.price) else None
    return {
        "leg": call.leg.leg_uuid,
        "account": priced.account_id,
        "to": priced.number.digits,
        "product": priced.leg.product,
        "phase": call.phase,
        "since": _time_text(call.leg.created_us),
        "talked_s": None if talked_us is None else talked_us // 1_000_000,
        "cost": str(rate_leg(call.price, talked_us).total),
        "held": str(call.held),
        "funded_until": None if funded_us is None else _time_text(funded_us),
        "funded_s": None if funded_us is None else max(funded_us - now_us, 0) // 1_000_000,
    }


def _time_text(time_us: int) -> str:
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).isoformat()
