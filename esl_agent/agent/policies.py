"""What the configuration says, as the core wants it."""

from __future__ import annotations

from dataclasses import fields

from esl_agent.config import AdmissionConfig, BudgetConfig
from esl_agent.core.admission.limits import OperatorPolicy
from esl_agent.core.call import CallPolicy


def call_policy_of(config: BudgetConfig) -> CallPolicy:
    return CallPolicy(**{field.name: getattr(config, field.name) for field in fields(CallPolicy)})


def operator_policy_of(config: AdmissionConfig) -> OperatorPolicy:
    return OperatorPolicy(
        allow_premium=config.allow_premium,
        blocked_classes=frozenset(config.blocked_classes),
        blocked_countries=frozenset(config.blocked_countries),
        payphone_oli=frozenset(config.payphone_oli),
    )
