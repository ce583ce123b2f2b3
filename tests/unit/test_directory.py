"""A phone as the switch's directory has it."""

from typing import Any

import pytest

from esl_agent.switch.commands import CommandError, forget_user
from esl_agent.switch.directory import DirectoryError, SipUser

HASH = "97761dcab48af7d4db6ae96a85381a9c"  # 1001:sip.example.com:secret


def phone(**fields: Any) -> SipUser:
    return SipUser(**{"user": "1001", "domain": "sip.example.com", "a1_hash": HASH, "account_id": 7} | fields)


def test_the_account_is_what_pays() -> None:
    assert phone().entry()["variables"]["accountcode"] == "7"
    assert phone(variables={"accountcode": "9"}).entry()["variables"]["accountcode"] == "7"


def test_what_is_not_set_is_left_out() -> None:
    variables = phone().entry()["variables"]
    assert "esl_max_calls" not in variables
    assert "effective_caller_id_number" not in variables
    assert (
        phone(max_calls=0, calls_per_second=2).entry()["variables"]
        | {
            "esl_max_calls": "0",
            "esl_calls_per_second": "2",
        }
        == phone(max_calls=0, calls_per_second=2).entry()["variables"]
    )


def test_the_digest_is_told_to_the_switch_and_nobody_else() -> None:
    assert phone().entry()["params"]["a1-hash"] == HASH
    assert HASH not in repr(phone())


@pytest.mark.parametrize(("cache_s", "cacheable"), [(None, "true"), (0, "0"), (60, "60000")])
def test_how_long_the_switch_keeps_it(cache_s: int | None, cacheable: str) -> None:
    assert phone(cache_s=cache_s).entry()["cacheable"] == cacheable


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"user": "10 01"}, "no user of a domain"),
        ({"user": ""}, "no user of a domain"),
        ({"domain": "a/b"}, "no user of a domain"),
        ({"a1_hash": "secret"}, "its a1-hash is not 32 small hexadecimal digits"),
        ({"a1_hash": HASH.upper()}, "its a1-hash is not 32 small hexadecimal digits"),
        ({"cache_s": 2_148}, "give 0 to 2147"),
        ({"caller_name": "${system(reboot)}"}, "effective_caller_id_name has a character"),
        ({"variables": {"x": "a\nb"}}, "x has a character"),
    ],
)
def test_a_phone_that_can_not_be(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(DirectoryError, match=says) as caught:
        phone(**fields)
    assert "secret" not in str(caught.value)


def test_the_switch_is_told_to_forget_it() -> None:
    assert str(forget_user("1001", "sip.example.com")) == "xml_flush_cache id 1001 sip.example.com"
    with pytest.raises(CommandError):
        forget_user("1001 x", "sip.example.com")
