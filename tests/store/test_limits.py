"""An account's limits come back as they were set; without any there are none."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from fixtures.records import an_account

from esl_agent.core.admission.limits import NO_LIMITS, CallerIdPolicy, Limits, TollFree
from esl_agent.core.numbering import NumberClass
from esl_agent.store.accounts import AccountError, close
from esl_agent.store.limits import BLOCKED_PREFIXES_MAX, LimitsError, change_limits, find_limits, get_limits
from esl_agent.store.numbers import NumberKind, OwnedNumber, add_number
from esl_agent.store.pool import Connection

PAYER = 1001
CALLER = "15145550123"

EVERYTHING = Limits(
    max_calls=0,
    calls_per_second=3,
    spend_per_day=Decimal("25.0000"),
    spend_per_call=Decimal("0.0000"),
    blocked_classes=frozenset({NumberClass.PREMIUM, NumberClass.MEXICO}),
    blocked_countries=frozenset({"JM", "CU"}),
    blocked_prefixes=("1876", "4470"),
    default_caller_id=CALLER,
    caller_id_policy=CallerIdPolicy.REPLACE,
    toll_free=TollFree.RATED,
)


def test_every_limit_comes_back(conn: Connection) -> None:
    an_account(conn, PAYER, "0")
    an_account(conn, 1002, "0")
    add_number(conn, OwnedNumber(CALLER, PAYER, NumberKind.VERIFIED))

    assert change_limits(conn, PAYER, lambda none: EVERYTHING) == EVERYTHING

    assert get_limits(conn, PAYER) == EVERYTHING
    assert get_limits(conn, 1002) == NO_LIMITS
    assert find_limits(conn, [PAYER, 1002, 9999]) == {PAYER: EVERYTHING}


def test_one_limit_is_changed_and_the_others_stay(conn: Connection) -> None:
    an_account(conn, PAYER, "0")
    change_limits(conn, PAYER, lambda none: Limits(max_calls=2, blocked_countries=frozenset({"CU"})))

    change_limits(conn, PAYER, lambda before: replace(before, max_calls=None))

    assert get_limits(conn, PAYER) == Limits(blocked_countries=frozenset({"CU"}))


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (Limits(max_calls=-1), "calls at a time: -1"),
        (Limits(calls_per_second=0), "calls per second: 0"),
        (Limits(spend_per_day=Decimal("-0.0001")), "zero or more"),
        (Limits(spend_per_call=Decimal("-1")), "zero or more"),
        (Limits(blocked_classes=frozenset({NumberClass.EMERGENCY})), "emergency always pass"),
        (Limits(blocked_classes=frozenset({NumberClass.CRISIS})), "crisis always pass"),
        (Limits(blocked_countries=frozenset({"Jamaica"})), "country 'Jamaica'"),
        (Limits(blocked_prefixes=("+1876",)), r"prefix '\+1876'"),
        (Limits(blocked_prefixes=("1",) * (BLOCKED_PREFIXES_MAX + 1)), "1001 prefixes"),
        (Limits(default_caller_id=CALLER), "is not a number of account 1001"),
    ],
)
def test_limits_that_cannot_be(conn: Connection, wrong: Limits, text: str) -> None:
    an_account(conn, PAYER, "0")
    an_account(conn, 1002, "0")
    add_number(conn, OwnedNumber(CALLER, 1002))

    with pytest.raises(LimitsError, match=text):
        change_limits(conn, PAYER, lambda none: wrong)
    assert get_limits(conn, PAYER) == NO_LIMITS


def test_limits_are_of_accounts_that_are_open(conn: Connection) -> None:
    an_account(conn, PAYER, "0")
    close(conn, PAYER, "left", "test")

    for account_id, text in ((PAYER, "for good"), (9999, "no account 9999")):
        with pytest.raises(AccountError, match=text):
            change_limits(conn, account_id, lambda none: EVERYTHING)
