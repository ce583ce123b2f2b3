"""Papers as customers get them: an HTML page or a PDF (pdf.py) with the same words, in English or French."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Protocol

from jinja2 import Environment, PackageLoader, StrictUndefined

from esl_agent.core.office.arrears import yearly_rate
from esl_agent.store.accounts import Account

#: What stands on an invoice, by language; {} takes a figure or a date.
WORDS: Final = {
    "en": {
        "invoice": "Invoice",
        "credit_note_title": "Credit note",
        "account": "Account",
        "issued_on": "Date",
        "due_on": "Due",
        "credits": "Credits invoice",
        "billed_to": "Billed to",
        "description": "Description",
        "calls": "Calls",
        "minutes": "Minutes",
        "amount": "Amount",
        "before_taxes": "Before taxes",
        "total": "Total",
        "interest_note": "Amounts unpaid after the due date bear interest of {monthly} a month,"
        " compounded monthly ({yearly} a year).",
        "calls_usage": "Calls: {}",
        "calls_connection": "Connection fees: {}",
        "calls_forwarding": "Call forwarding: {}",
        "calls_payphone": "Calls from payphones: {}",
        "statement": "Statement",
        "period": "{since} to {until}",
        "balance_on": "Balance at the beginning of {}",
        "closing": "Balance at the end of {}",
        "top_up": "Payment: {}",
        "returned_payment": "Payment returned: {}",
        "tax": "Taxes, invoice {}",
        "interest": "Interest, invoice {}",
        "credit_note": "Credit, invoice {}",
        "brought_forward": "Brought forward {}",
    },
    "fr": {
        "invoice": "Facture",
        "credit_note_title": "Note de crédit",
        "account": "Compte",
        "issued_on": "Date",
        "due_on": "Échéance",
        "credits": "Crédite la facture",
        "billed_to": "Facturé à",
        "description": "Description",
        "calls": "Appels",
        "minutes": "Minutes",
        "amount": "Montant",
        "before_taxes": "Avant taxes",
        "total": "Total",
        "interest_note": "Les montants impayés après l'échéance portent intérêt à {monthly} par mois,"
        " composé mensuellement ({yearly} par année).",
        "calls_usage": "Appels : {}",
        "calls_connection": "Frais de connexion : {}",
        "calls_forwarding": "Renvoi d'appels : {}",
        "calls_payphone": "Appels de téléphones publics : {}",
        "statement": "Relevé",
        "period": "{since} au {until}",
        "balance_on": "Solde au début du {}",
        "closing": "Solde à la fin du {}",
        "top_up": "Paiement : {}",
        "returned_payment": "Paiement retourné : {}",
        "tax": "Taxes, facture {}",
        "interest": "Intérêt, facture {}",
        "credit_note": "Crédit, facture {}",
        "brought_forward": "Report {}",
        "GST": "TPS",
        "QST": "TVQ",
    },
}
CENT: Final = Decimal("0.01")

_pages: Final = Environment(
    loader=PackageLoader("esl_agent.office"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


@dataclass(frozen=True, slots=True)
class Issuer:
    """The operator, as it stands on its invoices; tax numbers only where it has them."""

    name: str
    address: tuple[str, ...] = ()
    contact: str = ""
    tax_numbers: tuple[tuple[str, str], ...] = ()  # ("GST", "123456789 RT0001")
    how_to_pay: str = ""
    monthly_interest: Decimal = Decimal("0.02")


class CallsLine(Protocol):
    """What calls to one destination came to, by the kind of charge."""

    @property
    def kind(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def calls(self) -> int | None: ...
    @property
    def billed_seconds(self) -> int | None: ...
    @property
    def amount(self) -> Decimal: ...


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table, as it is printed."""

    description: str
    calls: str
    minutes: str
    amount: str


@dataclass(frozen=True, slots=True)
class Document:
    """Everything that is printed, in the customer's language."""

    language: str
    title: str
    subtitle: str  # an invoice's number, a statement's period
    issuer: Issuer
    tax_numbers: tuple[str, ...]
    customer: tuple[str, ...]  # name and address, a line each
    facts: tuple[tuple[str, str], ...]  # account, dates
    words: dict[str, str]
    rows: tuple[Row, ...]
    sums: tuple[tuple[str, str], ...]
    total: tuple[str, str]
    notes: tuple[str, ...]


def letter(
    account: Account,
    issuer: Issuer,
    *,
    title: str,
    subtitle: str,
    facts: Sequence[tuple[str, str]],
    rows: Sequence[Row],
    sums: Sequence[tuple[str, str]],
    total: tuple[str, str],
    notes: Sequence[str] = (),
) -> Document:
    """What every paper to a customer has: who it is from, to whom, and in which language."""
    words = WORDS[account.language]
    return Document(
        language=account.language,
        title=title,
        subtitle=subtitle,
        issuer=issuer,
        tax_numbers=tuple(f"{words.get(tax, tax)} {number}" for tax, number in issuer.tax_numbers),
        customer=(account.name, *account.address.splitlines()),
        facts=((words["account"], str(account.account_id)), *facts),
        words=words,
        rows=tuple(rows),
        sums=tuple(sums),
        total=total,
        notes=tuple(notes),
    )


def as_html(document: Document) -> str:
    """A page that stands by itself."""
    return _pages.get_template("letter.html").render(document=document)


def interest_note(issuer: Issuer, language: str) -> str:
    """Both rates, as the law wants them printed (terms 7)."""
    monthly, yearly = issuer.monthly_interest, yearly_rate(issuer.monthly_interest)
    rates = {"monthly": _percent(monthly, language), "yearly": _percent(yearly, language)}
    return WORDS[language]["interest_note"].format(**rates)


def calls_row(line: CallsLine, language: str) -> Row:
    """What calls to a destination came to."""
    words = WORDS[language]
    minutes = Decimal(line.billed_seconds or 0) / 60
    return Row(
        words[f"calls_{line.kind}"].format(line.description),
        str(line.calls),
        _number(minutes.quantize(Decimal("0.1")), language) if line.billed_seconds else "",
        money_text(line.amount, language),
    )


def money_text(amount: Decimal, language: str) -> str:
    return _number(amount.quantize(CENT), language)


def _percent(rate: Decimal, language: str) -> str:
    return f"{_number((rate * 100).normalize(), language)} %"


def _number(number: Decimal, language: str) -> str:
    """12,345.60 in English, 12 345,60 in French; thin spaces keep it on one line."""
    text = f"{number:,f}"
    return text.replace(",", "\N{NO-BREAK SPACE}").replace(".", ",") if language == "fr" else text
