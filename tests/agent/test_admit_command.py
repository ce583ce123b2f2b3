"""`esl-agent admit`: what would become of a call, told without a daemon, and nothing left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from fixtures.commands import Command, row_of

from esl_agent.core.admission.carriers import Carrier
from esl_agent.core.admission.route_file import Route
from esl_agent.core.admission.rules import RULES
from esl_agent.store.accounts import get_account, suspend
from esl_agent.store.carriers import put_carrier
from esl_agent.store.holds import HoldRequest, hold_many
from esl_agent.store.ledger import check
from esl_agent.store.limits import change_limits
from esl_agent.store.pool import Connection
from esl_agent.store.routes import put_routes

UK = "442079460000"
Admit = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def ways_out(conn: Connection, customers: None) -> None:
    """Two carriers for everything, alpha first."""
    for name in ("alpha", "beta"):
        put_carrier(conn, Carrier(name=name, dial_template=f"sofia/gateway/{name}/{{number}}"))
    put_routes(conn, [Route("", "alpha", 1), Route("", "beta", 2)])


@pytest.fixture
def admit(told: Command) -> Admit:
    return lambda *arguments: json.loads(told("admit", *arguments, "--json"))  # type: ignore[no-any-return]


def test_a_call_that_would_go_out(admit: Admit, conn: Connection) -> None:
    said = admit("--from", 1001, "--to", f"011{UK}")

    assert (said["admitted"], said["rule"], said["account"], said["number"]) == (True, "funds", 1001, UK)
    assert (said["first_charge"], said["held"], said["available"]) == ("0.0013", "0.0125", "10.0000")
    assert said["caller_id"] == "15145550100"  # the first of its own, as none was given
    assert said["carriers"] == ["alpha", "beta"]
    assert [text.rpartition("]")[2] for text in said["dial_strings"]] == [
        f"sofia/gateway/alpha/{UK}",
        f"sofia/gateway/beta/{UK}",
    ]
    assert [each["rule"] for each in said["trace"]] == [rule.__name__ for rule in RULES]
    assert get_account(conn, 1001).reserved == 0
    assert not check(conn)


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_nothing_is_left_behind(admit: Admit, conn: Connection, options: tuple[str, ...]) -> None:
    admit("--from", 1001, "--to", f"011{UK}", *options)
    admit("--from", 1001, "--to", "12", *options)
    for table in ("reservations", "cdrs"):
        assert conn.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_money_that_live_calls_hold_is_not_there(
    admit: Admit, conn: Connection, options: tuple[str, ...]
) -> None:
    all_but = Decimal("9.9990")
    hold_many(conn, [HoldRequest(1001, "a live call", all_but, all_but)])

    said = admit("--from", 1001, "--to", f"011{UK}", *options)
    assert (said["admitted"], said["rule"], said["reason"]) == (False, "funds", "no_funds")
    assert (said["sip_code"], said["balance"], said["available"]) == (402, "10.0000", "0.0010")
    assert said["dial_strings"] == []


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ({"max_calls": 1}, "too_many_calls"),
        ({"spend_per_day": Decimal("1.0010")}, "day_spend"),
        ({"spend_per_call": Decimal("0.0012")}, "call_spend"),
    ],
)
def test_caps_count_what_live_calls_hold(
    admit: Admit, conn: Connection, options: tuple[str, ...], limit: dict[str, Any], reason: str
) -> None:
    hold_many(conn, [HoldRequest(1001, "a live call", Decimal(1), Decimal(1))])
    change_limits(conn, 1001, lambda limits: replace(limits, **limit))

    said = admit("--from", 1001, "--to", f"011{UK}", *options)
    assert (said["admitted"], said["reason"]) == (False, reason)


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_a_limit_on_calls_counts_calls_out_only(
    admit: Admit, conn: Connection, options: tuple[str, ...]
) -> None:
    change_limits(conn, 1001, lambda limits: replace(limits, max_calls=1))
    came_in = HoldRequest(1001, "came in", Decimal(0), Decimal(0), known='{"product":"inbound"}')
    hold_many(conn, [came_in])
    assert admit("--from", 1001, "--to", f"011{UK}", *options)["admitted"]

    hold_many(conn, [HoldRequest(1001, "out", Decimal(0), Decimal(0))])
    assert admit("--from", 1001, "--to", f"011{UK}", *options)["reason"] == "too_many_calls"
    assert admit("--to", "15145550100", "--trunk", *options)["admitted"]


def test_the_rules_are_told_as_far_as_they_were_asked(told: Command, conn: Connection) -> None:
    suspend(conn, 1001, "unpaid", "test")
    shown = told("admit", "--from", 1001, "--to", f"011{UK}")

    assert shown.startswith("refused by account_state: account_suspended, SIP 403. The account is suspended")
    said = [line.split()[:3] for line in shown.splitlines()]
    assert ["ok", "payer", "There"] in said
    assert ["refuse", "account_state", "account_suspended"] in said
    assert ["–", "terms"] in said
    assert row_of(shown, "balance")[1:] == ["10.0000", "CAD"]
    assert "esl-agent account show" in shown


def test_an_emergency_call_goes_out_whoever_calls(admit: Admit, told: Command, conn: Connection) -> None:
    suspend(conn, 1001, "unpaid", "test")
    said = admit("--from", 1001, "--to", "911")
    assert (said["admitted"], said["rule"], said["held"], said["tags"]) == (
        True, "emergency", "0.0000", ["emergency"],
    )  # fmt: skip
    assert admit("--from", 4242, "--to", "911")["admitted"]
    assert "never refused, metered or cut" in told("admit", "--from", 1001, "--to", "911").splitlines()[0]


def test_a_caller_id_of_somebody_elses(admit: Admit) -> None:
    said = admit("--from", 1001, "--to", UK, "--caller", "15145550199")
    assert said["reason"] == "caller_id_not_owned"


def test_a_forwarded_call_is_its_dids_owners(admit: Admit) -> None:
    said = admit("--did", "15145550199", "--to", f"+{UK}", "--caller", "14165550111", "--trunk")
    assert (said["product"], said["account"], said["caller_id"]) == ("forwarding", 1002, "14165550111")
    assert said["first_charge"] == "0.0028"  # with the surcharge


def test_a_payphones_call_to_a_toll_free_did(admit: Admit, told: Command) -> None:
    asked = ("--to", "18005550100", "--trunk", "--oli", "27")
    said = admit(*asked)
    assert (said["product"], said["admitted"], said["tags"]) == ("inbound", True, ["payphone"])
    told(
        "number",
        "add",
        "18005550100",
        "--account",
        1001,
        "--kind",
        "toll_free",
        "--payphone-policy",
        "reject",
    )
    assert admit(*asked)["reason"] == "payphone_rejected"


def test_what_has_to_be_given(refused: Command) -> None:
    assert "Give --from" in refused("admit", "--to", UK, "--product", "termination")
    assert "Give --did" in refused("admit", "--to", UK, "--product", "forwarding")
    assert "--to" in refused("admit", "--from", 1001)
