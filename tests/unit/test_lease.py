"""A twin's rules one by one: what it waits for, how long it may act, and what makes it stand down."""

from __future__ import annotations

import pytest

from esl_agent.core.lease import (
    LINK_LOST_US_MAX,
    OTHERS_MAX,
    Act,
    DatabaseLost,
    Gone,
    Happening,
    Heard,
    LinkDown,
    LinkUp,
    NotTaken,
    Orders,
    Renewed,
    Role,
    Row,
    RowRead,
    StandDown,
    Superseded,
    Take,
    Taken,
    Tick,
    Twin,
    limit_us,
    may_act,
    step,
)

S = 1_000_000
LEASE = 10 * S
LIMIT = 11 * S
THEIRS = Row("other", 7, 100, LEASE)


def after(twin: Twin, *happened: tuple[int, Happening]) -> tuple[Twin, Orders]:
    """The twin after these, in order, and the orders that the last of them gave."""
    orders: Orders = ()
    for now_us, happening in happened:
        twin, orders = step(twin, happening, now_us)
    return twin, orders


@pytest.fixture
def standby() -> Twin:
    """Has heard the switch, and nobody on it, for a long time; the time is 0."""
    return after(Twin("me", LEASE), (-100 * S, LinkUp()))[0]


@pytest.fixture
def taking(standby: Twin) -> Twin:
    return after(standby, (0, Taken(8, 0)))[0]


@pytest.fixture
def active(taking: Twin) -> Twin:
    """Has the row and the switch, both by what was sent at 0."""
    twin, orders = after(taking, (0, Heard("me", 8, LEASE, 0)))
    assert orders == (Act(),)
    return twin


def test_a_lease_is_over_for_others_a_tenth_later() -> None:
    assert limit_us(LEASE) == LIMIT


# In standby.


def test_a_row_that_nobody_ever_took_is_taken(standby: Twin) -> None:
    assert after(standby, (0, RowRead(None)))[1] == (Take(None, 1),)


def test_a_row_that_was_given_back_is_taken_at_once(standby: Twin) -> None:
    given_back = Row("", 7, 100, LEASE)
    assert after(standby, (0, RowRead(given_back)))[1] == (Take(given_back, 8),)


def test_a_row_is_taken_when_it_has_said_the_same_for_a_lease_and_a_tenth(standby: Twin) -> None:
    read = (0, RowRead(THEIRS))
    assert after(standby, read, (LIMIT - 1, RowRead(THEIRS)))[1] == ()
    assert after(standby, read, (LIMIT, RowRead(THEIRS)))[1] == (Take(THEIRS, 8),)


def test_each_write_to_the_row_starts_the_wait_again(standby: Twin) -> None:
    renewed = Row("other", 7, 101, LEASE)
    twin, orders = after(
        standby, (0, RowRead(THEIRS)), (10 * S, RowRead(renewed)), (20 * S, RowRead(renewed))
    )
    assert orders == ()
    assert after(twin, (21 * S, RowRead(renewed)))[1] == (Take(renewed, 8),)


def test_the_others_lease_counts_and_not_our_own(standby: Twin) -> None:
    longer = Row("other", 7, 100, 3 * LEASE)
    assert after(standby, (0, RowRead(longer)), (2 * LIMIT, RowRead(longer)))[1] == ()


def test_an_outage_of_the_database_starts_the_wait_again(standby: Twin) -> None:
    assert after(standby, (0, RowRead(THEIRS)), (5 * S, DatabaseLost()), (LIMIT, RowRead(THEIRS)))[1] == ()


def test_without_a_switch_nothing_is_taken(standby: Twin) -> None:
    assert after(standby, (0, LinkDown()), (0, RowRead(None)))[1] == ()


def test_a_row_that_was_not_to_be_had_is_looked_at_anew(standby: Twin) -> None:
    twin, _ = after(standby, (0, RowRead(THEIRS)), (LIMIT, RowRead(THEIRS)), (LIMIT, NotTaken()))
    assert after(twin, (LIMIT + 1, RowRead(THEIRS)))[1] == ()


def test_the_epoch_is_above_any_that_was_heard_of(standby: Twin) -> None:
    assert after(standby, (0, Heard("other", 30, LEASE, 5)), (0, RowRead(None)))[1] == (Take(None, 31),)


# Taking.


def test_who_has_not_heard_itself_does_not_act(taking: Twin) -> None:
    assert after(taking, (1, Tick()))[1] == ()
    assert after(taking, (1, Heard("me", 7, LEASE, 0)))[1] == ()  # of another epoch


def test_who_has_not_listened_for_long_enough_does_not_act() -> None:
    fresh, _ = after(Twin("me", LEASE), (0, LinkUp()), (0, Taken(8, 0)), (S, Renewed(S)))
    heard = (S, Heard("me", 8, LEASE, S))
    assert after(fresh, heard, (LIMIT - 1, Tick()))[0].role is Role.TAKING
    late = (9 * S, Renewed(9 * S)), (9 * S, Heard("me", 8, LEASE, 9 * S))
    assert after(fresh, *late, (LIMIT - 1, Tick()))[1] == ()
    assert after(fresh, *late, (LIMIT, Tick()))[1] == (Act(),)
    gap = (10 * S, LinkUp())
    assert after(fresh, *late, gap, (LIMIT, Tick()))[1] == ()


