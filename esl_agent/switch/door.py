"""What both doors of admission share: how a question arrives, how an answer leaves, who answers.

The outbound socket (outbound.py) and the module inside the switch (embedded.py,
answered by local_door.py) hand the same texts to a `Clerk`, which has the agent
decide and sees the answer delivered.  Whatever goes wrong between, nothing is
set on the leg: the dialplan refuses a call about which nothing was said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from esl_agent.core.admission.question import Question
from esl_agent.core.admission.variables import checked_value
from esl_agent.core.leg import Product
from esl_agent.switch.errors import QuestionError, SwitchError
from esl_agent.switch.trouble import Complaints, TroubleKind

#: Longer texts than any number are cut: they stand in the log and on the CDR.
TEXT_CHARS_MAX: Final = 128

_PRODUCTS: Final = {product.value: product for product in Product}
_UUID: Final = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_ACCOUNT: Final = re.compile("[1-9][0-9]{0,17}", re.ASCII)
#: What no log or database should be given, NUL first of all.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Answer:
    """Channel variables to set on the leg that asks, in this order (`core.admission.answer_variables`).

    Making one raises TokenError where a variable could mean something else to the switch.
    """

    variables: Mapping[str, str]

    def __post_init__(self) -> None:
        for name, value in self.variables.items():
            checked_value(name, value)


Decide = Callable[[Question], Answer]


def question_of(asked: Mapping[str, str], now_us: int) -> Question:
    """The question in texts under the names of `embedded.ASKED_BY` and `KNOWN_BY`; any may be missing.

    Raises QuestionError where the dialplan left out what makes it a question.
    An account that is no number counts as none, which admission refuses.
    """
    texts = {name: _clean(text) for name, text in asked.items()}
    leg = texts.get("leg", "").lower()
    if not _UUID.fullmatch(leg):
        raise QuestionError(f"the caller's leg is {leg!r}, which is no UUID")
    product = _PRODUCTS.get(texts.get("product", ""))
    if product is None:
        raise QuestionError(
            f"leg {leg}: the product {texts.get('product', '')!r} is none of {', '.join(Product)}"
        )
    return Question(
        account_id=account_of(texts.get("account", "")),
        product=product,
        dialled=texts.get("number", ""),
        caller_number=texts.get("caller", ""),
        caller_leg_uuid=leg,
        did=texts.get("did") or None,
        oli=texts.get("oli") or None,
        is_trunk=texts.get("trunk") == "true",
        asked_us=now_us,
    )


def account_of(text: str) -> int | None:
    """The account's number; None for a text that is none of 1 to 18 digits."""
    return int(text) if _ACCOUNT.fullmatch(text) else None


def _clean(text: str) -> str:
    """Without control characters and halves of surrogate pairs: text that can be stored and shown."""
    whole = text[:TEXT_CHARS_MAX].encode("utf-8", "replace").decode()
    return _CONTROL.sub("?", whole)


def nobody_minds(question: Question, answer: Answer) -> None:
    """For a Clerk whose undelivered answers hold nothing that would have to be given back."""


class Clerk:
    """Takes questions to `decide`, which may wait, and answers to whoever asked.

    `on_undelivered` is told of an answer that nobody took: what it holds can be released.
    """

    def __init__(
        self,
        decide: Decide,
        now_us: Callable[[], int],
        complaints: Complaints,
        on_undelivered: Callable[[Question, Answer], object] = nobody_minds,
    ) -> None:
        self.delivered = 0
        self._decide = decide
        self._now_us = now_us
        self._complaints = complaints
        self._on_undelivered = on_undelivered

    def attend(self, asked: Mapping[str, str], deliver: Callable[[Answer], None]) -> None:
        """Have it decided and delivered; raises nothing but what ends greenlets."""
        try:
            question = question_of(asked, self._now_us())
        except QuestionError as error:
            self._complaints.tell(TroubleKind.BAD_REQUEST, str(error))
            return
        leg = question.caller_leg_uuid
        try:
            answer = self._decide(question)
        except Exception as error:  # noqa: BLE001  the agent's own fault must not end the door
            self._complaints.tell(TroubleKind.NO_DECISION, f"leg {leg}: {type(error).__name__}: {error}")
            return
        try:
            deliver(answer)
            self.delivered += 1
        except (SwitchError, OSError) as error:
            self._complaints.tell(TroubleKind.UNDELIVERED, f"leg {leg}: {error}")
            self._on_undelivered(question, answer)
