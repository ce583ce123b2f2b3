"""Whatever a phone sends, it is a number or a NumberError."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from esl_agent.core.numbering import Number, NumberClass, NumberError, Numbering

HOMES = [Numbering("CA", "514"), Numbering("US", ""), Numbering("FR", ""), Numbering("ES", "")]
SHORT = {NumberClass.EMERGENCY, NumberClass.CRISIS, NumberClass.SERVICE}

homes = st.sampled_from(HOMES)
dial_strings = st.from_regex(
    r"\A(sips?:|tel:)?[<*#+]?(011|00|\*67|%2B)?[0-9 ().-]{0,18}#?(;x=1)?(@[a-z.]{1,9})?>?\Z"
)
texts = st.one_of(st.text(max_size=300), dial_strings, st.from_regex(r"\A\+?[0-9]{1,17}\Z"))


def parse(home: Numbering, dialled: str) -> Number | NumberError:
    try:
        return home.parse(dialled)
    except NumberError as error:
        return error


@given(homes, texts)
def test_any_text_is_a_number_or_one_error(home: Numbering, dialled: str) -> None:
    number = parse(home, dialled)
    if isinstance(number, NumberError):
        assert re.fullmatch("[a-z_]+", number.reason)
        assert len(str(number)) < 400
    else:
        assert number.dialled == dialled
        assert re.fullmatch("[0-9]{2,15}", number.digits)
        assert re.fullmatch("([A-Z]{2})?", number.country)
        assert len(number.digits) >= 7 or number.number_class in SHORT


@given(homes, texts)
def test_a_number_read_again_is_the_same(home: Numbering, dialled: str) -> None:
    number = parse(home, dialled)
    if isinstance(number, Number):
        again = home.parse("+" + number.digits)
        assert (again.digits, again.country, again.number_class) == (
            number.digits,
            number.country,
            number.number_class,
        )


@given(st.text("()-. \t", max_size=6), st.sampled_from(["", "+", "1", "+1"]), st.sampled_from(["", "#"]))
def test_nothing_between_the_digits_hides_an_emergency(noise: str, prefix: str, suffix: str) -> None:
    dialled = prefix + "9" + noise + "1" + noise + "1" + suffix
    assert HOMES[0].parse(dialled).number_class is NumberClass.EMERGENCY


@given(st.sampled_from(HOMES[:2]), st.from_regex(r"\A[2-9][0-9]{9}\Z"))
def test_ten_digits_are_the_same_with_one_and_plus(home: Numbering, ten: str) -> None:
    numbers = [home.parse(dialled) for dialled in (ten, "1" + ten, "+1" + ten)]
    assert len({(number.digits, number.country, number.number_class) for number in numbers}) == 1
