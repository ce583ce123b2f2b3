"""The stage: a switch that asks before each call, daemons that answer, and their Postgres.

A scenario places calls, breaks something, mends it or not, and `finish`es:
everything is healed, calls end, what is owed is written, and the books are
audited.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any, Final

import gevent

from esl_agent.lab.child import wait_until
from esl_agent.lab.ports import LOOPBACK, free_port
from esl_agent.simulator.config import SimulatorConfig
from esl_agent.simulator.plan import CallPlan, Kind
from esl_agent.simulator.traffic import Shares, Traffic, TrafficConfig
from esl_agent.simulator.truth import Truth
from esl_agent.store.pool import Connection, connected

from .agent import Agent, Sections
from .audit import Audit, audit, legs_on_file
from .cluster import DESTINATIONS, DID, LONDON, POOR, RICH, Cluster, caller_of
from .switch import Switch

#: How long calls are waited for that ought to come or to end.
PATIENCE_S: Final = 60.0
#: How long what is owed may take to be written once all is well.
SETTLE_S: Final = 45.0
AUDIT_AGAIN_S: Final = 0.2

#: How long calls of traffic talk.
TALK_MS_MEAN: Final = 1_500.0
TALK_MS_MAX: Final = 5_000

#: What a real day has, in larger doses.
A_MIXTURE: Final = Shares(
    busy=0.05, no_answer=0.03, cancelled=0.05, unavailable=0.03, failover=0.1, forwarded=0.1, inbound=0.1,
    callee_hangs_up=0.3,
)  # fmt: skip

#: Settings of the daemon that make what takes minutes in an exchange take seconds here.
QUICK_LIMITS: Final = {"account_cache_s": 1, "retry_max_s": 1, "drain_s": 2}
QUICK_RECOVERY: Final[Mapping[str, object]] = {"gone_patience_s": 3, "audit_every_s": 5}
QUICK_FILES: Final[Mapping[str, object]] = {"every_s": 1, "settle_after_s": 2}

CDR_FOLDER: Final = "cdr"

AS_SHIPPED: Final[Sections] = {}
#: Money is held for six seconds at a time, and more is asked for every two.
SHORT_GRANTS: Final[Sections] = {"budget": {"grant_s": 6}}

#: Without a database calls go out on the last known balance, up to a cap.
ON_TRUST: Final[Sections] = {"admission": {"database_down": "cached"}}

#: The daemons of each switch.
Sites = Sequence[Sequence[str]]
ONE_DAEMON: Final[Sites] = (("agent",),)
TWINS: Final[Sites] = (("first", "second"),)
TWO_SWITCHES: Final[Sites] = (("east",), ("west",))


class Stage:
    """Everything of one scenario; `close` ends what is up."""

    def __init__(
        self, cluster: Cluster, folder: Path, sites: Sites = ONE_DAEMON, settings: Sections = AS_SHIPPED
    ) -> None:
        self.faults: list[str] = []
        self.calls = 0
        self.outcome = Audit()
        self.postgres = cluster
        self.folder = folder
        self._settings = settings
        self.switches: list[Switch] = []
        self.agents: list[Agent] = []
        with ExitStack() as up:
            self._database = cluster.new_database()
            up.callback(cluster.drop_database, self._database)
            cluster.note = self.faults.append
            up.callback(cluster.heal)
            for number, names in enumerate(sites, 1):
                self._add_site(up, f"switch-{number}", names)
            self._up = up.pop_all()

    def _add_site(self, up: ExitStack, name: str, agents: Sequence[str]) -> None:
        """A switch, and the daemons beside it."""
        doors = [free_port() for _ in agents]
        config = SimulatorConfig(
            port=0,
            heartbeat_s=1.0,
            admission="|".join(f"{LOOPBACK}:{door}" for door in doors),
            cdr_dir=self.folder / CDR_FOLDER / name,
        )
        switch = Switch(config, self.folder / f"{name}.log", self.faults.append)
        up.callback(switch.close)
        self.switches.append(switch)
        for agent_name, door in zip(agents, doors, strict=True):
            sections: Sections = {
                "admission": {"outbound_port": door, "local_socket": ""},
                "switch": {**QUICK_RECOVERY, "name": name},
                "cdr_files": {**QUICK_FILES, "folder": str(config.cdr_dir), "when_done": "keep"},
                "twin": {"enabled": len(agents) > 1},
                "limits": QUICK_LIMITS,
                "log": {"format": "plain", "level": "debug"},
            }
            agent = Agent(
                agent_name,
                self.folder,
                switch_port=switch.port,
                postgres_path=self.postgres.socket_path,
                database=self._database,
                settings=[sections, self._settings],
                note=self.faults.append,
            )
            up.callback(agent.close)
            self.agents.append(agent)

    @property
    def switch(self) -> Switch:
        """The one, or the first, there is."""
        return self.switches[0]

    @property
    def agent(self) -> Agent:
        """The one, or the first, there is."""
        return self.agents[0]

    def close(self) -> None:
        """The play is over: whatever is up is ended."""
        self._up.close()

    # Calls

    def call(self, count: int = 1, *, talk_s: float = 3.0, **plan: Any) -> None:
        """Let so many calls of customers with money come at once."""
        for number in range(count):
            account = RICH[number % len(RICH)]
            to = DESTINATIONS[number % len(DESTINATIONS)]
            values: dict[str, Any] = {"account": str(account), "caller": caller_of(account), "number": to}
            self.place(CallPlan(**values | {"ring_ms": 100, "talk_ms": int(talk_s * 1_000)} | plan))

    def goes_out(self, **plan: Any) -> bool:
        """Whether a call that comes now is sent to a carrier; returns when it is over."""
        before = len(self.switch.legs())
        self.call(talk_s=0.2, **plan)
        self.wait_over()
        return any(leg.is_outbound for leg in self.switch.legs(since=before))

    def poor_calls(self, *, talk_s: float = 60.0) -> None:
        """Customers call London whose money is at an end after six seconds."""
        for account in POOR:
            self.call(talk_s=talk_s, account=str(account), caller=caller_of(account), number=LONDON)

    @contextmanager
    def traffic(self, calls_per_second: float, seconds: float, *, seed: int) -> Iterator[None]:
        """Calls of every kind come, whatever happens meanwhile; in the end the last one has come."""
        coming = gevent.spawn(self._place_traffic, calls_per_second, seconds, seed)
        try:
            yield
            coming.get()
        finally:
            coming.kill()

    def _place_traffic(self, calls_per_second: float, seconds: float, seed: int) -> None:
        config = TrafficConfig(
            calls_per_second=calls_per_second, duration_s=seconds, seed=seed, shares=A_MIXTURE,
            accounts=tuple(map(str, RICH + POOR)), destinations=DESTINATIONS, dids=(DID,),
            talk_ms_mean=TALK_MS_MEAN, talk_ms_max=TALK_MS_MAX,
        )  # fmt: skip
        began = monotonic()
        for due_us, plan in Traffic(config).calls():
            gevent.sleep(max(0.0, began + due_us / 1_000_000 - monotonic()))
            is_customers = plan.kind is Kind.OUTBOUND
            self.place(replace(plan, caller=caller_of(int(plan.account))) if is_customers else plan)

    def place(self, plan: CallPlan) -> str:
        """Let this call come, to each switch in turn; the caller's leg."""
        switch = self.switches[self.calls % len(self.switches)]
        self.calls += 1
        return switch.place(plan)

    # Waiting

    def wait_calls(self, count: int) -> None:
        """Until so many calls have come since the beginning."""
        wait_until(lambda: self.calls >= count, f"{count} calls have come", PATIENCE_S)

    def wait_talking(self, count: int) -> None:
        """Until so many outbound legs are answered at the same time."""
        wait_until(lambda: self._count("talking") >= count, f"{count} calls talk", PATIENCE_S)

    def wait_over(self, deadline_s: float = PATIENCE_S) -> None:
        """Until no call is up on the switch."""
        wait_until(lambda: not self._count("calls_up"), "every call is over", deadline_s)

    def wait_down_to(self, count: int) -> None:
        """Until so few calls are up."""
        wait_until(lambda: self._count("calls_up") <= count, f"{count} calls are left", PATIENCE_S)

    def _count(self, figure: str) -> int:
        """A figure of all switches together."""
        return sum(getattr(switch.figures(), figure) for switch in self.switches)

    # The end

    def heal(self) -> None:
        """Everything works again, and everybody is there."""
        for switch in self.switches:
            switch.behave()
        self.postgres.heal()
        for agent in self.agents:
            agent.heal()

    def finish(self, *, allowed: Collection[str] = ()) -> Audit:
        """Heal everything, let calls end, wait for what is owed, and audit the books.

        Raises AssertionError over anything that is wrong, unless such findings are `allowed`.
        """
        self.heal()
        self.wait_over()
        truth = [leg for switch in self.switches for leg in switch.legs()]
        until = monotonic() + SETTLE_S
        with connected(self.postgres.url(self._database)) as conn:
            while (problems := self._audit(conn, truth).problems(allowed)) and monotonic() < until:
                for agent in self.agents:
                    agent.begin()  # as systemd does where one ended by itself
                gevent.sleep(AUDIT_AGAIN_S)
        complaints = [line for agent in self.agents for line in agent.complaints()]
        assert not problems + complaints, "\n".join([*problems, *complaints, "after", *self.faults])
        return self.outcome

    def _audit(self, conn: Connection, truth: Sequence[Truth]) -> Audit:
        self.outcome = audit(
            conn,
            truth,
            rich=RICH,
            on_file=legs_on_file(self.folder / CDR_FOLDER),
            heard_of={leg for agent in self.agents for leg in agent.legs_heard_of()},
        )
        return self.outcome
