"""`esl-agent admit`: what would become of a call, and what each rule says of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import click

from esl_agent.agent.admission.planning import is_emergency
from esl_agent.agent.admission.rehearsal import Rehearsal, Stage, book_of
from esl_agent.agent.clock import calendar, wall_us
from esl_agent.agent.policies import call_policy_of, operator_policy_of, when_off_of
from esl_agent.cli.arguments import ACCOUNT_ID
from esl_agent.cli.database import configured, with_database
from esl_agent.cli.output import as_json_option, print_facts, print_json, print_table
from esl_agent.config import numbering_of
from esl_agent.core import budget
from esl_agent.core.admission.question import Question
from esl_agent.core.admission.rules import RULES
from esl_agent.core.leg import Product
from esl_agent.core.traffic.restriction import by_and_until
from esl_agent.store.pool import Connection

#: No leg of a switch's has it.
NO_LEG: Final = "00000000-0000-0000-0000-000000000000"
NOT_ASKED: Final = "–"


@click.command()
@click.option("--from", "account_id", type=ACCOUNT_ID, metavar="ACCOUNT", help="Whose phone calls.")
@click.option("--to", "dialled", required=True, metavar="NUMBER", help="What was dialled.")
@click.option("--caller", metavar="NUMBER", help="What the phone shows; by default a number of the account.")
@click.option("--did", metavar="NUMBER", help="The DID of ours whose call goes on to --to.")
@click.option("--trunk", "is_trunk", is_flag=True, help="It comes from a carrier's trunk.")
@click.option(
    "--oli", metavar="XX", help="What kind of telephone calls, as the trunk says: 27 for a payphone."
)
@click.option(
    "--product",
    type=click.Choice([product.value for product in Product]),
    help="By default forwarding with --did, termination with --from, else inbound.",
)
@click.option(
    "--dry-run", is_flag=True, help="Only read: don't have the store hold the money and take it back."
)
@as_json_option
@with_database
def admit(
    conn: Connection,
    account_id: int | None,
    dialled: str,
    caller: str | None,
    did: str | None,
    is_trunk: bool,
    oli: str | None,
    product: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Say whether a call would be admitted now, and what each rule says of it.

    It needs no daemon and leaves nothing behind: the store is asked to hold the
    first grant as for a call, and that is taken back at once; with --dry-run
    nothing is written at all. What only the daemon knows, how many calls each
    carrier has up and how fast calls follow each other, counts as none.
    """
    asked = _product(product, account_id, did)
    config = configured()
    stage = Stage(
        conn,
        book_of(conn, numbering_of(config), when_off_of(config)),
        operator_policy_of(config.admission),
        call_policy_of(config.budget),
        calendar(config.admission.time_zone)(),
    )
    if caller is None:
        caller = stage.usual_caller(account_id) if account_id is not None else ""
    question = Question(
        account_id=account_id,
        product=asked,
        dialled=dialled,
        caller_number=caller,
        caller_leg_uuid=NO_LEG,
        did=did,
        oli=oli,
        is_trunk=is_trunk,
        asked_us=wall_us(),
    )
    told = stage.rehearse(question, asks_store=not dry_run)
    if as_json:
        print_json(_as_json(told))
    else:
        _print(told, dry_run=dry_run)


def _product(name: str | None, account_id: int | None, did: str | None) -> Product:
    if name is not None:
        product = Product(name)
    elif did is not None:
        product = Product.FORWARDING
    else:
        product = Product.INBOUND if account_id is None else Product.TERMINATION
    if product is Product.TERMINATION and account_id is None:
        raise click.UsageError("Whose phone calls? Give --from.")
    if product is Product.FORWARDING and did is None:
        raise click.UsageError("Which number of ours is forwarded? Give --did.")
    return product


def _print(told: Rehearsal, *, dry_run: bool) -> None:
    click.echo(_headline(told, dry_run=dry_run))
    said = {judgement.rule: judgement for judgement in told.decision.trace}
    asked = [(said[rule.__name__].outcome, rule.__name__, said[rule.__name__].text)
             for rule in RULES if rule.__name__ in said]  # fmt: skip
    rest = [(NOT_ASKED, rule.__name__, "") for rule in RULES if rule.__name__ not in said]
    print_table(("says", "rule", "what it asks for, or found"), asked + rest)
    print_facts([(name, value) for name, value in _facts(told) if value not in (None, "")])
    if told.legs and told.decision.number:
        number = told.decision.number
        columns = ("try", "carrier", "priority", "weight", "dials")
        rows = [
            (place, leg.carrier.name, leg.carrier.priority, leg.carrier.weight, leg.carrier.dials(number))
            for place, leg in enumerate(told.legs, 1)
        ]
        print_table(columns, rows, numbers=("try", "priority", "weight"))
        for text in told.dial_strings:
            click.echo(text)


