"""From the journal's records into Postgres."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from esl_agent.store.answers import keep_answers
from esl_agent.store.cdrs import CdrRow
from esl_agent.store.journal_records import (
    Answer,
    Record,
    Release,
    Settlement,
    without_answers_of_ended,
)
from esl_agent.store.pool import Connection
from esl_agent.store.release import release_many
from esl_agent.store.settle import Settled, settle_many
from esl_agent.store.unwritable import Refused

Written = tuple[CdrRow, Settled]


def write_records(conn: Connection, records: Sequence[Record], today: date | None = None) -> list[Written]:
    """Keep answers, settle and release; what became of each row.

    Records that were written before change nothing.
    Settle before releasing: a release may be of a leg that one of these settlements hands its hold to.
    """
    keep_answers(conn, [each for each in without_answers_of_ended(records) if isinstance(each, Answer)])
    settlements = [record for record in records if isinstance(record, Settlement)]
    rows = [settlement.row for settlement in settlements]
    hand_to = {each.row.leg_uuid: each.hand_to for each in settlements if each.hand_to}
    results = settle_many(conn, rows, hand_to=hand_to, today=today)
    releases = [(each.account_id, each.leg_uuid) for each in records if isinstance(each, Release)]
    if releases:
        release_many(conn, releases)
    return list(zip(rows, results, strict=True))


def write_apart(
    records: Sequence[Record],
    write: Callable[[Sequence[Record]], list[Written]],
    refusals: tuple[type[Exception], ...],
) -> tuple[list[Written], list[Refused]]:
    """What `write` returned, and the records that it refuses by themselves, raising one of `refusals`.

    One record must not take the others with it: a batch that is refused is written by halves.
    """
    try:
        return write(records), []
    except refusals as error:
        if len(records) == 1:
            return [], [Refused(records[0], " ".join(str(error).split()))]
    half = len(records) // 2
    written, refused = write_apart(records[:half], write, refusals)
    more_written, more_refused = write_apart(records[half:], write, refusals)
    return written + more_written, refused + more_refused


def account_of(record: Record) -> int:
    return record.row.account_id if isinstance(record, Settlement) else record.account_id


def leg_of(record: Record) -> str:
    return record.row.leg_uuid if isinstance(record, Settlement) else record.leg_uuid
