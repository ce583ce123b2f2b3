"""An account's states, its terms, and money paid in once."""

from __future__ import annotations

from decimal import Decimal

import pytest
from fixtures.records import an_account, money

from esl_agent.store import accounts, ledger
from esl_agent.store.accounts import AccountError, NewAccount, State, add_account
from esl_agent.store.ledger import Entry, House, LedgerError, last_entries
from esl_agent.store.pool import Connection

PAYER = 1001


def new(account_id: int = PAYER, **changes: object) -> NewAccount:
    values = {"name": "A grocer", "plan": "standard", "by": "test"}
    return NewAccount(account_id=account_id, **values | changes)  # type: ignore[arg-type]


def test_an_account_waits_until_its_terms_are_accepted(conn: Connection) -> None:
    added = add_account(conn, new())
    assert (added.state, added.terms_version) == (State.PENDING, None)

    active = accounts.accept_terms(conn, PAYER, "2026-01", "noc")

    assert (active.state, active.terms_version, active.state_by) == (State.ACTIVE, "2026-01", "noc")
    assert active.terms_accepted_at == active.state_since


def test_an_account_whose_terms_come_with_it_is_active_at_once(conn: Connection) -> None:
    assert add_account(conn, new(terms_version="2026-01")).state is State.ACTIVE


def test_newer_terms_leave_a_suspended_account_suspended(conn: Connection) -> None:
    an_account(conn, PAYER, "0")
    accounts.suspend(conn, PAYER, "unpaid", "noc")

    account = accounts.accept_terms(conn, PAYER, "2027-01", "noc")

    assert (account.state, account.terms_version) == (State.SUSPENDED, "2027-01")


def test_suspended_and_resumed_with_reason_and_by_whom(conn: Connection) -> None:
    an_account(conn, PAYER, "0")

    suspended = accounts.suspend(conn, PAYER, "unpaid", "noc")
    assert (suspended.state, suspended.state_reason, suspended.state_by) == (State.SUSPENDED, "unpaid", "noc")
    assert accounts.suspend(conn, PAYER, "another reason", "somebody else") == suspended

    assert accounts.resume(conn, PAYER, "paid", "noc").state is State.ACTIVE
    with pytest.raises(AccountError, match="is active, not suspended"):
        accounts.resume(conn, PAYER, "paid", "noc")


def test_a_suspension_before_the_terms_were_accepted_ends_in_waiting_for_them(conn: Connection) -> None:
    add_account(conn, new())
    accounts.suspend(conn, PAYER, "odd papers", "noc")

    assert accounts.resume(conn, PAYER, "papers came", "noc").state is State.PENDING
    with pytest.raises(AccountError, match="accept its terms"):
        accounts.resume(conn, PAYER, "again", "noc")


def test_closed_is_for_good(conn: Connection) -> None:
    an_account(conn, PAYER, "5.00")
    closed = accounts.close(conn, PAYER, "left", "noc")
    assert (closed.state, closed.balance) == (State.CLOSED, Decimal("5.0000"))
    assert accounts.close(conn, PAYER, "again", "noc") == closed

    for change in (
        lambda: accounts.resume(conn, PAYER, "", "noc"),
        lambda: accounts.suspend(conn, PAYER, "", "noc"),
        lambda: accounts.accept_terms(conn, PAYER, "2026-01", "noc"),
        lambda: accounts.top_up(conn, PAYER, Decimal(1), "late"),
        lambda: accounts.change_plan(conn, PAYER, "standard"),
        lambda: accounts.change_credit_limit(conn, PAYER, Decimal(1)),
    ):
        with pytest.raises(AccountError, match="was closed on"):
            change()


def test_numbers_are_given_once_and_plans_must_exist(conn: Connection) -> None:
    add_account(conn, new())

    with pytest.raises(AccountError, match="there is an account 1001 already"):
        add_account(conn, new())
    with pytest.raises(AccountError, match="no plan 'gold'"):
        add_account(conn, new(1002, plan="gold"))
    with pytest.raises(AccountError, match="no plan 'gold'"):
        accounts.change_plan(conn, PAYER, "gold")
    with pytest.raises(AccountError, match="not between"):
        add_account(conn, new(0))
    assert [account.account_id for account in accounts.list_accounts(conn)] == [PAYER]


