"""Answers: legs that talk, kept until they are settled: if nothing more is heard of one it has a CDR.

A leg that rang when its daemon was told to stop is kept as well, until it is
known to talk.  What comes when a leg is settled already changes nothing.
`settle_many` removes those of the legs that it settles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from esl_agent.store.journal_records import Answer
from esl_agent.store.pool import Connection

#: The subquery has each leg looked up by its key: no planner may think of reading the whole table.
KEEP: Final = """
    INSERT INTO answers (account_id, leg_uuid, switch, known)
    SELECT account_id, leg_uuid, switch, known::json
    FROM json_to_recordset(%s::json) AS answer (account_id bigint, leg_uuid text, switch text, known text)
    WHERE 'settled' IS DISTINCT FROM (
        SELECT state FROM reservations r
        WHERE (r.account_id, r.leg_uuid) = (answer.account_id, answer.leg_uuid)
    )
    ON CONFLICT (account_id, leg_uuid) DO UPDATE SET switch = excluded.switch, known = excluded.known
"""


def keep_answers(conn: Connection, answers: Sequence[Answer]) -> None:
    """Keep those of legs that are not settled, the last of each leg, in one statement."""
    if answers:
        last_of_each = {(each.account_id, each.leg_uuid): each for each in answers}
        conn.execute(KEEP, [msgspec.json.encode(list(last_of_each.values())).decode()])
