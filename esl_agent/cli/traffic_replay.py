"""`esl-agent traffic replay`: what a set of rules would have done about the calls of the past."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

import click

from esl_agent.agent.traffic.rules import load_rules
from esl_agent.cli import arguments
from esl_agent.cli.arguments import ACCOUNT_ID
from esl_agent.cli.database import configured, with_database
from esl_agent.cli.output import as_json_option, print_json, print_table
from esl_agent.cli.traffic_text import hidden
from esl_agent.core.traffic.call import CALL_US_MAX, TrafficCall
from esl_agent.core.traffic.judge import IDLE_US
from esl_agent.core.traffic.replay import in_order_of_end, replay
from esl_agent.core.traffic.verdict import Figure, Verdict
from esl_agent.store import traffic_calls as store
from esl_agent.store.cdrs import to_time, to_us
from esl_agent.store.pool import Connection

#: Verdicts that are listed; more are only counted.
LISTED_MAX: Final = 10_000
LISTED: Final = ("when", "account", "did", "rule", "action", "figures")
SUMMED: Final = ("rule", "verdicts", "accounts")


class Findings:
    """What was said, and of how much."""

    def __init__(self) -> None:
        self.calls = 0
        self.verdicts: list[Verdict] = []
        self.by_rule = Counter[str]()
        self.accounts: dict[str, set[int]] = {}

    def add(self, verdict: Verdict) -> None:
        self.by_rule[verdict.rule] += 1
        self.accounts.setdefault(verdict.rule, set()).add(verdict.account_id)
        if len(self.verdicts) < LISTED_MAX:
            self.verdicts.append(verdict)


@click.command("replay")
@click.option("--since", type=arguments.time, required=True, help="Calls that ended since then, UTC.")
@click.option("--until", type=arguments.time, help="Calls that began before then, UTC; by default now.")
@click.option("--account", "account_id", type=ACCOUNT_ID, help="Only this account's.")
@click.option(
    "--rules",
    "rules_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file of rules to try; by default [traffic] rules_file, or the rules as shipped.",
)
@as_json_option
@with_database
def replay_command(
    conn: Connection,
    since: datetime,
    until: datetime | None,
    account_id: int | None,
    rules_file: Path | None,
    as_json: bool,
) -> None:
    """What rules would have done about the calls of the past; changes nothing.

    The 30 days before --since are counted first.  Calls that would have been
    stopped count as they took place.
    """
    rules = load_rules(rules_file or configured().traffic.rules_file)
    since_us, until_us = to_us(since), to_us(until or datetime.now(UTC))
    calls = _calls(conn, since_us, until_us, account_id)
    found = Findings()
    for _, verdicts in replay(rules, calls, since_us, _plan_of(conn)):
        found.calls += 1
        for verdict in verdicts:
            found.add(verdict)
    if as_json:
        print_json([as_json_of(verdict) for verdict in found.verdicts])
    else:
        _print(found)


def as_json_of(verdict: Verdict) -> dict[str, object]:
    """As it is told, its moment as a time."""
    told = asdict(verdict)
    return {"at": to_time(told.pop("at_us")), **told}


def _calls(conn: Connection, since_us: int, until_us: int, account_id: int | None) -> Iterator[TrafficCall]:
    """With those of the 30 days before, and those that began in time and ended within it."""
    begin_us = max(since_us - IDLE_US - CALL_US_MAX, 0)
    return in_order_of_end(store.in_order(conn, begin_us, until_us, account_id))


def _plan_of(conn: Connection) -> Callable[[int], str]:
    """Looked up once for each account: plans of today, for the books keep no others."""

    @cache
    def plan_of(account_id: int) -> str:
        return store.plans_of(conn, [account_id]).get(account_id, "")

    return plan_of


def _print(found: Findings) -> None:
    print_table(LISTED, (_row(verdict) for verdict in found.verdicts), numbers=("account",))
    if found.by_rule.total() > len(found.verdicts):
        click.echo(f"… and {found.by_rule.total() - len(found.verdicts)} more\n")
    if found.by_rule:
        rows = [(rule, times, len(found.accounts[rule])) for rule, times in found.by_rule.most_common()]
        print_table(SUMMED, rows, numbers=SUMMED[1:])
    click.echo(f"{found.by_rule.total()} verdicts on {found.calls} calls", err=True)


def _row(verdict: Verdict) -> tuple[object, ...]:
    figures = ", ".join(map(figure_text, verdict.figures))
    did = hidden(verdict.did, configured())
    return to_time(verdict.at_us), verdict.account_id, did, verdict.rule, verdict.action, figures


def figure_text(figure: Figure) -> str:
    """A measure as a line says it: `short_share 24h 0.1523 (above 0.15) of 132`."""
    return f"{figure.measure} {figure.window} {figure.value} ({figure.threshold}) of {figure.sample}"
