"""One of two daemons for the same switch: in standby, or active, and never both at once.

The rules and their theory stand in core/lease.py; here its orders become
statements, announcements and log lines.  In standby the daemon is connected,
its book is loaded, and it drops the events that it hears.  `may_act` is asked
just before anything goes out: a command to the switch, a hold, an answer at a
door.

A process that was frozen finds there that its lease is over, whatever it was
in the middle of.  What went out before the freeze does no harm after it:

- a hold is conditional, and raises what one leg holds to a target: the active
  twin asks for the same or more, and the leg's settlement frees all of it;
- a settlement or a release tells of a fact (a leg is over, or will not come), and
  passes the gate once.  That is why the settler does not ask: what it has is
  written by whoever comes first;
- a kill has left the process before the freeze, and the lease was good then: it
  reaches the switch at once, by the kernel alone.  One that has not left is
  dropped with its connection (`LinkConfig.is_stale`).  What is left: a freeze between
  that look and the write, or in a write to a switch that had stopped reading.

A twin that stands down starts over as a new process image.  So nothing of what
it believed, had queued or was waiting for can ever come out, and none of the
daemon's parts needs to know how to forget.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import gevent
from gevent.event import Event

from esl_agent.agent.clock import steady_us
from esl_agent.agent.database import OUTAGE
from esl_agent.agent.duty.duty import CONNECT_S, LOST, Link, StoodDown, url_of
from esl_agent.config import Config, switch_name_of
from esl_agent.core import lease as rules
from esl_agent.core.lease import Act, Happening, Role, Row, StandDown, Take, Twin
from esl_agent.noc.log import Log
from esl_agent.store import lease
from esl_agent.store.pool import Connection
from esl_agent.switch import commands
from esl_agent.switch.commands import Command
from esl_agent.switch.errors import SwitchError
from esl_agent.switch.events import TWIN_ACTIVE, TWIN_GONE, TwinWord

#: In each lease the row is written, and the switch told, so many times.
RENEWALS_PER_LEASE: Final = 4
#: In each lease a twin in standby reads the row, and time is looked at, so many times.
LOOKS_PER_LEASE: Final = 8
TICKS_PER_LEASE: Final = 16
#: How long a stop may take to give the lease back, and to say so.
GIVE_BACK_S: Final = 2.0
GOODBYE_S: Final = 0.3
RETRY_S: Final = 0.3
#: The variable of the whole switch by which the dialplan finds the door; and how often it is set again,
#: for a switch that reads its configuration anew sets it back.
ADMISSION_ADDRESS: Final = "esl_admission_address"
DOOR_EVERY_US: Final = 5_000_000
DOOR_S: Final = 1.0
#: After so many attempts to take a row that seems free the lock is somebody's who is no twin.
REFUSALS_MAX: Final = 10
#: What a machine's name may have that a command to the switch can't.
NO_TOKEN: Final = re.compile("[^A-Za-z0-9_.-]")


class Twins:
    """One of two; `run` its parts, and it is in standby until `wait_turn` returns."""

    def __init__(
        self, config: Config, log: Log, link: Callable[[], Link], stop_daemon: Callable[[], None]
    ) -> None:
        self._url = url_of(config)
        self._switch = switch_name_of(config)
        self._log = log
        self._link = link
        self._stop_daemon = stop_daemon
        self._lease_s = config.twin.lease_ms / 1_000
        machine = NO_TOKEN.sub("-", socket.gethostname())
        holder = f"{machine}/{os.getpid()}/{secrets.token_hex(4)}"
        self._twin = Twin(holder, config.twin.lease_ms * 1_000)
        self._turn = Event()
        self._told_of: str | None = None  # the other's name, as it was last logged
        self._refusals = 0
        self._refusal = ""  # what Postgres said last
        self._has_lock = self._is_unseen = False
        self._next_word_us = self._next_door_us = 0
        self._door, self._is_open = config.twin.door, False
        self._is_ended = False
        self._lost = ""  # why it stood down

    # What the daemon asks.

    @property
    def _is_acting(self) -> bool:
        return self._twin.role is Role.ACTIVE

    def may_act(self) -> bool:
        """Whether nobody else acts; finding that its lease is over it stands down on the spot."""
        if rules.may_act(self._twin, steady_us()):
            return not self._is_ended
        if self._is_acting:
            self._tell(rules.Tick())
        return False

    def is_stale(self) -> bool:
        """Whether commands that wait to be sent are those of a lease that is over."""
        has_acted = self._twin.role in (Role.ACTIVE, Role.DOWN)
        return has_acted and rules.is_over(self._twin, steady_us())

    def begin(self, stop: Event) -> bool:
        self._log("TWIN_STANDBY", switch=self._switch, holder=self._twin.holder)
        return False

    def wait_turn(self, stop: Event) -> bool:
        """Wait until it may act, or the daemon is told to stop: whether it may."""
        gevent.wait([self._turn, stop], count=1)
        return self._turn.is_set() and not stop.is_set()

    def link_changed(self, *, is_up: bool) -> None:
        self._next_door_us = 0  # a switch that was restarted has forgotten it
        self._tell(rules.LinkUp() if is_up else rules.LinkDown())

    def heard(self, word: TwinWord) -> None:
        """The switch told what a twin, this one too, had it tell."""
        if word.switch != self._switch:
            return
        if word.subclass == TWIN_GONE:
            self._tell(rules.Gone(word.holder))
        elif word.subclass == TWIN_ACTIVE:
            self._tell(rules.Heard(word.holder, word.epoch, word.lease_us, word.sent_us))

    def end(self) -> None:
        """Let the other act at once, where this one was active: nothing may go out any more."""
        if not self._is_acting or self._is_ended:
            return
        self._is_ended = True
        twin = self._twin
        with suppress(*LOST), gevent.Timeout(GIVE_BACK_S):
            conn = lease.connect_to_lease(self._url)
            try:
                lease.give_back(conn, self._switch, twin.holder, twin.epoch)
            finally:
                conn.close()
        self._say_goodbye()

    def opened(self) -> None:
        """Calls can be asked about: the switch is told where, before anybody else is told that."""
        self._is_open = True
        if self._door:
            with suppress(SwitchError):
                self._link().command(commands.global_setvar(ADMISSION_ADDRESS, self._door), DOOR_S)
        self._log("TWIN_OPEN", switch=self._switch, epoch=self._twin.epoch)

    def leave_if_lost(self) -> None:
        """Raises StoodDown where this one may act no more, once it has tried to tell the other so."""
        if self._lost:
            self._say_goodbye()
            raise StoodDown(self._lost)

    def _say_goodbye(self) -> None:
        with suppress(SwitchError):
            self._link().request(self._word(TWIN_GONE), GOODBYE_S)

    # What runs all the time.

    def run(self) -> None:
        """Keep time, tell the switch while there is something to tell, and keep the row; for ever."""
        row = gevent.spawn(self._keep_row)
        try:
            while True:
                self._tell(rules.Tick())
                self._tell_switch()
                gevent.sleep(self._lease_s / TICKS_PER_LEASE)
        finally:
            row.kill()

    def _tell_switch(self) -> None:
        now_us = steady_us()
        is_due = now_us >= self._next_word_us and self._twin.role in (Role.TAKING, Role.ACTIVE)
        if is_due and not self._is_ended:
            self._next_word_us = now_us + self._twin.lease_us // RENEWALS_PER_LEASE
            with suppress(SwitchError):
                self._link().post(self._word(TWIN_ACTIVE))
        if self._door and self._is_open and now_us >= self._next_door_us and self.may_act():
            self._next_door_us = now_us + DOOR_EVERY_US
            with suppress(SwitchError):
                self._link().post(commands.api(commands.global_setvar(ADMISSION_ADDRESS, self._door)))

    def _word(self, subclass: str) -> Command:
        twin = self._twin
        return commands.send_custom(
            subclass,
            {
                "Esl-Agent-Switch": self._switch,
                "Esl-Agent-Holder": twin.holder,
                "Esl-Agent-Epoch": str(twin.epoch),
                "Esl-Agent-Lease-Us": str(twin.lease_us),
                "Esl-Agent-Sent-Us": str(steady_us()),
            },
        )

    def _keep_row(self) -> None:
        """Read or write the row again and again, on one connection as long as it holds."""
        while True:
            conn = None
            try:
                with gevent.Timeout(CONNECT_S):
                    conn = lease.connect_to_lease(self._url)
                    is_usable = lease.is_own_session(conn)
                self._has_lock = False
                if not is_usable and not self._is_unseen:
                    self._is_unseen = True
                    self._log("TWIN_UNSEEN", switch=self._switch)
                while is_usable:
                    with gevent.Timeout(self._lease_s):
                        self._look(conn)
                    is_standby = self._twin.role is Role.STANDBY
                    gevent.sleep(self._lease_s / (LOOKS_PER_LEASE if is_standby else RENEWALS_PER_LEASE))
            except LOST as error:
                self._tell(rules.DatabaseLost())
                self._tell_refusal(error)
            finally:
                if conn is not None:
                    conn.close()
            gevent.sleep(RETRY_S)

    def _tell_refusal(self, error: BaseException) -> None:
        """Outages are told elsewhere; what Postgres refuses keeps this one from ever being active."""
        text = "" if isinstance(error, (*OUTAGE, gevent.Timeout)) else " ".join(str(error).split())
        if text and text != self._refusal:
            self._log("DB_REFUSED", statement="lease", error=text)
        self._refusal = text or self._refusal

    def _look(self, conn: Connection) -> None:
        if self._twin.role is Role.STANDBY:
            if self._has_lock:  # it was taking, and came to nothing
                lease.unlock(conn, self._switch)
                self._has_lock = False
            row = lease.read(conn, self._switch)
            self._tell_who_is_active(row)
            for order in self._tell(rules.RowRead(row)):
                if isinstance(order, Take):
                    self._take(conn, order)
        elif self._twin.role is not Role.DOWN and not self._is_ended:
            sent_us = steady_us()
            is_ours = lease.renew(conn, self._switch, self._twin.holder, self._twin.epoch)
            self._tell(rules.Renewed(sent_us) if is_ours else rules.Superseded())
            if not self._has_lock:
                self._has_lock = lease.lock(conn, self._switch) is None

    def _take(self, conn: Connection, order: Take) -> None:
        sent_us = steady_us()
        wanted = Row(self._twin.holder, order.epoch, 0, self._twin.lease_us)
        if lease.take(conn, self._switch, order.seen, wanted):
            self._has_lock, self._next_word_us, self._refusals = True, 0, 0
            self._log("TWIN_TAKING", switch=self._switch, epoch=order.epoch)
            self._tell(rules.Taken(order.epoch, sent_us))
            self._tell_switch()
            return
        self._tell(rules.NotTaken())
        self._refusals += 1
        if self._refusals == REFUSALS_MAX:
            session = lease.who_has(conn, self._switch).lock_pid
            self._log("TWIN_ALREADY_ACTIVE", switch=self._switch, session=session)

    def _tell_who_is_active(self, row: Row | None) -> None:
        holder = row.holder if row else ""
        if holder and holder != self._told_of:
            self._log("TWIN_STANDBY", switch=self._switch, active=holder, epoch=row.epoch if row else None)
        self._told_of = holder

    def _tell(self, happening: Happening) -> tuple[rules.Order, ...]:
        """Nothing here waits, so no step overlaps another."""
        before = self._twin.role
        self._twin, orders = rules.step(self._twin, happening, steady_us())
        for order in orders:
            if isinstance(order, Act):
                self._log("TWIN_ACTIVE", switch=self._switch, epoch=self._twin.epoch)
                self._turn.set()
            elif isinstance(order, StandDown):
                self._lost = order.reason
                self._log("TWIN_LOST", switch=self._switch, epoch=self._twin.epoch, reason=order.reason)
                self._stop_daemon()
        if before is Role.TAKING and self._twin.role is Role.STANDBY:
            self._log("TWIN_STANDBY", switch=self._switch, holder=self._twin.holder)
        return orders