def _headline(told: Rehearsal, *, dry_run: bool) -> str:
    decision, refusal = told.decision, told.decision.refusal
    if refusal is not None:
        word = click.style("refused", fg="red", bold=True)
        return f"{word} by {decision.rule}: {refusal.reason}, SIP {refusal.sip_code}. {refusal.meaning}"
    word = click.style("admitted", fg="green", bold=True)
    if is_emergency(decision):
        return f"{word}: an emergency call, never refused, metered or cut"
    if not decision.needs:
        return f"{word}: free, nothing is held"
    held = f"{told.held} {decision.currency}"
    return f"{word}, if {held} can be held" if dry_run else f"{word}: {held} can be held now"


def _facts(told: Rehearsal) -> list[tuple[str, object]]:
    decision, account = told.decision, told.account
    number, price, refusal = decision.number, decision.price, decision.refusal
    facts: list[tuple[str, object]] = [
        ("asked at", datetime.fromtimestamp(told.question.asked_us // 1_000_000, UTC)),
        ("product", decision.product),
        (
            "number",
            f"{number.digits} ({number.number_class}, {number.country or 'nowhere'})" if number else "",
        ),
        ("caller ID sent", decision.caller_id),
        ("tags", ", ".join(decision.tags)),
    ]
    if refusal is not None:
        facts += [
            ("detail", decision.detail),
            ("hangup cause", refusal.hangup_cause),
            ("announcement", refusal.announcement),
            ("what to do", refusal.action.replace("`", "'")),
        ]
    if account is not None:
        facts += [
            ("account", f"{account.account_id} {account.name} ({account.state})"),
            ("plan", account.plan),
            ("balance", f"{account.balance} {account.currency}"),
            ("credit limit", account.credit_limit or ""),
            ("reserved", f"{account.reserved} by {account.calls_up} calls"),
            ("available", account.available),
        ]
    facts += [("restricted", f"{each.action}: {by_and_until(each)}") for each in told.restrictions]
    if budget.is_metered(price):
        facts += [
            ("rate a minute", f"{price.rate_per_minute} {price.destination} (deck {price.deck},"
                              f" version {price.deck_version}, prefix {price.prefix or 'none'})"),
            ("forwarding a minute", price.forwarding_rate_per_minute or ""),
            ("connection fee", price.connection_fee or ""),
            ("payphone surcharge", price.payphone_surcharge or ""),
            ("minimum/step", f"{price.minimum_s}/{price.step_s} s"),
            ("first charge", decision.needs or ""),
            ("held pays for", f"{budget.seconds_funded(price, told.held)} s" if told.held else ""),
        ]  # fmt: skip
    return facts


def _as_json(told: Rehearsal) -> dict[str, object]:
    decision, account, number = told.decision, told.account, told.decision.number
    refusal, price = decision.refusal, decision.price
    return {
        "admitted": decision.admitted,
        "rule": decision.rule,
        "reason": decision.reason,
        "detail": decision.detail,
        "sip_code": refusal.sip_code if refusal else None,
        "hangup_cause": refusal.hangup_cause if refusal else None,
        "announcement": refusal.announcement if refusal else None,
        "account": decision.account_id or None,
        "product": decision.product,
        "number": number.digits if number else None,
        "number_class": number.number_class if number else None,
        "country": number.country if number else None,
        "caller_id": decision.caller_id or None,
        "tags": decision.tags,
        "currency": decision.currency or None,
        "rate_per_minute": str(price.rate_per_minute) if budget.is_metered(price) else None,
        "first_charge": str(decision.needs),
        "held": str(told.held),
        "balance": str(account.balance) if account else None,
        "reserved": str(account.reserved) if account else None,
        "available": str(account.available) if account else None,
        "calls_up": account.calls_up if account else None,
        "restrictions": told.restrictions,
        "carriers": [leg.carrier.name for leg in told.legs],
        "dial_strings": told.dial_strings,
        "trace": [{"rule": each.rule, "outcome": each.outcome, "text": each.text} for each in decision.trace],
    }
