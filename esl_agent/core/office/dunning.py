"""Dunning (terms 2): what becomes of an invoice that is past due: reminders, suspension, closure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class Step(StrEnum):
    REMINDER = "reminder"
    SUSPENSION = "suspension"  # the account's calls are refused until it has paid
    CLOSURE = "closure"  # for good


@dataclass(frozen=True, slots=True)
class DunningPolicy:
    """Days past the due date; None is never."""

    reminder_after_days: tuple[int, ...] = (1, 15)
    suspend_after_days: int | None = 30
    close_after_days: int | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """A step and the day it is due on; the day tells reminders apart."""

    step: Step
    on: date


def steps_due(due_on: date, today: date, policy: DunningPolicy, taken: Collection[Due]) -> list[Due]:
    """What is to be done today about an invoice that is open.

    Of the reminders that were missed only the last is sent.
    """
    reminders = [_after(due_on, Step.REMINDER, days) for days in sorted(policy.reminder_after_days)]
    past = [reminder for reminder in reminders if reminder.on <= today]
    steps = past[-1:]
    for step, days in ((Step.SUSPENSION, policy.suspend_after_days), (Step.CLOSURE, policy.close_after_days)):
        if days is not None and _after(due_on, step, days).on <= today:
            steps.append(_after(due_on, step, days))
    return [step for step in steps if step not in taken]


def _after(due_on: date, step: Step, days: int) -> Due:
    return Due(step, date.fromordinal(due_on.toordinal() + days))
