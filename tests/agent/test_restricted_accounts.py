"""A verdict on traffic reaches calls: the next one is refused, live ones end or finish, help is let out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal

import pytest
from fixtures.verdicts import a_verdict

from esl_agent.agent.clock import wall_us
from esl_agent.agent.daemon import Daemon
from esl_agent.agent.traffic.enforcer import Enforcer
from esl_agent.core.leg import Product
from esl_agent.core.traffic.restriction import Restriction
from esl_agent.core.traffic.verdict import Action, Verdict
from esl_agent.lab.child import wait_until
from esl_agent.lab.ports import LOOPBACK, free_port
from esl_agent.simulator.plan import Kind
from esl_agent.simulator.simulator import Simulator
from esl_agent.store.accounts import get_account
from esl_agent.store.limits import change_limits
from esl_agent.store.pool import Connection
from esl_agent.store.restrictions import clear, find_open, list_restrictions, restrict

from .conftest import PATIENCE_S, Journal
from .exchange import UK, Exchange, put_carriers
from .twins import a_switch

DID = "15145550100"
FREE_NUMBER = "18005550123"
#: Nothing is read again by itself while a test lasts.
SLOW: dict[str, object] = {"drain_s": 1, "account_cache_s": 3_600}
Start = Callable[..., Exchange]


@pytest.fixture
def start(
    conn: Connection, customers: None, start_daemon: Callable[..., Daemon], journal: Journal
) -> Iterator[Start]:
    """Starts a switch that asks, and its daemon, with these settings."""
    put_carriers(conn)
    switches: list[Simulator] = []

    def begin(admission: dict[str, object] | None = None, **sections: dict[str, object]) -> Exchange:
        port = free_port()
        switches.append(a_switch(admission=f"{LOOPBACK}:{port}"))
        heard = len(journal.of("NOTICES_HEARD"))
        asks: dict[str, object] = {"outbound_port": port, **(admission or {})}
        sections = {"limits": SLOW} | sections | {"traffic": {"watch": False} | sections.get("traffic", {})}
        daemon = start_daemon(switches[-1].port, admission=asks, **sections)
        journal.wait_for("NOTICES_HEARD", heard + 1)
        return Exchange(switches[-1], daemon, journal, conn)

    yield begin
    for switch in switches:
        switch.stop()


@pytest.fixture
def exchange(start: Start) -> Exchange:
    return start()


def verdict(action: Action = Action.SUSPEND_OUTBOUND, **changes: object) -> Verdict:
    """As rules give them now."""
    return a_verdict(action=action, at_us=wall_us(), **changes)


def enforced(exchange: Exchange, given: Verdict) -> Restriction:
    """As it is written."""
    exchange.daemon.parts.traffic.enforcer.enforce(given)
    wait_until(lambda: len(list_restrictions(exchange.conn)) > 0, "it is written", PATIENCE_S)
    return list_restrictions(exchange.conn)[0].restriction


def to_did(**plan: object) -> dict[str, object]:
    """A call that comes in to account 1001."""
    return {"kind": Kind.INBOUND, "product": Product.INBOUND, "account": "1001", "did": DID, "number": DID,
            "caller": "14165550111"} | plan  # fmt: skip


def refusals(exchange: Exchange) -> list[object]:
    return [line["reason"] for line in exchange.journal.of("CALL_REFUSED")]


def is_let_through(exchange: Exchange, **plan: object) -> bool:
    def said() -> tuple[int, int]:
        return len(exchange.journal.of("CALL_ANSWERED")), len(exchange.journal.of("CALL_REFUSED"))

    before = said()
    exchange.call(talk_ms=50, **plan)
    wait_until(lambda: said() != before, "it is decided", PATIENCE_S)
    return said()[0] > before[0]


def test_the_next_call_is_refused_with_the_reason_and_what_is_not_suspended_goes_on(
    exchange: Exchange, conn: Connection
) -> None:
    exchange.call()
    exchange.daemon.parts.traffic.enforcer.enforce(verdict())
    exchange.call()  # whether it is written by now or not
    (line,) = exchange.journal.of("CALL_REFUSED")
    assert (line["reason"], line["rule"]) == ("outbound_suspended", "traffic")
    assert str(line["detail"]).startswith("rule dialer")
    exchange.call(account="1002", caller="15145550199")
    exchange.call(**to_did())
    exchange.call(number="911")
    assert refusals(exchange) == ["outbound_suspended"]
    went_out = {(row.account_id, row.number) for row in exchange.cdrs(5) if row.refused is None}
    assert {(1002, UK), (1001, DID), (1001, "911")} <= went_out
    (told,) = exchange.journal.wait_for("TRAFFIC_RESTRICTED")
    [kept] = list_restrictions(conn)
    assert (told["restriction"], told["rule"], told["action"]) == (
        kept.restriction.restriction, "dialer", "suspend_outbound",
    )  # fmt: skip
    assert told["figures"] == "short_share/24h:0.1523(0.15)"
    assert kept.figures == a_verdict().figures


def test_a_refused_call_has_a_cdr_with_the_reason_and_a_sip_answer(exchange: Exchange) -> None:
    enforced(exchange, verdict(Action.SUSPEND_ACCOUNT))
    exchange.call()
    (row,) = exchange.cdrs(1)
    assert (row.refused, row.rule, row.sip_code, row.charged) == ("traffic_suspended", "traffic", 403, 0)
    exchange.call(**to_did())
    exchange.journal.wait_for("CALL_REFUSED", 2)
    assert refusals(exchange) == ["traffic_suspended"] * 2
    assert exchange.nothing_is_reserved()


def test_a_suspended_did_takes_no_call_forwards_none_and_is_shown_by_none(exchange: Exchange) -> None:
    enforced(exchange, verdict(Action.SUSPEND_DID, did=DID))
    exchange.call(**to_did())
    exchange.call(kind=Kind.FORWARDED, number=UK, did=DID, caller="14165550111", account="1001")
    exchange.call(caller=DID)
    exchange.journal.wait_for("CALL_REFUSED", 3)
    assert set(refusals(exchange)) == {"did_suspended"}
    exchange.call(**to_did(did="18005550100", number="18005550100"))
    assert is_let_through(exchange, caller="18005550100")
    assert len(refusals(exchange)) == 3


def test_live_calls_end_where_the_verdict_says_so_but_those_for_help(exchange: Exchange) -> None:
    out, others, in_ = (
        exchange.place(talk_ms=60_000),
        exchange.place(talk_ms=60_000, account="1002", caller="15145550199"),
        exchange.place(**to_did(talk_ms=60_000)),
    )
    for_help = [exchange.place(number=number, talk_ms=60_000) for number in ("911", "988")]
    exchange.journal.wait_for("CALL_ANSWERED", 5)
    exchange.daemon.parts.traffic.enforcer.enforce(verdict(ends_calls=True))
    assert out.wait_ended(PATIENCE_S)
    exchange.daemon.parts.traffic.enforcer.enforce(verdict(Action.SUSPEND_ACCOUNT, ends_calls=True))
    assert in_.wait_ended(PATIENCE_S)
    ended = [(line["to"], line["reason"]) for line in exchange.journal.of("CALL_ENDED")]
    assert ended == [(UK, "outbound_suspended"), (DID, "traffic_suspended")]
    exchange.journal.wait_for("TRAFFIC_RESTRICTED", 2)
    assert not any(call.wait_ended(0) for call in (others, *for_help))
    exchange.simulator.core.api("hupall", "NORMAL_CLEARING")


def test_live_calls_finish_where_it_does_not_with_all_the_money_they_need(
    start: Start, conn: Connection
) -> None:
    exchange = start(budget={"grant_s": 6, "rich_grants": 0})
    handle = exchange.place(talk_ms=60_000)
    exchange.journal.wait_for("CALL_ANSWERED")
    enforced(exchange, verdict(Action.SUSPEND_ACCOUNT))
    exchange.journal.wait_for("CALL_EXTENDED", 2)
    exchange.simulator.core.api("hupall", "NORMAL_CLEARING")
    assert handle.wait_ended(PATIENCE_S)
    assert not exchange.journal.of("CALL_ENDED")
    (row,) = exchange.cdrs(1)
    assert row.hangup_cause == "NORMAL_CLEARING"


def test_no_live_call_ends_where_the_operator_lets_them_finish(start: Start) -> None:
    exchange = start({"suspended_calls": "finish"})
    handle = exchange.place(talk_ms=60_000)
    exchange.journal.wait_for("CALL_ANSWERED")
    enforced(exchange, verdict(ends_calls=True))
    exchange.call()
    assert refusals(exchange) == ["outbound_suspended"]
    assert not handle.wait_ended(0)
    exchange.simulator.core.api("hupall", "NORMAL_CLEARING")


def test_a_call_that_rings_ends_too_and_so_does_one_that_was_just_let_out(exchange: Exchange) -> None:
    ringing = exchange.place(ring_ms=60_000)
    exchange.journal.wait_for("CALL_ADMITTED")
    exchange.daemon.parts.traffic.enforcer.enforce(verdict(ends_calls=True))
    assert ringing.wait_ended(PATIENCE_S)
    wait_until(exchange.nothing_is_reserved, "nothing is reserved", PATIENCE_S)


def test_a_restriction_ends_by_itself_without_a_word(exchange: Exchange, conn: Connection) -> None:
    enforced(exchange, verdict(expires_after_s=2))
    exchange.call()
    assert refusals(exchange) == ["outbound_suspended"]
    wait_until(lambda: is_let_through(exchange), "a call is let through", PATIENCE_S)
    assert find_open(conn, [1001]) == {}
    assert list_restrictions(conn, is_all=True)[0].cleared_at is None


def test_an_operator_restricts_and_clears_and_the_next_call_feels_it(
    exchange: Exchange, conn: Connection
) -> None:
    assert is_let_through(exchange)
    by_hand = Restriction(
        account_id=1001, rule="by_hand", action=Action.SUSPEND_OUTBOUND, since_us=wall_us(), made_by="noc",
        reason="calls Cuba",
    )  # fmt: skip
    kept = restrict(conn, by_hand)
    assert kept is not None
    (told,) = exchange.journal.wait_for("TRAFFIC_RESTRICTED")
    assert (told["by"], told["rule"], told["reason"]) == ("noc", None, "calls Cuba")
    exchange.call()
    assert refusals(exchange) == ["outbound_suspended"]
    clear(conn, kept.restriction.restriction or 0, "asked", "boss")
    (told,) = exchange.journal.wait_for("TRAFFIC_CLEARED")
    assert (told["account"], told["by"], told["reason"]) == (1001, "boss", "asked")
    assert is_let_through(exchange)


def test_what_is_in_the_database_holds_after_a_start(start: Start, conn: Connection) -> None:
    restrict(conn, Restriction(account_id=1001, rule="dialer", action=Action.SUSPEND_ACCOUNT, since_us=0))
    exchange = start()
    exchange.call()
    assert refusals(exchange) == ["traffic_suspended"]


def test_toll_free_calls_are_refused_the_others_go_on_and_the_option_comes_back(
    exchange: Exchange, conn: Connection
) -> None:
    made = enforced(exchange, verdict(Action.TOLL_FREE_OFF, rule="toll_free_share", expires_after_s=2))
    exchange.call(number=FREE_NUMBER)
    (line,) = exchange.journal.of("CALL_REFUSED")
    assert line["reason"] == "toll_free_off"
    assert str(line["detail"]).startswith(f"rule toll_free_share, restriction {made.restriction}, until 2")
    assert is_let_through(exchange)
    wait_until(lambda: is_let_through(exchange, number=FREE_NUMBER), "a call is let through", PATIENCE_S)
    assert {row.charged for row in exchange.cdrs(3) if row.number == FREE_NUMBER} == {0}


def test_toll_free_calls_are_rated_where_the_operator_prefers_that(start: Start) -> None:
    exchange = start(traffic={"toll_free_when_off": "rate"})
    enforced(exchange, verdict(Action.TOLL_FREE_OFF))
    exchange.call(number=FREE_NUMBER)
    (row,) = exchange.cdrs(1)
    assert (row.refused, row.charged) == (None, Decimal("0.0010"))


def test_a_throttle_counts_exactly_however_many_calls_come_at_once(
    exchange: Exchange, conn: Connection
) -> None:
    change_limits(conn, 1001, lambda limits: replace(limits, max_calls=10))
    made = enforced(exchange, verdict(Action.THROTTLE, max_calls=2))
    handles = [exchange.place(talk_ms=400) for _ in range(5)]
    assert all(handle.wait_ended(PATIENCE_S) for handle in handles)
    assert refusals(exchange) == ["too_many_calls"] * 3
    for line in exchange.journal.of("CALL_REFUSED"):
        assert f"rule dialer, restriction {made.restriction}" in str(line["detail"])


def test_a_throttle_refuses_no_call_that_comes_in(exchange: Exchange, conn: Connection) -> None:
    enforced(exchange, verdict(Action.THROTTLE, max_calls=1))
    out = exchange.place(talk_ms=1_000)
    wait_until(lambda: get_account(conn, 1001).calls_up == 1, "a call is up", PATIENCE_S)
    exchange.call(
        kind=Kind.INBOUND, product=Product.INBOUND, account="1001", number=DID, did=DID, caller="14165550111"
    )
    assert out.wait_ended(PATIENCE_S)
    rows = exchange.cdrs(2)
    assert sorted((row.product, row.refused) for row in rows) == [("inbound", None), ("termination", None)]
    assert exchange.nothing_is_reserved()


def test_a_throttle_slows_calls_down(exchange: Exchange) -> None:
    enforced(exchange, verdict(Action.THROTTLE, calls_per_second=1))
    handles = [exchange.place(talk_ms=100) for _ in range(3)]
    assert all(handle.wait_ended(PATIENCE_S) for handle in handles)
    assert set(refusals(exchange)) == {"too_fast"}


def test_the_same_verdict_again_is_neither_written_nor_told_twice(
    exchange: Exchange, conn: Connection
) -> None:
    for _ in range(3):
        exchange.daemon.parts.traffic.enforcer.enforce(verdict())
    exchange.journal.wait_for("TRAFFIC_RESTRICTED")
    exchange.daemon.parts.traffic.enforcer.enforce(verdict())
    exchange.daemon.parts.traffic.enforcer.enforce(verdict(Action.ALERT))
    exchange.journal.wait_for("TRAFFIC_ALERT")
    assert len(exchange.journal.of("TRAFFIC_RESTRICTED")) == 1
    assert len(list_restrictions(conn, is_all=True)) == 2


def test_two_daemons_of_one_database_come_to_one_restriction_that_both_go_by(
    start: Start, conn: Connection
) -> None:
    montreal, quebec = start(), start()
    for exchange in (montreal, quebec):
        exchange.daemon.parts.traffic.enforcer.enforce(verdict())
    montreal.journal.wait_for("TRAFFIC_RESTRICTED")
    enforced(montreal, verdict(rule="spend"))
    montreal.journal.wait_for("TRAFFIC_RESTRICTED", 2)
    assert len(list_restrictions(conn)) == 2
    for exchange in (montreal, quebec):
        exchange.call()
    assert refusals(montreal) == ["outbound_suspended"] * 2


def test_what_one_daemon_restricts_the_other_refuses(start: Start) -> None:
    montreal, quebec = start(), start()
    assert is_let_through(quebec)
    enforced(montreal, verdict(Action.SUSPEND_ACCOUNT))
    wait_until(lambda: not is_let_through(quebec), "a call is refused", PATIENCE_S)
    assert set(refusals(quebec)) == {"traffic_suspended"}


def test_an_alert_restricts_nothing(exchange: Exchange, conn: Connection) -> None:
    exchange.daemon.parts.traffic.enforcer.enforce(verdict(Action.ALERT, ends_calls=True))
    exchange.journal.wait_for("TRAFFIC_ALERT")
    assert is_let_through(exchange)
    assert not refusals(exchange)
    assert [kept.restriction.action for kept in list_restrictions(conn)] == ["alert"]


def test_a_verdict_that_postgres_refuses_is_told_and_does_not_hold(
    exchange: Exchange, conn: Connection
) -> None:
    conn.execute("ALTER TABLE restrictions ADD CONSTRAINT none_at_all CHECK (rule <> 'dialer')")
    exchange.daemon.parts.traffic.enforcer.enforce(verdict())
    (told,) = exchange.journal.wait_for("TRAFFIC_RESTRICTED")
    assert told["stored"] == "refused"
    assert [line["statement"] for line in exchange.journal.of("DB_REFUSED")] == ["restrictions"]
    assert is_let_through(exchange)


def test_a_live_toll_free_call_that_may_go_on_rated_is_not_ended(start: Start) -> None:
    exchange = start(traffic={"toll_free_when_off": "rate"})
    handle = exchange.place(number=FREE_NUMBER, talk_ms=60_000)
    exchange.journal.wait_for("CALL_ANSWERED")
    enforced(exchange, verdict(Action.TOLL_FREE_OFF, ends_calls=True))
    assert not handle.wait_ended(0)
    assert not exchange.journal.of("CALL_ENDED")
    exchange.simulator.core.api("hupall", "NORMAL_CLEARING")


def test_a_daemon_that_may_not_act_restricts_nobody(exchange: Exchange, conn: Connection) -> None:
    exchange.daemon.parts.traffic.enforcer._may_act = lambda: False  # as a twin in standby
    exchange.daemon.parts.traffic.enforcer.enforce(verdict())
    assert is_let_through(exchange)
    assert list_restrictions(conn, is_all=True) == []


def test_only_so_many_verdicts_wait_and_it_is_said(exchange: Exchange, journal: Journal) -> None:
    config, book, desk = exchange.daemon._config, exchange.daemon.parts.book, exchange.daemon.desk
    enforcer = Enforcer(
        config, book=book, desk=desk, database=exchange.daemon.parts.database, now_us=wall_us,
        may_act=lambda: True, log=journal, verdicts_max=2,
    )  # fmt: skip
    for rule in ("a", "b", "c"):
        enforcer.enforce(verdict(rule=rule))
    assert journal.of("QUEUE_FULL") == [{"queue": "traffic verdicts", "limit": 2}]


def test_a_verdict_on_nobody_is_passed_over(exchange: Exchange, conn: Connection) -> None:
    exchange.daemon.parts.traffic.enforcer.enforce(verdict(account_id=4242))
    enforced(exchange, verdict())
    assert len(list_restrictions(conn)) == 1
    assert len(exchange.journal.wait_for("TRAFFIC_RESTRICTED")) == 1
