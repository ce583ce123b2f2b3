"""The audit that every scenario ends with: what the switch had, held against what the books say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final

from esl_agent.simulator.truth import Truth
from esl_agent.store.ledger import check
from esl_agent.store.pool import Connection

#: With these the daemon ends a leg, or has the switch end it.
CUT_CAUSES: Final = ("ALLOTTED_TIMEOUT", "MANAGER_REQUEST", "CALL_REJECTED", "NORMAL_TEMPORARY_FAILURE")
CDR_SUFFIX: Final = ".cdr.json"
CDR_END: Final = b"]}\n"

#: So many legs are named where something is wrong.
NAMED_MAX: Final = 10

CDRS: Final = """
    SELECT leg_uuid, duration_us, source FROM cdrs WHERE refused IS NULL OR answered_at IS NOT NULL
"""
ALL_LEGS: Final = "SELECT leg_uuid FROM cdrs"
HELD: Final = "SELECT leg_uuid FROM reservations WHERE state = 'held'"
SUMS: Final = """
    SELECT account_id, balance + credit_limit, reserved, calls_up FROM accounts
    WHERE balance + credit_limit < 0 OR reserved <> 0 OR calls_up <> 0
"""
UNCOLLECTED: Final = "SELECT leg_uuid, uncollected FROM cdrs WHERE uncollected > 0"
MISMATCHED: Final = """
    SELECT c.leg_uuid FROM cdrs c
    LEFT JOIN (SELECT account_id, reference, sum(amount) AS taken FROM ledger WHERE debit = 'customer'
               GROUP BY account_id, reference) AS l
           ON (l.account_id, l.reference) = (c.account_id, c.leg_uuid)
    WHERE c.charged <> coalesce(l.taken, 0)
"""


@dataclass(frozen=True, slots=True)
class Audit:
    """Legs by their UUIDs, under what is wrong with them; money in the account's currency."""

    legs: int = 0
    cdrs: int = 0
    recovered: int = 0  # CDRs from the switch's files, or from the last that was known
    lost: Sequence[str] = ()  # legs without a CDR
    untold: Sequence[str] = ()  # the same where the switch left no file, and nobody could keep what he heard
    doubled: Sequence[str] = ()  # with more than one
    invented: Sequence[str] = ()  # CDRs of legs that the switch never had, as if they had talked
    differing: Sequence[str] = ()  # CDRs with another duration than the switch's, though its file says it
    estimated: Sequence[str] = ()  # the same where there is no such file: the last that was known
    cut: Sequence[str] = ()  # calls that were ended though their customers had money
    mischarged: Sequence[str] = ()  # the ledger took something else than the CDR says
    unbalanced: Sequence[str] = ()  # stored sums that their rows do not add up to
    held: Sequence[str] = ()  # legs that are over, with money held for them
    overdrawn: Decimal = Decimal(0)  # by which accounts are below zero
    uncollected: Mapping[str, Decimal] = field(default_factory=dict)

    def problems(self, allowed: Collection[str] = ()) -> list[str]:
        """What is wrong, a line each, but for the findings that are `allowed`."""
        found = {
            "lost": self.lost,
            "untold": self.untold,
            "doubled": self.doubled,
            "invented": self.invented,
            "differing": self.differing,
            "estimated": self.estimated,
            "cut": self.cut,
            "mischarged": self.mischarged,
            "unbalanced": self.unbalanced,
            "held": self.held,
            "overdrawn": [str(self.overdrawn)] if self.overdrawn else [],
            "uncollected": [f"{amount} of {leg}" for leg, amount in self.uncollected.items()],
        }
        unknown = set(allowed) - found.keys()
        assert not unknown, f"no such finding: {unknown}"
        return [
            f"{name}: {len(each)} ({', '.join(each[:NAMED_MAX])})"
            for name, each in found.items()
            if each and name not in allowed
        ]


def audit(
    conn: Connection,
    truth: Sequence[Truth],
    *,
    rich: Collection[int] = (),
    on_file: Collection[str] | None = None,
    heard_of: Collection[str] = (),
) -> Audit:
    """Hold the books against all the legs that the switch ever had; none of them is up any more.

    `rich` are the accounts whose money never ends; `on_file` the legs of which
    the switch wrote a whole file, None where it wrote one of each; `heard_of`
    those that a daemon spoke of that was not killed since, or heard answered
    long enough before (`agent.ANSWER_KEPT_S`) to have it on its disk.
    """
    ours = {leg.uuid: leg for leg in truth if is_ours(leg)}
    cdrs = conn.execute(CDRS).fetchall()
    durations = {leg_uuid: duration_us for leg_uuid, duration_us, _ in cdrs}
    written = Counter(leg_uuid for (leg_uuid,) in conn.execute(ALL_LEGS))
    differing = {
        leg_uuid: f"{leg_uuid} {duration_us} for {ours[leg_uuid].duration_us}"
        for leg_uuid, duration_us in durations.items()
        if leg_uuid in ours and duration_us != ours[leg_uuid].duration_us
    }
    missing = sorted(ours.keys() - written.keys())
    sums = conn.execute(SUMS).fetchall()
    return Audit(
        legs=len(ours),
        cdrs=sum(written.values()),
        recovered=sum(source != "live" for _, _, source in cdrs),
        lost=[leg for leg in missing if on_file is None or leg in on_file or leg in heard_of],
        untold=[leg for leg in missing if not (on_file is None or leg in on_file or leg in heard_of)],
        doubled=[leg for leg, times in written.items() if times > 1],
        invented=sorted(leg for leg in durations.keys() - {leg.uuid for leg in truth} if durations[leg]),
        differing=[said for leg, said in differing.items() if on_file is None or leg in on_file],
        estimated=[said for leg, said in differing.items() if on_file is not None and leg not in on_file],
        cut=[leg.uuid for leg in ours.values() if _was_cut(leg) and int(leg.account) in rich],
        mischarged=[leg for (leg,) in conn.execute(MISMATCHED)],
        unbalanced=[
            *map(str, check(conn)),
            *(f"account {row[0]}: reserved {row[2]}, calls_up {row[3]}" for row in sums if row[2] or row[3]),
        ],
        held=[leg for (leg,) in conn.execute(HELD)],
        overdrawn=-sum((min(available, Decimal(0)) for _, available, _, _ in sums), Decimal(0)),
        uncollected=dict(conn.execute(UNCOLLECTED).fetchall()),
    )


def _was_cut(leg: Truth) -> bool:
    return leg.answered_us is not None and leg.cause in CUT_CAUSES and leg.ended_by == "switch"


def legs_on_file(folder: Path) -> set[str]:
    """The legs of which there is a whole file in a folder of mod_json_cdr's, or in one below it."""
    return {
        file.name.removeprefix("a_").removesuffix(CDR_SUFFIX)
        for file in folder.glob(f"**/*{CDR_SUFFIX}")
        if file.read_bytes().endswith(CDR_END)
    }


def is_ours(leg: Truth) -> bool:
    """Whether the leg is one that is billed: out to a carrier, or in to a customer's number."""
    return bool(leg.account) and (leg.is_outbound or leg.product == "inbound")
