"""Disks that are full, and journals that are not what they were."""

from __future__ import annotations

import pytest

from esl_agent.lab.child import wait_until

from .stage import PATIENCE_S, Stage

pytestmark = pytest.mark.faults


def test_the_daemons_disk_is_full(stage: Stage) -> None:
    stage.call(20, talk_s=2)
    stage.wait_talking(20)
    stage.agent.fill_disk()
    stage.wait_over()

    # What can't be kept is not begun, but for an emergency.
    wait_until(lambda: not stage.goes_out(), "new calls are refused", PATIENCE_S)
    assert stage.goes_out(number="911")

    stage.agent.empty_disk()
    wait_until(stage.goes_out, "calls go out again", PATIENCE_S)
    stage.finish()


def test_the_daemons_disk_is_full_and_postgres_is_away(stage: Stage) -> None:
    stage.call(20, talk_s=4)
    stage.wait_talking(20)
    stage.agent.fill_disk()
    stage.postgres.stop()
    stage.wait_over()
    stage.agent.kill()

    # Its memory was the only place where it had them; the switch's files say the same.
    stage.finish()


def test_postgres_has_no_room(stage: Stage) -> None:
    with stage.traffic(calls_per_second=20, seconds=5, seed=12):
        stage.wait_calls(30)
        stage.postgres.fill_disk()
        stage.wait_calls(80)
        stage.postgres.empty_disk()

    stage.finish()


def test_killed_during_an_outage_with_no_files_of_the_switch(stage: Stage) -> None:
    stage.switch.skip_cdr_files(1_000)
    stage.call(20, talk_s=2)
    stage.wait_talking(20)
    stage.postgres.stop()
    stage.wait_over()
    stage.agent.wait_kept(20)
    stage.agent.kill()

    # Nothing but the journal knows of them.
    stage.finish()


def test_a_journal_that_ends_in_the_middle_of_a_line_and_in_rubbish(stage: Stage) -> None:
    stage.call(20, talk_s=2)
    stage.wait_talking(20)
    stage.postgres.stop()
    stage.wait_over()
    stage.agent.wait_kept(20)
    stage.agent.kill()
    (segment,) = stage.agent.journal.glob("segment-*.log")
    kept = segment.read_bytes()
    segment.write_bytes(kept[:-40] + b"\0\xff rubbish\n" * 100 + kept[-300:-10])
    stage.postgres.start()
    stage.agent.start()
    stage.agent.wait_says("JOURNAL_BROKEN")

    # What could not be read stands in the switch's files.
    stage.finish()