def test_an_unknown_account_is_told_by_its_number(conn: Connection) -> None:
    assert accounts.find_account(conn, 9999) is None
    with pytest.raises(AccountError, match="no account 9999"):
        accounts.get_account(conn, 9999)
    with pytest.raises(AccountError, match="no account 9999"):
        accounts.top_up(conn, 9999, Decimal(1), "payment")


def test_accounts_are_listed_by_pages(conn: Connection) -> None:
    for account_id in (3, 1, 2):
        add_account(conn, new(account_id))

    assert [account.account_id for account in accounts.list_accounts(conn, limit=2)] == [1, 2]
    assert [account.account_id for account in accounts.list_accounts(conn, after=2)] == [3]


def test_a_payment_is_credited_once_for_its_reference(conn: Connection) -> None:
    an_account(conn, PAYER, "0")

    assert [accounts.top_up(conn, PAYER, Decimal("12.5000"), "cheque 7")[1] for _ in range(3)] == [
        True,
        False,
        False,
    ]

    assert money(conn, PAYER) == ("12.5000", "0.0000")
    [entry] = last_entries(conn, PAYER, 10)
    assert (entry.debit, entry.credit, entry.kind, entry.reference) == (
        "cash",
        "customer",
        "top_up",
        "cheque 7",
    )
    with pytest.raises(LedgerError, match=r"'cheque 7' of account 1001 stands for 12\.5000"):
        accounts.top_up(conn, PAYER, Decimal("13.0000"), "cheque 7")


@pytest.mark.parametrize("amount", ["0", "-1"])
def test_a_payment_is_more_than_nothing(conn: Connection, amount: str) -> None:
    an_account(conn, PAYER, "0")
    with pytest.raises(AccountError, match="more than zero"):
        accounts.top_up(conn, PAYER, Decimal(amount), "cheque 7")


def test_the_ledger_moves_the_balance_by_the_customers_side(conn: Connection) -> None:
    an_account(conn, PAYER, "10.00")

    def post(key: str, debit: House, credit: House) -> bool:
        with conn.transaction():
            return ledger.post(conn, Entry(PAYER, key, debit, credit, Decimal("3.0000"), "fee", "monthly"))

    assert post("fee:1", House.CUSTOMER, House.FEES)
    assert post("fee:1", House.CUSTOMER, House.FEES) is False
    assert post("waived:1", House.WRITE_OFF, House.CUSTOMER)
    assert post("moved:1", House.FEES, House.TAX)

    assert money(conn, PAYER) == ("10.0000", "0.0000")
    changes = {entry.idempotency_key: str(entry.change) for entry in last_entries(conn, PAYER, 3)}
    assert changes == {"fee:1": "-3.0000", "waived:1": "3.0000", "moved:1": "0.0000"}
    assert ledger.check(conn) == []


def test_check_names_every_sum_that_was_tampered_with(conn: Connection) -> None:
    for account_id in (1, 2, 3):
        an_account(conn, account_id, "10.00")
    conn.execute("UPDATE accounts SET balance = balance + 0.0001 WHERE account_id = 2")
    conn.execute("UPDATE accounts SET reserved = 0.5 WHERE account_id = 3")
    conn.execute(
        "INSERT INTO ledger (account_id, idempotency_key, debit, credit, amount, kind)"
        " VALUES (4, 'x', 'cash', 'customer', 7, 'top_up')"
    )

    found = [(each.account_id, each.what, str(each.stored), str(each.summed)) for each in ledger.check(conn)]

    assert found == [
        (2, "balance", "10.0001", "10.0000"),
        (3, "reserved", "0.5000", "0"),
        (4, "balance", "0", "7.0000"),
    ]
