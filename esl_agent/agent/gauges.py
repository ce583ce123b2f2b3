"""How the daemon stands at the moment, for whoever asks: nothing of it is kept for that.

It costs the same however many calls are up: they are counted, not gone through.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from esl_agent import __version__
from esl_agent.agent.calls.desk import Desk
from esl_agent.agent.calls.switchboard import IN_FLIGHT_MAX, Switchboard
from esl_agent.agent.calls.timers import Timers
from esl_agent.agent.database import Database
from esl_agent.agent.inbox import Inbox
from esl_agent.agent.money.holder import Holder
from esl_agent.agent.money.settler import Settler
from esl_agent.config import Config, switch_name_of
from esl_agent.noc.tally import Readings
from esl_agent.store.journal import MB

US_PER_S: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    config: Config
    desk: Desk
    inbox: Inbox
    holder: Holder
    settler: Settler
    database: Database
    switchboard: Switchboard
    timers: Timers
    now_us: Callable[[], int]  # by the switch's clock
    is_switch_up: Callable[[], bool]
    is_active: Callable[[], bool]

    def read(self) -> Readings:
        limits, switch = self.config.limits, switch_name_of(self.config)
        plain = {
            "esl_agent_calls_live": len(self.desk.live),
            "esl_agent_calls_live_limit": limits.live_calls_max,
            "esl_agent_timers_late_seconds": self.timers.late_us / US_PER_S,
            "esl_agent_switch_up": self.is_switch_up(),
            "esl_agent_switch_round_trip_seconds": self.switchboard.round_trip_us / US_PER_S,
        }
        return {
            **{name: {(): value} for name, value in (plain | self._journal() | self._postgres()).items()},
            "esl_agent_queue_length": {
                ("events",): len(self.inbox),
                ("holds",): len(self.holder),
                ("settlements",): self.settler.unkept,
                ("commands",): self.switchboard.in_flight,
            },
            "esl_agent_queue_limit": {
                **{(queue,): limits.queue_max for queue in ("events", "holds", "settlements")},
                ("commands",): IN_FLIGHT_MAX,
            },
            "esl_agent_database_connections": {
                (state,): connections for state, connections in self.database.connections().items()
            },
            "esl_agent_active": {(switch,): self.is_active()},
            "esl_agent_twin_enabled": {(switch,): self.config.twin.enabled},
            "esl_agent_build_info": {(__version__,): 1},
        }

    def _journal(self) -> dict[str, float]:
        settler, config, room = self.settler, self.config.journal, self.settler.room
        oldest_us = settler.oldest_ended_us
        waits_us = 0 if oldest_us is None else max(self.now_us() - oldest_us, 0)
        return {
            "esl_agent_journal_accepting": settler.is_accepting,
            "esl_agent_journal_waiting_records": len(settler),
            "esl_agent_journal_oldest_waiting_seconds": waits_us / US_PER_S,
            "esl_agent_journal_bytes": room.size,
            "esl_agent_journal_limit_bytes": config.size_max_mb * MB,
            "esl_agent_journal_free_bytes": room.free,
            "esl_agent_journal_free_min_bytes": config.free_min_mb * MB,
            "esl_agent_settlement_retries_total": settler.retries,
        }

    def _postgres(self) -> dict[str, float]:
        database = self.database
        return {
            "esl_agent_database_up": database.is_up,
            "esl_agent_database_outages_total": database.outages,
            "esl_agent_database_connections_limit": self.config.database.pool_max,
            "esl_agent_database_waiting": database.waiting,
        }
