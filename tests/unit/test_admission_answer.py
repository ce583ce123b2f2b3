"""The answer to the switch: the dial string, and the variables of the caller's leg."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fixtures import switch_text
from fixtures.admission import (
    ACCOUNT,
    DID,
    LONDON,
    OWNED,
    UUIDS,
    a_carrier,
    a_customer,
    a_did,
    a_number,
    a_question,
    some_facts,
)

from esl_agent.core.admission.carriers import NumberFormat
from esl_agent.core.admission.decide import decide
from esl_agent.core.admission.decision import Decision
from esl_agent.core.admission.dial import (
    ACCOUNT_ID_MAX,
    PlannedLeg,
    cut_command,
    dial_strings,
    number_for_pricing,
)
from esl_agent.core.admission.tokens import TokenError
from esl_agent.core.admission.variables import ROUTES, answer_variables, as_multiset, checked_value
from esl_agent.core.leg import Product
from esl_agent.core.numbering import Numbering
from esl_agent.switch import commands

ADMISSION = "5f1c1b1e-6a45-4d0b-9f1e-0c5d2b7a9e10"
ALPHA = a_carrier("alpha", progress_timeout_s=8)
BETA = a_carrier("beta", number_format=NumberFormat.PLUS)
LEGS = [PlannedLeg(UUIDS[0], ALPHA), PlannedLeg(UUIDS[1], BETA)]


def decision(product: Product = Product.TERMINATION, **facts: Any) -> Decision:
    return decide(a_question(product), some_facts(product, **facts))


def only_leg(text: str) -> switch_text.DialledLeg:
    [[leg]] = switch_text.dial_string(text)
    return leg


class TestDialStrings:
    def test_in_full(self) -> None:
        first, second = UUIDS
        assert dial_strings(decision(), LEGS, cut_after_s=53) == (
            f"[origination_uuid={first},esl_account=1001,esl_product=termination,esl_number=+442079460000,"
            "esl_carrier=alpha,outbound_redirect_fatal=true,"
            "origination_caller_id_number=15145550100,origination_caller_id_name=15145550100,"
            "leg_progress_timeout=8,"
            f"api_on_answer_esl=sched_api +53 cut_{first} uuid_kill {first} ALLOTTED_TIMEOUT&]"
            "sofia/gateway/alpha/442079460000",
            f"[origination_uuid={second},esl_account=1001,esl_product=termination,esl_number=+442079460000,"
            "esl_carrier=beta,outbound_redirect_fatal=true,"
            "origination_caller_id_number=+15145550100,origination_caller_id_name=+15145550100,"
            f"api_on_answer_esl=sched_api +53 cut_{second} uuid_kill {second} ALLOTTED_TIMEOUT&]"
            "sofia/gateway/beta/+442079460000",
        )

    def test_the_switch_reads_one_leg_in_each(self) -> None:
        legs = [only_leg(text) for text in dial_strings(decision(), LEGS, cut_after_s=53)]
        assert [leg.endpoint for leg in legs] == [
            "sofia/gateway/alpha/442079460000",
            "sofia/gateway/beta/+442079460000",
        ]
        assert [leg.variables["origination_uuid"] for leg in legs] == list(UUIDS)

    def test_a_forwarded_leg_names_the_did(self) -> None:
        leg = only_leg(*dial_strings(decision(Product.FORWARDING), LEGS[:1]))
        assert leg.variables["esl_product"] == "forwarding"
        assert leg.variables["esl_forwarded_from"] == DID
        assert leg.variables["esl_account"] == str(ACCOUNT)

    def test_a_call_that_is_not_metered_is_never_cut(self) -> None:
        leg = only_leg(*dial_strings(decision(), LEGS[:1]))
        assert not any(name.startswith("api_on_answer") for name in leg.variables)

    def test_an_emergency_call_of_nobody_names_no_account(self) -> None:
        unknown: dict[str, Any] = {"customer": None, "caller": None, "owns_caller": False, "is_known": False}
        [answer] = dial_strings(decision(number=a_number("911"), **unknown), LEGS[:1])
        assert answer == (
            f"[origination_uuid={UUIDS[0]},esl_product=termination,esl_number=911,esl_carrier=alpha,"
            "outbound_redirect_fatal=true,leg_progress_timeout=8]sofia/gateway/alpha/911"
        )

    def test_there_is_none_without_an_admission_or_a_leg(self) -> None:
        assert dial_strings(decision(customer=None), LEGS) == ()
        assert dial_strings(decision(), []) == ()

    def test_the_cut_is_the_agents_own_command(self) -> None:
        """So that the agent's `sched_del` takes it back."""
        assert cut_command(UUIDS[0], 53) == str(commands.sched_cut_after(UUIDS[0], 53))

    @pytest.mark.parametrize("digits", ["442079460000", "4721000000", "15145551234", "911", "411", "6834000"])
    def test_the_number_reads_back_as_the_same(self, digits: str) -> None:
        written = number_for_pricing(a_number(digits))
        assert Numbering().parse(written).digits == digits

    @pytest.mark.parametrize(
        "wrong",
        [
            {"account_id": -1},
            {"account_id": ACCOUNT_ID_MAX + 1},
            {"caller_id": "1514555,0100"},
            {"caller_id": "+15145550100"},
            {"forwarded_from": "1|2"},
            {"number": replace(a_number(LONDON), digits="44]sofia/x/1900")},
            {"number": replace(a_number(LONDON), digits="44" * 8)},
        ],
    )
    def test_a_decision_gone_wrong_is_not_dialled(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(TokenError):
            dial_strings(replace(decision(), **wrong), LEGS)

    @pytest.mark.parametrize("leg_uuid", ["", "U1", UUIDS[0] + "\n", UUIDS[0].upper()])
    def test_nor_a_leg_without_a_uuid_of_ours(self, leg_uuid: str) -> None:
        with pytest.raises(TokenError):
            dial_strings(decision(), [PlannedLeg(leg_uuid, ALPHA)])


class TestVariables:
    def test_of_an_admission(self) -> None:
        assert answer_variables(decision(), ADMISSION, ["[a=b]sofia/x"]) == {
            "esl_admission": ADMISSION,
            "esl_reason": "",
            "esl_sip_code": "",
            "esl_hangup_cause": "",
            "esl_announcement": "",
            "esl_tags": "",
            "esl_route_1": "[a=b]sofia/x",
            "esl_route_2": "",
            "esl_route_3": "",
            "esl_route_4": "",
            "esl_forward_to": "",
            "esl_forward_when": "",
            "esl_record": "",
            "esl_record_tell": "",
            "esl_record_account": "",
            "effective_caller_id_number": OWNED,
            "effective_caller_id_name": OWNED,
            "esl_admitted": "true",
        }

    def test_of_a_refusal(self) -> None:
        refused = decision(customer=a_customer(max_calls=0))
        assert answer_variables(refused, ADMISSION, ["[a=b]sofia/x"]) == {
            "esl_admission": ADMISSION,
            "esl_reason": "too_many_calls",
            "esl_sip_code": "486",
            "esl_hangup_cause": "USER_BUSY",
            "esl_announcement": "too_many_calls",
            "esl_tags": "",
            "esl_route_1": "",
            "esl_route_2": "",
            "esl_route_3": "",
            "esl_route_4": "",
            "esl_forward_to": "",
            "esl_forward_when": "",
            "esl_record": "",
            "esl_record_tell": "",
            "esl_record_account": "",
            "esl_admitted": "false",
        }

    def test_a_call_that_comes_in_is_told_whose_it_is_and_where_it_may_go_on_to(self) -> None:
        did = replace(a_did(), forward_to=LONDON, forward_when="busy")
        told = answer_variables(decision(Product.INBOUND, did=did), ADMISSION)
        assert (told["esl_account"], told["esl_product"]) == (str(ACCOUNT), "inbound")
        assert (told["esl_forward_to"], told["esl_forward_when"]) == (f"+{LONDON}", "busy")

    def test_a_metered_call_that_comes_in_brings_its_cut_and_any_other_takes_one_back(
        self,
    ) -> None:
        cut = cut_command(UUIDS[0], 5)
        told = answer_variables(decision(Product.INBOUND, did=a_did()), ADMISSION, own_cut=cut)
        assert told["api_on_answer_esl"] == cut
        assert answer_variables(decision(Product.INBOUND, did=a_did()), ADMISSION)["api_on_answer_esl"] == ""

    def test_a_departments_call_is_to_be_recorded(self) -> None:
        told = answer_variables(decision(departments={LONDON}), ADMISSION)
        assert (told["esl_record"], told["esl_record_tell"]) == (LONDON, "caller")
        assert (told["esl_record_account"], told["esl_tags"]) == (str(ACCOUNT), "to_record")

    def test_what_is_refused_is_not_to_be_recorded(self) -> None:
        refused = replace(decision(departments={LONDON}), admitted=False)
        assert answer_variables(refused, ADMISSION)["esl_record"] == ""

    def test_a_refusal_takes_back_an_admission_before_it(self) -> None:
        admitted = answer_variables(decision(), ADMISSION, dial_strings(decision(), LEGS))
        refused = answer_variables(decision(customer=None), ADMISSION)
        left = switch_text.multiset(as_multiset(admitted) + "~" + as_multiset(refused)[3:])
        assert left["esl_admitted"] == "false"
        assert not left.keys() & set(ROUTES)

    def test_admitted_comes_last_when_all_else_stands(self) -> None:
        for answer in (decision(), decision(customer=None)):
            assert list(answer_variables(answer, ADMISSION))[-1] == "esl_admitted"

    def test_an_emergency_call_keeps_the_directorys_caller_id(self) -> None:
        answer = decision(number=a_number("911"), owns_caller=False)
        assert "effective_caller_id_number" not in answer_variables(answer, ADMISSION)

    def test_a_caller_id_with_something_in_it_is_not_set(self) -> None:
        with pytest.raises(TokenError):
            answer_variables(replace(decision(), caller_id="1514~x=y"), ADMISSION)

    @pytest.mark.parametrize("admission_uuid", ["", "x", ADMISSION + "~a=b"])
    def test_an_admission_has_a_uuid(self, admission_uuid: str) -> None:
        with pytest.raises(TokenError):
            answer_variables(decision(), admission_uuid)


class TestMultiset:
    def test_sets_what_was_meant(self) -> None:
        variables = answer_variables(decision(), ADMISSION, dial_strings(decision(), LEGS, 53))
        expected = {name: value for name, value in variables.items() if value}
        assert switch_text.multiset(as_multiset(variables)) == expected

    @pytest.mark.parametrize(
        "value",
        ["a~b", "it's", 'a"b', "a\\b", "${x}", "%0A", "a\nb", "a\rb", " a", "a ", "^^;", "é", "{a}", "<a>"],
    )
    def test_a_value_that_would_become_another_is_refused(self, value: str) -> None:
        with pytest.raises(TokenError):
            checked_value("esl_reason", value)

    @pytest.mark.parametrize("name", ["", "a b", "a=b", "a~b", "esl_account\n", "${x}", "sip_h_X-A"])
    def test_so_is_a_name(self, name: str) -> None:
        with pytest.raises(TokenError):
            as_multiset({name: "x"})
