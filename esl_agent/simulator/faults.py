"""What can go wrong between a switch and its client, on request.

Faults of events count the events handed to any client, from the moment they
are ordered.  Those that need sockets (`stall`, `disconnect`, `restart`) are
carried out by the simulator, which sets the hooks.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from esl_agent.simulator.core import Core
    from esl_agent.simulator.listener import Listener

#: An event that is held back to change its place comes at the latest so much later.
HELD_BACK_US: Final = 100_000


class Faults:
    """Orders for trouble; every order adds to the ones before."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._drop = _Order()
        self._duplicate = _Order()
        self._truncate = _Order()
        self.command_delay_us = 0
        self._commands_to_lose = 0
        self._replies_to_lose = 0
        self._random: random.Random | None = None
        self._window = 0
        self._held: dict[Listener, list[bytes]] = {}
        self.when_stalled: Callable[[float], None] = lambda seconds: None
        self.when_disconnected: Callable[[], None] = lambda: None
        self.when_restarted: Callable[[float, bool], None] = lambda down_s, graceful: None

    def drop_events(self, number: int, names: Collection[str] = ()) -> None:
        """The next `number` events (of those names, if any are given) reach nobody."""
        self._drop = _Order(number, frozenset(names))

    def duplicate_events(self, number: int, names: Collection[str] = ()) -> None:
        """The next `number` events come twice."""
        self._duplicate = _Order(number, frozenset(names))

    def truncate_next(self, names: Collection[str] = ()) -> None:
        """The next event breaks off in the middle, and the connection with it."""
        self._truncate = _Order(1, frozenset(names))

    def reorder(self, seed: int, window: int = 4) -> None:
        """From now on, events change places with up to `window` − 1 neighbours, till `in_order`."""
        self._random, self._window = random.Random(seed), window  # noqa: S311

    def in_order(self) -> None:
        """Events come in order again."""
        self._random = None
        for listener in list(self._held):
            self._let_go(listener)

    def lose_commands(self, number: int) -> None:
        """The next `number` commands are neither done nor answered."""
        self._commands_to_lose = number

    def lose_replies(self, number: int) -> None:
        """The next `number` commands are done, and not answered."""
        self._replies_to_lose = number

    def slow_commands(self, milliseconds: int) -> None:
        """From now on every command is done, and answered, so much later; 0 ends that."""
        self.command_delay_us = milliseconds * 1000

    def skip_cdr_files(self, number: int) -> None:
        """The next `number` CDR files are not written."""
        self._core.cdr_files.skip_next = number

    def truncate_cdr_files(self, number: int) -> None:
        """Of the next `number` CDR files only the first half is written."""
        self._core.cdr_files.truncate_next = number

    def skew(self, milliseconds: int) -> None:
        """The switch's clock is off by so much, fast if positive."""
        self._core.clock.offset_us = milliseconds * 1000

    def stall(self, seconds: float) -> None:
        """Nothing is sent to anybody for so long; what there is to send piles up.  0 ends a stall."""
        self.when_stalled(seconds)

    def disconnect(self) -> None:
        """All connections break, without a word."""
        self.when_disconnected()

    def restart(self, *, down_s: float = 0.0, graceful: bool = False) -> None:
        """The switch dies, and comes back `down_s` later with a new Core-UUID and no calls.

        Gracefully, it hangs up all calls first, with their events; else they are gone without one.
        """
        self.when_restarted(down_s, graceful)

    # For the listeners

    def takes_command(self) -> bool:
        """Whether a command that has come is to be lost."""
        self._commands_to_lose, lost = _count_down(self._commands_to_lose)
        return lost

    def takes_reply(self) -> bool:
        """Whether a reply is to be lost."""
        self._replies_to_lose, lost = _count_down(self._replies_to_lose)
        return lost

    def send(self, listener: Listener, name: str, frame: bytes) -> None:
        """Hand an event to a listener, or do with it what was ordered."""
        if self._drop.counts(name):
            return
        if self._truncate.counts(name):
            listener.push(frame[: len(frame) // 2])
            listener.break_off()
            return
        copies = 2 if self._duplicate.counts(name) else 1
        for _ in range(copies):
            self._send_in_some_order(listener, frame)

    def _send_in_some_order(self, listener: Listener, frame: bytes) -> None:
        if self._random is None:
            listener.push(frame)
            return
        held = self._held.setdefault(listener, [])
        if not held:
            self._core.after(HELD_BACK_US, self._let_go, listener)
        held.append(frame)
        if len(held) >= self._window:
            listener.push(held.pop(self._random.randrange(len(held))))

    def _let_go(self, listener: Listener) -> None:
        for frame in self._held.pop(listener, ()):
            listener.push(frame)


class _Order:
    """So many events, perhaps of some names only."""

    def __init__(self, number: int = 0, names: frozenset[str] = frozenset()) -> None:
        self._number = number
        self._names = names

    def counts(self, name: str) -> bool:
        """Whether this event is one of them."""
        if self._number <= 0 or (self._names and name not in self._names):
            return False
        self._number -= 1
        return True


def _count_down(number: int) -> tuple[int, bool]:
    return (number - 1, True) if number > 0 else (0, False)
