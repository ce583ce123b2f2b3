"""An invoice, or a credit note, as the customer gets it."""

from __future__ import annotations

from esl_agent.core.office.invoice import TAX
from esl_agent.office.documents import (
    WORDS,
    Document,
    Issuer,
    Row,
    calls_row,
    interest_note,
    letter,
    money_text,
)
from esl_agent.office.invoices import Invoice, InvoiceLine, lines_of
from esl_agent.store.accounts import get_account
from esl_agent.store.pool import Connection


def invoice_paper(conn: Connection, invoice: Invoice, issuer: Issuer) -> Document:
    """Ready to be set; both interest rates are on what is to be paid."""
    account = get_account(conn, invoice.account_id)
    language = account.language
    words = WORDS[language]
    lines = lines_of(conn, invoice)
    sums = [(words["before_taxes"], money_text(invoice.before_taxes, language))]
    sums += [(_tax(line, language), money_text(line.amount, language)) for line in lines if line.kind == TAX]
    facts = [(words["issued_on"], str(invoice.issued_on))]
    notes = [invoice.note] if invoice.note else []
    if invoice.credits is not None:
        facts.append((words["credits"], invoice.credits))
    else:
        facts.append((words["due_on"], str(invoice.due_on)))
        notes += [interest_note(issuer, language), *filter(None, [issuer.how_to_pay])]
    return letter(
        account,
        issuer,
        title=words["invoice" if invoice.credits is None else "credit_note_title"],
        subtitle=invoice.invoice_number,
        facts=facts,
        rows=[_row(line, language) for line in lines if line.kind != TAX],
        sums=sums,
        total=(words["total"], f"{money_text(invoice.total, language)} {invoice.currency}"),
        notes=notes,
    )


def _row(line: InvoiceLine, language: str) -> Row:
    if line.calls is not None:
        return calls_row(line, language)
    return Row(line.description, "", "", money_text(line.amount, language))


def _tax(line: InvoiceLine, language: str) -> str:
    """`GST 5 %`, with the name and the comma of the language."""
    tax, _, rate = line.description.partition(" ")
    return f"{WORDS[language].get(tax, tax)} {rate.replace('.', ',') if language == 'fr' else rate}"
