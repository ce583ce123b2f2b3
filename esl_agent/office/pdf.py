"""A paper set as a PDF of Letter size, with ReportLab."""

from __future__ import annotations

import io
from typing import Final
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import LETTER
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table

from esl_agent.office.documents import Document

INK: Final = HexColor("#1b1f24")
GREY: Final = HexColor("#57606a")
LINE: Final = HexColor("#d0d7de")
MARGIN: Final = 20 * mm

PLAIN: Final = ParagraphStyle("plain", fontName="Helvetica", fontSize=9.5, leading=13, textColor=INK)
SMALL: Final = ParagraphStyle("small", parent=PLAIN, fontSize=8, leading=11, textColor=GREY)
RIGHT: Final = ParagraphStyle("right", parent=PLAIN, alignment=TA_RIGHT)
HEAD: Final = ParagraphStyle("head", parent=PLAIN, fontName="Helvetica-Bold")
HEAD_RIGHT: Final = ParagraphStyle("head right", parent=HEAD, alignment=TA_RIGHT)
TITLE: Final = ParagraphStyle("title", parent=PLAIN, fontName="Helvetica-Bold", fontSize=20, leading=24)
#: The last column ends where the page's text does.
FLUSH: Final = ("RIGHTPADDING", (-1, 0), (-1, -1), 0)


def as_pdf(document: Document) -> bytes:
    """The document on as many pages as it needs; the table's head stands on each."""
    sheet = io.BytesIO()
    SimpleDocTemplate(
        sheet,
        pagesize=LETTER,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=MARGIN,
        bottomMargin=MARGIN,
        title=f"{document.title} {document.subtitle}",
        author=document.issuer.name,
        lang=document.language,
        invariant=True,
    ).build([_head(document), Spacer(0, 8 * mm), _parties(document), Spacer(0, 8 * mm), *_body(document)])
    return sheet.getvalue()


def _head(document: Document) -> Flowable:
    issuer = document.issuer
    own = [_text(issuer.name, HEAD)]
    own += [_text(line, SMALL) for line in (*issuer.address, issuer.contact, *document.tax_numbers) if line]
    title = [_text(document.title, TITLE), _text(document.subtitle, PLAIN)]
    return Table([[title, own]], colWidths=["60%", "40%"], style=[("VALIGN", (0, 0), (-1, -1), "TOP"),
                 ("LINEBELOW", (0, 0), (-1, 0), 1.2, INK), ("BOTTOMPADDING", (0, 0), (-1, 0), 10),
                 ("LEFTPADDING", (0, 0), (0, 0), 0)])  # fmt: skip


def _parties(document: Document) -> Flowable:
    customer = [_text(document.words["billed_to"], SMALL)]
    customer += [_text(line, PLAIN) for line in document.customer]
    facts = Table(
        [[_text(name, SMALL), _text(value, RIGHT)] for name, value in document.facts],
        colWidths=["50%", "50%"],
        style=[("TOPPADDING", (0, 0), (-1, -1), 0), ("BOTTOMPADDING", (0, 0), (-1, -1), 1), FLUSH],
    )
    top = [("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (0, 0), 0), FLUSH]
    return Table([[customer, facts]], colWidths=["60%", "40%"], style=top)


def _body(document: Document) -> list[Flowable]:
    words = document.words
    head = [_text(words["description"], HEAD)]
    head += [_text(words[name], HEAD_RIGHT) for name in ("calls", "minutes", "amount")]
    rows = [
        [
            _text(row.description, PLAIN),
            *(_text(cell, RIGHT) for cell in (row.calls, row.minutes, row.amount)),
        ]
        for row in document.rows
    ]
    foot = [["", "", _text(name, RIGHT), _text(amount, RIGHT)] for name, amount in document.sums]
    foot.append([_text(document.total[0], HEAD_RIGHT), "", "", _text(document.total[1], HEAD_RIGHT)])
    last = len(rows)
    table = Table(
        [head, *rows, *foot],
        colWidths=["52%", "12%", "18%", "18%"],
        repeatRows=1,
        style=[
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LINEBELOW", (0, 0), (-1, 0), 0.8, INK),
            ("LINEBELOW", (0, 1), (-1, last), 0.4, LINE),
            ("LINEABOVE", (0, -1), (-1, -1), 1.2, INK),
            ("SPAN", (0, -1), (2, -1)),
            ("LEFTPADDING", (0, 0), (0, -1), 0),
            FLUSH,
        ],
    )
    notes = [_text(note, SMALL) for note in document.notes]
    return [table, Spacer(0, 10 * mm), *notes]


def _text(text: str, style: ParagraphStyle) -> Paragraph:
    return Paragraph(escape(text), style)
