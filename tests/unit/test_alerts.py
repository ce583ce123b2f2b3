"""What went wrong lately and what is wrong now, told from the log; and the last refusals."""

from __future__ import annotations

import pytest

from esl_agent.noc.alerts import ALERTS_MAX, QUIET_US, REFUSALS_MAX, STANDS_UNTIL, Alerts
from esl_agent.noc.overheard import overheard
from esl_agent.noc.words import WORDS


class Clock:
    def __init__(self) -> None:
        self.us = 1_000

    def __call__(self) -> int:
        return self.us


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def alerts(clock: Clock) -> Alerts:
    return Alerts(clock)


def test_what_is_said_goes_to_the_log_and_to_who_listens(alerts: Alerts) -> None:
    said: list[tuple[str, object]] = []
    log = overheard(lambda word, **fields: said.append((word, fields)), alerts.hear)
    log("DB_DOWN", database="here", error="gone")
    assert said == [("DB_DOWN", {"database": "here", "error": "gone"})]
    assert [alert.word for alert in alerts.alerts()] == ["DB_DOWN"]


def test_what_is_no_warning_is_no_alert(alerts: Alerts) -> None:
    for word, entry in WORDS.items():
        if entry.level in ("debug", "info"):
            alerts.hear(word, {})
    assert list(alerts.alerts()) == []


def test_an_outage_stands_until_its_end_is_said(alerts: Alerts, clock: Clock) -> None:
    alerts.hear("DB_DOWN", {"error": "gone"})
    clock.us = 5_000
    [alert] = alerts.alerts()
    assert (alert.stands, alert.ended_us, alert.fields) == (True, None, {"error": "gone"})
    alerts.hear("DB_UP", {})
    [alert] = alerts.alerts()
    assert (alert.first_us, alert.ended_us) == (1_000, 5_000)
    clock.us = 9_000
    alerts.hear("DB_DOWN", {})
    [alert] = alerts.alerts()
    assert (alert.first_us, alert.count, alert.ended_us) == (9_000, 1, None)


@pytest.mark.parametrize(("word", "end"), STANDS_UNTIL.items())
def test_words_that_stand_are_loud_and_their_ends_are_not(word: str, end: str) -> None:
    assert WORDS[word].level in ("warning", "error")
    assert WORDS[end].level == "info"


def test_both_troubles_of_the_journal_end_when_it_has_room(alerts: Alerts) -> None:
    alerts.hear("JOURNAL_FULL", {})
    alerts.hear("JOURNAL_FAILED", {})
    alerts.hear("JOURNAL_HAS_ROOM", {})
    assert all(alert.ended_us for alert in alerts.alerts())


def test_a_word_that_is_said_again_of_the_same_account_is_counted(alerts: Alerts, clock: Clock) -> None:
    for account in (1001, 1001, 1002):
        clock.us += 1_000
        alerts.hear("PHONE_SPEND_SPIKE", {"account": account, "spent": account})
    assert [(alert.key, alert.count) for alert in alerts.alerts()] == [
        ("PHONE_SPEND_SPIKE 1001", 2),
        ("PHONE_SPEND_SPIKE 1002", 1),
    ]
    clock.us += QUIET_US + 1
    alerts.hear("PHONE_SPEND_SPIKE", {"account": 1001})
    *_, last = alerts.alerts()
    assert (last.key, last.count, last.first_us) == ("PHONE_SPEND_SPIKE 1001", 1, clock.us)


def test_a_crowd_of_alerts_pushes_out_the_oldest_but_none_that_stands(alerts: Alerts) -> None:
    alerts.hear("SWITCH_LOST", {})
    for account in range(2 * ALERTS_MAX):
        alerts.hear("CALL_STRANGE", {"account": account})
    kept = [alert.key for alert in alerts.alerts()]
    assert (len(kept), kept[0], kept[-1]) == (ALERTS_MAX, "SWITCH_LOST", f"CALL_STRANGE {2 * ALERTS_MAX - 1}")


def test_fields_are_cut_to_a_length(alerts: Alerts) -> None:
    alerts.hear("LIBRARY_WARNING", {"text": "x" * 10_000, **{f"f{n}": n for n in range(100)}, "none": None})
    [alert] = alerts.alerts()
    assert (len(alert.fields["text"]), len(alert.fields)) == (300, 12)


def test_a_refusal_is_no_alert_and_the_last_ones_are_kept(alerts: Alerts) -> None:
    for number in range(REFUSALS_MAX + 5):
        alerts.hear("CALL_REFUSED", {"account": number, "caller": "1", "to": "2", "reason": "no_funds"})
    refused = list(alerts.refused())
    assert (len(refused), refused[0].number, refused[-1].account) == (REFUSALS_MAX, 6, str(REFUSALS_MAX + 4))
    assert (refused[-1].reason, refused[-1].detail) == ("no_funds", "")
    assert list(alerts.alerts()) == []
