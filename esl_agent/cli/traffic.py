"""`esl-agent traffic`: what was done about accounts' traffic, why, and how it is lifted."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

import click

from esl_agent.agent.clock import wall_us
from esl_agent.cli import arguments
from esl_agent.cli.arguments import ACCOUNT_ID
from esl_agent.cli.database import configured, operator, with_database
from esl_agent.cli.output import as_json_option, print_json, print_table
from esl_agent.cli.traffic_replay import replay_command
from esl_agent.cli.traffic_text import ended_text, explanation, hidden
from esl_agent.config import numbering_of
from esl_agent.core.traffic.restriction import US_PER_S, Restriction
from esl_agent.core.traffic.verdict import Action
from esl_agent.store import numbers
from esl_agent.store import restrictions as store
from esl_agent.store.accounts import get_account
from esl_agent.store.cdrs import to_time
from esl_agent.store.pool import Connection
from esl_agent.store.restrictions import Kept, RestrictionError

#: The rule that an operator's own restrictions bear.
BY_HAND: Final = "by_hand"
#: An alert is what a rule says; people do something.
BY_OPERATORS: Final = tuple(action.value for action in Action if action is not Action.ALERT)
LISTED: Final = ("restriction", "account", "did", "action", "rule", "since", "until", "by", "ended")

_by = click.option("--by", type=arguments.text, default=operator, help="Who decided it; by default you.")
_number = click.argument("restriction", type=click.IntRange(min=1), metavar="RESTRICTION")


@click.group()
def traffic() -> None:
    """What was done about accounts' traffic, and why."""


traffic.add_command(replay_command)


@traffic.command()
@click.option("--account", "account_id", type=ACCOUNT_ID, help="Only this account's.")
@click.option("--all", "is_all", is_flag=True, help="Those that have ended, too.")
@as_json_option
@with_database
def show(conn: Connection, account_id: int | None, is_all: bool, as_json: bool) -> None:
    """Restrictions and alerts that are open, the newest first, at most 1,000."""
    found = store.list_restrictions(conn, account_id=account_id, is_all=is_all)
    if as_json:
        print_json([as_json_of(each) for each in found])
        return
    print_table(LISTED, [_row(each) for each in found], numbers=("restriction", "account"))


@traffic.command()
@_number
@as_json_option
@with_database
def explain(conn: Connection, restriction: int, as_json: bool) -> None:
    """What made a restriction, to be read to a customer: the rule, what was measured, the last calls."""
    kept = store.get_restriction(conn, restriction)
    if as_json:
        print_json(as_json_of(kept))
        return
    click.echo(explanation(kept, get_account(conn, kept.restriction.account_id), configured()))


@traffic.command()
@_number
@click.option("--reason", type=arguments.text, required=True)
@_by
@as_json_option
@with_database
def clear(conn: Connection, restriction: int, reason: str, by: str, as_json: bool) -> None:
    """Lift a restriction, or close an alert, now; the account's next call feels it."""
    kept = store.clear(conn, restriction, reason, by)
    if as_json:
        print_json(as_json_of(kept))
    else:
        made = kept.restriction
        click.echo(f"restriction {restriction} of account {made.account_id} is lifted: {made.action}")


@traffic.command()
@click.argument("account_id", type=ACCOUNT_ID)
@click.option("--action", type=click.Choice(BY_OPERATORS), required=True)
@click.option("--did", metavar="NUMBER", help="Which number of the account's; with suspend_did.")
@click.option("--max-calls", type=click.IntRange(min=0), help="At a time; with throttle.")
@click.option("--calls-per-second", type=click.IntRange(min=1), help="With throttle.")
@click.option("--end-calls", is_flag=True, help="End what is up, too, as [admission] suspended_calls says.")
@click.option(
    "--for",
    "lasts_s",
    type=arguments.duration,
    metavar="TIME",
    help="Like 30m, 2h or 7d; by default until it is cleared.",
)
@click.option("--reason", type=arguments.text, required=True)
@_by
@as_json_option
@with_database
def restrict(
    conn: Connection,
    account_id: int,
    action: str,
    did: str | None,
    max_calls: int | None,
    calls_per_second: int | None,
    end_calls: bool,
    lasts_s: int | None,
    reason: str,
    by: str,
    as_json: bool,
) -> None:
    """Restrict an account by hand, as a rule would; emergency calls go out all the same."""
    _check_options(Action(action), did, max_calls, calls_per_second)
    now_us = wall_us()
    new = Restriction(
        account_id=account_id,
        did=_did_of(conn, account_id, did) if did else "",
        rule=BY_HAND,
        action=Action(action),
        max_calls=max_calls,
        calls_per_second=calls_per_second,
        ends_calls=end_calls,
        since_us=now_us,
        until_us=None if lasts_s is None else now_us + lasts_s * US_PER_S,
        made_by=by,
        reason=reason,
    )
    kept = store.restrict(conn, new)
    if kept is None:
        raise RestrictionError(
            f"account {account_id} has that by hand already: `esl-agent traffic show --account {account_id}`;"
            " clear it first to set it anew"
        )
    if as_json:
        print_json(as_json_of(kept))
    else:
        click.echo(explanation(kept, get_account(conn, account_id), configured()))


def as_json_of(kept: Kept) -> dict[str, object]:
    """All that is known of it; times as people and programs read them."""
    made = kept.restriction
    shown = {name: value for name, value in asdict(made).items() if not name.endswith("_us")}
    shown |= {"did": hidden(made.did, configured())}
    return shown | {
        "since": to_time(made.since_us),
        "until": None if made.until_us is None else to_time(made.until_us),
        "figures": kept.figures,
        "calls": [
            {
                "leg_uuid": call.leg_uuid,
                "at": to_time(call.at_us),
                "number": hidden(call.number, configured()),
                "talk_us": call.talk_us,
            }
            for call in kept.calls
        ],
        "cleared_at": kept.cleared_at,
        "cleared_by": kept.cleared_by,
        "cleared_reason": kept.cleared_reason,
    }


def _row(kept: Kept) -> tuple[object, ...]:
    made = kept.restriction
    return (
        made.restriction,
        made.account_id,
        hidden(made.did, configured()),
        made.action,
        made.rule,
        to_time(made.since_us),
        None if made.until_us is None else to_time(made.until_us),
        made.made_by,
        ended_text(kept, wall_us()),
    )


def _check_options(
    action: Action, did: str | None, max_calls: int | None, calls_per_second: int | None
) -> None:
    is_throttle = max_calls is not None or calls_per_second is not None
    if (action is Action.SUSPEND_DID) != (did is not None):
        raise click.UsageError("--did says which number of the account's suspend_did suspends: give both.")
    if (action is Action.THROTTLE) != is_throttle:
        raise click.UsageError("throttle takes --max-calls, --calls-per-second or both; nothing else does.")


def _did_of(conn: Connection, account_id: int, did: str) -> str:
    digits = numbering_of(configured()).parse(did).digits
    if digits not in {owned.number for owned in numbers.list_numbers(conn, account_id)}:
        raise RestrictionError(
            f"{digits} is not a number of account {account_id}:"
            f" `esl-agent number list --account {account_id}` has those"
        )
    return digits
