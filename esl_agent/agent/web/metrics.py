"""How the daemon stands at the moment: read when somebody asks, and kept for nobody.

It costs the same however many calls are up: they are counted, not gone through.
"""

from __future__ import annotations

from typing import Final

from esl_agent import __version__
from esl_agent.agent.calls.switchboard import IN_FLIGHT_MAX
from esl_agent.agent.web.ports import Parts
from esl_agent.config import switch_name_of
from esl_agent.noc.exposition import Exposition
from esl_agent.noc.tally import Readings
from esl_agent.store.journal import MB

US_PER_S: Final = 1_000_000


def exposition_of(parts: Parts) -> Exposition:
    """What has happened, and how things are."""
    return Exposition([parts.tally.readings, lambda: gauges(parts)])


def gauges(parts: Parts) -> Readings:
    limits, switch = parts.config.limits, switch_name_of(parts.config)
    plain = {
        "esl_agent_calls_live": len(parts.desk.live),
        "esl_agent_calls_live_limit": limits.live_calls_max,
        "esl_agent_timers_late_seconds": parts.timers.late_us / US_PER_S,
        "esl_agent_switch_up": parts.is_switch_up(),
        "esl_agent_switch_round_trip_seconds": parts.switchboard.round_trip_us / US_PER_S,
    }
    return {
        **{name: {(): value} for name, value in (plain | _journal(parts) | _postgres(parts)).items()},
        "esl_agent_queue_length": {
            ("events",): len(parts.inbox),
            ("holds",): len(parts.holder),
            ("settlements",): parts.settler.unkept,
            ("commands",): parts.switchboard.in_flight,
        },
        "esl_agent_queue_limit": {
            **{(queue,): limits.queue_max for queue in ("events", "holds", "settlements")},
            ("commands",): IN_FLIGHT_MAX,
        },
        "esl_agent_database_connections": {
            (state,): connections for state, connections in parts.database.connections().items()
        },
        "esl_agent_active": {(switch,): parts.duty.may_act()},
        "esl_agent_twin_enabled": {(switch,): parts.config.twin.enabled},
        "esl_agent_build_info": {(__version__,): 1},
    }


def _journal(parts: Parts) -> dict[str, float]:
    settler, config, room = parts.settler, parts.config.journal, parts.settler.room
    oldest_us = settler.oldest_ended_us
    waits_us = 0 if oldest_us is None else max(parts.now_us() - oldest_us, 0)
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


def _postgres(parts: Parts) -> dict[str, float]:
    database = parts.database
    return {
        "esl_agent_database_up": database.is_up,
        "esl_agent_database_outages_total": database.outages,
        "esl_agent_database_connections_limit": parts.config.database.pool_max,
        "esl_agent_database_waiting": database.waiting,
    }
