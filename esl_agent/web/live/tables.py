"""A table of the page: its rows as a browser has them, and what has changed since it was last looked at."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from esl_agent.web.live.rows import Row

#: Rows made at a stretch, while calls wait: some milliseconds.
ROWS_AT_A_STRETCH: Final = 500


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a table: new and changed rows, and the keys of those that are gone."""

    table: str
    rows: tuple[Row, ...]
    gone: tuple[Hashable, ...]


class Table:
    """`read` gives what each row is made of, by key; `row_of` makes a row of it, or None if it is gone.

    What is the same object as before has not changed.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[], Mapping[Any, Any]],
        row_of: Callable[[Any, Any], Row | None],
    ) -> None:
        self.name = name
        self.rows: dict[Hashable, Row] = {}
        self._read = read
        self._row_of = row_of
        self._known: Mapping[Hashable, object] = {}

    def look(self, breathe: Callable[[], None]) -> Change | None:
        """What has changed since the last look; `breathe` is called now and then while rows are made."""
        known, before = self._read(), self._known
        made: list[Row] = []
        changed = [key for key, source in known.items() if before.get(key) is not source]
        for count, key in enumerate(changed, 1):
            row = self._row_of(key, known[key])
            if row is not None and row != self.rows.get(key):
                self.rows[key] = row
                made.append(row)
            if not count % ROWS_AT_A_STRETCH:
                breathe()
        breathe()
        gone = tuple(key for key in before if key not in known and self.rows.pop(key, None) is not None)
        self._known = known
        return Change(self.name, tuple(made), gone) if made or gone else None

    def forget(self) -> None:
        self.rows, self._known = {}, {}
