"""What the configuration says, as the core and the link to the switch want it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Final

from esl_agent.agent.admission.cached import CachedPolicy
from esl_agent.config import AdmissionConfig, BudgetConfig, Config, variable_names_of
from esl_agent.core import money
from esl_agent.core.admission.limits import OperatorPolicy, TollFree
from esl_agent.core.call import CallPolicy
from esl_agent.switch.events import REGISTER_ATTEMPT, TWIN_ACTIVE, TWIN_GONE
from esl_agent.switch.link import LinkConfig

#: What is heard of the switch: steps of a call, a recording of it, and proof of life.
EVENTS: Final = (
    *("CHANNEL_CREATE", "CHANNEL_ANSWER", "CHANNEL_HANGUP_COMPLETE"),
    *("RECORD_START", "RECORD_STOP", "HEARTBEAT"),
)


def call_policy_of(config: BudgetConfig) -> CallPolicy:
    return CallPolicy(**{field.name: getattr(config, field.name) for field in fields(CallPolicy)})


def operator_policy_of(config: AdmissionConfig) -> OperatorPolicy:
    return OperatorPolicy(
        allow_premium=config.allow_premium,
        blocked_classes=frozenset(config.blocked_classes),
        blocked_countries=frozenset(config.blocked_countries),
        payphone_oli=frozenset(config.payphone_oli),
    )


def when_off_of(config: Config) -> TollFree:
    """What becomes of toll-free calls where a restriction takes the option away."""
    return TollFree.RATED if config.traffic.toll_free_when_off == "rate" else TollFree.OFF


def cached_policy_of(config: AdmissionConfig) -> CachedPolicy:
    return CachedPolicy(
        config.database_down == "cached",
        money.amount(config.cached_call_max),
        money.amount(config.cached_account_max),
    )


def link_config_of(config: Config, is_stale: Callable[[], bool]) -> LinkConfig:
    switch = config.switch
    return LinkConfig(
        host=switch.host,
        port=switch.port,
        password=switch.password,
        names=variable_names_of(config),
        events=EVENTS,
        subclasses=(
            *((TWIN_ACTIVE, TWIN_GONE) if config.twin.enabled else ()),
            *((REGISTER_ATTEMPT,) if config.phones.watch else ()),
        ),
        is_stale=is_stale,
        connect_timeout_s=switch.connect_timeout_s,
        command_deadline_s=switch.command_deadline_ms / 1_000,
        heartbeat_timeout_s=switch.heartbeat_timeout_s,
    )
