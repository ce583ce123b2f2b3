"""Rate decks: immutable versions, each whole, each in effect from a moment on.

An import makes one version of the rows in effect now, and one more for each
later day that its rows name: each of those is the version before it with that
day's rows laid over it.  Days begin at midnight UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from time import sleep
from typing import Any, Final, LiteralString

from psycopg.rows import class_row

from esl_agent.core.deck_file import DeckRow
from esl_agent.core.tariff import Deck, DeckHistory, Rate
from esl_agent.errors import EslAgentError
from esl_agent.store.cdrs import to_time, to_us
from esl_agent.store.changes import Changed, announce
from esl_agent.store.pool import Connection

#: Effective dates in one import; each makes a version with all the deck's rates.
EFFECTIVE_DATES_MAX: Final = 12
#: Rows between two reports of progress.
PROGRESS_ROWS: Final = 5_000
#: Rates read at a time; each portion takes some milliseconds.
PORTION_ROWS: Final = 1_000
#: Not 0, at which gevent lets timers wait longer.
PORTION_PAUSE_S: Final = 0.0002

#: Decks that were read before, by name and version.
KnownDecks = Mapping[tuple[str, int], Deck]

_SELECT: Final = (
    "SELECT deck_version_id, deck, version, currency, effective_from, rates, source, imported_at, imported_by"
    " FROM deck_versions "
)
_SELECT_RATES: Final = (
    "SELECT prefix, destination, rate_per_minute, minimum_s, step_s, connection_fee FROM rates"
    " WHERE deck_version_id = %s "
)
_INSERT: Final = """
    INSERT INTO deck_versions (deck, version, currency, effective_from, rates, source, imported_by)
    SELECT %(deck)s, coalesce(max(version), 0) + 1, %(currency)s, %(effective_from)s, 0, %(source)s, %(by)s
    FROM deck_versions WHERE deck = %(deck)s
    RETURNING deck_version_id
"""
_COPY: Final = (
    "COPY rates (deck_version_id, prefix, destination, rate_per_minute, minimum_s, step_s, connection_fee)"
    " FROM STDIN"
)
#: A rate that both versions have is the new one's.
_LAY_UNDER: Final = """
    INSERT INTO rates
        (deck_version_id, prefix, destination, rate_per_minute, minimum_s, step_s, connection_fee)
    SELECT %s, prefix, destination, rate_per_minute, minimum_s, step_s, connection_fee
    FROM rates WHERE deck_version_id = %s
    ON CONFLICT DO NOTHING
"""


class DecksError(EslAgentError):
    """The deck can't be imported as asked, or isn't there."""


@dataclass(frozen=True, slots=True)
class DeckVersion:
    """One version of a deck, without its rates."""

    deck_version_id: int
    deck: str
    version: int
    currency: str
    effective_from: datetime
    rates: int  # how many
    source: str
    imported_at: datetime
    imported_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeckImport:
    """Rows for a deck, and how to take them."""

    deck: str
    rows: Sequence[DeckRow]
    effective_from: datetime
    currency: str
    source: str  # the file's name
    by: str
    is_update: bool = False  # laid over the version in effect then, in place of making a whole new deck


def import_deck(
    conn: Connection, order: DeckImport, on_rows: Callable[[int], None] = lambda rows: None
) -> list[DeckVersion]:
    """Write the new version, or versions, all or nothing; `on_rows` hears of each portion written."""
    if not order.rows:
        raise DecksError(f"{order.source} has no rates")
    days = _by_day(order)
    if len(days) > EFFECTIVE_DATES_MAX:
        raise DecksError(f"{order.source} names {len(days)} effective dates; at most {EFFECTIVE_DATES_MAX}")
    with conn.transaction():
        conn.execute("SELECT pg_advisory_xact_lock(hashtext('esl_agent.deck.' || %s))", [order.deck])
        under = _in_effect(list_versions(conn, order.deck), days[0][0]) if order.is_update else None
        if order.is_update and under is None:
            raise DecksError(f"deck {order.deck!r} has no version yet that this could update")
        made: list[DeckVersion] = []
        for effective_from, rates in days:
            under = _make_version(conn, order, effective_from, rates, under, on_rows)
            made.append(under)
        announce(conn, Changed.TARIFFS)
    return made


def list_versions(conn: Connection, deck: str) -> list[DeckVersion]:
    """The versions of a deck in the order in which they take effect."""
    return _versions(conn, "WHERE deck = %s ORDER BY effective_from, version", deck)


def latest_versions(conn: Connection) -> list[DeckVersion]:
    """The highest version of every deck, by name."""
    return _versions(
        conn,
        "WHERE (deck, version) IN (SELECT deck, max(version) FROM deck_versions GROUP BY deck) ORDER BY deck",
    )


def get_versions(conn: Connection, deck: str) -> list[DeckVersion]:
    """As `list_versions`; raises DecksError where the deck has none."""
    versions = list_versions(conn, deck)
    if not versions:
        raise DecksError(f"deck {deck!r} has no version: `esl-agent deck list` shows which decks have")
    return versions


def get_version(conn: Connection, deck: str, version: int | None = None) -> DeckVersion:
    """A version by its number, or the one in effect now; raises DecksError where there is none."""
    versions = get_versions(conn, deck)
    if version is None:
        found = _in_effect(versions, datetime.now(UTC))
        missing = "in effect yet"
    else:
        found = next((each for each in versions if each.version == version), None)
        missing = str(version)
    if found is None:
        raise DecksError(f"deck {deck!r} has no version {missing}: `esl-agent deck show` lists them")
    return found


def list_rates(conn: Connection, version: DeckVersion, prefix: str, limit: int) -> list[Rate]:
    """The version's rates whose prefix begins with `prefix`, in order."""
    return _rates(conn, "AND starts_with(prefix, %s) ORDER BY prefix LIMIT %s", version, prefix, limit)


