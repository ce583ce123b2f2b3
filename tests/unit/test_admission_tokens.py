"""What a piece of a dial string may hold: its own characters, and no others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from esl_agent.core.admission import tokens

UUID = "334f4db6-d353-469d-90bb-41436a2b85c0"
KINDS = {
    tokens.uuid: UUID,
    tokens.digits: "442079460000",
    tokens.sent_number: "77*#+442079460000",
    tokens.name: "alpha-2.main_b",
}
#: What means something to the switch, or looks like something else.
FOREIGN = [*"[]{}<>()|,=^~'\"\\$%&;:/ \t\r\n\0\x7f", "\u0663", "\u00b2", "\uff11", "é"]


@pytest.mark.parametrize(("kind", "text"), KINDS.items(), ids=lambda value: getattr(value, "__name__", None))
def test_a_piece_as_it_should_be(kind: Callable[[str], str], text: str) -> None:
    assert kind(text) == text


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("character", FOREIGN, ids=ascii)
def test_nothing_else_in_it_before_or_behind(kind: Callable[[str], str], character: str) -> None:
    good = KINDS[kind]
    for text in (character, good + character, character + good, good[:3] + character + good[4:]):
        with pytest.raises(tokens.TokenError):
            kind(text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (tokens.uuid, ""),
        (tokens.uuid, UUID[:-1]),
        (tokens.digits, ""),
        (tokens.digits, "4" * 16),
        (tokens.sent_number, ""),
        (tokens.sent_number, "4" * 33),
        (tokens.name, ""),
        (tokens.name, "-alpha"),
        (tokens.name, "alpha."),
        (tokens.name, "a" * 65),
    ],
)
def test_too_little_or_too_much(kind: Callable[[str], str], text: str) -> None:
    with pytest.raises(tokens.TokenError):
        kind(text)
