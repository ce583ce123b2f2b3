"""Nothing that a phone or a carrier sends gets into a dial string or a variable as anything but a number."""

from __future__ import annotations

from dataclasses import replace

from fixtures import switch_text
from fixtures.admission import (
    ACCOUNT,
    DID,
    LONDON,
    OWNED,
    UUIDS,
    a_carrier,
    a_did,
    a_number,
    a_question,
    some_facts,
)
from hypothesis import example, given
from hypothesis import strategies as st

from esl_agent.core.admission.carriers import CarrierError, NumberFormat
from esl_agent.core.admission.decide import decide
from esl_agent.core.admission.dial import PlannedLeg, dial_strings
from esl_agent.core.admission.tokens import TokenError
from esl_agent.core.admission.variables import answer_variables, as_multiset
from esl_agent.core.leg import Product
from esl_agent.core.numbering import Number, Numbering
from esl_agent.core.numbering.number import NumberError

ADMISSION = "5f1c1b1e-6a45-4d0b-9f1e-0c5d2b7a9e10"
SYNTAX = "[]{}<>()|,=^~'\"\\$%&;:_/@*#+- \t\r\n\0\1\2\x7f"
NUMBERING = Numbering()

#: What an attacker would try, and what nobody would.
hostile = st.one_of(
    st.text(alphabet=SYNTAX + "0123456789abn", max_size=30),
    st.builds(
        lambda digits, tail: digits + tail,
        st.sampled_from(["15145551234", "011442079460000", "911", OWNED]),
        st.sampled_from(
            [
                ",sofia/gateway/alpha/19005550123",
                "|sofia/gateway/alpha/19005550123",
                "]sofia/gateway/alpha/19005550123|[a=b",
                ":_:sofia/gateway/alpha/19005550123",
                ",esl_account=1002",
                "~esl_account=1002",
                "${esl_secret}",
                "$${domain}",
                "${system(id)}",
                "\\",
                "'",
                "%0d%0asched_api +1 none hupall",
                "\r\n\r\nbgapi hupall\r\n\r\n",
                "^^:a=b",
                "\u0661\u0662",
                "@evil.example.net",
                ";phone-context=x",
            ]
        ),
    ),
    st.text(max_size=30),
)
number_formats = st.sampled_from(NumberFormat)


def understood(text: str) -> Number | None:
    try:
        return NUMBERING.parse(text)
    except NumberError:
        return None


@given(hostile, hostile, hostile, st.sampled_from(Product), st.booleans(), number_formats)
@example("15145551234", "x'\n]", "27", Product.FORWARDING, False, NumberFormat.PLUS)
def test_whatever_is_dialled_and_whoever_calls(
    dialled: str, caller: str, oli: str, product: Product, owns_caller: bool, number_format: NumberFormat
) -> None:
    question = a_question(product, dialled=dialled, caller_number=caller, oli=oli)
    known = some_facts(
        product, number=understood(dialled), caller=understood(caller), owns_caller=owns_caller
    )
    decision = decide(question, known)
    legs = [PlannedLeg(uuid, a_carrier(number_format=number_format)) for uuid in UUIDS]
    dialled_strings = dial_strings(decision, legs, cut_after_s=53)

    for uuid, text in zip(UUIDS, dialled_strings, strict=decision.admitted):
        [[(variables, endpoint)]] = switch_text.dial_string(text)
        assert variables["origination_uuid"] == uuid
        assert variables["esl_account"] == str(ACCOUNT)
        assert endpoint.removeprefix("sofia/gateway/alpha/").removeprefix("+").isdecimal()
        assert set(variables) <= NAMES
        shown = variables.get("origination_caller_id_number", "0")
        assert shown.removeprefix("+").isdecimal()

    answer = answer_variables(decision, ADMISSION, dialled_strings)
    told = switch_text.multiset(as_multiset(answer))
    assert told == {name: value for name, value in answer.items() if value}
    assert told["esl_admitted"] == ("true" if decision.admitted else "false")


NAMES = {
    "origination_uuid",
    "esl_account",
    "esl_product",
    "esl_number",
    "esl_carrier",
    "esl_forwarded_from",
    "outbound_redirect_fatal",
    "origination_caller_id_number",
    "origination_caller_id_name",
    "api_on_answer_esl",
}


@given(hostile, hostile, hostile)
def test_even_if_what_should_be_digits_were_not(digits: str, caller_id: str, did: str) -> None:
    """The last line of defence: a number or a DID that nothing checked before."""
    admitted = decide(a_question(Product.FORWARDING), some_facts(Product.FORWARDING, did=a_did()))
    number = replace(a_number(LONDON), digits=digits)
    wrong = replace(admitted, number=number, caller_id=caller_id, forwarded_from=did)
    try:
        [dialling] = dial_strings(wrong, [PlannedLeg(UUIDS[0], a_carrier())])
    except TokenError:
        return
    assert digits.isdecimal()
    assert did.isdecimal()
    assert not caller_id or caller_id.isdecimal()
    [[leg]] = switch_text.dial_string(dialling)
    assert leg.endpoint == f"sofia/gateway/alpha/{digits}"
    assert leg.variables["esl_forwarded_from"] == did


@given(hostile, hostile, hostile)
def test_a_carrier_is_what_it_is_described_as_or_none(name: str, template: str, prepend: str) -> None:
    try:
        carrier = a_carrier(name, dial_template=f"sofia/{template}/{{number}}", prepend=prepend)
    except CarrierError:
        return
    [answer] = dial_strings(decide(a_question(), some_facts()), [PlannedLeg(UUIDS[0], carrier)])
    [[leg]] = switch_text.dial_string(answer)
    assert leg.endpoint == f"sofia/{template}/{prepend}{LONDON}"
    assert leg.variables["esl_carrier"] == name
    assert leg.variables["esl_account"] == str(ACCOUNT)
    assert DID not in answer
