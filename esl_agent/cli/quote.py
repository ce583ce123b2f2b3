"""`esl-agent quote`: what a call would cost and why, with no database."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final, TextIO

import click
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from esl_agent import config
from esl_agent.core import money
from esl_agent.core.deck_file import parse_deck
from esl_agent.core.leg import Product
from esl_agent.core.numbering import Number
from esl_agent.core.price import FLAT_LINES, Charge, Price
from esl_agent.core.rating import US_PER_S, rate_leg
from esl_agent.core.tariff import Deck, NoRate, Plan, price_call
from esl_agent.errors import EslAgentError

#: The longest call that is quoted: a month.
SECONDS_MAX: Final = 31 * 86_400

_READABLE_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


class QuoteError(EslAgentError):
    """A quote that can't be given."""


def _duration_us(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """Seconds as typed, in whole microseconds."""
    if value is None:
        return None
    try:
        duration_us = Decimal(value) * US_PER_S
        is_right = 0 <= duration_us <= SECONDS_MAX * US_PER_S and duration_us == int(duration_us)
    except InvalidOperation:
        is_right = False
    if not is_right:
        raise click.BadParameter(f"{value!r} isn't 0 to {SECONDS_MAX} seconds, with 6 decimals at most")
    return int(duration_us)


def _rate(ctx: click.Context, param: click.Parameter, value: str | None) -> Decimal | None:
    if value is None:
        return None
    try:
        rate = money.rate(value)
    except money.MoneyError as error:
        raise click.BadParameter(str(error)) from None
    if rate < 0:
        raise click.BadParameter(f"{value!r} is below zero")
    return rate


@click.command()
@click.argument("number")
@click.option(
    "--seconds",
    "duration_us",
    callback=_duration_us,
    metavar="SECONDS",
    help="Talk, from answer to end: 61 or 0.2.",
)
@click.option("--unanswered", is_flag=True, help="Nobody answered.")
@click.option("--forwarded", is_flag=True, help="The outbound leg of a forwarded call.")
@click.option("--rate-per-minute", callback=_rate, metavar="RATE", help="The rate, in place of the deck's.")
@click.option("--deck", "deck_file", type=_READABLE_FILE, help="A rate deck in CSV.")
@click.option(
    "--config", "config_file", metavar="FILE", type=_READABLE_FILE, help="For its [numbering] section."
)
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def quote(
    number: str,
    duration_us: int | None,
    unanswered: bool,
    forwarded: bool,
    rate_per_minute: Decimal | None,
    deck_file: Path | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Say what a call to NUMBER would cost, and why.

    The rate comes from --deck or --rate-per-minute; emergency, crisis and
    toll-free calls need neither.
    """
    if duration_us is None and not unanswered:
        raise click.UsageError("Give --seconds, or --unanswered.")
    parsed = config.numbering_of(config.load(config_file, os.environ)).parse(number)
    deck = _deck(deck_file) if deck_file is not None else None
    product = Product.FORWARDING if forwarded else Product.TERMINATION
    price = _price(parsed, deck, product, rate_per_minute)
    talked_us = None if unanswered else duration_us
    charge = rate_leg(price, talked_us)
    if as_json:
        click.echo(json.dumps(_as_json(parsed, price, charge), indent=2))
    else:
        table = _as_table(parsed, price, charge, talked_us, _rate_source(price, rate_per_minute))
        Console(highlight=False).print(table)


def _deck(path: Path) -> Deck:
    with _reading(path) as file:
        parsed = parse_deck(file)
    if parsed.error_count:
        told = [f"  line {error.line_number}: {error.text}" for error in parsed.errors]
        if parsed.error_count > len(told):
            told.append(f"  and {parsed.error_count - len(told)} more")
        raise QuoteError(f"{path} is no deck to quote from:\n" + "\n".join(told))
    today = datetime.now(UTC).date()
    return Deck(path.name, version=0, currency="", rates=parsed.rates_on(today))


@contextmanager
def _reading(path: Path) -> Iterator[TextIO]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            yield file
    except UnicodeDecodeError:
        raise QuoteError(f"{path} isn't UTF-8 text: save it as UTF-8") from None
    except OSError as error:
        raise QuoteError(f"{path} can't be read: {error.strerror}") from None


def _price(number: Number, deck: Deck | None, product: Product, rate: Decimal | None) -> Price:
    plan = Plan("quote", deck.name if deck else "")
    try:
        return price_call(plan, deck, number, product, rate_override=rate)
    except NoRate:
        if deck is not None:
            raise
        raise QuoteError(
            f"a call to {number.digits} ({number.number_class}) isn't free: "
            "give --rate-per-minute, or --deck with a file"
        ) from None


def _as_json(number: Number, price: Price, charge: Charge) -> dict[str, object]:
    return {
        "dialled": number.dialled,
        "number": number.digits,
        "country": number.country,
        "class": number.number_class,
        "deck": price.deck,
        "prefix": price.prefix,
        "destination": price.destination,
        "rate_per_minute": _rate_text(price.rate_per_minute),
        "minimum_s": price.minimum_s,
        "step_s": price.step_s,
        "billed_seconds": charge.billed_seconds,
        "lines": {line.kind: str(line.amount) for line in charge.lines},
        "total": str(charge.total),
        "is_free": price.is_free,
    }


def _as_table(number: Number, price: Price, charge: Charge, talked_us: int | None, rate_source: str) -> Table:
    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="dim")
    table.add_row("number", number.digits, f"dialled {escape(number.dialled)}")
    table.add_row("class", number.number_class, number.country)
    if price.prefix:
        table.add_row("prefix", price.prefix, escape(f"{price.destination}, in {price.deck}"))
    table.add_row("rate a minute", _rate_text(price.rate_per_minute), rate_source)
    counted = f"at least {price.minimum_s} s, then whole steps of {price.step_s} s"
    table.add_row("increments", f"{price.minimum_s}/{price.step_s}", counted)
    talk = "never answered" if talked_us is None else f"of {_seconds_text(talked_us)} s talked"
    table.add_row("billed seconds", str(charge.billed_seconds), talk, end_section=True)
    for line in charge.lines:
        how = f"{charge.billed_seconds} s at {_rate_text(line.rate_per_minute)} a minute"
        table.add_row(line.kind, str(line.amount), "once" if line.kind in FLAT_LINES else how)
    table.add_row("total", str(charge.total), "", style="bold")
    return table


def _rate_source(price: Price, given: Decimal | None) -> str:
    if price.is_free:
        return "free, whatever the deck says"
    if given is not None and price.rate_per_minute == given:
        return "as given"
    return "from the deck" if price.prefix else "a free destination"


def _rate_text(rate: Decimal) -> str:
    """A rate with 4 decimals, or with 5 or 6 where it has them."""
    text = f"{rate:.6f}"
    return text[:-2] + text[-2:].rstrip("0")


def _seconds_text(duration_us: int) -> str:
    return f"{Decimal(duration_us) / US_PER_S:f}"
