"""Which calls are recorded (terms 12), because of which number, and who is told before."""

from __future__ import annotations

from typing import Any

import pytest
from fixtures.admission import DID, LONDON, OWNED, a_customer, a_did, a_number, a_question, some_facts

from esl_agent.core.admission.limits import CallerIdPolicy
from esl_agent.core.admission.recording import Recording, Tell, recording_of
from esl_agent.core.leg import Product

OUT, IN, FORWARDED = Product.TERMINATION, Product.INBOUND, Product.FORWARDING
STRANGER = "12125550147"


def recording(product: Product, *departments: str, **facts: Any) -> Recording | None:
    return recording_of(a_question(product), some_facts(product, departments=departments, **facts))


@pytest.mark.parametrize("product", Product)
def test_no_call_is_where_no_number_is_a_departments(product: Product) -> None:
    assert recording(product) is None
    assert recording(product, "15145559999") is None


def test_a_customer_calls_support() -> None:
    assert recording(OUT, LONDON) == Recording(LONDON, Tell.CALLER)


def test_support_calls_a_customer() -> None:
    assert recording(OUT, OWNED) == Recording(OWNED, Tell.CALLED)


def test_support_calls_the_administration() -> None:
    assert recording(OUT, OWNED, LONDON) == Recording(LONDON, Tell.BOTH)


def test_support_is_known_by_the_caller_id_that_takes_the_place_of_its_own() -> None:
    replaced = a_customer(caller_id_policy=CallerIdPolicy.REPLACE, default_caller_id=OWNED)
    facts = {"customer": replaced, "caller": a_number(STRANGER), "owns_caller": False}
    assert recording(OUT, OWNED, **facts) == Recording(OWNED, Tell.CALLED)
    assert recording(OUT, STRANGER, **facts) is None


def test_a_stranger_calls_supports_number() -> None:
    assert recording(IN, DID) == Recording(DID, Tell.CALLER)


def test_supports_number_is_forwarded() -> None:
    assert recording(FORWARDED, DID) == Recording(DID, Tell.CALLER)


def test_a_customers_number_is_forwarded_to_support() -> None:
    assert recording(FORWARDED, LONDON) == Recording(LONDON, Tell.CALLER)


@pytest.mark.parametrize("product", [IN, FORWARDED])
def test_a_stranger_who_claims_to_be_support_has_nothing_recorded(product: Product) -> None:
    assert recording(product, STRANGER, caller=a_number(STRANGER)) is None


def test_a_customer_who_claims_to_be_support_has_nothing_recorded() -> None:
    assert recording(OUT, STRANGER, caller=a_number(STRANGER), owns_caller=False) is None


@pytest.mark.parametrize("code", ["911", "933", "988"])
def test_an_emergency_call_is_never_recorded(code: str) -> None:
    assert recording(OUT, OWNED, code, number=a_number(code)) is None
    assert recording(FORWARDED, DID, number=a_number(code), did=a_did()) is None
