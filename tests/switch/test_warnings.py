"""What a caller hears of his money on a real switch, and that none of it lets a call live longer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from agent_process import AgentProcess
from books import Books
from conftest import Calls
from people import LONDON, POOR

from esl_agent.config import BudgetConfig
from esl_agent.lab.freeswitch import PrivateSwitch

pytestmark = pytest.mark.switch

TO_LONDON = f"011{LONDON}"
PLACE = "told:XML:esl_money_ended"
TONE = "tone_stream://%(250,250,480,620);loops=4"
#: Longer than the money of the account, which is for 12 seconds.
PATIENCE_S = 20.0


@pytest.fixture(scope="module")
def agent(
    switch: PrivateSwitch, books_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AgentProcess]:
    """A daemon that sends callers on when their money has ended."""
    process = AgentProcess(switch, books_url, tmp_path_factory.mktemp("agent"))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ESL_AGENT_BUDGET_END_ANNOUNCEMENT", PLACE)
        process.start()
    yield process
    process.stop()


def test_the_caller_alone_hears_the_tone_and_is_sent_on_when_the_paid_leg_has_ended(
    calls: Calls, books: Books
) -> None:
    calls.alpha("answer", ring_ms=50)
    dialled = calls.dial(POOR, TO_LONDON, "stay")
    calls.event("CHANNEL_ANSWER", "outbound")
    calls.event("CHANNEL_HANGUP_COMPLETE", "outbound", deadline_s=PATIENCE_S)
    end = calls.event("CHANNEL_HANGUP_COMPLETE", "inbound")
    dialled.finish()

    played = calls.all_of("CHANNEL_EXECUTE", lambda event: event.get("Application") == "playback")
    heard = [(event["Call-Direction"], event["Application-Data"]) for event in played]
    assert heard == [("inbound", BudgetConfig().warn_sound), ("inbound", TONE)]
    assert (end["Caller-Destination-Number"], end["Caller-Context"]) == ("told", "esl_money_ended")
    assert end["Hangup-Cause"] == "NORMAL_CLEARING"
    [cdr] = books.cdrs(1)
    assert (cdr.ended_by, cdr.hangup_cause, cdr.charge.billed_seconds) == ("agent", "ALLOTTED_TIMEOUT", 12)
    assert 11_000_000 < cdr.duration_us <= 12_000_000
    assert cdr.uncollected == 0


def test_nobody_can_dial_the_place_where_that_is_said(calls: Calls, books: Books) -> None:
    calls.dial(POOR, "told", "refused", status=484).finish()
    end = calls.event("CHANNEL_HANGUP_COMPLETE", "inbound")

    assert end["Caller-Context"] == "esl_customer"
    assert calls.all_of("CHANNEL_EXECUTE", lambda event: event.get("Application") == "playback") == []
    [cdr] = books.cdrs(1)
    assert (cdr.refused, cdr.charge.total) == ("number_not_understood", 0)
