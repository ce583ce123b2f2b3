"""The live page's feed: who is sent what, and its limits."""

from __future__ import annotations

import gevent
import pytest
from fixtures.live_feed import Browser, World, as_sent

from esl_agent.web.live import feed as feed_module
from esl_agent.web.live.feed import KEEP_ALIVE, ViewersFullError

PATIENCE_S = 10.0


@pytest.fixture
def world() -> World:
    world = World()
    for key in range(3):
        world.put(key, 0)
    world.feed.look()
    return world


def test_who_comes_back_goes_on_behind_the_event_that_was_seen_last(world: World) -> None:
    browser = Browser()
    browser.read(world.feed.open(sees_all=True), world)
    world.drop(1)
    world.feed.look()
    browser.read(world.feed.open(browser.last_id, sees_all=True), world)
    assert browser.rows == as_sent(world)
    assert browser.snapshots == 1


@pytest.mark.parametrize(
    "last_event_id",
    ["0badc0de-1", "nonsense", "-", "1", "{run}-99", "{run}-x", "{run}-" + "9" * 5_000, "{run}-" + "0" * 19],
)
def test_who_saw_another_run_or_none_is_sent_everything(world: World, last_event_id: str) -> None:
    first = Browser()
    first.read(world.feed.open(sees_all=True), world)
    run = first.last_id.partition("-")[0]
    browser = Browser()
    browser.read(world.feed.open(last_event_id.format(run=run), sees_all=True), world)
    assert (browser.snapshots, browser.rows) == (1, as_sent(world))


def test_who_reads_too_slowly_is_sent_everything_again_and_the_log_says_so() -> None:
    world = World(deltas_max=3)
    world.feed.look()
    viewer, browser = world.feed.open(sees_all=True), Browser()
    browser.read(viewer, world)
    for at_us in range(10):
        world.put(1, at_us)
        world.feed.look()
    browser.read(viewer, world)
    assert (browser.snapshots, browser.rows) == (2, as_sent(world))
    assert world.said == ["PAGE_BEHIND"]


def test_what_is_kept_for_the_slow_is_bounded_in_rows_too() -> None:
    world = World(delta_rows_max=5)
    browser = Browser()
    world.feed.look()
    viewer = world.feed.open(sees_all=True)
    browser.read(viewer, world)
    for key in range(6):
        world.put(key, 0)
    world.feed.look()
    browser.read(viewer, world)
    assert (browser.snapshots, browser.rows) == (2, as_sent(world))


def test_one_more_than_may_look_on_is_refused_until_somebody_leaves() -> None:
    world = World(viewers_max=2)
    first = world.feed.open()
    world.feed.open()
    with pytest.raises(ViewersFullError):
        world.feed.open()
    assert world.said == ["PAGE_FULL"]
    first.close()
    first.close()
    assert world.feed.viewers == 1
    world.feed.open()


def test_numbers_are_masked_for_who_may_not_see_them(world: World) -> None:
    whole, masked = Browser(), Browser()
    whole.read(world.feed.open(sees_all=True), world)
    masked.read(world.feed.open(), world)
    assert (whole.rows[1][3], whole.rows[1][4]) == ("15145550100", "442079460000")
    assert (masked.rows[1][3], masked.rows[1][4]) == ("xxxxxxx0100", "xxxxxxxx0000")
    world.put(1, 7)
    world.feed.look()
    masked.read(world.feed.open(masked.last_id), world)
    assert (masked.rows[1][1], masked.rows[1][3]) == (7, "xxxxxxx0100")


def test_a_line_on_which_nothing_happens_is_kept_alive(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "KEEP_ALIVE_S", 0.01)
    browser, viewer = Browser(), world.feed.open()
    browser.read(viewer, world)
    assert next(viewer) == KEEP_ALIVE


def test_a_stream_ends_after_a_while_so_that_its_token_is_asked_for_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "STREAM_MAX_S", 0.0)
    assert list(world.feed.open()) == []


def test_nobody_looking_on_nothing_is_looked_at_and_all_is_forgotten() -> None:
    world = World(every_s=0.01, linger_s=0.05)
    running = gevent.spawn(world.feed.run)
    try:
        browser, viewer = Browser(), world.feed.open(sees_all=True)
        world.put(1, 1)
        while not browser.rows:
            browser.read(viewer, world)
            world.feed.wait(world.feed.number, PATIENCE_S)
        viewer.close()
        with gevent.Timeout(PATIENCE_S, AssertionError("the feed goes on")):
            while world.feed.number:
                gevent.sleep(0.01)
        again = Browser()
        again.read_first(world.feed.open(browser.last_id, sees_all=True))
        assert (again.snapshots, again.rows) == (1, as_sent(world))
    finally:
        running.kill()


def test_others_get_their_turn_while_many_rows_are_made_or_sent() -> None:
    world = World()
    turns: list[int] = []

    def another() -> None:
        while True:
            turns.append(1)
            gevent.sleep(0)

    for key in range(5_000):
        world.put(key, 0)
    running = gevent.spawn(another)
    try:
        world.feed.look()
        assert len(turns) >= 10
        before = len(turns)
        Browser().read(world.feed.open(), world)
        assert len(turns) - before >= 10
    finally:
        running.kill()
