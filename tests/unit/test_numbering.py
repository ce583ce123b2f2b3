"""What customers dial, and what it is taken for: at home in Montreal unless a test says otherwise."""

from __future__ import annotations

import pytest

from esl_agent.core.numbering import NumberClass, NumberError, Numbering, Reason
from esl_agent.errors import EslAgentError

MONTREAL = Numbering("CA", "514")


@pytest.mark.parametrize(
    "dialled",
    [
        "+15148761234",
        "15148761234",
        "5148761234",
        "8761234",
        "01115148761234",
        "0015148761234",
        "(514) 876-1234",
        "+1.514.876.1234",
        "tel:+1-514-876-1234",
        "tel:876-1234;phone-context=+1514",
        "sip:+15148761234@203.0.113.7:5060;transport=udp",
        "sips:%2B15148761234@example.com",
        "<sip:5148761234;isup-oli=0@example.com>",
        "*675148761234",
        "*82 1 514 876 1234",
        "5148761234#",
    ],
)
def test_one_number_however_it_is_written(dialled: str) -> None:
    number = MONTREAL.parse(dialled)
    assert (number.digits, number.country, number.number_class) == ("15148761234", "CA", "domestic")
    assert number.dialled == dialled


@pytest.mark.parametrize("dialled", ["+442079460000", "011442079460000", "00442079460000", "442079460000"])
def test_numbers_abroad_with_and_without_a_prefix(dialled: str) -> None:
    number = MONTREAL.parse(dialled)
    assert (number.digits, number.country, number.number_class) == ("442079460000", "GB", "world")


def test_310_numbers_are_dialled_with_seven_digits() -> None:
    assert MONTREAL.parse("310-2355").digits == "15143102355"


@pytest.mark.parametrize(
    ("dialled", "country", "number_class"),
    [
        ("+16135550100", "CA", "domestic"),
        ("+12125550100", "US", "us"),
        ("+17875550100", "PR", "us_territory"),
        ("+13405550100", "VI", "us_territory"),
        ("+16715550100", "GU", "us_territory"),
        ("+16845550100", "AS", "us_territory"),
        ("+16705550100", "MP", "us_territory"),
        ("+18765550100", "JM", "world"),
        ("+16585550100", "JM", "world"),
        ("+18095550100", "DO", "world"),
        ("+18295550100", "DO", "world"),
        ("+18495550100", "DO", "world"),
        ("+14735550100", "GD", "world"),
        ("+12845550100", "VG", "world"),
        ("+16495550100", "TC", "world"),
        ("+12685550100", "AG", "world"),
        ("+525512345678", "MX", "mexico"),
        ("+33123456789", "FR", "world"),
        ("+77271234567", "KZ", "world"),
        ("+74951234567", "RU", "world"),
        ("+441481250000", "GG", "world"),
        ("+18002345678", "", "toll_free"),
        ("+18332345678", "", "toll_free"),
        ("+18442345678", "", "toll_free"),
        ("+18552345678", "", "toll_free"),
        ("+18662345678", "", "toll_free"),
        ("+18772345678", "", "toll_free"),
        ("+18882345678", "", "toll_free"),
        ("+19002345678", "", "premium"),
        ("+15149761234", "CA", "premium"),
        ("+12129761234", "US", "premium"),
        ("+18769761234", "JM", "world"),
        ("+18009761234", "", "toll_free"),
        ("+979123456789", "", "premium"),
        ("+449012345678", "GB", "premium"),
        ("+447012345678", "GB", "personal"),
        ("+15002345678", "", "personal"),
        ("+15232345678", "", "personal"),
        ("+16222345678", "CA", "personal"),
        ("+16442345678", "CA", "personal"),
        ("+16882345678", "CA", "personal"),
        ("+881612345678", "", "satellite"),
        ("+870773123456", "", "satellite"),
        ("+88213123456", "", "satellite"),
        ("+883510012345", "", "satellite"),
    ],
)
def test_country_and_class(dialled: str, country: str, number_class: str) -> None:
    number = MONTREAL.parse(dialled)
    assert (number.country, number.number_class) == (country, number_class)


@pytest.mark.parametrize("area", ["822", "880", "881", "882", "887", "889", "238"])
def test_codes_not_in_service_are_neither_free_nor_american(area: str) -> None:
    number = MONTREAL.parse(f"+1{area}2345678")
    assert (number.country, number.number_class) == ("", "world")


def test_the_old_mexican_mobile_form_is_the_new_number() -> None:
    number = MONTREAL.parse("+5215512345678")
    assert (number.digits, number.number_class) == ("525512345678", "mexico")


@pytest.mark.parametrize(
    "dialled",
    [
        *("911", "+911", "1911", "+1911", "9-1-1", "*67911", "911#", " 911 "),
        *(
            "sip:911@example.com",
            "sip:+911@example.com;user=phone",
            "tel:911;phone-context=+1",
            "<sip:911@x>",
        ),
    ],
)
def test_an_emergency_call_is_known_in_every_form(dialled: str) -> None:
    number = MONTREAL.parse(dialled)
    assert (number.digits, number.country, number.number_class) == ("911", "CA", "emergency")


