"""An invoice as the customer gets it: an HTML page and a PDF with the same words, in English or French."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from esl_agent.core.office.arrears import yearly_rate
from esl_agent.core.office.invoice import TAX
from esl_agent.office.invoices import Invoice, InvoiceLine, lines_of
from esl_agent.store.accounts import get_account
from esl_agent.store.pool import Connection

#: What stands on an invoice, by language; {} takes a figure or a date.
WORDS: Final = {
    "en": {
        "invoice": "Invoice",
        "credit_note": "Credit note",
        "number": "Number",
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
        "interest": "Amounts unpaid after the due date bear interest of {monthly} a month,"
        " compounded monthly ({yearly} a year).",
        "usage": "Calls: {}",
        "connection": "Connection fees: {}",
        "forwarding": "Call forwarding: {}",
        "payphone": "Calls from payphones: {}",
    },
    "fr": {
        "invoice": "Facture",
        "credit_note": "Note de crédit",
        "number": "Numéro",
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
        "interest": "Les montants impayés après l'échéance portent intérêt à {monthly} par mois,"
        " composé mensuellement ({yearly} par année).",
        "usage": "Appels : {}",
        "connection": "Frais de connexion : {}",
        "forwarding": "Renvoi d'appels : {}",
        "payphone": "Appels de téléphones publics : {}",
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
    issuer: Issuer
    tax_numbers: tuple[str, ...]
    customer: tuple[str, ...]  # name and address, a line each
    facts: tuple[tuple[str, str], ...]  # number, dates
    words: dict[str, str]
    rows: tuple[Row, ...]
    before_taxes: str
    taxes: tuple[tuple[str, str], ...]
    total: str
    notes: tuple[str, ...]


def document_of(conn: Connection, invoice: Invoice, issuer: Issuer) -> Document:
    """An invoice or credit note, ready to be set."""
    account = get_account(conn, invoice.account_id)
    language = account.language
    words = WORDS[language]
    lines = lines_of(conn, invoice)
    is_note = invoice.credits is not None
    facts = [
        (words["number"], invoice.invoice_number),
        (words["account"], str(invoice.account_id)),
        (words["issued_on"], _day(invoice.issued_on)),
        (words["credits"], invoice.credits or "") if is_note else (words["due_on"], _day(invoice.due_on)),
    ]
    notes = [invoice.note] if invoice.note else []
    if not is_note:
        monthly, yearly = issuer.monthly_interest, yearly_rate(issuer.monthly_interest)
        rates = {"monthly": _percent(monthly, language), "yearly": _percent(yearly, language)}
        notes += [words["interest"].format(**rates), *filter(None, [issuer.how_to_pay])]
    return Document(
        language=language,
        title=words["credit_note" if is_note else "invoice"],
        issuer=issuer,
        tax_numbers=tuple(f"{words.get(tax, tax)} {number}" for tax, number in issuer.tax_numbers),
        customer=(account.name, *account.address.splitlines()),
        facts=tuple(facts),
        words=words,
        rows=tuple(_row(line, words, language) for line in lines if line.kind != TAX),
        before_taxes=_money(invoice.before_taxes, language),
        taxes=tuple(
            (_tax(line, words, language), _money(line.amount, language)) for line in lines if line.kind == TAX
        ),
        total=f"{_money(invoice.total, language)} {invoice.currency}",
        notes=tuple(notes),
    )


def as_html(document: Document) -> str:
    """A page that stands by itself."""
    return _pages.get_template("invoice.html").render(document=document)


def _row(line: InvoiceLine, words: dict[str, str], language: str) -> Row:
    is_calls = line.calls is not None
    minutes = Decimal(line.billed_seconds or 0) / 60
    return Row(
        words.get(line.kind, "{}").format(line.description) if is_calls else line.description,
        str(line.calls) if is_calls else "",
        _number(minutes.quantize(Decimal("0.1")), language) if is_calls and line.billed_seconds else "",
        _money(line.amount, language),
    )


def _tax(line: InvoiceLine, words: dict[str, str], language: str) -> str:
    """`GST 5 %`, with the name and the comma of the language."""
    tax, _, rate = line.description.partition(" ")
    return f"{words.get(tax, tax)} {rate.replace('.', ',') if language == 'fr' else rate}"


def _money(amount: Decimal, language: str) -> str:
    return _number(amount.quantize(CENT), language)


def _percent(rate: Decimal, language: str) -> str:
    return f"{_number((rate * 100).normalize(), language)} %"


def _number(number: Decimal, language: str) -> str:
    """12,345.60 in English, 12 345,60 in French; thin spaces keep it on one line."""
    text = f"{number:,f}"
    return text.replace(",", "\N{NO-BREAK SPACE}").replace(".", ",") if language == "fr" else text


def _day(day: date) -> str:
    return day.isoformat()
