"""Papers for customers, written to a file by the ending of its name."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import click

from esl_agent.cli.database import configured
from esl_agent.errors import EslAgentError
from esl_agent.office.documents import Document, Issuer, as_html
from esl_agent.office.pdf import as_pdf


def issuer() -> Issuer:
    """The operator, as [office] says; raises EslAgentError where it does not."""
    office = configured().office
    if not office.company:
        raise EslAgentError("[office] company says who issues invoices: set it, and address, first")
    numbers = (("GST", office.gst_number), ("QST", office.qst_number))
    return Issuer(
        name=office.company,
        address=office.address,
        contact=office.contact,
        tax_numbers=tuple((tax, number) for tax, number in numbers if number),
        how_to_pay=office.how_to_pay,
        monthly_interest=Decimal(office.interest_per_month),
    )


def write_paper(document: Document, file: Path) -> None:
    """As HTML or PDF; raises EslAgentError where it can't be."""
    match file.suffix.lower():
        case ".html":
            content = as_html(document).encode()
        case ".pdf":
            content = as_pdf(document)
        case _:
            raise click.BadParameter(f"{file}: the name has to end in .html or .pdf")
    try:
        file.write_bytes(content)
    except OSError as error:
        raise EslAgentError(f"{file} can't be written: {error.strerror}") from None
    click.echo(f"{file}: {len(content)} bytes")
