"""Reading another machine's clock from the times it writes on its messages.

The machines' own wall clocks are not asked: a time stamp heard at local moment
`m` can only be older than the other clock's present, so the freshest stamp of
the last minute or so tells best how far apart the two are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

#: How long a stamp counts; two windows are kept, so a clock that was set back is followed within twice this.
WINDOW_US: Final = 30_000_000


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """The other clock minus the local one, in microseconds, as far as is known."""

    offset_us: int  # what to use
    best_us: int | None = None  # the freshest stamp of this window
    last_us: int | None = None  # the freshest of the window before
    window_since_us: int = 0  # local time

    def heard(self, stamp_us: int, local_us: int) -> ClockOffset:
        """The estimate after a message stamped `stamp_us` came at `local_us`."""
        seen_us = stamp_us - local_us
        if local_us - self.window_since_us < WINDOW_US and self.best_us is not None:
            if seen_us <= self.best_us:
                return self
            rolled = replace(self, best_us=seen_us)
        else:
            rolled = replace(self, best_us=seen_us, last_us=self.best_us, window_since_us=local_us)
        freshest_us = max(us for us in (rolled.best_us, rolled.last_us) if us is not None)
        return replace(rolled, offset_us=freshest_us)
