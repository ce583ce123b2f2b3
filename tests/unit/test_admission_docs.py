"""docs/admission.md is held to the code: every rule, reason and variable, and the example of a new rule."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fixtures.admission import UUIDS, a_question, some_facts

from esl_agent.core.admission import rules
from esl_agent.core.admission.decide import decide, summary
from esl_agent.core.admission.reasons import REFUSALS, Reason, Refusal
from esl_agent.core.admission.variables import answer_variables
from esl_agent.core.leg import Product

PAGE = (Path(__file__).parents[2] / "docs" / "admission.md").read_text(encoding="utf-8")

#: What mod_sofia answers when a leg that waits is hung up with a cause (mod_sofia.c, `hangup_cause_to_sip`).
SIP_CODE_OF_CAUSE = {
    "INCOMING_CALL_BARRED": 403,
    "INVALID_NUMBER_FORMAT": 484,
    "NORMAL_TEMPORARY_FAILURE": 503,
    "NO_ROUTE_DESTINATION": 404,
    "OUTGOING_CALL_BARRED": 403,
    "SWITCH_CONGESTION": 503,
    "UNALLOCATED_NUMBER": 404,
    "USER_BUSY": 486,
}


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_rule_in_its_order() -> None:
    assert rows("The rules") == [[rule.__name__, summary(rule)] for rule in rules.RULES]


def test_every_reason() -> None:
    def as_shown(text: str) -> str:
        return text.strip("`")

    assert rows("The reasons") == [
        [
            refusal.reason,
            str(refusal.sip_code),
            refusal.hangup_cause,
            refusal.announcement,
            as_shown(refusal.meaning),
            as_shown(refusal.action),
        ]
        for refusal in REFUSALS.values()
    ]


def test_every_variable() -> None:
    variables = answer_variables(decide(a_question(), some_facts(customer=None)), UUIDS[0])
    assert {name for name, _ in rows("What the switch is told")} == variables.keys()


def test_every_reason_has_an_answer() -> None:
    assert set(REFUSALS) == set(Reason)
    for reason, refusal in REFUSALS.items():
        assert refusal.reason is reason
        assert refusal.meaning.endswith(".")
        assert refusal.action.endswith((".", "?"))
        assert re.fullmatch("[a-z_]*", refusal.announcement)


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=lambda refusal: refusal.reason)
def test_to_respond_or_to_hang_up_is_the_same(refusal: Refusal) -> None:
    """But for 402, which no hangup cause stands for."""
    assert refusal.sip_code in (SIP_CODE_OF_CAUSE[refusal.hangup_cause], 402)


def test_a_rule_can_be_added_as_the_page_says(monkeypatch: pytest.MonkeyPatch) -> None:
    [example] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    namespace = dict(vars(rules))
    exec(example, namespace)
    added = namespace["forwarded_stays_at_home"]
    monkeypatch.setattr(rules, "RULES", (*rules.RULES[:-1], added, rules.RULES[-1]))

    decision = decide(a_question(Product.FORWARDING), some_facts(Product.FORWARDING))
    assert (decision.rule, decision.detail) == ("forwarded_stays_at_home", "forwarded to GB")
    assert decide(a_question(), some_facts()).admitted
