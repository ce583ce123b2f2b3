"""How texts become a question, and what an answer may hold."""

import unicodedata
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esl_agent.core.admission.tokens import TokenError
from esl_agent.core.leg import Product
from esl_agent.switch.door import TEXT_CHARS_MAX, Answer, question_of
from esl_agent.switch.embedded import ASKED_BY, KNOWN_BY
from esl_agent.switch.errors import QuestionError

LEG = "20ce9487-d732-469d-9148-54a9764b3db2"
LEAST = {"leg": LEG, "product": "termination"}
FIELDS = sorted({*ASKED_BY, *KNOWN_BY})


def test_the_least_that_makes_a_question() -> None:
    question = question_of(LEAST, 7)
    assert (question.caller_leg_uuid, question.product, question.asked_us) == (LEG, Product.TERMINATION, 7)
    assert (question.account_id, question.dialled, question.caller_number) == (None, "", "")
    assert (question.did, question.oli, question.is_trunk) == (None, None, False)


@pytest.mark.parametrize("account", ["", "0", "01", "-1", "1e3", "1 ", "١٢", "1" * 19, "1001;x"])
def test_an_account_that_is_no_number_is_none(account: str) -> None:
    assert question_of(LEAST | {"account": account}, 0).account_id is None


@pytest.mark.parametrize("trunk", ["", "false", "TRUE", "1", "yes"])
def test_a_call_is_a_trunks_only_where_it_says_true(trunk: str) -> None:
    assert not question_of(LEAST | {"trunk": trunk}, 0).is_trunk
    assert question_of(LEAST | {"trunk": "true"}, 0).is_trunk


@pytest.mark.parametrize("leg", ["", "1", LEG + "\n", LEG[:-1] + "g", LEG.replace("-", "")])
def test_a_leg_is_known_by_its_uuid(leg: str) -> None:
    with pytest.raises(QuestionError, match="which is no UUID"):
        question_of(LEAST | {"leg": leg}, 0)


@given(st.dictionaries(st.sampled_from(FIELDS), st.text(st.characters(), max_size=300)))
def test_no_text_brings_anything_along_that_can_not_be_stored(asked: dict[str, str]) -> None:
    """Any text at all, halves of surrogate pairs and NUL included."""
    question = question_of(asked | LEAST, 0)
    for text in (question.dialled, question.caller_number, question.did or "", question.oli or ""):
        assert len(text) <= TEXT_CHARS_MAX
        assert not {unicodedata.category(character) for character in text} & {"Cc", "Cs"}
        text.encode()


@given(st.dictionaries(st.sampled_from(FIELDS), st.text(max_size=40)))
def test_texts_make_a_question_or_are_refused(asked: dict[str, str]) -> None:
    with suppress(QuestionError):
        question_of(asked, 0)


@pytest.mark.parametrize(("name", "value"), [("esl_admitted", "a\nb"), ("esl_admitted=", "true"), ("", "")])
def test_an_answer_that_could_mean_something_else_can_not_be_made(name: str, value: str) -> None:
    with pytest.raises(TokenError):
        Answer({name: value})
