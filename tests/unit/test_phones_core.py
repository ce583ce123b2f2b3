"""What is worth an alarm: wrong passwords within a window, and spending that is no habit."""

from __future__ import annotations

from decimal import Decimal

import pytest

from esl_agent.core import phones
from esl_agent.core.phones import (
    ALARMS_PER_NETWORK_MAX,
    NAME_CHARACTERS_MAX,
    NETWORKS_COUNTED_MAX,
    PHONES_COUNTED_MAX,
    Attack,
    Failures,
    Phone,
    Spending,
    SpikePolicy,
    is_spike,
    network_of,
    phone_named,
)

S = 1_000_000
DESK = Phone("desk", "a.test")
SHOP = Phone("shop", "a.test")
HERE = "192.0.2.0/24"
THERE = "198.51.100.0/24"


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("fe80::1%eth0", "fe80::/48"),
        ("", None),
        ("192.0.2.77:5060", None),
        ("localhost", None),
        ("192.0.2.0/24", None),
        ("1" * 10_000, None),
    ],
)
def test_an_address_is_of_a_network(address: str, network: str | None) -> None:
    assert network_of(address) == network


def test_names_are_compared_as_the_switch_does_and_cut_where_none_of_ours_is_longer() -> None:
    assert phone_named("Desk", "A.Test") == DESK
    assert len(phone_named("x" * 1_000_000, "").user) == NAME_CHARACTERS_MAX


#: Seconds of failures of one phone from one network, three within 60 s being too many; and the alarms at
#: those seconds, with how many failures they tell of.
@pytest.mark.parametrize(
    ("seconds", "alarms"),
    [
        ([0, 1], {}),
        ([0, 1, 2], {2: 3}),
        ([0, 30, 60], {}),  # the first is a window ago
        ([0, 30, 60, 61], {61: 4}),
        ([0, 1, 2, 3, 4, 61], {2: 3}),  # quiet until 62
        ([0, 1, 2, 3, 4, 64], {2: 3}),  # two of the last three are too old
        ([0, 1, 2, 50, 61, 62], {2: 3, 62: 3}),
        ([0, 1, 2, 300, 301, 302], {2: 3, 302: 3}),
        ([0, 100, 200, 300, 400], {}),  # somebody mistypes now and then
    ],
)
def test_a_phone_is_told_of_once_in_a_window(seconds: list[int], alarms: dict[int, int]) -> None:
    failures = Failures(3, 60 * S)
    said = {}
    for second in seconds:
        attack = failures.failed(DESK, HERE, second * S)
        if attack is not None:
            assert attack[:2] == (DESK, HERE)
            said[second] = attack.failures
    assert said == alarms


def test_a_phone_that_is_tried_from_everywhere_is_told_of() -> None:
    failures = Failures(3, 60 * S)
    said = [failures.failed(DESK, f"192.0.{number}.0/24", number) for number in range(3)]
    assert said == [None, None, Attack(DESK, "192.0.2.0/24", 3)]


def test_a_network_that_tries_many_names_is_told_of_once() -> None:
    failures = Failures(3, 60 * S)
    said = [failures.failed(Phone(f"{name}", "a.test"), HERE, name) for name in range(20)]
    assert said[2] == Attack(None, HERE, 3)
    assert [attack for attack in said if attack] == [said[2]]


def test_a_broken_phone_hides_no_attack_on_others_of_its_network() -> None:
    failures = Failures(3, 60 * S)
    said = [
        failures.failed(phone, HERE, second) for second, phone in enumerate((DESK, DESK, DESK, *(SHOP,) * 3))
    ]
    assert [attack and attack.phone for attack in said] == [None, None, DESK, None, None, SHOP]


def test_who_invents_names_does_not_fill_the_log() -> None:
    failures = Failures(3, 60 * S)
    said = [failures.failed(Phone(f"{name // 3}", "a.test"), HERE, name) for name in range(300)]
    assert len([attack for attack in said if attack]) == ALARMS_PER_NETWORK_MAX
    assert failures.failed(DESK, THERE, 300) is None  # others are counted as ever
    failures.failed(DESK, THERE, 301)
    assert failures.failed(DESK, THERE, 302) == Attack(DESK, THERE, 3)


def test_what_is_counted_is_bounded_and_who_was_quiet_longest_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert (PHONES_COUNTED_MAX, NETWORKS_COUNTED_MAX) == (10_000, 10_000)
    monkeypatch.setattr(phones, "PHONES_COUNTED_MAX", 10)
    monkeypatch.setattr(phones, "NETWORKS_COUNTED_MAX", 10)
    failures = Failures(3, 60 * S)
    failures.failed(DESK, HERE, 0)
    failures.failed(DESK, HERE, 0)
    for number in range(100):
        failures.failed(Phone(f"{number}", "a.test"), f"10.0.{number}.0/24", number)
    assert len(failures) == 20
    assert failures.failed(DESK, HERE, 100) is None


@pytest.mark.parametrize(
    ("spent", "before", "hours", "is_one"),
    [
        ("4.9999", "0", "720", False),  # too little to matter
        ("5.0000", "0", "720", True),
        ("9.0000", "720", "720", False),  # 1.00 an hour
        ("10.0000", "720", "720", False),
        ("10.0001", "720", "720", True),
        ("6.0000", "6", "0.1", False),  # an account of today: an hour at least
        ("61.0000", "6", "0.1", True),
        ("6.0000", "6", "12", True),
    ],
)
def test_a_spike_is_many_times_the_usual_hour(spent: str, before: str, hours: str, *, is_one: bool) -> None:
    spending = Spending(1001, (HERE,), Decimal(spent), Decimal(before), Decimal(hours), "CAD")
    assert is_spike(SpikePolicy(10, Decimal(5)), spending) is is_one
