"""Recovery: after a start, a lost connection or missed events, agent, switch and store are brought together.

Theory of operation
-------------------
Before the first event is heard, the open reservations of the switch make the
desk await their legs (`await_again`).  From then on an event of such a leg finds
its price and its money, whether recovery has come to it or not.

A *pass* lists the switch's legs and asks for each that may not be as the desk
has it.  Legs that are gone, or that the switch did not speak of, are *missing*:
they are asked for again, at growing distances, until an event, an answer, the
switch's CDR file or the end of the patience decides (core/recovery.py).  Some
time after a pass comes a second one, for what the switch's list did not have
yet; and now and then one audits, though nothing seems amiss.

Only a few legs are asked for at a time, so that kills and cuts are not held up
behind them.  What was found is put into the queue of events (`do`): the desk
hears of each leg one thing after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple, NoReturn

from gevent.event import Event
from gevent.pool import Pool

from esl_agent.agent.calls.desk import Desk
from esl_agent.agent.database import OUTAGE
from esl_agent.agent.files.cdr_folder import CdrFolder
from esl_agent.agent.recovery.finds import Finds
from esl_agent.agent.recovery.looks import Found, Looks
from esl_agent.core.call import Phase
from esl_agent.core.call_state import US_PER_S
from esl_agent.core.leg import LegEnd
from esl_agent.core.recovery import SECOND_LOOK_US, Case, Look, Standing, Verdict, decide, legs_to_ask_for
from esl_agent.noc.log import Log
from esl_agent.store.open_holds import OpenHold
from esl_agent.switch.errors import SwitchError
from esl_agent.switch.events import EventError

#: Legs that the switch is asked for at a time.
LOOKS_AT_ONCE: Final = 16
#: The second pass: the switch's list of legs is late by 200 ms, and more where it is busy.
SECOND_PASS_US: Final = 3 * US_PER_S
#: Passes are at least this far apart, however often events are missed; so is one that failed from the next.
PASSES_APART_US: Final = 2 * US_PER_S
#: A reservation that is younger may be of an admission that is under way.
HOLD_AGE_MIN_S: Final = 60.0
#: A leg of which neither agent nor switch knows anything is left to the next pass after so many looks.
LOOKS_MAX: Final = 5
#: The longest that the loop sleeps while a leg is missing.
NAP_S: Final = 0.5


#: What is concluded from there being no file.
CONCLUSIONS: Final = frozenset({Verdict.SETTLE_AS_KNOWN, Verdict.RELEASE})


class Close(NamedTuple):
    """What a close look tells of a leg that is gone: of its caller, and what its file says."""

    caller: Look = Look.SILENT
    end: LegEnd | None = None
    has_left_file: bool = False  # be it half a one


NO_CLOSE_LOOK: Final = Close()


@dataclass(slots=True)
class Missing:
    """A leg that is asked for again; all times but `seen_us` by the agent's monotonic clock."""

    next_us: int
    pause_us: int
    seen_us: int  # when it was last known to be up, on the switch's clock
    gone_since_us: int | None = None  # None while the switch has not said so
    looks: int = 0


