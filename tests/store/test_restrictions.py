"""Restrictions in the database: one of each kind at a time, over when their time is, felt by every hold."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from fixtures.records import S, an_account
from fixtures.verdicts import PAYER, a_restriction, a_verdict

from esl_agent.agent.clock import wall_us
from esl_agent.core.admission.limits import Limits
from esl_agent.core.money import amount
from esl_agent.core.traffic.restriction import restriction_of
from esl_agent.core.traffic.verdict import Action
from esl_agent.store.accounts import AccountError
from esl_agent.store.holds import HoldRequest, Outcome, hold_many
from esl_agent.store.limits import change_limits
from esl_agent.store.pool import Connection, connected
from esl_agent.store.release import release_many
from esl_agent.store.restrictions import (
    RestrictionError,
    clear,
    find_open,
    get_restriction,
    list_restrictions,
    restrict,
)


@pytest.fixture(autouse=True)
def payer(conn: Connection) -> None:
    an_account(conn, PAYER, "5")


def test_what_is_written_is_read_again_with_its_evidence(conn: Connection) -> None:
    verdict = a_verdict(did="15145550100", max_calls=2, calls_per_second=1, ends_calls=True)
    made = restriction_of(verdict)
    kept = restrict(conn, made, verdict.figures, verdict.calls)
    assert kept is not None
    number = kept.restriction.restriction
    assert number is not None
    assert kept.restriction == replace(made, restriction=number)
    assert (kept.figures, kept.calls) == (verdict.figures, verdict.calls)
    assert get_restriction(conn, number) == kept


def test_a_second_one_of_the_same_did_rule_and_action_changes_nothing_while_the_first_is_open(
    conn: Connection,
) -> None:
    first = restrict(conn, a_restriction())
    assert first is not None
    assert restrict(conn, a_restriction(ends_calls=True, until_us=wall_us() + S)) is None
    assert list_restrictions(conn) == [first]
    others = (
        a_restriction(rule="spend"),
        a_restriction(Action.SUSPEND_ACCOUNT),
        a_restriction(did="15145550100"),
    )
    assert all(restrict(conn, each) for each in others)
    clear(conn, first.restriction.restriction or 0, "asked", "noc")
    assert restrict(conn, a_restriction(since_us=wall_us())) is not None


def test_what_was_cleared_is_not_made_again_by_a_verdict_of_before_that_is_written_late(
    conn: Connection,
) -> None:
    late, first = a_restriction(since_us=wall_us()), restrict(conn, a_restriction())
    assert first is not None
    clear(conn, first.restriction.restriction or 0, "a fund-raiser", "noc")

    assert restrict(conn, late) is None

    assert restrict(conn, replace(late, did="15145550100")) is not None
    assert restrict(conn, replace(late, action=Action.ALERT)) is not None
    own = restrict(conn, replace(late, made_by="noc"))
    assert own is not None, "an operator means what he says"
    clear(conn, own.restriction.restriction or 0, "enough", "noc")
    assert restrict(conn, a_restriction(since_us=wall_us())) is not None, "of calls that came after"


def test_of_many_at_once_one_is_written(conn: Connection, database_url: str) -> None:
    def write(_: int) -> bool:
        with connected(database_url) as daemon:
            return restrict(daemon, a_restriction()) is not None

    with ThreadPoolExecutor(8) as daemons:
        assert sorted(daemons.map(write, range(8))) == [False] * 7 + [True]


def test_one_that_is_over_is_no_longer_found_and_makes_room_for_the_next(conn: Connection) -> None:
    over = restrict(conn, a_restriction(until_us=wall_us() - S, since_us=wall_us() - 2 * S))
    assert over is not None
    assert find_open(conn, [PAYER]) == {}
    again = restrict(conn, a_restriction(until_us=wall_us() + 3_600 * S))
    assert again is not None
    assert find_open(conn, [PAYER, 1002]) == {PAYER: (again.restriction,)}
    assert list_restrictions(conn) == [again]
    assert list_restrictions(conn, is_all=True, account_id=PAYER) == [again, over]
    assert list_restrictions(conn, is_all=True, account_id=1002) == []


def test_what_is_cleared_says_by_whom_and_why_and_is_cleared_once(conn: Connection) -> None:
    kept = restrict(conn, a_restriction())
    assert kept is not None
    number = kept.restriction.restriction or 0
    cleared = clear(conn, number, "a campaign, agreed", "noc")
    assert (cleared.cleared_by, cleared.cleared_reason) == ("noc", "a campaign, agreed")
    with pytest.raises(RestrictionError, match=f"restriction {number} was cleared by noc at 2"):
        clear(conn, number, "again", "office")
    with pytest.raises(RestrictionError, match="there is no restriction 999"):
        clear(conn, 999, "x", "noc")
    over = restrict(conn, a_restriction(rule="spend", until_us=wall_us() - S))
    assert over is not None
    with pytest.raises(RestrictionError, match="was over by itself at 2"):
        clear(conn, over.restriction.restriction or 0, "x", "noc")


def test_there_is_none_of_an_account_that_is_not_there(conn: Connection) -> None:
    with pytest.raises(AccountError):
        restrict(conn, a_restriction(account_id=4242))


def outcomes(conn: Connection, *legs: str) -> list[Outcome]:
    asked = [HoldRequest(PAYER, leg, amount("0.1"), amount("0.1")) for leg in legs]
    return [result.outcome for result in hold_many(conn, asked)]


def test_a_throttle_counts_in_the_statement_that_holds_money(conn: Connection) -> None:
    HELD, TOO_MANY = Outcome.HELD, Outcome.TOO_MANY_CALLS
    change_limits(conn, PAYER, lambda _: Limits(max_calls=4))
    kept = restrict(conn, a_restriction(Action.THROTTLE, max_calls=2))
    assert kept is not None
    assert outcomes(conn, "a", "b", "c") == [HELD, HELD, TOO_MANY]
    assert outcomes(conn, "a", "b") == [HELD, HELD], "a call that is up may go on"
    release_many(conn, [(PAYER, "a")])
    assert outcomes(conn, "d", "e") == [HELD, TOO_MANY]
    clear(conn, kept.restriction.restriction or 0, "asked", "noc")
    assert outcomes(conn, "f", "g", "h") == [HELD, HELD, TOO_MANY], "the account's own limit again"


def test_a_throttle_that_is_over_or_another_accounts_counts_no_more(conn: Connection) -> None:
    an_account(conn, 1002, "5")
    restrict(conn, a_restriction(Action.THROTTLE, max_calls=0, until_us=wall_us() - S))
    restrict(conn, a_restriction(Action.THROTTLE, max_calls=0, account_id=1002))
    restrict(conn, a_restriction(Action.THROTTLE, calls_per_second=1, rule="pace"))
    assert outcomes(conn, "a", "b", "c") == [Outcome.HELD] * 3
