"""The longest prefix, against an oracle that tries them all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from esl_agent.core.prefix_map import PrefixMap

#: Few digits, so that prefixes and numbers meet.
digits = st.text("123", max_size=9)
prefix_sets = st.sets(st.text("123", min_size=1, max_size=7), max_size=25)


def longest_prefix(prefixes: set[str], number: str) -> str | None:
    return max((prefix for prefix in prefixes if number.startswith(prefix)), key=len, default=None)


@given(prefix_sets, st.lists(digits, max_size=20))
def test_the_longest_prefix_is_found(prefixes: set[str], numbers: list[str]) -> None:
    found = PrefixMap({prefix: prefix for prefix in prefixes})
    assert len(found) == len(prefixes)
    for number in numbers:
        assert found.find(number) == longest_prefix(prefixes, number)


@given(prefix_sets, digits)
def test_just_this_prefix(prefixes: set[str], prefix: str) -> None:
    found = PrefixMap({prefix: prefix for prefix in prefixes}).find_exact(prefix)
    assert found == (prefix if prefix in prefixes else None)
