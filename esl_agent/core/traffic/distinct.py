"""How many different numbers were called: an estimate that takes the same room for ten as for ten thousand.

Each number falls into one of CELLS cells, and a cell remembers when one of its
numbers was called last.  The cells that were called within a window tell how
many numbers were: few share a cell while there are few, and how many do is
known (linear counting; Whang, Vander-Zanden and Taylor, 1990).  The standard
error is 2 % at 50 to 3,000 numbers, 4 % at 8,000 and 7 % at 12,000; CAPACITY is
the most that it can tell.
"""

from __future__ import annotations

from array import array
from hashlib import blake2b
from itertools import accumulate
from typing import Final

CELLS: Final = 2_048
#: So many cells are kept one by one; with more, a table of all takes less room.
SPARSE_MAX: Final = 64
#: Buckets are kept in 16 bits, 0 for never: after so many of them numbers come again.  Those that left
#: the longest window are forgotten long before (`forget`).
WRAP: Final = 65_535

#: Of so many cells that were called, how many numbers are expected to have been.
ESTIMATES: Final = tuple(
    round(numbers) for numbers in accumulate((CELLS / (CELLS - cell) for cell in range(CELLS)), initial=0)
)
CAPACITY: Final = ESTIMATES[CELLS]


def cell_of(number: str) -> int:
    """Where a number falls: the same in every process."""
    return int.from_bytes(blake2b(number.encode(), digest_size=2).digest()) % CELLS


class Cells:
    """The bucket in which each cell was called last."""

    __slots__ = ("_table",)

    def __init__(self) -> None:
        self._table: dict[int, int] | array[int] = {}

    def call(self, cell: int, bucket: int, newest: int) -> int | None:
        """A number of the cell is called; returns the bucket of the call before.

        `newest` is the newest bucket there is.  Returns `bucket` where the cell
        was called as late or later, and None where it never was.
        """
        table = self._table
        before = table.get(cell, 0) if isinstance(table, dict) else table[cell]
        last = _bucket(before, newest) if before else None
        if last is not None and last >= bucket:
            return bucket
        table[cell] = bucket % WRAP + 1
        if isinstance(table, dict) and len(table) > SPARSE_MAX:
            self._table = array("H", bytes(2 * CELLS))
            for each, stored in table.items():
                self._table[each] = stored
        return last

    def forget(self, before: int, newest: int) -> None:
        """Forget the cells that were called last before that bucket; `newest` is as it was when they were."""
        table = self._table
        if isinstance(table, dict):
            self._table = {c: stored for c, stored in table.items() if _bucket(stored, newest) >= before}
            return
        for cell, stored in enumerate(table):
            if stored and _bucket(stored, newest) < before:
                table[cell] = 0


def _bucket(stored: int, newest: int) -> int:
    return newest - (newest - stored + 1) % WRAP
