"""The tests' own reading of the switch's texts: it sees what an injected character would do.

It was compared with FreeSWITCH 1.10.12: were it blind, the properties of dial strings would prove nothing.
"""

from __future__ import annotations

import pytest
from fixtures.switch_text import DialledLeg, dial_string, multiset, split


def test_pieces_lose_their_quotes_escapes_and_spaces() -> None:
    assert split(r"a | 'b|c' |d\|e|it's", "|") == ["a", "b|c", "d|e", "it's"]
    assert split("^^;a;b|c", "|") == ["a", "b|c"]
    assert split("a=b=c", "=", most=2) == ["a", "b=c"]
    assert split("a=", "=", most=2) == ["a"]


def test_an_ordinary_dial_string() -> None:
    assert dial_string("[a=1,b=x y]sofia/gateway/alpha/1|[a=2]sofia/gateway/beta/1") == [
        [DialledLeg({"a": "1", "b": "x y"}, "sofia/gateway/alpha/1")],
        [DialledLeg({"a": "2"}, "sofia/gateway/beta/1")],
    ]


def test_quotes_protect_nothing_in_brackets_for_the_first_splitting_takes_them_off() -> None:
    assert dial_string("[a='x,b=y']sofia/1") == [[DialledLeg({"a": "x", "b": "y"}, "sofia/1")]]


@pytest.mark.parametrize(
    ("number", "legs"),
    [
        ("1,sofia/x/1900", [[({"a": "1"}, "sofia/1"), ({}, "sofia/x/1900")]]),
        ("1|sofia/x/1900", [[({"a": "1"}, "sofia/1")], [({}, "sofia/x/1900")]]),
    ],
)
def test_what_an_injected_number_would_do(number: str, legs: list[object]) -> None:
    assert dial_string(f"[a=1]sofia/{number}") == legs


@pytest.mark.parametrize("value", ["1]sofia/x/1900|[a=1", "1,esl_account=2", "1]["])
def test_what_an_injected_value_would_do(value: str) -> None:
    assert dial_string(f"[a={value}]sofia/1") != [[DialledLeg({"a": value}, "sofia/1")]]


@pytest.mark.parametrize("value", ["${caller_id_name}", "a\nb", "a\\b", "a:_:b"])
def test_what_it_refuses_to_read(value: str) -> None:
    with pytest.raises(AssertionError):
        dial_string(f"[a={value}]sofia/1")


def test_multiset() -> None:
    assert multiset("^^~a=1~b=x=y, z~c=") == {"a": "1", "b": "x=y, z"}
    assert multiset("^^~a=1~a=2") == {"a": "2"}
    assert multiset("^^~a='x~b=y'~c=1") == {"a": "x~b=y", "c": "1"}
