"""A question put to the rules without a daemon or a call, for who wants to know what would become of it.

Everything is read from the database now.  What only a running daemon knows
counts as none: how many calls each carrier has up, and how fast an account's
calls follow each other.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from uuid import uuid4

import msgspec

from esl_agent.agent.admission.facts import gather
from esl_agent.agent.admission.planning import dial, is_emergency, plan_legs
from esl_agent.agent.book import Book
from esl_agent.core.admission.decide import decide, refused_by_store
from esl_agent.core.admission.decision import Decision
from esl_agent.core.admission.dial import PlannedLeg
from esl_agent.core.admission.limits import OperatorPolicy, TollFree
from esl_agent.core.admission.question import Question
from esl_agent.core.call import CallPolicy, first_hold
from esl_agent.core.call_signals import HoldMoney
from esl_agent.core.money import ZERO
from esl_agent.core.numbering import Numbering
from esl_agent.core.traffic.restriction import Restriction
from esl_agent.store.accounts import Account
from esl_agent.store.holds import HoldRequest, Outcome, count_calls_out, hold_many
from esl_agent.store.numbers import list_numbers
from esl_agent.store.pool import Connection


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What would become of a call now, and of whose money."""

    question: Question
    decision: Decision
    account: Account | None  # who pays, as he is before the call
    legs: tuple[PlannedLeg, ...]
    held: Decimal
    dial_strings: tuple[str, ...]
    restrictions: tuple[Restriction, ...] = ()  # the account's, that are open


class OneConnection:
    """A book's way to a database that is connected to already."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def connection(self) -> AbstractContextManager[Connection]:
        return nullcontext(self._conn)


class Stage:
    """`rehearse` questions by a book that is read already; accounts are read as they are now."""

    def __init__(
        self,
        conn: Connection,
        book: Book,
        operator: OperatorPolicy,
        policy: CallPolicy,
        today: date,
    ) -> None:
        self._conn = conn
        self._operator = operator
        self._policy = policy
        self._today = today
        self._book = book.through(OneConnection(conn))

    def usual_caller(self, account_id: int) -> str:
        """A number that the account may show: its default one, or the first that it owns; "" for none."""
        payer = self._book.payer(account_id)
        if payer is not None and payer.limits.default_caller_id:
            return payer.limits.default_caller_id
        owned = list_numbers(self._conn, account_id)
        return owned[0].number if owned else ""

    def rehearse(self, question: Question, *, asks_store: bool) -> Rehearsal:
        """Nothing is held afterwards.

        With `asks_store` the money is held as for a call, all its caps counted,
        and given back by rolling back; without, nothing is written at all, and
        what the account has free is only read.
        """
        gathered = gather(self._book, question, self._operator, {}, self._today)
        account = gathered.payer.account if gathered.payer else None
        facts = gathered.facts
        if account is not None:
            spent = account.spent_today(self._today) + account.reserved  # as the store counts it
            calls_out = count_calls_out(self._conn, account.account_id)
            facts = replace(facts, calls_up=calls_out, spent_today=spent)
        decision = decide(question, facts)
        legs = plan_legs(question, decision, facts.carriers)
        held = ZERO
        if decision.admitted and account is not None and not is_emergency(decision):
            wanted = first_hold(decision.price, self._policy)
            outcome, held = self._ask(account, wanted, question) if asks_store else _read(account, wanted)
            if outcome is not Outcome.HELD:
                decision, legs = refused_by_store(decision, outcome), ()
        strings = dial(decision, legs, held)
        return Rehearsal(question, decision, account, legs, held, strings, facts.restrictions)

    def _ask(self, account: Account, wanted: HoldMoney, question: Question) -> tuple[Outcome, Decimal]:
        """The store's own word."""
        known = msgspec.json.encode({"product": question.product}).decode()
        request = HoldRequest(
            account.account_id, str(uuid4()), wanted.least, wanted.want, wanted.spare, known=known
        )
        with self._conn.transaction(force_rollback=True):
            (result,) = hold_many(self._conn, [request], self._today)
        return result.outcome, result.held


def book_of(conn: Connection, numbering: Numbering, toll_free_when_off: TollFree) -> Book:
    """Everything read once."""
    book = Book(numbering, OneConnection(conn), toll_free_when_off=toll_free_when_off)
    book.load()
    return book


def _read(account: Account, wanted: HoldMoney) -> tuple[Outcome, Decimal]:
    """What the store would likely say; the caps are the rules' to tell."""
    if wanted.least > max(account.available, ZERO):
        return Outcome.NO_FUNDS, ZERO
    return Outcome.HELD, wanted.want if wanted.want <= account.available - wanted.spare else wanted.least
