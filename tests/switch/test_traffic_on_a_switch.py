"""Restrictions on a real switch: a dialer stopped while it dials, toll-free calls off that come back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from agent_process import AgentProcess
from books import Books
from conftest import Calls
from people import ALICE, LONDON, OWNER, POOR, TO_DEVICE, TOLL_FREE, TORONTO, VICTIM

from esl_agent.agent.clock import wall_us
from esl_agent.agent.traffic.rules import SHIPPED
from esl_agent.core.traffic.restriction import US_PER_S, Restriction
from esl_agent.core.traffic.verdict import Action
from esl_agent.files import config_dir
from esl_agent.lab.child import wait_until
from esl_agent.lab.freeswitch import PrivateSwitch
from esl_agent.lab.network import Phone
from esl_agent.store.pool import connected
from esl_agent.store.restrictions import clear, list_restrictions, restrict

pytestmark = pytest.mark.switch

PATIENCE_S = 20.0
TO_LONDON = f"011{LONDON}"
#: One number after the other, as SIPp counts its calls.
ONE_BY_ONE = "0114420794600[call_number]"

#: The rules as shipped, but that the toll-free option comes back soon.
SOON = 'lift_below = "24h"', 'expires = "1m"'

Restrict = Callable[..., int]


@pytest.fixture(scope="module")
def agent(
    switch: PrivateSwitch, books_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AgentProcess]:
    folder = tmp_path_factory.mktemp("agent")
    rules = folder / "rules.toml"
    shipped = (config_dir() / SHIPPED).read_text(encoding="utf-8")
    rules.write_text(shipped.replace(*SOON), encoding="utf-8")
    process = AgentProcess(switch, books_url, folder, more=f'[traffic]\nrules_file = "{rules}"\n')
    process.start()
    wait_until(lambda: bool(process.lines("NOTICES_HEARD")), "it hears of changes", PATIENCE_S)
    wait_until(lambda: bool(process.lines("TRAFFIC_COUNTED")), "it has counted", PATIENCE_S)
    yield process
    process.stop()


@pytest.fixture
def by_hand(books_url: str, agent: AgentProcess) -> Iterator[Restrict]:
    """Restricts a customer as `esl-agent traffic restrict` does; afterwards nobody is restricted."""

    def make(phone: Phone, action: Action, lasts_s: int | None = None, **more: object) -> int:
        now_us = wall_us()
        new = Restriction(
            account_id=int(phone.account), rule="by_hand", action=action, since_us=now_us, made_by="noc",
            until_us=None if lasts_s is None else now_us + lasts_s * US_PER_S, reason="a test", **more,  # type: ignore[arg-type]
        )  # fmt: skip
        with connected(books_url) as conn:
            kept = restrict(conn, new)
        assert kept is not None
        number = kept.restriction.restriction or 0
        wait_until(
            lambda: bool(agent.lines(f"TRAFFIC_RESTRICTED restriction={number} ")), "heard", PATIENCE_S
        )
        return number

    yield make
    with connected(books_url) as conn:
        for kept in list_restrictions(conn):
            clear(conn, kept.restriction.restriction or 0, "the test is over", "noc")


def test_a_dialer_is_suspended_while_it_dials_and_its_next_call_refused_with_the_reason(
    calls: Calls, books: Books, agent: AgentProcess, books_url: str
) -> None:
    calls.alpha("answer", ring_ms=20)
    dialer = calls.dial(ALICE, ONE_BY_ONE, at_once=100, a_second=10, talk_ms=200)
    wait_until(lambda: bool(agent.lines("TRAFFIC_RESTRICTED")), "the verdict", PATIENCE_S)
    [verdict] = agent.lines("TRAFFIC_RESTRICTED")
    assert "action=suspend_outbound rule=dialer-sequence" in verdict
    answered = len(agent.lines(" CALL_ANSWERED "))
    wait_until(lambda: len(agent.lines(" CALL_REFUSED ")) >= 3, "it dials on and is refused", PATIENCE_S)
    dialer.stop()
    calls.dial(ALICE, TO_LONDON, "refused", status=403).finish()

    assert len(agent.lines(" CALL_ANSWERED ")) <= answered + 1, "one may have been on its way"
    refused = agent.lines(" CALL_REFUSED ")
    assert all("reason=outbound_suspended" in line and "rule dialer-sequence" in line for line in refused)
    wait_until(lambda: any(row.refused for row in books.new()), "a refused CDR", PATIENCE_S)
    rows = [row for row in books.new() if row.refused]
    assert {(row.refused, row.rule, row.sip_code) for row in rows} == {("outbound_suspended", "traffic", 403)}
    calls.dial(ALICE, "911", talk_ms=100).finish()
    calls.dial(VICTIM, TO_LONDON, talk_ms=100).finish()

    with connected(books_url) as conn:
        [kept] = list_restrictions(conn)
        assert [figure.measure for figure in kept.figures] == ["sequential_run"]
        assert len(kept.calls) >= 10
        clear(conn, kept.restriction.restriction or 0, "a mistake", "noc")
    wait_until(lambda: bool(agent.lines("TRAFFIC_CLEARED")), "it is cleared", PATIENCE_S)
    calls.dial(ALICE, TO_LONDON, talk_ms=100).finish()


def test_live_calls_end_where_that_is_wanted_and_one_for_help_stays_up(
    calls: Calls, books: Books, by_hand: Restrict
) -> None:
    calls.alpha("answer", ring_ms=20)
    talks = calls.dial(ALICE, TO_LONDON, "stay")
    calls.bridged(1)
    for_help = calls.dial(ALICE, "911", "stay")
    calls.bridged(2)
    by_hand(ALICE, Action.SUSPEND_ACCOUNT, ends_calls=True)
    talks.finish()
    [cdr] = [row for row in books.cdrs(1) if row.number == LONDON]
    assert (cdr.hangup_cause, cdr.ended_by) == ("MANAGER_REQUEST", "agent")
    wait_until(lambda: calls.command("show channels count").strip() == "2 total.", "one is up", PATIENCE_S)
    calls.hang_up_all()
    for_help.finish()


def test_a_call_that_is_up_finishes_where_it_is_not(calls: Calls, books: Books, by_hand: Restrict) -> None:
    calls.alpha("answer", ring_ms=20)
    talks = calls.dial(ALICE, TO_LONDON, talk_ms=2_000)
    calls.bridged(1)
    by_hand(ALICE, Action.SUSPEND_ACCOUNT)
    talks.finish()
    [cdr] = books.cdrs(1)
    assert (cdr.hangup_cause, cdr.duration_us >= 1_900_000) == ("NORMAL_CLEARING", True)


def test_a_suspended_did_takes_no_calls(calls: Calls, books: Books, by_hand: Restrict) -> None:
    by_hand(OWNER, Action.SUSPEND_DID, did=TO_DEVICE.number)
    calls.bring(TO_DEVICE.number, "trunk_refused", status=403).finish()
    [cdr] = books.cdrs(1)
    assert (cdr.account_id, cdr.refused) == (int(OWNER.account), "did_suspended")


def test_the_toll_free_option_goes_off_at_its_share_the_other_calls_go_on_and_it_comes_back(
    calls: Calls, books: Books, agent: AgentProcess, books_url: str
) -> None:
    calls.alpha("answer", ring_ms=20)
    calls.dial(POOR, TORONTO, at_once=10, a_second=10, talk_ms=100).finish()
    calls.dial(POOR, TOLL_FREE, at_once=10, a_second=10, talk_ms=100).finish()
    books.cdrs(20)
    calls.dial(POOR, TOLL_FREE, talk_ms=100).finish()
    off = "action=toll_free_off rule=toll-free-off"
    wait_until(lambda: any(off in line for line in agent.lines("TRAFFIC_RESTRICTED")), "off", PATIENCE_S)
    with connected(books_url) as conn:
        kept, warning = list_restrictions(conn, account_id=int(POOR.account), is_all=True)
    assert warning.restriction.rule == "toll-free-warning"
    assert [(figure.sample, figure.value[:4]) for figure in kept.figures] == [(21, "0.52")]  # 11 of 21

    calls.dial(POOR, TOLL_FREE, "refused", status=403).finish()
    calls.dial(POOR, TORONTO, talk_ms=100).finish()
    refused, paid = books.cdrs(23)[-2:]
    assert (refused.refused, refused.rule) == ("toll_free_off", "toll_free_option")
    assert paid.charged > 0
    over_us = kept.restriction.until_us or 0
    wait_until(lambda: wall_us() > over_us, "its time is over", 60 + PATIENCE_S)
    calls.dial(POOR, TOLL_FREE, talk_ms=100).finish()
    free = books.cdrs(24)[-1]
    assert (free.number, free.refused, free.charged) == (TOLL_FREE, None, 0)
