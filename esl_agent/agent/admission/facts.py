"""Facts for admission: what a question is decided by, looked up in the book."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from esl_agent.agent.book import Book, Payer
from esl_agent.agent.database import OUTAGE
from esl_agent.core.admission.carriers import Carrier
from esl_agent.core.admission.facts import AccountState, Customer, Did, Facts
from esl_agent.core.admission.limits import OperatorPolicy
from esl_agent.core.admission.question import Question
from esl_agent.core.leg import Product
from esl_agent.core.numbering import Number
from esl_agent.core.numbering.number import NumberError
from esl_agent.core.office.terms import is_accepted
from esl_agent.core.price import Price
from esl_agent.core.tariff import NoRate, Plan
from esl_agent.store.numbers import NumberKind, OwnedNumber


@dataclass(frozen=True, slots=True)
class Gathered:
    """The facts, and the payer as the book knows him; None where there is none."""

    facts: Facts
    payer: Payer | None


def gather(
    book: Book, question: Question, operator: OperatorPolicy, in_use: Mapping[str, int], today: date
) -> Gathered:
    """All that can be known; a database that does not answer leaves `is_known` False.

    `in_use` counts the calls that are up by each carrier; `today` is the operator's date.
    """
    number, problem = _read(book, question.dialled)
    owned = _did(book, question)
    account_id = question.account_id
    if question.product is not Product.TERMINATION:
        account_id = owned.account_id if owned else None
    try:
        payer, is_known = (
            (book.payer_at(account_id, question.asked_us) if account_id is not None else None),
            True,
        )
    except OUTAGE:
        payer, is_known = None, False
    caller, _ = _read(book, question.caller_number)
    plan = book.plan_of(payer) if payer else None
    facts = Facts(
        operator=operator,
        is_known=is_known,
        customer=_customer(book, payer, today) if payer else None,
        number=number,
        number_problem=problem,
        did=_as_did(owned) if owned else None,
        caller=caller,
        owns_caller=_owns(book, caller, account_id),
        has_plan=plan is not None,
        price=_price(book, plan, number, question) if plan and number else None,
        calls_up=0,  # the store counts exactly, over all daemons, when it holds
        carriers=_carriers(book, number, in_use) if number else (),
        departments=book.departments,
    )
    return Gathered(facts, payer)


def _read(book: Book, text: str) -> tuple[Number | None, str]:
    try:
        return book.read_number(text), ""
    except NumberError as error:
        return None, error.reason


def _did(book: Book, question: Question) -> OwnedNumber | None:
    """The number of ours that was called."""
    text = question.did or (question.dialled if question.product is Product.INBOUND else None)
    number, _ = _read(book, text) if text else (None, "")
    owned = book.owned(number.digits) if number else None
    return owned if owned is not None and owned.is_did else None


def _owns(book: Book, caller: Number | None, account_id: int | None) -> bool:
    owned = book.owned(caller.digits) if caller else None
    return owned is not None and owned.account_id == account_id


def _price(book: Book, plan: Plan, number: Number, question: Question) -> Price | None:
    try:
        return book.price_under(plan, number, question.product, question.asked_us)
    except NoRate:
        return None


def _customer(book: Book, payer: Payer, today: date) -> Customer:
    account = payer.account
    return Customer(
        account_id=account.account_id,
        state=AccountState(account.state),
        terms_accepted=is_accepted(account.terms_version, book.terms_versions, today),
        currency=account.currency,
        limits=payer.limits,
        restrictions=payer.restrictions,
    )


def _as_did(owned: OwnedNumber) -> Did:
    return Did(
        number=owned.number,
        account_id=owned.account_id,
        is_toll_free=owned.kind is NumberKind.TOLL_FREE,
        payphone_policy=owned.payphone_policy,
        payphone_surcharge=owned.payphone_surcharge,
        forward_to=owned.forward_to or "",
        forward_when=owned.forward_when.value,
    )


def _carriers(book: Book, number: Number, in_use: Mapping[str, int]) -> tuple[Carrier, ...]:
    return tuple(replace(carrier, in_use=in_use.get(carrier.name, 0)) for carrier in book.carriers(number))