class Recovery:
    """`await_again` before events are heard; then `run`, and say what happens to the link.

    `read_holds` gives the open reservations older than so many seconds, or
    raises one of OUTAGE; `do` runs something where events are worked on.
    """

    def __init__(
        self,
        *,
        desk: Desk,
        finds: Finds,
        looks: Looks,
        folder: CdrFolder,
        read_holds: Callable[[float], Iterable[OpenHold]],
        do: Callable[[Callable[[], None]], None],
        now_us: Callable[[], int],
        patience_s: int,
        audit_every_s: int,
        log: Log,
    ) -> None:
        self._desk = desk
        self._finds = finds
        self._looks = looks
        self._folder = folder
        self._read_holds = read_holds
        self._do = do
        self._now_us = now_us  # monotonic
        self._patience_us = patience_s * US_PER_S
        self._audit_every_us = audit_every_s * US_PER_S
        self._log = log
        self._woken = Event()
        self._is_up = False
        self._reason = ""  # of the next pass, where there is more to it than an audit
        self._is_all = False  # it asks for every live leg
        self._next_pass_us = now_us() + self._audit_every_us
        self._passed_us = 0
        self._missing: dict[str, Missing] = {}
        self._passed_over: set[str] = set()
        self._heard_us = 0  # these four on the switch's clock
        self._sure_us = 0  # nothing that happened up to then was missed, as far as is known
        self._compared_us = 0  # the last pass that succeeded
        self._began_us = 0  # this run of the switch
        self._is_sure = False
        self._is_failing = False

    @property
    def is_sure(self) -> bool:
        """Whether the switch's calls were gone through, and nothing was missed since."""
        return self._is_sure

    # What happens.

    def await_again(self) -> None:
        """Have the desk await what is held for; raises one of OUTAGE."""
        self._finds.await_again(self._read_holds(0.0))

    def heard(self, stamp_us: int) -> None:
        """An event came; `stamp_us` is the switch's time, 0 where it bears none."""
        self._heard_us = stamp_us or self._heard_us
        if self._is_sure:
            self._sure_us = self._heard_us

    def lost(self) -> None:
        """The connection is gone: until it is back nothing can be asked."""
        self._is_up = self._is_sure = False

    def begin(self, reason: str, *, is_all: bool) -> None:
        """Events may have been missed; with `is_all` commands too, or all of them."""
        self._is_up, self._is_sure = True, False
        self._reason = self._reason or reason
        self._is_all |= is_all
        self._next_pass_us = self._passed_us + PASSES_APART_US
        self._woken.set()

    # The loop.

    def run(self) -> NoReturn:
        while True:
            self._woken.wait(self._nap_s())
            self._woken.clear()
            if not self._is_up:
                continue
            if self._now_us() >= self._next_pass_us:
                self._pass()
            self._ask_again()

    def _nap_s(self) -> float:
        due_us = self._next_pass_us - self._now_us() if self._is_up else self._audit_every_us
        nap_s = max(due_us, 0) / US_PER_S
        return min(nap_s, NAP_S) if self._missing and self._is_up else nap_s

    def _pass(self) -> None:
        began_us, heard_us = self._now_us(), self._heard_us
        reason, is_all, self._reason, self._is_all = self._reason, self._is_all, "", False
        seen_us = self._sure_us if reason else self._compared_us
        try:
            listed = self._looks.listed()
            self._began_us = self._looks.began_us()
            holds = list(self._read_holds(HOLD_AGE_MIN_S))
        except (SwitchError, EventError, *OUTAGE) as error:
            self._failed(error, reason or "audit", is_all=is_all)
            return
        self._do(lambda: self._hear_of(holds))
        asked = legs_to_ask_for(
            listed=listed,
            live=self._desk.live,
            changing=self._changing(is_all=is_all),
            awaited=self._finds.awaited(),
            passed_over=self._passed_over,
        )
        self._passed_over &= listed
        for leg_uuid, found in self._pool().imap_unordered(self._look, asked):
            self._do(partial(self._weigh, leg_uuid, found, seen_us, self._now_us()))
        self._passed_us = self._now_us()
        took_ms = (self._passed_us - began_us) // 1_000
        self._is_failing = False
        if reason:
            self._do(lambda: self._say(reason, len(listed), len(asked), took_ms))
        if self._reason or not self._is_up:  # more was missed meanwhile
            self._next_pass_us = self._passed_us + PASSES_APART_US
            return
        self._next_pass_us = self._passed_us + (SECOND_PASS_US if reason else self._audit_every_us)
        self._is_sure, self._compared_us = True, heard_us

    def _failed(self, error: Exception, reason: str, *, is_all: bool) -> None:
        """Try again soon, unless the connection comes back first."""
        if not self._is_failing:
            self._log("RECOVERY_FAILED", reason=reason, error=" ".join(str(error).split()))
        self._is_failing = True
        self._reason = self._reason or reason
        self._is_all |= is_all
        self._next_pass_us = self._now_us() + PASSES_APART_US

    def _hear_of(self, holds: Iterable[OpenHold]) -> None:
        if self._finds.await_again(holds):
            self._next_pass_us = 0
            self._woken.set()

    def _changing(self, *, is_all: bool) -> list[str]:
        """Live legs of which something may have been missed, though the switch lists them."""
        settled = () if is_all else (Phase.TALKING, Phase.ENDING)
        return [leg_uuid for leg_uuid, live in self._desk.live.items() if live.call.phase not in settled]

    def _say(self, reason: str, listed: int, asked: int, took_ms: int) -> None:
        self._log(
            "RECOVERY_DONE",
            reason=reason,
            listed=listed,
            asked=asked,
            live=len(self._desk.live),
            missing=len(self._missing),
            took_ms=took_ms,
        )

    # Looking.

    def _pool(self) -> Pool:
        return Pool(LOOKS_AT_ONCE)

    def _look(self, leg_uuid: str) -> tuple[str, Found]:
        return leg_uuid, self._looks.at(leg_uuid)

    def _ask_again(self) -> None:
        now_us = self._now_us()
        due = [leg_uuid for leg_uuid, missing in self._missing.items() if missing.next_us <= now_us]
        for leg_uuid in due:
            self._missing[leg_uuid].next_us = now_us + self._patience_us  # not twice
        for leg_uuid, found, close in self._pool().imap_unordered(self._look_closely, due):
            self._do(partial(self._weigh, leg_uuid, found, self._sure_us, self._now_us(), close))

    def _look_closely(self, leg_uuid: str) -> tuple[str, Found, Close]:
        """The leg, its caller's and its file, as far as they matter."""
        found = self._looks.at(leg_uuid)
        standing = self._finds.standing(leg_uuid)
        if found.look is not Look.GONE or standing is Standing.UNKNOWN:
            return leg_uuid, found, NO_CLOSE_LOOK
        end = self._folder.find(leg_uuid)
        if end is not None or standing is not Standing.AWAITED:
            return leg_uuid, found, Close(end=end)
        caller = self._looks.exists(self._finds.caller_of(leg_uuid))
        return leg_uuid, found, Close(caller, None, self._folder.tells_of(leg_uuid))

    # Deciding, where events are worked on.

    def _weigh(
        self,
        leg_uuid: str,
        found: Found,
        seen_us: int,
        looked_us: int,
        close: Close | None = None,
    ) -> None:
        """`looked_us` is when it was looked for: the queue may have been held up since."""
        caller, end, has_left_file = close or NO_CLOSE_LOOK
        missing = self._missing.get(leg_uuid)
        if missing is None:
            missing = Missing(looked_us, SECOND_LOOK_US, seen_us)
        if found.look is not Look.GONE:
            missing.gone_since_us = None
        elif missing.gone_since_us is None:
            missing.gone_since_us = looked_us
        case = Case(
            look=found.look,
            standing=self._finds.standing(leg_uuid),
            gone_for_us=looked_us - (missing.gone_since_us or looked_us),
            caller=caller,
            was_there=has_left_file or self._finds.was_there(leg_uuid),
            has_file=end is not None,
        )
        verdict = decide(case, self._patience_us, has_files=self._has_file_of(leg_uuid))
        if close is None and verdict in CONCLUSIONS:
            verdict = Verdict.LOOK_AGAIN  # its file may tell
        missing.looks += 1
        if case.standing is Standing.UNKNOWN and missing.looks >= LOOKS_MAX and found.leg is None:
            verdict = Verdict.LEAVE
        if verdict is Verdict.TAKE_UP and found.leg is not None:
            is_ours = self._finds.up(found.leg)
            if is_ours is None:
                verdict = Verdict.LOOK_AGAIN
            elif not is_ours:
                self._passed_over.add(leg_uuid)
        if verdict is Verdict.LOOK_AGAIN:
            if close is not None or leg_uuid not in self._missing:  # else passes would put off the close look
                self._look_later(leg_uuid, missing)
        else:
            self._missing.pop(leg_uuid, None)
            self._end(leg_uuid, verdict, missing.seen_us, caller, end)

    def _has_file_of(self, leg_uuid: str) -> bool:
        """Whether there would be a file of the leg, had it been there: a switch that died left none."""
        known_us = self._finds.last_known_us(leg_uuid)
        return self._folder.folder is not None and (known_us is None or known_us >= self._began_us)

    def _look_later(self, leg_uuid: str, missing: Missing) -> None:
        now_us = self._now_us()
        patient_us = (missing.gone_since_us or now_us) + self._patience_us
        missing.next_us = now_us + missing.pause_us
        if now_us < patient_us:
            missing.next_us = min(missing.next_us, patient_us)
        missing.pause_us = min(missing.pause_us * 2, self._patience_us)
        self._missing[leg_uuid] = missing
        if len(self._missing) == 1:
            self._woken.set()

    def _end(self, leg_uuid: str, verdict: Verdict, seen_us: int, caller: Look, end: LegEnd | None) -> None:
        itinerary = self._desk.itineraries.of_leg(leg_uuid)
        if verdict is Verdict.SETTLE_BY_FILE and end is not None:
            self._finds.ended(end)
        elif verdict is Verdict.SETTLE_AS_KNOWN:
            self._finds.vanished(leg_uuid, seen_us, is_caller_gone=caller is Look.GONE)
        elif verdict is Verdict.RELEASE:
            self._finds.never_came(leg_uuid)
        else:
            return
        following = itinerary.awaited if itinerary is not None else None
        if following is not None and self._finds.standing(following) is Standing.AWAITED:
            # Its hold went on to the next leg, which may be up or over as well.
            self._look_later(following, Missing(0, SECOND_LOOK_US, seen_us))
