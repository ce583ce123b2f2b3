"""What a running daemon tells Prometheus is what its books say, to the cent."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import gevent
import pytest

from esl_agent.core.admission.reasons import Reason
from esl_agent.lab.child import wait_until
from esl_agent.noc.metrics import METRICS
from esl_agent.simulator.plan import CallPlan, Kind, Outcome
from esl_agent.simulator.simulator import Simulator
from esl_agent.store.accounts import NewAccount, add_account, top_up
from esl_agent.store.numbers import OwnedNumber, add_number
from esl_agent.store.pool import Connection

from .conftest import PATIENCE_S
from .served import Scrape, Served, serve

__all__ = ["serve"]

POOR = 1003
POORS_NUMBER = "15145550177"
PLANS = (
    CallPlan(number="442079460000"),
    CallPlan(number="15145550147", talk_ms=900),
    CallPlan(number="12125550147", talk_ms=1_200),
    CallPlan(number="525512345678"),
    CallPlan(number="18005550199"),
    CallPlan(number="442079460000", carriers_refusing=1),
    CallPlan(number="12125550147", outcome=Outcome.BUSY),
    CallPlan(number="12125550147", outcome=Outcome.CANCELLED),
    CallPlan(number="911"),
    CallPlan(kind=Kind.FORWARDED, number="442079460000", did="15145550100", device="1001"),
    CallPlan(account="no such", number="442079460000"),
    CallPlan(number="19005550100"),
    CallPlan(number="88216000000"),
    CallPlan(number="442079460000", caller="12125550100"),
    CallPlan(number="", caller="15145550100"),
)
#: One that is forwarded asks twice.
QUESTIONS = 2 * (len(PLANS) + 1) + 1
#: His money is that of one increment.
TOO_LONG = CallPlan(account=str(POOR), caller=POORS_NUMBER, number="442079460000", talk_ms=60_000)
CUT_AFTER_S = 6


@pytest.fixture
def served(serve: Callable[..., Served], conn: Connection) -> Served:
    """Nothing but errors is written to its log: it is counted all the same."""
    add_account(conn, NewAccount(account_id=POOR, name="", plan="standard", by="test", terms_version="1"))
    top_up(conn, POOR, Decimal("0.0013"), "first")
    add_number(conn, OwnedNumber(POORS_NUMBER, POOR))
    served = serve()
    served.wait_for("/readyz", 200)
    return served


def test_after_many_calls_the_counters_say_what_the_books_say(served: Served, conn: Connection) -> None:
    for plan in PLANS * 2:
        _place(served.simulator, plan)
    _place(served.simulator, TOO_LONG)
    assert served.simulator.wait_quiet(3 * PATIENCE_S)
    scrape = _settled(served)

    assert scrape.by("esl_agent_rated_amount_total", "number_class", "currency") == _sums(
        conn, "number_class, currency, sum(total)", "WHERE total > 0 GROUP BY 1, 2"
    )
    assert scrape.by("esl_agent_billed_seconds_total", "number_class") == _sums(
        conn, "number_class, sum(billed_seconds)", "WHERE billed_seconds > 0 GROUP BY 1"
    )
    assert scrape.by("esl_agent_calls_refused_total", "reason") == _sums(
        conn, "refused, count(*)", "WHERE refused IS NOT NULL GROUP BY 1"
    )
    assert scrape.by("esl_agent_cdrs_total", "source") == _sums(conn, "source, count(*)", "GROUP BY 1")
    assert scrape.by("esl_agent_carrier_legs_total", "carrier", "answered") == _sums(
        conn,
        "coalesce(carrier, 'none'), CASE WHEN billed_seconds > 0 THEN 'yes' ELSE 'no' END, count(*)",
        "GROUP BY 1, 2",
    )
    assert scrape.value("esl_agent_calls_answered_total") == _one(
        conn, "SELECT count(*) FROM cdrs WHERE answered_at IS NOT NULL"
    )
    refused = _one(conn, "SELECT count(*) FROM cdrs WHERE refused IS NOT NULL")
    admitted = sum(
        value for (_, asked), value in scrape.by("esl_agent_calls_admitted_total", "product", "asked").items()
        if asked == "yes"
    )  # fmt: skip
    assert admitted + refused == QUESTIONS
    assert scrape.value("esl_agent_admission_seconds_count") == admitted + refused
    assert scrape.by("esl_agent_uncollected_amount_total", "currency") == {}
    assert scrape.value("esl_agent_calls_live") == 0


def test_a_call_that_is_cut_is_told_with_how_exactly_that_was(served: Served, conn: Connection) -> None:
    _place(served.simulator, TOO_LONG)
    assert served.simulator.wait_quiet(PATIENCE_S)
    scrape = _settled(served)
    [(talked_us,)] = conn.execute("SELECT duration_us FROM cdrs WHERE hangup_cause = 'ALLOTTED_TIMEOUT'")
    assert scrape.value("esl_agent_calls_cut_total") == 1
    assert scrape.value("esl_agent_cut_late_seconds_count") == 0
    assert scrape.value("esl_agent_cut_early_seconds_count") == 1
    assert scrape.value("esl_agent_cut_early_seconds_sum") == pytest.approx(CUT_AFTER_S - talked_us / 1e6)


def test_every_metric_of_the_catalogue_is_told_with_its_labels_and_no_other(served: Served) -> None:
    for plan in PLANS:
        _place(served.simulator, plan)
    assert served.simulator.wait_quiet(2 * PATIENCE_S)
    scrape = _settled(served)
    own = {name: family for name, family in scrape.families.items() if name.startswith("esl_agent_")}
    assert own.keys() == {name.removesuffix("_total") for name in METRICS}
    for name, metric in METRICS.items():
        family = own[name.removesuffix("_total")]
        assert (family.type, family.documentation) == (metric.kind, metric.meaning)
        for sample in family.samples:
            assert sample.labels.keys() - {"le"} == set(metric.labels)
    assert {
        "process_cpu_seconds",
        "process_open_fds",
        "process_resident_memory_bytes",
    } <= scrape.families.keys()


def test_a_reason_that_never_came_is_there_with_0(served: Served) -> None:
    samples = served.scrape().samples["esl_agent_calls_refused_total"]
    assert samples == {(("reason", reason),): 0.0 for reason in Reason}


def _place(simulator: Simulator, plan: CallPlan) -> None:
    simulator.place_call(plan)
    gevent.sleep(0)


def _settled(served: Served) -> Scrape:
    """A picture with nothing left to be written."""

    def is_settled() -> bool:
        scrape = served.scrape()
        return scrape.value("esl_agent_journal_waiting_records") == 0 == scrape.value("esl_agent_calls_live")

    wait_until(is_settled, "everything is settled", PATIENCE_S)
    return served.scrape()


def _sums(conn: Connection, columns: str, rest: str) -> dict[Any, float]:
    rows = conn.execute(f"SELECT {columns} FROM cdrs {rest}").fetchall()
    return {row[0] if len(row) == 2 else row[:-1]: float(row[-1]) for row in rows}


def _one(conn: Connection, query: str) -> int:
    row: Any = conn.execute(query).fetchone()
    return int(row[0])