@pytest.mark.parametrize(
    ("dialled", "number_class"),
    [
        ("112", NumberClass.EMERGENCY),
        ("933", NumberClass.EMERGENCY),
        ("988", NumberClass.CRISIS),
        ("+1988", NumberClass.CRISIS),
        *((f"{digit}11", NumberClass.SERVICE) for digit in "2345678"),
    ],
)
def test_short_codes(dialled: str, number_class: NumberClass) -> None:
    assert MONTREAL.parse(dialled).number_class is number_class


@pytest.mark.parametrize("dialled", ["+9111234567", "+911123456789", "011911123456789"])
def test_india_is_no_emergency(dialled: str) -> None:
    number = MONTREAL.parse(dialled)
    assert (number.country, number.number_class) == ("IN", "world")


@pytest.mark.parametrize(
    ("dialled", "reason"),
    [
        ("", Reason.EMPTY),
        ("  ", Reason.EMPTY),
        ("sip:@example.com", Reason.EMPTY),
        ("alice", Reason.NOT_A_NUMBER),
        ("sip:alice@example.com", Reason.NOT_A_NUMBER),
        ("514876123x", Reason.NOT_A_NUMBER),
        ("٥١٤٨٧٦١٢٣٤", Reason.NOT_A_NUMBER),
        ("++15148761234", Reason.NOT_A_NUMBER),
        ("5148761234\n\nevent all", Reason.NOT_A_NUMBER),
        ("0", Reason.NOT_A_NUMBER),
        ("05148761234", Reason.NOT_A_NUMBER),
        ("1234567", Reason.NOT_A_NUMBER),
        ("*72", Reason.FEATURE_CODE),
        ("#31#5148761234", Reason.FEATURE_CODE),
        ("12", Reason.TOO_SHORT),
        ("51487612", Reason.TOO_SHORT),
        ("+1514876123", Reason.TOO_SHORT),
        ("+44123", Reason.TOO_SHORT),
        ("151487612345", Reason.TOO_LONG),
        ("+4420794600001234", Reason.TOO_LONG),
        ("1" * 300, Reason.TOO_LONG),
        ("1514876123", Reason.NO_SUCH_AREA),
        ("+10145551234", Reason.NO_SUCH_AREA),
        ("+999123456789", Reason.NO_SUCH_COUNTRY),
        ("011", Reason.NO_SUCH_COUNTRY),
        ("0110442079460000", Reason.NO_SUCH_COUNTRY),
    ],
)
def test_what_cannot_be_called_says_why(dialled: str, reason: Reason) -> None:
    with pytest.raises(NumberError) as caught:
        MONTREAL.parse(dialled)
    assert caught.value.reason is reason
    assert 0 < len(str(caught.value)) < 200


def test_seven_digits_need_a_home_area() -> None:
    with pytest.raises(NumberError) as caught:
        Numbering("CA", "").parse("8761234")
    assert caught.value.reason is Reason.NO_AREA


def test_home_in_the_united_states() -> None:
    boston = Numbering("US", "617")
    assert boston.parse("8761234").digits == "16178761234"
    assert boston.parse("+12125550100").number_class is NumberClass.DOMESTIC
    assert boston.parse("+15148761234").number_class is NumberClass.WORLD
    assert boston.parse("+17875550100").number_class is NumberClass.US_TERRITORY
    assert boston.parse("988").number_class is NumberClass.CRISIS


def test_home_with_a_national_prefix() -> None:
    paris = Numbering("FR", "")
    assert paris.parse("01 23 45 67 89").digits == "33123456789"
    assert paris.parse("0033123456789").number_class is NumberClass.DOMESTIC
    assert paris.parse("33123456789").number_class is NumberClass.DOMESTIC
    assert paris.parse("00442079460000").country == "GB"
    assert paris.parse("15").number_class is NumberClass.EMERGENCY
    assert paris.parse("+112").number_class is NumberClass.EMERGENCY
    assert paris.parse("+15148761234").number_class is NumberClass.WORLD


def test_home_without_a_national_prefix() -> None:
    madrid = Numbering("ES", "")
    assert madrid.parse("912345678").digits == "34912345678"
    assert madrid.parse("34912345678").digits == "34912345678"


def test_home_in_mexico_is_domestic() -> None:
    assert Numbering("MX", "").parse("+525512345678").number_class is NumberClass.DOMESTIC


@pytest.mark.parametrize(("country", "area"), [("XX", "514"), ("ca", "514"), ("CA", "51"), ("CA", "114")])
def test_a_home_that_is_none_is_refused(country: str, area: str) -> None:
    with pytest.raises(EslAgentError, match="give"):
        Numbering(country, area)
