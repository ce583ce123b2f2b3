"""`esl-agent traffic`, as somebody types it at three in the morning."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from click.testing import CliRunner
from fixtures.commands import Command, row_of
from fixtures.records import an_account
from fixtures.verdicts import PAYER, a_verdict

from esl_agent.agent.clock import wall_us
from esl_agent.cli.main import cli
from esl_agent.core.deck_file import parse_deck
from esl_agent.core.traffic.restriction import restriction_of
from esl_agent.core.traffic.verdict import Action
from esl_agent.store.decks import DeckImport, import_deck
from esl_agent.store.numbers import OwnedNumber, add_number
from esl_agent.store.pool import Connection
from esl_agent.store.restrictions import restrict

DID: Final = "15145550100"
SUSPEND: Final = ("traffic", "restrict", PAYER, "--action", "suspend_outbound", "--reason", "calls Cuba")


@pytest.fixture(autouse=True)
def payer(conn: Connection) -> None:
    an_account(conn, PAYER, "5", name="A garage")
    add_number(conn, OwnedNumber(DID, PAYER))


def ruled(conn: Connection, **changes: Any) -> int:
    """The number of a restriction that a rule asked for just now."""
    verdict = a_verdict(at_us=wall_us(), **changes)
    kept = restrict(conn, restriction_of(verdict), verdict.figures, verdict.calls)
    assert kept is not None
    return kept.restriction.restriction or 0


def test_what_is_open_is_shown_and_with_all_what_has_ended(conn: Connection, told: Command) -> None:
    an_account(conn, 1002, "5")
    number = ruled(conn)
    other = ruled(conn, account_id=1002, action=Action.ALERT)
    assert row_of(told("traffic", "show"), f"{number} ")[1:4] == ["1001", "suspend_outbound", "dialer"]
    shown = json.loads(told("traffic", "show", "--account", 1002, "--json"))
    assert [(each["restriction"], each["action"]) for each in shown] == [(other, "alert")]
    told("traffic", "clear", number, "--reason", "a campaign, agreed", "--by", "boss")
    assert [each["restriction"] for each in json.loads(told("traffic", "show", "--json"))] == [other]
    everything = told("traffic", "show", "--all")
    assert "cleared by boss: a campaign, agreed" in everything
    assert len(json.loads(told("traffic", "show", "--all", "--json"))) == 2


def test_an_explanation_says_what_is_refused_by_which_rule_on_what_evidence_and_until_when(
    conn: Connection, told: Command
) -> None:
    number = ruled(conn, ends_calls=True)
    text = told("traffic", "explain", number)
    lines = text.splitlines()
    assert lines[0] == f"Restriction {number} of account 1001 (A garage): suspend_outbound"
    assert "UTC calls out are refused; calls that come in go on." in text
    assert "Calls that were up were ended. Calls to 911 and 988 always go out." in text
    assert "The rule 'dialer' asked for it by itself, for what the account's traffic was like." in text
    assert row_of(text, "short share") == ["short", "share", "24h", "0.1523", "0.15", "120"]
    assert row_of(text, "2026-03-01 12:00:00")[2:] == ["442079460000", "2.0", "a", "leg"]
    assert "It ends by itself at " in text
    assert lines[-1] == f'    esl-agent traffic clear {number} --reason "…"'


def test_numbers_are_hidden_where_the_log_hides_them(
    conn: Connection, told: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = ruled(conn, did=DID, action=Action.SUSPEND_DID)
    monkeypatch.setenv("ESL_AGENT_LOG_MASK_NUMBERS", "true")
    shown = (
        told("traffic", "explain", number),
        told("traffic", "explain", number, "--json"),
        told("traffic", "show"),
    )
    for text in shown:
        assert DID not in text
        assert "442079460000" not in text
        assert "xxxxxxx0100" in text


def test_somebody_restricts_by_hand_for_a_time_and_says_why(told: Command, refused: Command) -> None:
    text = told(*SUSPEND, "--for", "2h", "--by", "noc")
    assert "noc decided so: calls Cuba" in text
    assert "It ends by itself at" in text
    assert "Calls that were up could finish." in text
    assert "has that by hand already" in refused(*SUSPEND)
    [made] = json.loads(told("traffic", "show", "--json"))
    lasts = datetime.fromisoformat(made["until"]) - datetime.fromisoformat(made["since"])
    assert (made["rule"], made["made_by"], lasts.total_seconds()) == ("by_hand", "noc", 7_200)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--action", "suspend_did"), "give both"),
        (("--action", "suspend_account", "--did", DID), "give both"),
        (("--action", "throttle"), "throttle takes"),
        (("--action", "suspend_account", "--max-calls", "1"), "throttle takes"),
        (("--action", "suspend_did", "--did", "15145550199"), "is not a number of account 1001"),
        (("--action", "suspend_account", "--for", "a while"), "isn't a time written 45s, 30m, 2h or 7d"),
        (("--action", "suspend_account", "--for", "0s"), "isn't a time written"),
        (("--action", "suspend_account", "--for", "99999d"), "ten years at most"),
        (("--action", "alert"), "'alert' is not one of"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(refused: Command, arguments: tuple[str, ...], problem: str) -> None:
    assert problem in refused("traffic", "restrict", PAYER, "--reason", "x", *arguments)


def test_nobody_and_nothing_are_told_apart_from_what_there_is(refused: Command) -> None:
    assert "there is no account 4242" in refused(
        "traffic", "restrict", 4242, "--action", "suspend_account", "--reason", "x"
    )
    assert "there is no restriction 9" in refused("traffic", "explain", 9)
    assert "there is no restriction 9" in refused("traffic", "clear", 9, "--reason", "x")


def test_a_throttle_and_a_did_by_hand(told: Command) -> None:
    throttle = ("traffic", "restrict", PAYER, "--action", "throttle", "--reason", "x")
    assert "calls out are held to 3 at a time and 1 a second" in told(
        *throttle, "--max-calls", 3, "--calls-per-second", 1
    )
    did = ("traffic", "restrict", PAYER, "--action", "suspend_did", "--did", "514-555-0100", "--reason", "x")
    assert f"calls to {DID}, forwarded by it or showing it as caller ID are refused" in told(*did)


def test_the_account_and_a_rehearsed_call_name_what_is_open(conn: Connection, told: Command) -> None:
    rows = parse_deck(["prefix,destination,rate,increments", "44,United Kingdom,0.0125,6/6"]).rows
    began = datetime(2020, 1, 1, tzinfo=UTC)
    import_deck(
        conn, DeckImport(deck="standard", rows=rows, effective_from=began, currency="CAD", source="x", by="x")
    )
    number = ruled(conn)
    said = f"suspend_outbound: rule dialer, restriction {number}, until 2"
    assert said in told("account", "show", PAYER)
    [shown] = json.loads(told("account", "show", PAYER, "--json"))["restrictions"]
    assert shown["restriction"] == number

    rehearsal = ("admit", "--from", PAYER, "--to", "011442079460000", "--dry-run")
    text = told(*rehearsal)
    assert "refused by traffic: outbound_suspended, SIP 403" in text
    assert said in text
    told_json = json.loads(told(*rehearsal, "--json"))
    assert (told_json["reason"], told_json["restrictions"][0]["restriction"]) == (
        "outbound_suspended",
        number,
    )
    assert "admitted: an emergency call" in told("admit", "--from", PAYER, "--to", "911", "--dry-run")


def test_the_command_says_what_it_does() -> None:
    listed = CliRunner().invoke(cli, ["traffic", "--help"]).output
    assert all(name in listed for name in ("show", "explain", "clear", "restrict"))
