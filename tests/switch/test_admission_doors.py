"""Admission on a real switch, by both doors: what callers are answered, and what is put down of it."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from agent_process import AgentProcess
from books import Books
from conftest import Calls
from fixtures.postgres import EmbeddedPostgres
from people import (
    ALICE,
    ALLOWS,
    ALWAYS,
    AMSTERDAM,
    AT_HOME,
    BUSY_LINE,
    CAREFUL,
    CLOSED,
    DAY_OVER,
    HASTY,
    LONDON,
    NEWCOMER,
    NO_TOLL_FREE,
    OWNER,
    PENNILESS,
    PLANLESS,
    REJECTS,
    STRANGER,
    SURCHARGES,
    SUSPENDED,
    TO_DEVICE,
    TOLL_FREE,
    TORONTO,
    UNVERIFIED,
    VICTIM,
)

from esl_agent.lab.child import wait_until
from esl_agent.lab.freeswitch import PrivateSwitch
from esl_agent.lab.network import Phone
from esl_agent.lab.ports import free_port
from esl_agent.store.cdrs import CdrRow
from esl_agent.store.pool import connected

pytestmark = pytest.mark.switch

TO_LONDON = f"011{LONDON}"
PREMIUM = "19005550123"
FROM_A_PAYPHONE = "lab.test;isup-oli=27"
PATIENCE_S = 20.0


@pytest.fixture(scope="module", params=["socket", "python"], autouse=True)
def door(switch: PrivateSwitch, agent: AgentProcess, request: pytest.FixtureRequest) -> Iterator[str]:
    """How the switch asks."""
    with switch.changed(esl_ask_by=request.param):
        yield request.param


def lines(cdr: CdrRow) -> dict[str, str]:
    return {line.kind: str(line.amount) for line in cdr.charge.lines if line.amount}


def test_an_admitted_call_goes_out_as_it_was_admitted(calls: Calls, books: Books) -> None:
    carrier = calls.alpha("answer", ring_ms=50)
    calls.dial(ALICE, TO_LONDON, talk_ms=200).finish()

    [cdr] = books.cdrs(1)
    assert (cdr.account_id, cdr.number, cdr.rule, cdr.carrier) == (1001, LONDON, "funds", "alpha")
    assert [leg["Unique-ID"] for leg in calls.legs("outbound")] == [cdr.leg_uuid]
    [invite] = carrier.invites()
    assert f"<sip:{ALICE.caller_id}@" in invite
    assert (books.spent(ALICE), books.account(ALICE).reserved) == ("0.0600", 0)


@pytest.mark.parametrize(
    ("phone", "number", "reason", "status"),
    [
        (STRANGER, TORONTO, "unknown_account", 403),
        (NEWCOMER, TORONTO, "terms_not_accepted", 403),
        (SUSPENDED, TORONTO, "account_suspended", 403),
        (CLOSED, TORONTO, "account_closed", 403),
        (PLANLESS, TORONTO, "no_plan", 503),
        (ALICE, "1416555012", "number_not_understood", 484),
        (ALICE, "011881631234567", "blocked_by_operator", 403),
        (AT_HOME, TO_LONDON, "blocked_by_account", 403),
        (ALICE, PREMIUM, "premium_blocked", 403),
        (UNVERIFIED, TORONTO, "caller_id_not_owned", 403),
        (NO_TOLL_FREE, TOLL_FREE, "toll_free_off", 403),
        (ALICE, "01133142345678", "no_rate", 404),
        (ALICE, "01149301234567", "no_route", 404),
        (BUSY_LINE, TORONTO, "too_many_calls", 486),
        (DAY_OVER, TORONTO, "day_spend", 403),
        (CAREFUL, TO_LONDON, "call_spend", 403),
        (PENNILESS, TORONTO, "no_funds", 402),
    ],
    ids=lambda value: value if isinstance(value, str) and "_" in value else "-",
)
def test_a_refused_call_reaches_no_carrier_and_leaves_a_cdr_and_no_hold(
    calls: Calls, books: Books, agent: AgentProcess, phone: Phone, number: str, reason: str, status: int
) -> None:
    carrier = calls.alpha("answer", ring_ms=50)
    calls.dial(phone, number, "refused", status=status).finish()

    [cdr] = books.cdrs(1)
    assert (cdr.refused, cdr.sip_code, cdr.charge.total) == (reason, status, 0)
    [line] = agent.lines(str(cdr.other_leg_uuid))
    assert "CALL_REFUSED" in line
    assert f" reason={reason} " in line
    assert carrier.invites() == []
    assert books.faults() == []
    assert books.reserved() == 0


def test_calls_that_come_too_fast_are_refused(calls: Calls, books: Books, agent: AgentProcess) -> None:
    calls.alpha("answer", ring_ms=50)
    phone = calls.dial(HASTY, TORONTO, talk_ms=100, at_once=5)

    cdrs = books.cdrs(5)
    refused = [cdr for cdr in cdrs if cdr.refused]
    assert {(cdr.refused, cdr.sip_code, cdr.charge.total) for cdr in refused} == {("too_fast", 503, 0)}
    assert len(refused) < len(cdrs), "the first of a second goes out"
    assert len([message for message in phone.heard() if message.startswith("SIP/2.0 503")]) >= len(refused)
    assert all(
        " reason=too_fast " in line for cdr in refused for line in agent.lines(str(cdr.other_leg_uuid))
    )
    wait_until(lambda: books.reserved() == 0, "nothing is held", PATIENCE_S)


def test_a_call_that_no_carrier_has_room_for_is_refused(
    calls: Calls, books: Books, agent: AgentProcess
) -> None:
    calls.alpha("answer", ring_ms=50)
    calls.dial(ALICE, f"011{AMSTERDAM}", "stay")
    up = calls.event("CHANNEL_ANSWER", "outbound")["Unique-ID"]
    wait_until(lambda: "CALL_ANSWERED" in "".join(agent.lines(up)), "the agent has heard", PATIENCE_S)
    calls.dial(VICTIM, f"011{AMSTERDAM}", "refused", status=503).finish()
    [refused] = books.cdrs(1)
    assert (refused.refused, refused.sip_code, refused.charge.total) == ("carriers_full", 503, 0)
    [line] = agent.lines(str(refused.other_leg_uuid))
    assert " reason=carriers_full " in line
    assert books.account(VICTIM).reserved == 0
    calls.hang_up_all()

    assert [cdr.carrier for cdr in books.cdrs(2) if not cdr.refused] == ["one_call"]
    assert books.reserved() == 0


def test_a_failed_carriers_hold_goes_on_to_the_next(calls: Calls, books: Books) -> None:
    calls.alpha("refuse", status="503 Service Unavailable")
    calls.beta("answer", ring_ms=50)
    calls.dial(ALICE, TO_LONDON, talk_ms=200).finish()

    charged = {cdr.carrier: str(cdr.charged) for cdr in books.cdrs(2)}
    assert charged == {"alpha": "0.0000", "beta": "0.0600"}
    assert books.reserved() == 0


def test_a_number_is_forwarded_at_its_owners_expense_with_the_surcharge(calls: Calls, books: Books) -> None:
    calls.alpha("answer", ring_ms=50)
    calls.bring(ALWAYS.number, talk_ms=200).finish()

    cdrs = {cdr.product: cdr for cdr in books.cdrs(2)}
    assert lines(cdrs["forwarding"]) == {"usage": "0.0600", "forwarding": "0.0015"}
    assert cdrs["forwarding"].forwarded_from == ALWAYS.number
    assert cdrs["inbound"].charge.total == 0
    assert (books.spent(OWNER), books.reserved()) == ("0.0615", 0)


def test_a_phones_302_is_a_forwarding_that_is_admitted(calls: Calls, books: Books) -> None:
    moved = f"\nContact: <sip:{TO_LONDON}@127.0.0.1:{free_port()}>"
    calls.device(OWNER, "refuse", status="302 Moved", headers=moved)
    calls.alpha("answer", ring_ms=50)
    calls.bring(TO_DEVICE.number, talk_ms=200).finish()

    cdrs = {cdr.product: cdr for cdr in books.cdrs(2)}
    assert lines(cdrs["forwarding"]) == {"usage": "0.0600", "forwarding": "0.0015"}
    assert cdrs["forwarding"].forwarded_from == TO_DEVICE.number


def test_a_phones_302_to_where_nobody_may_call_is_refused(calls: Calls, books: Books) -> None:
    moved = f"\nContact: <sip:{PREMIUM}@127.0.0.1:{free_port()}>"
    calls.device(OWNER, "refuse", status="302 Moved", headers=moved)
    calls.bring(TO_DEVICE.number, "trunk_refused", status=403).finish()

    refused = {cdr.product: cdr.refused for cdr in books.cdrs(2)}
    assert refused == {"inbound": None, "forwarding": "premium_blocked"}


def test_a_transfer_asks_again(calls: Calls, books: Books) -> None:
    carrier = calls.alpha("answer", ring_ms=50)
    calls.dial(ALICE, TORONTO, "dial_on", talk_ms=200, digits=f"*1{PREMIUM}#").finish()

    assert {cdr.refused for cdr in books.cdrs(2)} == {None, "premium_blocked"}
    assert len(carrier.invites()) == 1
    assert books.reserved() == 0


def test_a_payphones_call_is_let_in_and_noted(calls: Calls, books: Books) -> None:
    calls.device(OWNER, "answer", ring_ms=50)
    calls.bring(ALLOWS.number, talk_ms=200, domain=FROM_A_PAYPHONE).finish()

    [cdr] = books.cdrs(1)
    assert (cdr.refused, cdr.tags, cdr.charge.total) == (None, ("payphone",), 0)


def test_a_payphones_call_is_turned_away(calls: Calls, books: Books) -> None:
    device = calls.device(OWNER, "answer", ring_ms=50)
    calls.bring(REJECTS.number, "trunk_refused", status=403, domain=FROM_A_PAYPHONE).finish()

    [cdr] = books.cdrs(1)
    assert (cdr.refused, cdr.charge.total) == ("payphone_rejected", 0)
    assert device.invites() == []


def test_a_payphones_call_costs_the_owner_a_surcharge(calls: Calls, books: Books) -> None:
    calls.device(OWNER, "answer", ring_ms=50)
    calls.bring(SURCHARGES.number, talk_ms=200, domain=FROM_A_PAYPHONE).finish()

    [cdr] = books.cdrs(1)
    assert (cdr.tags, lines(cdr)) == (("payphone",), {"payphone": "0.2500"})
    assert (books.spent(OWNER), books.reserved()) == ("0.2500", 0)


def test_a_phone_that_says_it_is_a_payphone_is_not_believed(calls: Calls, books: Books) -> None:
    calls.alpha("answer", ring_ms=50)
    calls.dial(ALICE, TORONTO, talk_ms=100, domain=FROM_A_PAYPHONE).finish()

    [cdr] = books.cdrs(1)
    assert (cdr.refused, cdr.tags) == (None, ())


def test_a_refusal_is_played_where_there_is_a_file_of_its_name(
    calls: Calls, books: Books, switch: PrivateSwitch, tmp_path: Path
) -> None:
    with wave.open(str(tmp_path / "no_funds.wav"), "wb") as words:
        words.setnchannels(1)
        words.setsampwidth(2)
        words.setframerate(8_000)
        words.writeframes(bytes(3_200))
    with switch.changed(esl_announcements=str(tmp_path)):
        refused = calls.dial(PENNILESS, TORONTO, "refused", status=402)
        refused.finish()

    statuses = [message.split()[1] for message in refused.heard()]
    assert statuses == ["407", "100", "183", "402"]
    assert books.cdrs(1)[0].refused == "no_funds"


def test_911_goes_out_with_the_daemon_stopped_and_nothing_else_does(
    calls: Calls, agent: AgentProcess
) -> None:
    carrier = calls.alpha("answer", ring_ms=50)
    agent.stop()
    try:
        calls.dial(ALICE, "911", talk_ms=200).finish()
        calls.dial(ALICE, TORONTO, "refused", status=503).finish()
    finally:
        agent.start()

    assert [invite.split()[1].partition("@")[0] for invite in carrier.invites()] == ["sip:911"]


def test_911_goes_out_with_the_database_stopped_and_nothing_else_does(
    calls: Calls, books: Books, agent: AgentProcess, books_url: str, postgres: EmbeddedPostgres
) -> None:
    carrier = calls.alpha("answer", ring_ms=50)
    with database_away(postgres, books_url):
        calls.dial(ALICE, "911", talk_ms=200).finish()
        calls.dial(ALICE, TORONTO, "refused", status=503).finish()

    assert [invite.split()[1].partition("@")[0] for invite in carrier.invites()] == ["sip:911"]
    cdrs = {cdr.number: cdr for cdr in books.cdrs(2)}  # as soon as it is back
    assert (cdrs["911"].refused, cdrs["911"].charge.total) == (None, 0)
    assert cdrs[TORONTO].refused == "no_decision"


def test_911_goes_out_for_a_suspended_account(calls: Calls, books: Books) -> None:
    calls.alpha("answer", ring_ms=50)
    calls.dial(SUSPENDED, "911", talk_ms=200).finish()

    [cdr] = books.cdrs(1)
    assert (cdr.account_id, cdr.refused, cdr.charge.total) == (int(SUSPENDED.account), None, 0)


def test_after_all_this_the_ledger_adds_up(books: Books) -> None:
    assert (books.faults(), books.reserved()) == ([], 0)


@contextmanager
def database_away(postgres: EmbeddedPostgres, url: str) -> Iterator[None]:
    """Nobody is connected to the database any more, and nobody can be, until the end."""
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    with connected(postgres.url("postgres")) as conn:
        conn.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        wait_until(lambda: _nobody_on(conn, str(name)), "the daemon is cut off", PATIENCE_S)
        try:
            yield
        finally:
            conn.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


def _nobody_on(conn: psycopg.Connection, name: str) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
    row = conn.execute(query, [name]).fetchone()
    return row == (0,)
