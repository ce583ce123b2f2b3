"""Longest-prefix look-up in digits: one dictionary, probed only at lengths that can match."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Generic, TypeVar

Value = TypeVar("Value")

#: Prefixes are indexed by their first digits: four tell a country or an area code apart,
#: so that a look-up in a deck of 200,000 prefixes tries two or three lengths, not fifteen.
_HEAD_DIGITS: Final = 4


class PrefixMap(Generic[Value]):
    """An immutable map from prefixes (digits) to values."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = dict(values)
        self._lengths, self._lengths_elsewhere = _index_lengths(self._values)

    def find(self, digits: str) -> Value | None:
        """The value of the longest prefix of `digits`, or None."""
        values = self._values
        for length in self._lengths.get(digits[:_HEAD_DIGITS], self._lengths_elsewhere):
            value = values.get(digits[:length])
            if value is not None:
                return value
        return None

    def find_exact(self, prefix: str) -> Value | None:
        """The value of just this prefix, or None."""
        return self._values.get(prefix)

    def __len__(self) -> int:
        return len(self._values)


def _index_lengths(prefixes: Mapping[str, object]) -> tuple[dict[str, tuple[int, ...]], tuple[int, ...]]:
    """For each head, the prefix lengths worth trying, longest first; then those for any other head."""
    by_head: dict[str, set[int]] = {}
    short: set[int] = set()
    for prefix in prefixes:
        if len(prefix) < _HEAD_DIGITS:
            short.add(len(prefix))
        else:
            by_head.setdefault(prefix[:_HEAD_DIGITS], set()).add(len(prefix))
    for head, lengths in by_head.items():
        lengths.update(length for length in short if head[:length] in prefixes)
    return (
        {head: tuple(sorted(lengths, reverse=True)) for head, lengths in by_head.items()},
        tuple(sorted(short, reverse=True)),
    )
