"""Dunning: reminders, suspension and closure for what is past due, and the payment that lifts them (terms 2).

Each step is taken once for an invoice.  A suspension of ours is lifted in the
transaction that books the payment, so the account's next call goes out; if that
payment bounces, the next run suspends again.  One by hand, or for what a phone
was used for, stays until it is lifted by hand, also where it took over ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from esl_agent.core.office.dunning import Due, DunningPolicy, Step, steps_due
from esl_agent.noc.hook import HookError, run_hook
from esl_agent.noc.log import Log
from esl_agent.office.arrears import OpenInvoice, accounts_in_arrears, invoices_on
from esl_agent.office.payments import Booked, NewPayment, take_payment
from esl_agent.store.accounts import DUNNING, Account, State, close, get_account, lock, resume, suspend
from esl_agent.store.pool import Connection

WORD_OF_STEP: Final = {
    Step.REMINDER: "DUNNING_REMINDER",
    Step.SUSPENSION: "DUNNING_SUSPENDED",
    Step.CLOSURE: "DUNNING_CLOSED",
}


@dataclass(frozen=True, slots=True)
class Taken:
    """A step that was taken about an invoice."""

    account_id: int
    name: str
    invoice_number: str
    step: Step
    due_on: date  # the invoice
    open_amount: Decimal
    currency: str


def take_steps(
    conn: Connection, today: date, time_zone: str, policy: DunningPolicy, *, dry_run: bool = False
) -> Iterator[Taken]:
    """Do what is due about every account in arrears, each in a transaction of its own."""
    for account_id in accounts_in_arrears(conn, today):
        with conn.transaction(force_rollback=dry_run):
            taken = list(_take_account(conn, lock(conn, account_id), today, time_zone, policy))
        yield from taken


def receive(
    conn: Connection, new: NewPayment, today: date, time_zone: str, policy: DunningPolicy
) -> tuple[Booked, bool]:
    """Book a payment and lift what it should, at once; whether a suspension was lifted.

    Raises as payments.take_payment does.
    """
    with conn.transaction():
        booked = take_payment(conn, new)
        account = booked.account
        if account.state is not State.SUSPENDED:
            return booked, False
        still = [
            each
            for each in invoices_on(conn, new.account_id, today, time_zone)
            if each.open_amount and _suspends(each, today, policy)
        ]
        if still:
            return booked, False
        conn.execute(
            "UPDATE dunning_steps SET lifted_at = now()"
            " WHERE account_id = %s AND step = 'suspension' AND lifted_at IS NULL",
            [new.account_id],
        )
        if account.state_by != DUNNING:
            return booked, False
        resumed = resume(conn, new.account_id, f"paid: {new.reference}", DUNNING)
        return Booked(booked.payment, resumed, booked.is_new), True


def tell(log: Log, taken: Taken, hook: Sequence[str]) -> None:
    """A line in the log, and the operator's hook: `HOOK step account invoice amount currency`."""
    fields = {"account": taken.account_id, "invoice": taken.invoice_number, "open": taken.open_amount}
    log(WORD_OF_STEP[taken.step], **fields, due=taken.due_on, name=taken.name)
    if not hook:
        return
    arguments = [
        taken.step,
        str(taken.account_id),
        taken.invoice_number,
        str(taken.open_amount),
        taken.currency,
    ]
    try:
        run_hook([*hook, *arguments])
    except HookError as error:
        log("DUNNING_HOOK_FAILED", **fields, step=taken.step, error=str(error))


def _take_account(
    conn: Connection, account: Account, today: date, time_zone: str, policy: DunningPolicy
) -> Iterator[Taken]:
    if account.state is State.CLOSED:
        return
    for each in invoices_on(conn, account.account_id, today, time_zone):
        if not each.open_amount:
            continue
        number = each.invoice.invoice_number
        known = _known(conn, account.account_id, number)
        for due in steps_due(each.invoice.due_on, today, policy, known):
            _take(conn, account.account_id, each, due)
            yield Taken(
                account.account_id, account.name, number, due.step, each.invoice.due_on, each.open_amount,
                account.currency,
            )  # fmt: skip


def _take(conn: Connection, account_id: int, open_invoice: OpenInvoice, due: Due) -> None:
    number = open_invoice.invoice.invoice_number
    conn.execute(
        "INSERT INTO dunning_steps (account_id, invoice_number, step, due_on, open_amount)"
        " VALUES (%s, %s, %s, %s, %s)",
        [account_id, number, due.step, due.on, open_invoice.open_amount],
    )
    reason = f"invoice {number} is past due since {open_invoice.invoice.due_on}"
    state = get_account(conn, account_id).state
    if due.step is Step.SUSPENSION and state is not State.SUSPENDED:
        suspend(conn, account_id, reason, DUNNING)
    elif due.step is Step.CLOSURE and state is not State.CLOSED:
        close(conn, account_id, reason, DUNNING)


def _suspends(each: OpenInvoice, today: date, policy: DunningPolicy) -> bool:
    return any(due.step is Step.SUSPENSION for due in steps_due(each.invoice.due_on, today, policy, ()))


def _known(conn: Connection, account_id: int, number: str) -> list[Due]:
    rows = conn.execute(
        "SELECT step, due_on FROM dunning_steps"
        " WHERE account_id = %s AND invoice_number = %s AND lifted_at IS NULL",
        [account_id, number],
    )
    return [Due(Step(step), due_on) for step, due_on in rows]
