"""Each rule of admission: an ordinary call with one thing wrong is refused for just that thing."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from fixtures.admission import (
    ACCOUNT,
    DID,
    FREE,
    LONDON,
    OWNED,
    a_carrier,
    a_customer,
    a_did,
    a_number,
    a_price,
    a_question,
    some_facts,
)

from esl_agent.core import budget
from esl_agent.core.admission.decide import decide
from esl_agent.core.admission.facts import AccountState, PayphonePolicy
from esl_agent.core.admission.limits import CallerIdPolicy, OperatorPolicy, TollFree
from esl_agent.core.admission.reasons import Reason
from esl_agent.core.leg import Product
from esl_agent.core.numbering import NumberClass

OUT, IN, FORWARDED = Product.TERMINATION, Product.INBOUND, Product.FORWARDING
REPLACE = {"caller_id_policy": CallerIdPolicy.REPLACE}
FOREIGN_CALLER = {"caller": a_number("12125550147"), "owns_caller": False}
TOLL_FREE = {"number": a_number("18005550199"), "price": FREE}
FULL = (a_carrier("alpha", capacity=2, in_use=2), a_carrier("beta", capacity=0))


def verdict(product: Product, facts: dict[str, Any], question: dict[str, Any]) -> tuple[str, Reason | None]:
    """The rule that decided, and the reason if it refused."""
    decision = decide(a_question(product, **question), some_facts(product, **facts))
    return decision.rule, decision.reason


REFUSED: list[tuple[str, Reason, Product, dict[str, Any], dict[str, Any]]] = [
    ("facts_known", Reason.NO_DECISION, OUT, {"is_known": False}, {}),
    ("facts_known", Reason.NO_DECISION, IN, {"is_known": False}, {}),
    ("journal_room", Reason.JOURNAL_FULL, OUT, {"has_journal_room": False}, {}),
    ("journal_room", Reason.JOURNAL_FULL, IN, {"has_journal_room": False}, {}),
    ("did_known", Reason.UNKNOWN_DID, IN, {"did": None}, {}),
    ("did_known", Reason.UNKNOWN_DID, FORWARDED, {"did": None}, {}),
    ("payer", Reason.UNKNOWN_ACCOUNT, OUT, {"customer": None}, {}),
    ("payer", Reason.UNKNOWN_ACCOUNT, OUT, {"customer": None}, {"account_id": None}),
    ("payer", Reason.UNKNOWN_ACCOUNT, OUT, {}, {"account_id": 9999}),
    ("payer", Reason.UNKNOWN_ACCOUNT, IN, {"did": a_did(account_id=9999)}, {}),
    ("payer", Reason.UNKNOWN_ACCOUNT, FORWARDED, {"did": a_did(account_id=9999)}, {"account_id": ACCOUNT}),
    ("terms", Reason.TERMS_NOT_ACCEPTED, OUT, {"customer": replace(a_customer(), terms_accepted=False)}, {}),
    ("number_understood", Reason.NUMBER_NOT_UNDERSTOOD, OUT, {"number": None}, {}),
    ("forwarding_loop", Reason.FORWARDED_TO_ITSELF, FORWARDED, {"number": a_number(DID)}, {}),
    ("operator_blocks", Reason.BLOCKED_BY_OPERATOR, OUT, {"number": a_number("881612345678")}, {}),
    ("premium", Reason.PREMIUM_BLOCKED, OUT, {"number": a_number("19005550123")}, {}),
    ("premium", Reason.PREMIUM_BLOCKED, FORWARDED, {"number": a_number("15149765555")}, {}),
    ("caller_id", Reason.CALLER_ID_NOT_OWNED, OUT, FOREIGN_CALLER, {}),
    ("caller_id", Reason.CALLER_ID_NOT_OWNED, OUT, {"caller": None, "owns_caller": False}, {}),
    ("caller_id", Reason.CALLER_ID_NOT_OWNED, OUT, FOREIGN_CALLER | {"customer": a_customer(**REPLACE)}, {}),
    ("priced", Reason.NO_PLAN, OUT, {"has_plan": False, "price": None}, {}),
    ("priced", Reason.NO_RATE, OUT, {"price": None}, {}),
    ("routed", Reason.NO_ROUTE, OUT, {"carriers": ()}, {}),
    ("routed", Reason.CARRIERS_FULL, OUT, {"carriers": FULL}, {}),
    ("routed", Reason.NO_ROUTE, FORWARDED, {"carriers": ()}, {}),
    ("calls_per_second", Reason.TOO_FAST, OUT, {"is_within_rate": False}, {}),
]


@pytest.mark.parametrize(("rule", "reason", "product", "facts", "question"), REFUSED)
def test_refused(
    rule: str, reason: Reason, product: Product, facts: dict[str, Any], question: dict[str, Any]
) -> None:
    assert verdict(product, facts, question) == (rule, reason)


@pytest.mark.parametrize("product", Product)
def test_an_ordinary_call_is_admitted(product: Product) -> None:
    assert verdict(product, {}, {}) == ("funds", None)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (AccountState.PENDING, Reason.TERMS_NOT_ACCEPTED),
        (AccountState.SUSPENDED, Reason.ACCOUNT_SUSPENDED),
        (AccountState.CLOSED, Reason.ACCOUNT_CLOSED),
    ],
)
@pytest.mark.parametrize("product", Product)
def test_only_an_active_account_calls_and_is_called(
    product: Product, state: AccountState, reason: Reason
) -> None:
    customer = replace(a_customer(), state=state)
    assert verdict(product, {"customer": customer}, {}) == ("account_state", reason)


class TestEmergency:
    @pytest.mark.parametrize("digits", ["911", "933", "988"])
    @pytest.mark.parametrize("product", [OUT, FORWARDED])
    @pytest.mark.parametrize(
        "wrong",
        [
            {},
            {"is_known": False, "customer": None, "did": None, "price": None, "carriers": ()},
            {"customer": replace(a_customer(max_calls=0), state=AccountState.SUSPENDED)},
            {"carriers": FULL, "is_within_rate": False, **FOREIGN_CALLER},
            {"price": a_price(), "customer": a_customer(spend_per_call=Decimal(0), spend_per_day=Decimal(0))},
            {"operator": OperatorPolicy(blocked_classes=frozenset(NumberClass))},
        ],
    )
    def test_nothing_stops_one(self, digits: str, product: Product, wrong: dict[str, Any]) -> None:
        facts = {"number": a_number(digits), "price": FREE} | wrong
        decision = decide(a_question(product), some_facts(product, **facts))
        assert (decision.admitted, decision.rule, decision.needs) == (True, "emergency", 0)
        assert not budget.is_metered(decision.price)

    def test_a_carriers_call_for_911_is_none(self) -> None:
        facts = {"number": a_number("911"), "did": None}
        assert verdict(IN, facts, {"dialled": "911"}) == ("did_known", Reason.UNKNOWN_DID)


class TestBlocks:
    BLOCKS = (
        {"blocked_classes": frozenset({NumberClass.WORLD})},
        {"blocked_countries": frozenset({"GB"})},
    )

    @pytest.mark.parametrize("blocks", BLOCKS)
    @pytest.mark.parametrize("product", [OUT, FORWARDED])
    def test_the_operator_blocks_for_everybody(self, product: Product, blocks: dict[str, Any]) -> None:
        operator = OperatorPolicy(**blocks)
        assert verdict(product, {"operator": operator}, {}) == (
            "operator_blocks",
            Reason.BLOCKED_BY_OPERATOR,
        )

    @pytest.mark.parametrize("blocks", [*BLOCKS, {"blocked_prefixes": ("33", "4420")}])
    @pytest.mark.parametrize("product", [OUT, FORWARDED])
    def test_an_account_blocks_for_itself(self, product: Product, blocks: dict[str, Any]) -> None:
        customer = a_customer(**blocks)
        assert verdict(product, {"customer": customer}, {}) == ("account_blocks", Reason.BLOCKED_BY_ACCOUNT)

    def test_a_block_says_what_is_blocked(self) -> None:
        facts = some_facts(customer=a_customer(blocked_prefixes=("4420",)))
        assert decide(a_question(), facts).detail == "prefix 4420"

    def test_other_numbers_pass(self) -> None:
        customer = a_customer(
            blocked_classes=frozenset({NumberClass.MEXICO}),
            blocked_countries=frozenset({"FR"}),
            blocked_prefixes=("33", "4421"),
        )
        assert verdict(OUT, {"customer": customer}, {}) == ("funds", None)

    def test_calls_to_a_did_are_not_blocked_by_where_it_is(self) -> None:
        customer = a_customer(blocked_classes=frozenset(NumberClass), blocked_prefixes=("1",))
        operator = OperatorPolicy(blocked_classes=frozenset(NumberClass))
        assert verdict(IN, {"customer": customer, "operator": operator}, {}) == ("funds", None)

    def test_premium_numbers_where_the_operator_sells_them(self) -> None:
        facts = {"number": a_number("19005550123"), "operator": OperatorPolicy(allow_premium=True)}
        assert verdict(OUT, facts, {}) == ("funds", None)


class TestPayphone:
    def call(self, policy: PayphonePolicy, oli: str | None, **question: Any) -> tuple[str, Reason | None]:
        return verdict(IN, {"did": a_did(payphone_policy=policy)}, {"oli": oli} | question)

    @pytest.mark.parametrize("oli", ["27", "70", " 27 "])
    def test_a_did_may_reject_it(self, oli: str) -> None:
        assert self.call(PayphonePolicy.REJECT, oli) == ("payphone", Reason.PAYPHONE_REJECTED)
        assert self.call(PayphonePolicy.ALLOW, oli) == ("funds", None)

    @pytest.mark.parametrize("oli", [None, "", "00", "07", "270", "²7", "2 7", "27;x"])
    def test_other_lines_are_none(self, oli: str | None) -> None:
        assert self.call(PayphonePolicy.REJECT, oli) == ("funds", None)

    def test_the_operator_may_count_more_kinds_of_line(self) -> None:
        facts = {
            "did": a_did(payphone_policy=PayphonePolicy.REJECT),
            "operator": OperatorPolicy(payphone_oli=frozenset({"07"})),
        }
        assert verdict(IN, facts, {"oli": "7"}) == ("payphone", Reason.PAYPHONE_REJECTED)

    def test_only_a_carrier_is_believed(self) -> None:
        assert self.call(PayphonePolicy.REJECT, "27", is_trunk=False) == ("funds", None)

    def test_a_did_that_is_not_toll_free_takes_every_call(self) -> None:
        did = a_did(number="15145550199", is_toll_free=False, payphone_policy=PayphonePolicy.REJECT)
        assert verdict(IN, {"did": did}, {"oli": "27"}) == ("funds", None)

    def test_a_surcharge_is_due_on_answer_and_held_beforehand(self) -> None:
        did = a_did(payphone_policy=PayphonePolicy.SURCHARGE, payphone_surcharge=Decimal("0.5500"))
        facts = some_facts(IN, did=did)
        surcharged = decide(a_question(IN, oli="27"), facts)
        assert (surcharged.needs, surcharged.price.is_free) == (Decimal("0.5500"), False)
        assert (surcharged.price.payphone_surcharge, surcharged.price.connection_fee) == (
            Decimal("0.5500"),
            0,
        )
        assert surcharged.tags == ("payphone",)
        plain = decide(a_question(IN, oli="00"), facts)
        assert (plain.needs, plain.price, plain.tags) == (0, FREE, ())


class TestTollFree:
    @pytest.mark.parametrize("product", [OUT, FORWARDED])
    def test_the_option_can_be_off(self, product: Product) -> None:
        facts = TOLL_FREE | {"customer": a_customer(toll_free=TollFree.OFF)}
        assert verdict(product, facts, {}) == ("toll_free_option", Reason.TOLL_FREE_OFF)

    @pytest.mark.parametrize("option", [TollFree.FREE, TollFree.RATED])
    def test_or_on(self, option: TollFree) -> None:
        assert verdict(OUT, TOLL_FREE | {"customer": a_customer(toll_free=option)}, {}) == ("funds", None)

    def test_it_is_no_matter_of_the_accounts_own_toll_free_did(self) -> None:
        assert verdict(IN, {"customer": a_customer(toll_free=TollFree.OFF)}, {}) == ("funds", None)


class TestCaps:
    def test_concurrent_calls(self) -> None:
        customer = a_customer(max_calls=2)
        assert verdict(OUT, {"customer": customer, "calls_up": 1}, {}) == ("funds", None)
        full = {"customer": customer, "calls_up": 2}
        assert verdict(OUT, full, {}) == ("concurrent_calls", Reason.TOO_MANY_CALLS)
        assert verdict(FORWARDED, full, {}) == ("concurrent_calls", Reason.TOO_MANY_CALLS)

    def test_calls_that_come_in_are_not_counted(self) -> None:
        facts = {"customer": a_customer(max_calls=0), "is_within_rate": False}
        assert verdict(IN, facts, {}) == ("funds", None)

    @pytest.mark.parametrize(("spent", "expected"), [("0.9990", None), ("0.9991", Reason.DAY_SPEND)])
    def test_spend_per_day_includes_the_first_charge(self, spent: str, expected: Reason | None) -> None:
        facts = {"customer": a_customer(spend_per_day=Decimal("1.0000")), "spent_today": Decimal(spent)}
        assert verdict(OUT, facts, {})[1] is expected

    @pytest.mark.parametrize(("most", "expected"), [("0.0010", None), ("0.0009", Reason.CALL_SPEND)])
    def test_spend_per_call(self, most: str, expected: Reason | None) -> None:
        assert verdict(OUT, {"customer": a_customer(spend_per_call=Decimal(most))}, {})[1] is expected

    def test_what_is_spent_stops_no_free_call(self) -> None:
        customer = a_customer(spend_per_day=Decimal(0), spend_per_call=Decimal(0))
        facts = TOLL_FREE | {"customer": customer, "spent_today": Decimal(5)}
        assert verdict(OUT, facts, {}) == ("funds", None)


CANNOT: dict[str, Any] = {"can_record": False, "departments": {LONDON}}


class TestRecordable:
    def test_a_departments_call_that_cant_be_recorded_is_refused(self) -> None:
        assert verdict(OUT, CANNOT, {}) == ("recordable", Reason.NOT_RECORDABLE)
        assert verdict(FORWARDED, CANNOT, {}) == ("recordable", Reason.NOT_RECORDABLE)
        assert verdict(IN, CANNOT | {"departments": {DID}}, {}) == ("recordable", Reason.NOT_RECORDABLE)

    def test_every_other_call_goes_on(self) -> None:
        assert verdict(OUT, {"can_record": False, "departments": {DID}}, {}) == ("funds", None)
        assert verdict(IN, CANNOT, {}) == ("funds", None)

    def test_an_emergency_call_of_a_department_goes_on(self) -> None:
        facts = {"can_record": False, "departments": {OWNED, "911"}, "number": a_number("911")}
        assert verdict(OUT, facts, {}) == ("emergency", None)


def test_a_carrier_with_room_is_enough() -> None:
    assert verdict(OUT, {"carriers": (*FULL, a_carrier("gamma", capacity=3, in_use=2))}, {}) == (
        "funds",
        None,
    )


def test_a_connection_fee_and_a_surcharge_belong_to_the_first_charge() -> None:
    price = a_price(connection_fee=Decimal("0.0100"), forwarding_rate_per_minute=Decimal("0.015"))
    decision = decide(a_question(FORWARDED), some_facts(FORWARDED, price=price))
    assert decision.needs == Decimal("0.0125")
    assert (decision.account_id, decision.forwarded_from) == (ACCOUNT, DID)
    assert decision.number == a_number(LONDON)
