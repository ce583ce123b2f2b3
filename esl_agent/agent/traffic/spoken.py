"""Restrictions that hold here though they are not in the database yet."""

from __future__ import annotations

from collections.abc import Collection, Set

from esl_agent.core.traffic.restriction import Key, Restriction


class Spoken:
    """`add` one when its verdict is given, `drop` it when it is written and read again."""

    def __init__(self) -> None:
        self._of_account: dict[int, dict[Key, Restriction]] = {}

    def add(self, restriction: Restriction) -> None:
        self._of_account.setdefault(restriction.account_id, {})[restriction.key] = restriction

    def drop(self, restriction: Restriction) -> None:
        spoken = self._of_account.get(restriction.account_id, {})
        spoken.pop(restriction.key, None)
        if not spoken:
            self._of_account.pop(restriction.account_id, None)

    def of(self, account_id: int) -> Collection[Restriction]:
        return self._of_account.get(account_id, {}).values()

    @property
    def account_ids(self) -> Set[int]:
        return self._of_account.keys()