def test_one_that_was_heard_is_waited_for_a_lease_and_a_tenth(taking: Twin) -> None:
    heard = (0, Heard("other", 7, LEASE, 0)), (5 * S, Heard("me", 8, LEASE, 5 * S)), (5 * S, Renewed(5 * S))
    assert after(taking, *heard, (LIMIT - 1, Tick()))[1] == ()
    assert after(taking, *heard, (LIMIT, Tick()))[1] == (Act(),)


def test_one_that_says_goodbye_is_not_waited_for(taking: Twin) -> None:
    heard = (0, Heard("other", 7, LEASE, 0)), (1, Heard("third", 6, LEASE, 0)), (2, Heard("me", 8, LEASE, 2))
    twin, orders = after(taking, *heard, (3, Gone("other")))
    assert orders == ()
    assert after(twin, (4, Gone("third")))[1] == (Act(),)


def test_a_crowd_is_bounded_and_waited_for(taking: Twin) -> None:
    crowd = [(0, Heard(f"twin {number}", 1, LEASE, 0)) for number in range(3 * OTHERS_MAX)]
    goodbyes = [(1, Gone(f"twin {number}")) for number in range(3 * OTHERS_MAX)]
    twin, _ = after(taking, *crowd)
    assert len(twin.others) == OTHERS_MAX + 1
    assert after(twin, *goodbyes, (2, Heard("me", 8, LEASE, 2)))[1] == ()


@pytest.mark.parametrize("happening", [Superseded(), LinkDown(), Heard("other", 9, LEASE, 0)])
def test_who_has_not_acted_yet_goes_back_to_standby(taking: Twin, happening: Happening) -> None:
    twin, orders = after(taking, (1, happening))
    assert (twin.role, orders) == (Role.STANDBY, ())


def test_a_row_that_was_taken_long_ago_is_worth_nothing(standby: Twin) -> None:
    twin, orders = after(standby, (LEASE, Taken(8, 0)), (LEASE, Heard("me", 8, LEASE, LEASE)))
    assert (twin.role, orders) == (Role.STANDBY, ())


# Active.


def test_it_may_act_until_both_leases_are_over(active: Twin) -> None:
    assert may_act(active, LEASE - 1)
    assert not may_act(active, LEASE)
    by_row, _ = after(active, (5 * S, Renewed(4 * S)))
    assert (may_act(by_row, 14 * S - 1), may_act(by_row, 14 * S)) == (True, False)
    by_switch, _ = after(active, (5 * S, Heard("me", 8, LEASE, 3 * S)))
    assert (may_act(by_switch, 13 * S - 1), may_act(by_switch, 13 * S)) == (True, False)


def test_an_answer_counts_from_when_it_was_asked_for(active: Twin) -> None:
    twin, _ = after(active, (9 * S, Renewed(-S)), (9 * S, Heard("me", 8, LEASE, -S)))
    assert not may_act(twin, LEASE)


def test_a_word_from_the_future_is_no_word_of_ours(active: Twin) -> None:
    assert not may_act(after(active, (0, Heard("me", 8, LEASE, 60 * S)))[0], LEASE)


@pytest.mark.parametrize("happening", [Tick(), Renewed(20 * S), Heard("me", 8, LEASE, 20 * S), RowRead(None)])
def test_whatever_it_hears_first_after_its_lease_it_stands_down(active: Twin, happening: Happening) -> None:
    twin, orders = after(active, (20 * S, happening))
    assert (twin.role, orders) == (Role.DOWN, (StandDown("its lease is over"),))


@pytest.mark.parametrize(
    "happening", [Superseded(), Heard("other", 9, LEASE, 0), Heard("other", 8, LEASE, 0)]
)
def test_another_with_its_lease_or_a_higher_one_makes_it_stand_down(
    active: Twin, happening: Happening
) -> None:
    twin, orders = after(active, (1, happening))
    assert twin.role is Role.DOWN
    assert isinstance(orders[0], StandDown)


def test_one_with_an_older_lease_does_not(active: Twin) -> None:
    assert after(active, (1, Heard("other", 7, LEASE, 0)))[1] == ()


def test_without_a_switch_for_long_it_lets_another_try(active: Twin) -> None:
    kept = (S, LinkDown()), (2 * S, Renewed(2 * S))
    assert after(active, *kept, (S + LINK_LOST_US_MAX - 1, Tick()))[1] == ()
    assert after(active, *kept, (S + LINK_LOST_US_MAX, Tick()))[1] == (
        StandDown("it has no switch to act on"),
    )
    assert after(active, *kept, (4 * S, LinkUp()), (S + LINK_LOST_US_MAX, Tick()))[1] == ()


def test_one_that_is_down_stays_down(active: Twin) -> None:
    down, _ = after(active, (1, Superseded()))
    for happening in (Taken(9, 1), Renewed(2), Heard("me", 8, LEASE, 2), RowRead(None), LinkUp(), Tick()):
        assert after(down, (2, happening)) == (down, ())
