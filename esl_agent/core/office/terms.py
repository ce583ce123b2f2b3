"""Whether a customer's acceptance of the terms of service is good enough for a call (terms 16)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, slots=True)
class TermsVersion:
    """In force from a day on; who accepted an older one may go on for `grace_days`."""

    version: str
    in_force_on: date
    grace_days: int

    @property
    def refuses_on(self) -> date:
        """The first day on which it has to have been accepted."""
        return self.in_force_on + timedelta(days=self.grace_days)


def is_accepted(accepted: str | None, published: Iterable[TermsVersion], today: date) -> bool:
    """Whether calls may be made by somebody who `accepted` that version last.

    A version that was never published is older than all that were.  Publishing
    a newer one gives no new grace to who let the one before pass.
    """
    if accepted is None:
        return False
    known = {each.version: each for each in published}
    since = known[accepted].in_force_on if accepted in known else date.min
    newer = (each for each in known.values() if each.in_force_on > since)
    return all(today < each.refuses_on for each in newer if each.in_force_on <= today)
