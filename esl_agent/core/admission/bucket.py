"""A token bucket: how many calls a second an account may place (terms 10, 13)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

#: Counted in millionths of a token: whole numbers, for a rate per second times microseconds is just that.
_TOKEN: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class TokenBucket:
    """Fills by `rate` tokens a second up to `burst`, and begins full.  Each call takes one."""

    rate: int
    burst: int
    missing: int = 0  # millionths of a token that were missing at `at_us`
    at_us: int = 0

    def take(self, now_us: int) -> tuple[TokenBucket, bool]:
        """The bucket afterwards, and whether there was a token.  A clock set back fills nothing."""
        filled = max(now_us - self.at_us, 0) * self.rate
        missing = max(self.missing - filled, 0)
        is_there = missing + _TOKEN <= self.burst * _TOKEN
        left = missing + _TOKEN if is_there else missing
        return replace(self, missing=left, at_us=max(now_us, self.at_us)), is_there
