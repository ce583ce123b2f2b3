"""What can be told from the numbering of events, and what can't."""

import gzip
from pathlib import Path

from esl_agent.switch.events import decode_event
from esl_agent.switch.frames import FrameReader
from esl_agent.switch.stream import (
    JUMP_WINDOW_US,
    SUSPICION_EVERY_US,
    Missed,
    StreamWatch,
    lost_events_said,
)

TRACES = Path(__file__).parents[1] / "traces"


def test_a_real_burst_of_calls_raises_no_suspicion() -> None:
    """50 calls at 25 a second: numbers with holes, and out of order here and there."""
    reader = FrameReader()
    reader.feed(gzip.decompress((TRACES / "burst_50_calls" / "events.json.esl.gz").read_bytes()))
    watch = StreamWatch()
    events = [decode_event(frame.body) for frame in reader]
    sequences = [event.sequence for event in events]
    assert sequences != sorted(sequences)
    assert max(sequences) - min(sequences) > 2 * len(sequences)
    assert [watch.see(each.sequence, each.timestamp_us) for each in events] == [None] * 800


def test_a_hole_is_suspicious_where_it_is_large_and_sudden() -> None:
    watch = StreamWatch(jump_max=1_000)
    assert watch.see(1, 0) is None
    assert watch.see(1_001, 10) is None
    assert watch.see(2_002, 2_010) == Missed(
        "1001 events were made within 2 ms and none came: some may be lost"
    )


def test_a_hole_that_took_its_time_is_the_switch_being_busy_with_other_things() -> None:
    watch = StreamWatch(jump_max=1_000)
    watch.see(1, 0)
    assert watch.see(50_000, JUMP_WINDOW_US + 1) is None


def test_a_suspicion_is_not_told_again_and_again() -> None:
    watch = StreamWatch(jump_max=1_000)
    watch.see(1, 0)
    told = [watch.see(number * 10_000, number * 100_000) is not None for number in range(1, 500)]
    assert sum(told) == 1 + (499 * 100_000) // SUSPICION_EVERY_US
    assert told[0]


def test_another_core_is_another_run_of_the_switch() -> None:
    watch = StreamWatch()
    assert watch.see_core("one") is None
    assert watch.see_core("one") is None
    assert watch.see_core("two") == Missed(
        "the switch was started anew: its core is two, it was one", is_restarted=True
    )
    assert watch.see_core("two") is None


def test_the_switch_says_in_its_log_that_events_were_lost() -> None:
    """As a real one writes a line to the Event Socket."""
    begin = "2026-11-23 07:43:08.110622 100.00% [CRIT] mod_event_socket.c:387 "
    assert lost_events_said(f"{begin}Lost [501] events! Event Queue size: [99999/100000]\n") == (
        "Lost [501] events! Event Queue size: [99999/100000]"
    )
    assert lost_events_said(f"{begin}Lost [3] log lines! Log Queue size: [5/100000]\n") is None
    assert lost_events_said(f"{begin}Event enqueue ERROR [20] | [?] | Queue size: [1/2] \n") is None
