"""A simulated switch that asks before each call, and the daemon that answers."""

from __future__ import annotations

from esl_agent.agent.daemon import Daemon
from esl_agent.core.admission.carriers import Carrier
from esl_agent.core.admission.route_file import Route
from esl_agent.simulator.plan import CallPlan
from esl_agent.simulator.simulator import CallHandle, Simulator
from esl_agent.store.carriers import put_carrier
from esl_agent.store.cdrs import CdrFilter, CdrRow, iterate_cdrs
from esl_agent.store.ledger import check
from esl_agent.store.pool import Connection
from esl_agent.store.routes import put_routes

from .conftest import PATIENCE_S, Journal

UK = "442079460000"


def put_carriers(conn: Connection) -> None:
    """Two carriers for everything, alpha first."""
    for name, port in (("alpha", 5090), ("beta", 5091)):
        put_carrier(conn, Carrier(name=name, dial_template=f"sofia/carrier/{{number}}@127.0.0.1:{port}"))
    put_routes(conn, [Route("", "alpha", 1), Route("", "beta", 2)])


class Exchange:
    """A switch that asks, and the daemon that answers."""

    def __init__(self, simulator: Simulator, daemon: Daemon, journal: Journal, conn: Connection) -> None:
        self.simulator, self.daemon, self.journal, self.conn = simulator, daemon, journal, conn

    def call(self, **plan: object) -> CallHandle:
        """Place a call and wait until it is over."""
        handle = self.place(**plan)
        assert handle.wait_ended(PATIENCE_S)
        return handle

    def place(self, **plan: object) -> CallHandle:
        defaults = {"number": UK, "caller": "15145550100", "ring_ms": 20, "talk_ms": 200}
        return self.simulator.place_call(CallPlan(**defaults | plan))  # type: ignore[arg-type]

    def cdrs(self, count: int) -> list[CdrRow]:
        """All rows there are, once there are `count`, oldest first."""
        self.journal.wait_for("CALL_RATED", count)
        return list(iterate_cdrs(self.conn, CdrFilter()))

    def nothing_is_reserved(self) -> bool:
        row = self.conn.execute("SELECT sum(reserved), sum(calls_up) FROM accounts").fetchone()
        return row == (0, 0) and not check(self.conn)
