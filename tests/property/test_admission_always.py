"""What holds of every decision, every order of carriers and every token bucket."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from fixtures.admission import ACCOUNT, DID, FREE, a_carrier, a_did, a_number, a_price
from hypothesis import given
from hypothesis import strategies as st

from esl_agent.core import budget
from esl_agent.core.admission import rules
from esl_agent.core.admission.bucket import TokenBucket
from esl_agent.core.admission.carriers import Carrier, choose
from esl_agent.core.admission.decide import decide
from esl_agent.core.admission.facts import AccountState, Customer, Facts, PayphonePolicy
from esl_agent.core.admission.limits import CallerIdPolicy, Limits, OperatorPolicy, TollFree
from esl_agent.core.admission.question import Question
from esl_agent.core.admission.restricted import limits_under
from esl_agent.core.leg import Product
from esl_agent.core.numbering import Number, NumberClass
from esl_agent.core.tariff import NEVER_CHARGED
from esl_agent.core.traffic.restriction import Restriction
from esl_agent.core.traffic.verdict import Action


def restrained(customer: Customer, made: tuple[Restriction, ...], when_off: TollFree) -> Customer:
    """The customer as the book has him while these are open."""
    return replace(customer, limits=limits_under(customer.limits, made, when_off), restrictions=made)


amounts = st.integers(0, 50).map(lambda number: Decimal(number) / 1_000)
numbers = st.sampled_from(
    ["442079460000", "15145551234", "18005550199", "19005550123", "8816123456", "911", "988", "411", DID]
).map(a_number)
classes = st.frozensets(st.sampled_from(NumberClass), max_size=2)
limits = st.builds(
    Limits,
    max_calls=st.none() | st.integers(0, 3),
    calls_per_second=st.none() | st.integers(1, 3),
    spend_per_day=st.none() | amounts,
    spend_per_call=st.none() | amounts,
    blocked_classes=classes,
    blocked_countries=st.frozensets(st.sampled_from(["GB", "CA", ""]), max_size=1),
    blocked_prefixes=st.sampled_from([(), ("44",), ("1514", "33")]),
    default_caller_id=st.none() | st.just("15145550111"),
    caller_id_policy=st.sampled_from(CallerIdPolicy),
    toll_free=st.sampled_from(TollFree),
)
restrictions = st.builds(
    Restriction,
    account_id=st.just(ACCOUNT),
    rule=st.just("dialer"),
    action=st.sampled_from(Action),
    did=st.sampled_from(["", DID, "15145551234"]),
    max_calls=st.none() | st.integers(0, 3),
    calls_per_second=st.none() | st.integers(1, 3),
    ends_calls=st.booleans(),
    since_us=st.just(0),
)
customers = st.builds(
    Customer,
    restrictions=st.lists(restrictions, max_size=3).map(tuple),
    account_id=st.sampled_from([ACCOUNT, 9999]),
    state=st.sampled_from([*AccountState, AccountState.ACTIVE, AccountState.ACTIVE]),
    terms_accepted=st.sampled_from([True, True, False]),
    limits=limits,
)
#: So that restrictions are in force at all.
under_restrictions = st.builds(
    restrained,
    customers,
    st.lists(restrictions, min_size=1, max_size=4).map(tuple),
    st.sampled_from(TollFree),
)
dids = st.builds(
    a_did,
    is_toll_free=st.booleans(),
    payphone_policy=st.sampled_from(PayphonePolicy),
    payphone_surcharge=amounts,
)
questions = st.builds(
    Question,
    account_id=st.none() | st.just(ACCOUNT),
    product=st.sampled_from(Product),
    dialled=st.text(max_size=20),
    caller_number=st.text(max_size=20),
    caller_leg_uuid=st.just("334f4db6-d353-469d-90bb-41436a2b85c0"),
    did=st.none() | st.just(DID),
    oli=st.none() | st.sampled_from(["27", "7", "00"]) | st.text(max_size=3),
    is_trunk=st.booleans(),
    asked_us=st.just(0),
)
facts = st.builds(
    Facts,
    operator=st.builds(OperatorPolicy, allow_premium=st.booleans(), blocked_classes=classes),
    is_known=st.sampled_from([True, True, False]),
    customer=st.none() | customers | under_restrictions,
    number=st.none() | numbers,
    did=st.none() | dids,
    caller=st.none() | numbers,
    owns_caller=st.booleans(),
    has_plan=st.sampled_from([True, True, False]),
    price=st.sampled_from([None, FREE, a_price(), a_price(connection_fee=Decimal("0.0400"))]),
    calls_up=st.integers(0, 3),
    is_within_rate=st.booleans(),
    spent_today=amounts,
    carriers=st.lists(st.sampled_from([a_carrier(), a_carrier("b", capacity=0)]), max_size=2).map(tuple),
    departments=st.frozensets(numbers.map(lambda number: number.digits), max_size=3),
    can_record=st.booleans(),
)
carriers = st.lists(
    st.builds(
        a_carrier,
        st.sampled_from("abcdefghijkl"),
        priority=st.integers(0, 2),
        weight=st.integers(0, 5),
        capacity=st.none() | st.integers(0, 2),
        in_use=st.integers(0, 2),
    ),
    max_size=12,
    unique_by=lambda carrier: carrier.name,
)


@given(questions, facts)
def test_there_is_a_decision_on_everything(question: Question, known: Facts) -> None:
    decision = decide(question, known)
    assert decision.admitted == (decision.refusal is None)
    assert decision.rule == decision.trace[-1].rule
    assert all(judgement.outcome == "ok" for judgement in decision.trace[:-1])


@given(questions, facts)
def test_every_rule_has_an_opinion_on_everything_and_keeps_it(question: Question, known: Facts) -> None:
    for rule in rules.RULES:
        assert rule(question, known) == rule(question, known)


@given(questions, facts)
def test_an_emergency_call_out_is_always_admitted_and_nothing_else_is_by_that_rule(
    question: Question, known: Facts
) -> None:
    goes_out = question.product is not Product.INBOUND
    is_emergency = known.number is not None and known.number.number_class in NEVER_CHARGED and goes_out
    decision = decide(question, known)
    assert (decision.rule == "emergency") == is_emergency
    assert decision.admitted or not is_emergency


@given(questions, facts)
def test_nothing_that_a_restriction_suspends_is_admitted(question: Question, known: Facts) -> None:
    decision = decide(question, known)
    if decision.admitted and decision.rule != "emergency":
        actions = {each.action for each in known.restrictions}
        assert Action.SUSPEND_ACCOUNT not in actions
        assert Action.SUSPEND_OUTBOUND not in actions or question.product is Product.INBOUND
        dids = {each.did for each in known.restrictions if each.action is Action.SUSPEND_DID}
        assert decision.caller_id not in dids or question.product is not Product.TERMINATION
        assert question.product is Product.TERMINATION or (known.did and known.did.number not in dids)


@given(customers, st.lists(restrictions, max_size=4), st.sampled_from(TollFree))
def test_a_restriction_never_lets_an_account_do_more(
    customer: Customer, made: list[Restriction], when_off: TollFree
) -> None:
    own, left = customer.limits, limits_under(customer.limits, made, when_off)
    for name in ("max_calls", "calls_per_second"):
        before, after = getattr(own, name), getattr(left, name)
        assert before is None or after <= before
    order = [TollFree.FREE, TollFree.RATED, TollFree.OFF]
    assert order.index(left.toll_free) >= order.index(own.toll_free)
    unlike = {"max_calls": None, "calls_per_second": None, "toll_free": TollFree.FREE}
    assert replace(left, **unlike) == replace(own, **unlike)


@given(questions, facts)
def test_all_that_is_admitted_is_paid_for_by_an_active_account(question: Question, known: Facts) -> None:
    decision = decide(question, known)
    if decision.admitted and decision.rule != "emergency":
        assert known.customer is not None
        assert known.customer.state is AccountState.ACTIVE
        assert decision.account_id == known.customer.account_id > 0
        assert decision.number is not None
        assert not budget.is_metered(decision.price) or decision.needs == budget.first_charge(decision.price)


@given(questions, facts)
def test_a_customers_call_bears_a_number_of_the_accounts_own(question: Question, known: Facts) -> None:
    decision = decide(question, known)
    if decision.admitted and question.product is Product.TERMINATION and decision.rule != "emergency":
        own = {known.caller.digits} if known.caller and known.owns_caller else set()
        assert decision.caller_id in own | {known.limits.default_caller_id}


@given(questions, facts)
def test_what_is_refused_stays_refused_when_yet_more_is_wrong(question: Question, known: Facts) -> None:
    """But for an emergency no fact can buy back what another has refused."""
    worse = replace(known, is_known=False)
    decision = decide(question, worse)
    assert decision.rule in ("emergency", "facts_known")


@given(questions, facts)
def test_what_is_recorded_has_a_department_at_an_end_that_we_know(question: Question, known: Facts) -> None:
    """And all of that is: but for emergencies, and for what is refused."""
    decision = decide(question, known)
    ends = {decision.number.digits} if decision.number else set()
    if question.product is Product.TERMINATION:
        ends.add(decision.caller_id)  # found to be the customer's own
    elif known.did:
        ends.add(known.did.number)
    is_departments = bool(ends & known.departments)
    is_for_it = decision.admitted and decision.rule != "emergency"
    assert (decision.recording is not None) == (is_departments and is_for_it)
    assert ("to_record" in decision.tags) == (decision.recording is not None)
    if decision.recording:
        assert decision.recording.department in ends & known.departments


@given(questions, facts)
def test_without_departments_nothing_is_recorded_or_refused_for_want_of_it(
    question: Question, known: Facts
) -> None:
    decision = decide(question, replace(known, departments=frozenset()))
    assert decision.recording is None
    assert decision.rule != "recordable"


@given(questions, facts, numbers, st.text(max_size=20))
def test_no_claim_of_a_caller_from_outside_has_a_call_recorded(
    question: Question, known: Facts, claimed: Number, text: str
) -> None:
    question = replace(question, product=Product.INBOUND)
    claims = replace(question, caller_number=text, oli=text, is_trunk=not question.is_trunk)
    before = decide(question, replace(known, can_record=True))
    after = decide(claims, replace(known, can_record=True, caller=claimed, owns_caller=False))
    if before.admitted and after.admitted:
        assert after.recording == before.recording


@given(carriers, st.integers(0, 2**128), st.booleans())
def test_the_order_of_carriers(known: list[Carrier], seed: int, even_full: bool) -> None:
    usable = [carrier for carrier in known if even_full or carrier.has_room]
    order = choose(known, seed, most=100, even_full=even_full)
    assert sorted(order, key=lambda c: c.name) == sorted(usable, key=lambda c: c.name)
    assert [c.priority for c in order] == sorted(c.priority for c in usable)
    assert choose(reversed(known), seed, most=100, even_full=even_full) == order
    for priority in range(3):
        weights = [bool(c.weight) for c in order if c.priority == priority]
        assert weights == sorted(weights, reverse=True), "one without a share came before one with"


@given(st.integers(1, 50), st.integers(1, 20), st.lists(st.integers(0, 2_000_000), max_size=60))
def test_a_bucket_never_gives_more_than_its_rate(rate: int, burst: int, gaps_us: list[int]) -> None:
    bucket, now_us, given_at_us = TokenBucket(rate, burst), 1_000_000_000, []
    for gap_us in gaps_us:
        now_us += gap_us
        bucket, is_there = bucket.take(now_us)
        if is_there:
            given_at_us.append(now_us)
    for first, since_us in enumerate(given_at_us):
        for last in range(first, len(given_at_us)):
            us = given_at_us[last] - since_us
            assert (last - first + 1) * 1_000_000 <= burst * 1_000_000 + rate * us
