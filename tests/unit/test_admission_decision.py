"""What a decision says: who pays what, which caller ID goes out, what each rule found."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from fixtures.admission import (
    ACCOUNT,
    DID,
    OWNED,
    a_customer,
    a_number,
    a_price,
    a_question,
    some_facts,
)

from esl_agent.core.admission import rules
from esl_agent.core.admission.decide import decide, refused_by_store, summary
from esl_agent.core.admission.decision import Decision, Refuse, Rule, Verdict
from esl_agent.core.admission.facts import Facts
from esl_agent.core.admission.limits import CallerIdPolicy
from esl_agent.core.admission.question import Question
from esl_agent.core.admission.reasons import REFUSALS, Reason
from esl_agent.core.leg import Product
from esl_agent.core.money import ZERO
from esl_agent.core.price import UNPRICED
from esl_agent.store.holds import Outcome

REPLACING = a_customer(caller_id_policy=CallerIdPolicy.REPLACE, default_caller_id="15145550111")
STRANGER = a_number("12125550147")


def test_an_admission_says_what_must_be_held_and_what_may_be() -> None:
    facts = some_facts(customer=a_customer(spend_per_call=Decimal("2.0000")))
    decision = decide(a_question(), facts)
    assert (decision.admitted, decision.refusal, decision.detail) == (True, None, "")
    assert (decision.account_id, decision.currency, decision.price) == (ACCOUNT, "CAD", a_price())
    assert (decision.needs, decision.most) == (Decimal("0.0010"), Decimal("2.0000"))


def test_a_refusal_has_its_answer_with_it() -> None:
    decision = decide(a_question(), some_facts(number=None, number_problem="too_short", price=None))
    assert not decision.admitted
    assert decision.refusal == REFUSALS[Reason.NUMBER_NOT_UNDERSTOOD]
    assert (decision.detail, decision.price, decision.needs) == ("too_short", UNPRICED, ZERO)


def test_the_first_rule_that_refuses_wins() -> None:
    facts = some_facts(customer=None, number=None, carriers=(), is_within_rate=False)
    assert decide(a_question(), facts).rule == "payer"


class TestTrace:
    def test_every_rule_up_to_the_one_that_decided(self) -> None:
        admitted = decide(a_question(), some_facts())
        assert [judgement.rule for judgement in admitted.trace] == [rule.__name__ for rule in rules.RULES]
        assert [judgement.outcome for judgement in admitted.trace] == ["ok"] * (len(rules.RULES) - 1) + [
            "admit"
        ]
        assert admitted.trace[-1].text == "if 0.0010 can be held"

    def test_a_refusal_ends_it_and_says_why(self) -> None:
        refused = decide(a_question(), some_facts(customer=None))
        assert [judgement.rule for judgement in refused.trace] == [
            "emergency",
            "facts_known",
            "journal_room",
            "did_known",
            "payer",
        ]
        assert refused.trace[-1].outcome == "refuse"
        assert refused.trace[-1].text == f"unknown_account: account {ACCOUNT}"

    def test_a_rule_that_lets_pass_says_what_it_asks_for(self) -> None:
        trace = decide(a_question(), some_facts()).trace
        assert trace[0].text == summary(rules.emergency)

    @pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
    def test_every_rule_asks_for_something_in_a_sentence(self, rule: Rule) -> None:
        assert summary(rule).endswith(".")


def test_nothing_is_admitted_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "RULES", rules.RULES[:-1])
    decision = decide(a_question(), some_facts())
    assert (decision.admitted, decision.reason) == (False, Reason.NO_DECISION)


def test_adding_a_rule_is_adding_a_function_and_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def weekend(question: Question, facts: Facts) -> Verdict | None:
        """Nobody calls on a Sunday."""
        return Refuse(Reason.BLOCKED_BY_OPERATOR, "it is Sunday")

    monkeypatch.setattr(rules, "RULES", (*rules.RULES[:-1], weekend, rules.RULES[-1]))
    decision = decide(a_question(), some_facts())
    assert (decision.rule, decision.detail) == ("weekend", "it is Sunday")


class TestCallerId:
    def of(self, product: Product = Product.TERMINATION, **facts: Any) -> Decision:
        return decide(a_question(product), some_facts(product, **facts))

    def test_the_customers_own(self) -> None:
        decision = self.of(customer=REPLACING)
        assert (decision.caller_id, decision.tags) == (OWNED, ())

    def test_the_default_instead_of_anothers(self) -> None:
        decision = self.of(customer=REPLACING, caller=STRANGER, owns_caller=False)
        assert (decision.caller_id, decision.tags) == ("15145550111", ("caller_id_replaced",))

    def test_the_default_instead_of_none(self) -> None:
        assert self.of(customer=REPLACING, caller=None, owns_caller=False).caller_id == "15145550111"

    def test_a_forwarded_call_shows_who_called(self) -> None:
        decision = self.of(Product.FORWARDING)
        assert (decision.caller_id, decision.tags) == (STRANGER.digits, ())

    @pytest.mark.parametrize("caller", [None, a_number("911")])
    def test_or_the_did_where_that_is_not_to_be_known(self, caller: object) -> None:
        decision = self.of(Product.FORWARDING, caller=caller)
        assert (decision.caller_id, decision.tags) == (DID, ("caller_id_replaced",))

    def test_a_call_that_comes_in_keeps_what_it_has(self) -> None:
        decision = self.of(Product.INBOUND)
        assert (decision.caller_id, decision.tags) == ("", ())

    @pytest.mark.parametrize(
        ("facts", "caller_id"),
        [
            ({}, OWNED),
            ({"caller": STRANGER, "owns_caller": False}, ""),
            ({"caller": STRANGER, "owns_caller": False, "customer": REPLACING}, "15145550111"),
            (
                {
                    "caller": None,
                    "owns_caller": False,
                    "customer": a_customer(default_caller_id="15145550111"),
                },
                "15145550111",
            ),
        ],
    )
    def test_an_emergency_call_shows_where_help_is_needed_if_that_is_known(
        self, facts: dict[str, Any], caller_id: str
    ) -> None:
        decision = self.of(number=a_number("911"), **facts)
        assert (decision.admitted, decision.caller_id) == (True, caller_id)
        assert "emergency" in decision.tags


class TestRefusedByStore:
    @pytest.mark.parametrize(
        ("outcome", "rule", "reason"),
        [
            ("no_funds", "funds", Reason.NO_FUNDS),
            ("too_many_calls", "concurrent_calls", Reason.TOO_MANY_CALLS),
            ("day_spend", "spend_per_day", Reason.DAY_SPEND),
            ("call_spend", "spend_per_call", Reason.CALL_SPEND),
            ("terms_not_accepted", "account_state", Reason.TERMS_NOT_ACCEPTED),
            ("account_suspended", "account_state", Reason.ACCOUNT_SUSPENDED),
            ("account_closed", "account_state", Reason.ACCOUNT_CLOSED),
            ("unknown_account", "payer", Reason.UNKNOWN_ACCOUNT),
            ("outage_limit", "funds", Reason.OUTAGE_LIMIT),
            ("settled", "facts_known", Reason.NO_DECISION),
            ("no_decision", "facts_known", Reason.NO_DECISION),
            ("anything else", "facts_known", Reason.NO_DECISION),
        ],
    )
    def test_the_stores_word_becomes_a_reason(self, outcome: str, rule: str, reason: Reason) -> None:
        admitted = decide(a_question(), some_facts())
        refused = refused_by_store(admitted, outcome)
        assert (refused.admitted, refused.rule, refused.reason) == (False, rule, reason)
        assert refused.trace[:-1] == admitted.trace
        assert refused.trace[-1].outcome == "refuse"

    def test_every_word_of_the_stores_is_known(self) -> None:
        """But for those about a leg that is over: a leg that admission plans is new."""
        admitted = decide(a_question(), some_facts())
        unknown = {word for word in Outcome if refused_by_store(admitted, word).rule == "facts_known"}
        assert unknown == {Outcome.HELD, Outcome.SETTLED, Outcome.RELEASED}

    def test_all_else_stays(self) -> None:
        admitted = decide(a_question(), some_facts())
        refused = refused_by_store(admitted, "no_funds")
        same = replace(
            refused, admitted=True, rule=admitted.rule, refusal=None, detail="", trace=admitted.trace
        )
        assert same == admitted
