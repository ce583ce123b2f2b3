"""The live page's feed: whatever happens and however a viewer reads, it ends with the rows as they are."""

from __future__ import annotations

from fixtures.live_feed import Browser, World, as_sent
from hypothesis import given, settings
from hypothesis import strategies as st

KEYS = st.integers(0, 5)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, st.integers(0, 3)),
        st.tuples(st.just("drop"), KEYS, st.just(0)),
        st.tuples(st.sampled_from(["look", "read", "come back"]), st.just(0), st.just(0)),
    ),
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(CHANGES, st.integers(1, 4), st.integers(1, 12))
def test_a_snapshot_and_its_deltas_make_the_rows(
    changes: list[tuple[str, int, int]], deltas_max: int, delta_rows_max: int
) -> None:
    """Read at once or late, without a break or behind the event that was seen last."""
    world = World(deltas_max=deltas_max, delta_rows_max=delta_rows_max)
    browser, viewer = Browser(), world.feed.open(sees_all=True)
    world.feed.look()
    for what, key, value in changes:
        if what == "put":
            world.put(key, value)
        elif what == "drop":
            world.drop(key)
        elif what == "look":
            world.feed.look()
        elif what == "read":
            browser.read(viewer, world)
        else:
            viewer.close()
            viewer = world.feed.open(browser.last_id, sees_all=True)
    world.feed.look()
    browser.read(viewer, world)
    assert browser.rows == as_sent(world)
