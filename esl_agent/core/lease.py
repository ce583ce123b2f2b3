"""Which of a switch's twins is active: the rules, as a plain function of events and time.

Theory of operation.  Two things are leased, each for `lease_us` at a time, and
one of the two is enough for a twin that is active to go on acting.

The row, in the database.  Who is active writes it again and again.  It counts
from when the write was *sent*, so that an answer which comes late is worth
little.  A twin in standby takes the row over once it has read the same thing in
it for a whole lease and some more: by then the lease of whoever wrote it is
over.  Taking raises the epoch, and is conditional on the row being as it was
read, so of several one succeeds and the old holder's writes fail from then on.

The switch.  Who is active also says so through the switch, again and again,
and hears itself.  That counts from when it was *sent* too, and carries a twin
through an outage of the database, when nobody could take the row over.  Whoever
hears a higher epoch than its own stands down.  Who has taken the row acts once
it has heard itself, and has heard no other twin for a whole lease and some more.

So two never act at once, as long as
- no two clocks run apart by more than a tenth (none is compared with another, and
  each may stand at anything), nor stand still while the world goes on, and
- what the switch tells reaches each twin whole, and in the order in which it was
  said, or out of it by less than a tenth of a lease.
Freezes, delays and cut connections of any length are none of the conditions: who
does nothing for a lease, or hears nothing, may not act and stands down.  A twin
that stood down never acts again; it has to be started over.

A lease says how long it is itself, so twins may be configured differently.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

#: A lease is over for others so much later than for its holder, in parts of itself.
MARGIN_PARTS: Final = 10
#: Who has no switch to act on for so long lets another try.
LINK_LOST_US_MAX: Final = 5_000_000
#: Others that are kept apart; more than that count as one that never says goodbye.
OTHERS_MAX: Final = 16
CROWD: Final = ""


class Role(StrEnum):
    STANDBY = "standby"  # listens, does nothing
    TAKING = "taking"  # has the row, and waits until whoever was active surely is no more
    ACTIVE = "active"
    DOWN = "down"  # was active, and is never again


@dataclass(frozen=True, slots=True)
class Row:
    """What the database says.  `renewals` is different after each write."""

    holder: str  # "": given back
    epoch: int
    renewals: int
    lease_us: int


@dataclass(frozen=True, slots=True)
class Twin:
    """One of them, as it knows itself.  All times are its own steady clock's."""

    holder: str  # its name, no other's and no other run's
    lease_us: int
    role: Role = Role.STANDBY
    epoch: int = 0  # of its own lease, while it is taking or active
    row: Row | None = None  # as read last, in standby; None: not known
    row_since_us: int = 0  # it has surely said so from then on
    row_until_us: int = 0  # until then it has the row
    switch_until_us: int = 0  # until then it has the switch
    link_since_us: int | None = None  # the link to the switch stands since; None: it doesn't
    link_lost_us: int = 0  # where it doesn't: since when
    others: tuple[tuple[str, int], ...] = ()  # twins that were heard, and until when each may act
    epoch_heard: int = 0  # the highest


# What happens.


@dataclass(frozen=True, slots=True)
class RowRead:
    """The database says this now; None: nobody ever took the row."""

    row: Row | None


@dataclass(frozen=True, slots=True)
class DatabaseLost:
    """It did not answer."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The row is ours, by what was sent at `sent_us`."""

    epoch: int
    sent_us: int


@dataclass(frozen=True, slots=True)
class NotTaken:
    """The row was not as it was read, or can't be had."""


@dataclass(frozen=True, slots=True)
class Renewed:
    sent_us: int


@dataclass(frozen=True, slots=True)
class Superseded:
    """The row is another's."""


@dataclass(frozen=True, slots=True)
class LinkUp:
    """The switch tells us what happens, from now on; said again where something may have been missed."""


@dataclass(frozen=True, slots=True)
class LinkDown:
    pass


@dataclass(frozen=True, slots=True)
class Heard:
    """A twin, maybe ourselves, said through the switch that it has the row; `sent_us` is by its own clock."""

    holder: str
    epoch: int
    lease_us: int
    sent_us: int