def load_deck_history(
    conn: Connection, deck: str, since_us: int | None = None, known: KnownDecks | None = None
) -> DeckHistory:
    """The version in effect at `since_us` (by default now) and those after it, with their rates.

    Versions that are `known` are not read again.  A deck without
    any is an empty history: every look-up says so.
    """
    versions = list_versions(conn, deck)
    since = datetime.now(UTC) if since_us is None else to_time(since_us)
    first = _in_effect(versions, since)
    wanted = versions[versions.index(first) :] if first else versions
    known = known or {}
    return DeckHistory(
        (
            to_us(version.effective_from),
            known.get((version.deck, version.version)) or load_deck(conn, version),
        )
        for version in wanted
    )


def load_deck(conn: Connection, version: DeckVersion) -> Deck:
    """One version with its rates, read in portions: whoever shares the thread gets a turn between them."""
    with conn.transaction(), conn.cursor("rates") as cursor:
        cursor.itersize = PORTION_ROWS
        rows = cursor.execute(_SELECT_RATES, [version.deck_version_id])
        return Deck(version.deck, version.version, version.currency, _unhurried(rows))


def _unhurried(rows: Iterable[Sequence[Any]]) -> Iterator[Rate]:
    for count, row in enumerate(rows):
        if count % PORTION_ROWS == 0:
            sleep(PORTION_PAUSE_S)
        yield Rate(*row)


def _by_day(order: DeckImport) -> list[tuple[datetime, list[Rate]]]:
    """The rates of the order's own moment, then those of each day after it; in order, for the index likes it.

    Rows of days gone by are in effect already; where a prefix has several, the latest day holds.
    """
    first = order.effective_from.date()
    by_day: dict[date, dict[str, Rate]] = {}
    for row in sorted(order.rows, key=lambda row: row.effective_date or date.min):
        day = max(row.effective_date or first, first)
        by_day.setdefault(day, {})[row.rate.prefix] = row.rate
    return [
        (
            order.effective_from if day == first else datetime.combine(day, time.min, UTC),
            sorted(rates.values(), key=lambda rate: rate.prefix),
        )
        for day, rates in sorted(by_day.items())
    ]


def _make_version(
    conn: Connection,
    order: DeckImport,
    effective_from: datetime,
    rates: Sequence[Rate],
    under: DeckVersion | None,
    on_rows: Callable[[int], None],
) -> DeckVersion:
    values = {
        "deck": order.deck,
        "currency": order.currency,
        "effective_from": effective_from,
        "source": order.source,
        "by": order.by,
    }
    [(key,)] = conn.execute(_INSERT, values)
    with conn.cursor().copy(_COPY) as copy:
        for count, rate in enumerate(rates, 1):
            copy.write_row(
                (
                    key,
                    rate.prefix,
                    rate.destination,
                    rate.rate_per_minute,
                    rate.minimum_s,
                    rate.step_s,
                    rate.connection_fee,
                )
            )
            if count % PROGRESS_ROWS == 0:
                on_rows(PROGRESS_ROWS)
    on_rows(len(rates) % PROGRESS_ROWS)
    kept = conn.execute(_LAY_UNDER, [key, under.deck_version_id]).rowcount if under else 0
    conn.execute("UPDATE deck_versions SET rates = %s WHERE deck_version_id = %s", [len(rates) + kept, key])
    [version] = _versions(conn, "WHERE deck_version_id = %s", key)
    return version


def _in_effect(versions: Sequence[DeckVersion], moment: datetime) -> DeckVersion | None:
    """The one in effect at a moment: the latest start, then the highest version."""
    begun = [version for version in versions if version.effective_from <= moment]
    return max(begun, key=lambda version: (version.effective_from, version.version), default=None)


def _versions(conn: Connection, where: LiteralString, *values: object) -> list[DeckVersion]:
    with conn.cursor(row_factory=class_row(DeckVersion)) as cursor:
        return cursor.execute(_SELECT + where, values).fetchall()


def _rates(conn: Connection, where: LiteralString, version: DeckVersion, *values: object) -> list[Rate]:
    rows = conn.execute(_SELECT_RATES + where, [version.deck_version_id, *values])
    return [Rate(*row) for row in rows.fetchall()]
