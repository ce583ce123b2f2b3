"""Prices: who pays what for a leg that nobody asked for, or why it may not be.

Admission has priced the legs that it let out (agent/admission/planning.py);
these are the others, and those that are over and were not heard of in time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from esl_agent.agent.book import Book, Payer
from esl_agent.agent.database import OUTAGE
from esl_agent.core.admission.facts import AccountState
from esl_agent.core.admission.limits import TollFree
from esl_agent.core.admission.reasons import Reason
from esl_agent.core.admission.restricted import REASON_OF_ACTION, stopping
from esl_agent.core.admission.rules import REASON_OF_STATE
from esl_agent.core.leg import Direction, Leg, Product
from esl_agent.core.numbering import Number
from esl_agent.core.numbering.number import NumberClass, NumberError
from esl_agent.core.price import UNPRICED, Price
from esl_agent.core.tariff import NEVER_CHARGED, NoRate, Plan
from esl_agent.core.traffic.restriction import Restriction
from esl_agent.core.traffic.verdict import Action

#: Pays for an emergency call of nobody we know.
NOBODYS_PLAN: Final = Plan("", "")
NOT_UNDERSTOOD: Final = Number("", "", "", NumberClass.WORLD)


@dataclass(frozen=True, slots=True)
class Priced:
    """A leg that is ours, with who pays and what it costs; or why it may not be."""

    leg: Leg
    account_id: int  # 0 where nobody is known
    number: Number
    price: Price
    currency: str
    refused: str | None = None
    rule: str | None = None  # of admission, that decided
    tags: tuple[str, ...] = ()  # what admission noted


class Pricing:
    """By what stands in `book`."""

    def __init__(self, book: Book) -> None:
        self.book = book

    def price(self, leg: Leg) -> Priced | None:
        """Who pays what for `leg`, by the rates of when it began; None if it is no leg of ours to bill."""
        return self._price(leg, is_over=False)

    def price_over(self, leg: Leg) -> Priced | None:
        """As `price`, for a leg that took place, whatever has become of its account since.

        Raises one of OUTAGE where the payer can't be told: the leg is to be billed all the same.
        """
        priced = self._price(leg, is_over=True)
        has_no_rate = priced is not None and priced.refused is Reason.NO_RATE
        if has_no_rate and self.book.read_decks_of(leg.created_us):
            priced = self._price(leg, is_over=True)
        return priced

    def _price(self, leg: Leg, *, is_over: bool) -> Priced | None:
        if leg.is_loopback:
            return None
        if leg.direction is Direction.INBOUND:
            return self._price_inbound(leg, is_over=is_over)
        if leg.account_id is None and leg.product is None:
            return None
        return self._price_outbound(leg, is_over=is_over)

    def _price_inbound(self, leg: Leg, *, is_over: bool) -> Priced | None:
        """A call to a DID of ours is billed on its A leg, to the DID's owner.

        A customer who dials one calls out, as to any number; if a carrier
        brings that back, it is a leg of its own.
        """
        if leg.is_users:
            return None
        number = self._parse(leg.destination)
        owned = self.book.owned(number.digits) if number else None
        if number is None or owned is None or not owned.is_did:
            return None
        leg = replace(leg, account_id=owned.account_id, product=Product.INBOUND, priced_number=number.digits)
        payer, _ = self._ask_payer(owned.account_id, leg.created_us, is_over=is_over)
        plan = self.book.plan_of(payer) if payer else None
        if payer is None or plan is None:
            return Priced(leg, owned.account_id, number, UNPRICED, self.book.home_currency)
        price = self.book.price_under(plan, number, Product.INBOUND, leg.created_us)
        return Priced(leg, owned.account_id, number, price, payer.account.currency)

    def _price_outbound(self, leg: Leg, *, is_over: bool) -> Priced:
        number = self._parse(leg.priced_number)
        payer, is_known = self._ask_payer(leg.account_id, leg.created_us, is_over=is_over)
        account_id = payer.account.account_id if payer else 0
        currency = payer.account.currency if payer else self.book.home_currency
        plan = self.book.plan_of(payer) if payer else None
        product = leg.product or Product.TERMINATION
        if number is not None and number.number_class in NEVER_CHARGED:
            price = self.book.price_under(plan or NOBODYS_PLAN, number, product, leg.created_us)
            return Priced(leg, account_id, number, price, currency)
        reason = _reason_against(number, payer, plan, is_known=is_known, is_over=is_over)
        if reason is None and number is not None and payer is not None and not is_over:
            suspended = [each for each in payer.restrictions if each.action is not Action.TOLL_FREE_OFF]
            reason = self._stopped(leg, number, suspended)
        if reason is None and number is not None and plan is not None:
            try:
                price = self.book.price_under(plan, number, product, leg.created_us)
            except NoRate:
                reason = Reason.NO_RATE
            else:
                return Priced(leg, account_id, number, price, currency)
        return Priced(leg, account_id, number or NOT_UNDERSTOOD, UNPRICED, currency, reason)

    def _parse(self, dialled: str) -> Number | None:
        try:
            return self.book.read_number(dialled)
        except NumberError:
            return None

    def _ask_payer(self, account_id: int | None, at_us: int, *, is_over: bool) -> tuple[Payer | None, bool]:
        """The payer, and whether that is certain; raises one of OUTAGE of a leg that is over."""
        try:
            if account_id is None:
                return None, True
            return self.book.payer_at(account_id, at_us, is_past=is_over), True
        except OUTAGE:
            if is_over:
                raise
            return None, False

    # Restrictions of traffic.

    def ended_by_traffic(self, priced: Priced, at_us: int) -> Reason | None:
        """Why a call that is up is to end, where one of its account's restrictions ends such calls."""
        ending = [
            each
            for each in self.book.restrictions(priced.account_id, at_us)
            if each.ends_calls and self._refuses(each)
        ]
        return self._stopped(priced.leg, priced.number, ending) if ending else None

    def _refuses(self, restriction: Restriction) -> bool:
        """Whether calls of its kind are refused, and not only rated."""
        return restriction.action is not Action.TOLL_FREE_OFF or self.book.toll_free_when_off is TollFree.OFF

    def _stopped(self, leg: Leg, number: Number, restrictions: Iterable[Restriction]) -> Reason | None:
        """Why the leg is not to be, in the word of admission."""
        goes_out = leg.product is not Product.INBOUND
        caller = self._parse(leg.caller_number) if goes_out else None
        ours = {leg.forwarded_from, caller and caller.digits, None if goes_out else number.digits}
        numbers = {each for each in ours if each}
        by = stopping(restrictions, number.number_class, numbers, goes_out=goes_out)
        return REASON_OF_ACTION[by.action] if by else None


def _reason_against(
    number: Number | None, payer: Payer | None, plan: Plan | None, *, is_known: bool, is_over: bool
) -> Reason | None:
    if number is None:
        return Reason.NUMBER_NOT_UNDERSTOOD
    if payer is None:
        return Reason.UNKNOWN_ACCOUNT if is_known else Reason.NO_DECISION
    if not is_over and (reason := REASON_OF_STATE.get(AccountState(payer.account.state))):
        return reason
    return Reason.NO_PLAN if plan is None else None
