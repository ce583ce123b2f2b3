"""Two twins, whatever freezes, crashes or is cut off: never both act; and once all is well, one does."""

from __future__ import annotations

import pytest
from fixtures.twin_world import LEASE_MS, Fault, World
from hypothesis import given, settings
from hypothesis import strategies as st

from esl_agent.core.lease import Role

TROUBLE_MS = 30_000
PEACE_MS = 12_000

faults = st.lists(
    st.builds(
        Fault,
        what=st.sampled_from(["freeze", "crash", "database", "link", "slow_database", "slow_link"]),
        machine=st.sampled_from([0, 1, None]),
        from_ms=st.integers(0, TROUBLE_MS),
        for_ms=st.sampled_from([10, 300, 1_000, 1_700, 2_500, 6_000, 15_000]),
    ),
    max_size=12,
)


def at_most_one(world: World) -> None:
    assert len(world.acting) <= 1, (world.now_ms, [machine.twin for machine in world.machines])


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32), faults=faults)
def test_never_do_both_act_and_in_peace_one_does(seed: int, faults: list[Fault]) -> None:
    world = World(seed, faults)
    world.run(TROUBLE_MS, at_most_one)
    world.faults = []
    world.run(TROUBLE_MS + PEACE_MS, at_most_one)
    assert len(world.acting) == 1


@pytest.fixture
def world() -> World:
    """A world in which one of them is active, and the other has looked on for a while."""
    world = World(7, [])
    world.run(10_000, at_most_one)
    assert sorted(machine.twin.role for machine in world.machines) == [Role.ACTIVE, Role.STANDBY]
    return world


def other_acts_within(world: World, fault: str, for_ms: int, within_ms: int) -> None:
    (active,) = world.acting
    other = world.machines[1 - active.number]
    begun_ms = world.now_ms
    world.faults = [Fault(fault, active.number, begun_ms, for_ms)]
    world.run(begun_ms + within_ms, at_most_one)
    assert world.acting == [other]
    assert begun_ms < other.acted[-1]
    world.run(begun_ms + for_ms + PEACE_MS, at_most_one)
    assert world.acting == [other], "the one that came back is in standby"


@pytest.mark.parametrize("fault", ["crash", "freeze"])
def test_the_other_takes_over_soon_after_the_lease_is_over(world: World, fault: str) -> None:
    other_acts_within(world, fault, 10_000, LEASE_MS + 700)


def test_one_that_lost_only_the_database_hears_the_other_and_stands_down(world: World) -> None:
    other_acts_within(world, "database", 20_000, LEASE_MS + 1_000)


def test_one_that_lost_only_the_switch_lets_the_other_act(world: World) -> None:
    other_acts_within(world, "link", 20_000, 9_000)


def test_while_both_are_without_a_database_the_active_one_goes_on(world: World) -> None:
    (active,) = world.acting
    runs = active.runs
    world.faults = [Fault("database", None, world.now_ms, 60_000)]
    world.run(world.now_ms + 60_000, lambda world: at_most_one(world))
    assert world.acting == [active]
    world.run(world.now_ms + PEACE_MS, at_most_one)
    assert (world.acting, active.runs) == ([active], runs)
