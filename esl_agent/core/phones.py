"""Passwords that somebody else may be trying, or already has (terms 14): what is worth an alarm.

Failures are counted for each phone and for each network that they come from.
Names of phones are whatever somebody sent: as many as they like, of any text.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Final, Generic, NamedTuple, TypeVar

#: A customer's line has one address of a /24, and a /48 of IPv6 or a part of one.
IPV4_PREFIX: Final = 24
IPV6_PREFIX: Final = 48
#: What is counted at a time; beyond it whoever was quiet longest is forgotten.
PHONES_COUNTED_MAX: Final = 10_000
NETWORKS_COUNTED_MAX: Final = 10_000
#: Alarms that name one network within the window: who invents names must not fill the log.
ALARMS_PER_NETWORK_MAX: Final = 10
#: Addresses whose network is kept at hand: phones give their password again and again from the same ones.
ADDRESSES_KEPT_MAX: Final = 10_000
#: Longer than any name that a phone of ours can have (core.credential).
NAME_CHARACTERS_MAX: Final = 80

Key = TypeVar("Key")


class Phone(NamedTuple):
    """As somebody called it; `phone_named` makes one."""

    user: str
    domain: str


def phone_named(user: str, domain: str) -> Phone:
    """Names as the switch compares them: however their letters are spelt, and no longer than need be."""
    return Phone(user[:NAME_CHARACTERS_MAX].lower(), domain[:NAME_CHARACTERS_MAX].lower())


@lru_cache(ADDRESSES_KEPT_MAX)
def network_of(address: str) -> str | None:
    """The network that an address is of, as `192.0.2.0/24`; None for what is no address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is None:
            return str(ipaddress.IPv6Network((int(parsed), IPV6_PREFIX), strict=False))
        parsed = parsed.ipv4_mapped
    return str(ipaddress.IPv4Network((int(parsed), IPV4_PREFIX), strict=False))


class Attack(NamedTuple):
    """Too many failures: of one phone, the last of them from `network`; or of several from one network."""

    phone: Phone | None
    network: str
    failures: int  # since it was said last, or since they began


class Failures:
    """`failed` is told each failure and says which of them is worth an alarm: one in a window of time."""

    def __init__(self, failures_max: int, window_us: int) -> None:
        self._window_us = window_us
        self._phones = _Counts[Phone](failures_max, window_us, PHONES_COUNTED_MAX)
        self._networks = _Counts[str](failures_max, window_us, NETWORKS_COUNTED_MAX)

    def __len__(self) -> int:
        """Phones and networks that are counted."""
        return len(self._phones) + len(self._networks)

    def failed(self, phone: Phone, network: str, now_us: int) -> Attack | None:
        """Somebody at `network` gave a wrong password for `phone`."""
        of_phone = self._phones.add(phone, now_us)
        of_network = self._networks.add(network, now_us)
        is_quiet = now_us < of_network.quiet_until_us
        if self._phones.is_due(of_phone, now_us) and not (
            is_quiet and of_network.alarms >= ALARMS_PER_NETWORK_MAX
        ):
            attack = Attack(phone, network, of_phone.unsaid)
            self._say(of_phone, now_us)
        elif self._networks.is_due(of_network, now_us):
            attack = Attack(None, network, of_network.unsaid)
        else:
            return None
        if is_quiet:
            of_network.alarms += 1
        else:
            self._say(of_network, now_us)
        return attack

    def _say(self, count: _Count, now_us: int) -> None:
        count.quiet_until_us = now_us + self._window_us
        count.unsaid = 0
        count.alarms = 1


class _Count:
    __slots__ = ("alarms", "quiet_until_us", "times_us", "unsaid")

    def __init__(self, failures_max: int) -> None:
        self.times_us = deque[int](maxlen=failures_max)  # the last ones
        self.unsaid = 0  # failures that no alarm has told of
        self.quiet_until_us = 0  # an alarm was said; the next may come then
        self.alarms = 0  # said since that began


class _Counts(Generic[Key]):
    """The failures of each key, the one that failed last at the end."""

    def __init__(self, failures_max: int, window_us: int, keys_max: int) -> None:
        self._failures_max = failures_max
        self._window_us = window_us
        self._keys_max = keys_max
        self._counts = OrderedDict[Key, _Count]()

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, key: Key, now_us: int) -> _Count:
        count = self._counts.get(key)
        if count is None:
            if len(self._counts) >= self._keys_max:
                self._counts.popitem(last=False)
            count = self._counts[key] = _Count(self._failures_max)
        else:
            self._counts.move_to_end(key)
        if count.times_us and count.times_us[-1] <= now_us - self._window_us:
            count.unsaid = 0  # those before are long over
        count.times_us.append(now_us)
        count.unsaid += 1
        return count

    def is_due(self, count: _Count, now_us: int) -> bool:
        """Whether there were that many within the window, and the last alarm is as long ago."""
        return (
            len(count.times_us) == self._failures_max
            and count.times_us[0] > now_us - self._window_us
            and now_us >= count.quiet_until_us
        )


@dataclass(frozen=True, slots=True)
class SpikePolicy:
    """What spending is no habit any more."""

    factor: int
    amount_min: Decimal  # an hour, in the account's currency: less is never a spike


@dataclass(frozen=True, slots=True)
class Spending:
    """What an account spends since it has been used from networks where it was not before."""

    account_id: int
    networks: Sequence[str]  # the new ones, the newest first
    spent: Decimal  # within the last hour, with what is held for calls that are up
    before: Decimal  # in the `before_hours` that ended when the first of them was seen
    before_hours: Decimal
    currency: str

    @property
    def usual(self) -> Decimal:
        """An hour's mean."""
        return self.before / max(self.before_hours, Decimal(1))


def is_spike(policy: SpikePolicy, spending: Spending) -> bool:
    """Whether so much an hour is far from the account's habit."""
    return spending.spent >= policy.amount_min and spending.spent > policy.factor * spending.usual
