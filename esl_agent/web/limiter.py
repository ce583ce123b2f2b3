"""How many requests a second a token, or an address without one, may make."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from esl_agent.core.admission.bucket import TokenBucket

#: Who is remembered; beyond it, who has asked nothing for the longest is forgotten, and begins afresh.
KNOWN_MAX: Final = 10_000
#: So many seconds' requests may come at once.
BURST_S: Final = 2
#: What one customer of a network provider usually has.
IPV6_PREFIX: Final = 64


class Limiter:
    def __init__(self, per_second: int, now_us: Callable[[], int], burst: int | None = None) -> None:
        self._per_second = per_second
        self._burst = burst or per_second * BURST_S
        self._now_us = now_us
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, who: str) -> bool:
        """Whether `who` may make a request now; it counts."""
        bucket = self._buckets.pop(who, None) or TokenBucket(self._per_second, self._burst)
        self._buckets[who], is_there = bucket.take(self._now_us())
        if len(self._buckets) > KNOWN_MAX:
            self._buckets.popitem(last=False)
        return is_there


def neighbourhood(address: str) -> str:
    """An address, as one that asks is counted: of IPv6, the network that one household has."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(ip_network((parsed, IPV6_PREFIX), strict=False))
    return address