@dataclass(frozen=True, slots=True)
class Gone:
    """A twin said that it acts no more, and never will."""

    holder: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Nothing but time; at least several times in a lease."""


Happening = (
    RowRead | DatabaseLost | Taken | NotTaken | Renewed | Superseded | LinkUp | LinkDown | Heard | Gone | Tick
)


# What is to be done.


@dataclass(frozen=True, slots=True)
class Take:
    """Take the row, if it is still `seen`; the outcome is told by Taken or NotTaken."""

    seen: Row | None
    epoch: int


@dataclass(frozen=True, slots=True)
class Act:
    """Take up the calls: nobody else acts on them."""


@dataclass(frozen=True, slots=True)
class StandDown:
    """Stop at once."""

    reason: str


Order = Take | Act | StandDown
Orders = tuple[Order, ...]


def may_act(twin: Twin, now_us: int) -> bool:
    """Whether what it does now is done by nobody else."""
    return twin.role is Role.ACTIVE and not is_over(twin, now_us)


def is_over(twin: Twin, now_us: int) -> bool:
    """Whether both of its leases are over: what it wanted to do before must not be done now."""
    return now_us >= max(twin.row_until_us, twin.switch_until_us)


def limit_us(lease_us: int) -> int:
    """How long others wait for the end of a lease."""
    return lease_us + lease_us // MARGIN_PARTS


def step(twin: Twin, happening: Happening, now_us: int) -> tuple[Twin, Orders]:
    """The twin after this, and what it has to do now."""
    if twin.role is Role.DOWN:
        return twin, ()
    if twin.role is Role.ACTIVE and not may_act(twin, now_us):
        return _down(twin, "its lease is over")
    twin = _hear(twin, happening, now_us)
    match twin.role:
        case Role.STANDBY:
            return _stand_by(twin, happening, now_us)
        case Role.TAKING:
            return _go_on_taking(twin, happening, now_us)
        case _:
            return _go_on_acting(twin, happening, now_us)


def _hear(twin: Twin, happening: Happening, now_us: int) -> Twin:
    """What counts in any role: whether there is a link, and who is heard on it."""
    match happening:
        case LinkUp():
            return replace(twin, link_since_us=now_us)
        case LinkDown() if twin.link_since_us is not None:
            return replace(twin, link_since_us=None, link_lost_us=now_us)
        case Heard(holder, epoch, _, sent_us) if holder == twin.holder:
            is_ours = twin.role is not Role.STANDBY and epoch == twin.epoch and sent_us <= now_us
            until_us = sent_us + twin.lease_us if is_ours else 0
            return replace(twin, switch_until_us=max(twin.switch_until_us, until_us))
        case Heard(holder, epoch, lease_us):
            others = _with_other(twin.others, holder, now_us + limit_us(lease_us), now_us)
            return replace(twin, others=others, epoch_heard=max(twin.epoch_heard, epoch))
        case Gone(holder):
            return replace(twin, others=tuple(each for each in twin.others if each[0] != holder))
    return twin


def _with_other(
    others: tuple[tuple[str, int], ...], holder: str, until_us: int, now_us: int
) -> tuple[tuple[str, int], ...]:
    known = {name: us for name, us in others if us > now_us}
    name = holder if holder in known or len(known) < OTHERS_MAX else CROWD
    known[name] = max(until_us, known.get(name, 0))
    return tuple(known.items())


def _is_quiet(twin: Twin, now_us: int) -> bool:
    """No other twin can still be acting by the switch's lease, for we would have heard it."""
    lease_us = max(twin.lease_us, twin.row.lease_us if twin.row else 0)
    if twin.link_since_us is None or now_us < twin.link_since_us + limit_us(lease_us):
        return False
    return all(until_us <= now_us for _, until_us in twin.others)


def _stand_by(twin: Twin, happening: Happening, now_us: int) -> tuple[Twin, Orders]:
    match happening:
        case RowRead(row):
            if row is None or row != twin.row:
                twin = replace(twin, row=row, row_since_us=now_us)
            if twin.link_since_us is not None and _is_free(twin, now_us):
                epoch = max(row.epoch if row else 0, twin.epoch_heard) + 1
                return twin, (Take(row, epoch),)
        case DatabaseLost() | NotTaken():
            return replace(twin, row=None), ()
        case Taken(epoch, sent_us):
            until_us = sent_us + twin.lease_us
            return replace(twin, role=Role.TAKING, epoch=epoch, row_until_us=until_us, switch_until_us=0), ()
    return twin, ()


def _is_free(twin: Twin, now_us: int) -> bool:
    """Whether the row can be taken: it was given back, or its lease is over."""
    row = twin.row
    return row is None or not row.holder or now_us - twin.row_since_us >= limit_us(row.lease_us)


def _go_on_taking(twin: Twin, happening: Happening, now_us: int) -> tuple[Twin, Orders]:
    """It has not acted yet, so it may go back to standby."""
    if isinstance(happening, Renewed):
        twin = replace(twin, row_until_us=max(twin.row_until_us, happening.sent_us + twin.lease_us))
    is_beaten = isinstance(happening, Superseded | LinkDown) or twin.epoch_heard > twin.epoch
    if is_beaten or now_us >= twin.row_until_us:
        return replace(twin, role=Role.STANDBY, row=None), ()
    if now_us < twin.switch_until_us and _is_quiet(twin, now_us):
        return replace(twin, role=Role.ACTIVE), (Act(),)
    return twin, ()


def _go_on_acting(twin: Twin, happening: Happening, now_us: int) -> tuple[Twin, Orders]:
    match happening:
        case Renewed(sent_us):
            return replace(twin, row_until_us=max(twin.row_until_us, sent_us + twin.lease_us)), ()
        case Superseded():
            return _down(twin, "another has its lease")
        case Heard(holder, epoch) if holder != twin.holder and epoch >= twin.epoch:
            return _down(twin, "another is active")
    if twin.link_since_us is None and now_us - twin.link_lost_us >= LINK_LOST_US_MAX:
        return _down(twin, "it has no switch to act on")
    return twin, ()


def _down(twin: Twin, reason: str) -> tuple[Twin, Orders]:
    return replace(twin, role=Role.DOWN), (StandDown(reason),)
