"""What the CDRs tell of each of the last minutes, for the live page's plot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from esl_agent.store.cdrs import to_time, to_us
from esl_agent.store.pool import Connection

_COUNT: Final = """
    SELECT date_trunc('minute', created_at), refused, currency, count(*), count(answered_at),
           count(*) FILTER (WHERE hangup_cause = 'ALLOTTED_TIMEOUT'), sum(charged)
    FROM cdrs
    WHERE created_at >= %s AND created_at < %s
    GROUP BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class CountedMinute:
    """Calls that began in a minute, of one currency and of one reason of refusal or none."""

    begins_us: int
    refused: str | None
    currency: str
    calls: int
    answered: int
    cut: int
    charged: Decimal


def count_minutes(conn: Connection, since_us: int, until_us: int) -> Iterator[CountedMinute]:
    """Of calls that began in [since_us, until_us); those that are still up have no CDR yet."""
    for begins_at, *counted in conn.execute(_COUNT, [to_time(since_us), to_time(until_us)]):
        yield CountedMinute(to_us(begins_at), *counted)
