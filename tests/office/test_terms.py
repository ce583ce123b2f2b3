"""Versions of the terms, who accepted which, and calls that wait for it (terms 16)."""

from __future__ import annotations

import hashlib
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import pytest
from fixtures.commands import Command
from fixtures.records import an_account
from hypothesis import given
from hypothesis import strategies as st

from esl_agent.core.office.terms import TermsVersion, is_accepted
from esl_agent.store.accounts import accept_terms, get_account
from esl_agent.store.pool import Connection
from esl_agent.store.terms import TermsError, acceptances, body_of, list_versions, publish

PAYER: Final = 1001
OLD: Final = TermsVersion("2026-01", date(2026, 1, 1), 0)
NEW: Final = TermsVersion("2026-06", date(2026, 6, 1), 30)
NEWEST: Final = TermsVersion("2026-07", date(2026, 7, 15), 30)


@pytest.mark.parametrize(
    ("accepted", "published", "today", "expected"),
    [
        (None, (), "2026-05-01", False),
        ("whatever", (), "2026-05-01", True),  # nobody keeps versions: any acceptance counts
        ("2026-01", (OLD,), "2026-05-01", True),
        ("2025", (OLD,), "2026-05-01", False),  # from before versions were kept, and no grace
        ("2026-01", (OLD, NEW), "2026-05-31", True),  # not in force yet
        ("2026-01", (OLD, NEW), "2026-06-30", True),  # the last day of grace
        ("2026-01", (OLD, NEW), "2026-07-01", False),
        ("2026-06", (OLD, NEW), "2026-07-01", True),
        ("2026-06", (OLD, NEW), "2026-05-01", True),  # accepted before it is in force
        ("2026-01", (OLD, NEW, NEWEST), "2026-07-20", False),  # no new grace for what was let pass
        ("2026-06", (OLD, NEW, NEWEST), "2026-07-20", True),
    ],
)
def test_whose_acceptance_is_good_enough(
    accepted: str | None, published: tuple[TermsVersion, ...], today: str, expected: bool
) -> None:
    assert is_accepted(accepted, published, date.fromisoformat(today)) is expected


@given(days=st.integers(-100, 400), later=st.integers(0, 100))
def test_who_may_not_call_today_may_not_tomorrow_without_accepting(days: int, later: int) -> None:
    today = OLD.in_force_on + timedelta(days)
    published = (OLD, NEW, NEWEST)
    for accepted in (None, "2026-01", "2026-06", "2026-07"):
        if not is_accepted(accepted, published, today):
            assert not is_accepted(accepted, published, today + timedelta(later))
    assert is_accepted("2026-07", published, today)


def test_a_version_is_kept_to_the_byte_and_never_changed(conn: Connection) -> None:
    body = "Prepaid at all times.\r\nÀ l'avance.\n"
    publish(conn, OLD, body, "office")
    publish(conn, OLD, body, "office")

    [kept] = list_versions(conn)
    assert kept.sha256 == hashlib.sha256(body.encode()).hexdigest()
    assert body_of(conn, "2026-01") == body
    with pytest.raises(TermsError, match="published with another text or day"):
        publish(conn, OLD, body + " ", "office")
    with pytest.raises(TermsError, match="is in force from 2026-01-01 on, too"):
        publish(conn, TermsVersion("other", OLD.in_force_on, 0), body, "office")
    for nothing in ("", " \n", "a\0b"):
        with pytest.raises(TermsError, match="1 to 1000000 characters"):
            publish(conn, NEW, nothing, "office")


def test_an_acceptance_says_when_how_from_where_and_of_which_text(conn: Connection) -> None:
    publish(conn, OLD, "Prepaid.", "office")
    an_account(conn, PAYER, "0", terms_version=None)
    with pytest.raises(TermsError, match="there is no version '2025'"):
        accept_terms(conn, PAYER, "2025", "office")
    assert get_account(conn, PAYER).state == "pending"

    accept_terms(conn, PAYER, "2026-01", "office", means="web", address="203.0.113.9")
    accept_terms(conn, PAYER, "2026-01", "office", means="telephone")  # the first counts

    [accepted] = acceptances(conn, PAYER)
    assert (accepted.means, accepted.address, accepted.recorded_by) == ("web", "203.0.113.9", "office")
    assert accepted.sha256 == hashlib.sha256(b"Prepaid.").hexdigest()
    assert get_account(conn, PAYER).state == "active"


def test_calls_wait_until_a_new_version_is_accepted(conn: Connection, told: Command, tmp_path: Path) -> None:
    text = tmp_path / "terms.txt"
    text.write_text("Prepaid.")
    an_account(conn, PAYER, "5")
    assert "in force from 2026-01-01 on" in told(
        "terms", "publish", "2026-09", text, "--from", "2026-01-01", "--grace-days", "5"
    )

    refused = json.loads(told("admit", "--from", PAYER, "--to", "911", "--dry-run", "--json"))
    assert refused["admitted"] is True  # an emergency never waits
    refused = json.loads(told("admit", "--from", PAYER, "--to", "15145550100", "--dry-run", "--json"))
    assert (refused["admitted"], refused["rule"]) == (False, "terms")

    told("account", "accept-terms", PAYER, "2026-09", "--means", "signature")

    asked = json.loads(told("admit", "--from", PAYER, "--to", "15145550100", "--dry-run", "--json"))
    assert asked["rule"] != "terms"
    assert "signature" in told("terms", "accepted", PAYER)
    assert told("terms", "show", "2026-09") == "Prepaid."
    assert "2026-09" in told("terms", "list")
