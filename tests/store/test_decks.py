"""Decks: whole versions that never change, each in effect from its own moment."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import gevent
import pytest

from esl_agent.core.deck_file import DeckRow
from esl_agent.core.tariff import Rate
from esl_agent.store.cdrs import to_us
from esl_agent.store.decks import (
    EFFECTIVE_DATES_MAX,
    DeckImport,
    DecksError,
    DeckVersion,
    get_version,
    import_deck,
    latest_versions,
    list_rates,
    list_versions,
    load_deck_history,
)
from esl_agent.store.pool import Connection, connected

NOW = datetime(2026, 3, 10, 15, 30, tzinfo=UTC)
LONG_AGO_US = 0


def row(prefix: str, rate: str, day: date | None = None, **more: object) -> DeckRow:
    return DeckRow(Rate(prefix, f"to {prefix}", Decimal(rate), **more), day)  # type: ignore[arg-type]


def order(*rows: DeckRow, at: datetime = NOW, is_update: bool = False, deck: str = "retail") -> DeckImport:
    return DeckImport(
        deck=deck,
        rows=rows,
        effective_from=at,
        currency="CAD",
        source="retail.csv",
        by="test",
        is_update=is_update,
    )


def rates_at(conn: Connection, moment: datetime) -> dict[str, str] | None:
    """Prefixes and rates of the version in effect."""
    deck = load_deck_history(conn, "retail", LONG_AGO_US).at(to_us(moment))
    if deck is None:
        return None
    versions = {version.version: version for version in list_versions(conn, "retail")}
    return {
        rate.prefix: str(rate.rate_per_minute.normalize())
        for rate in list_rates(conn, versions[deck.version], "", 100)
    }


def test_what_was_imported_is_what_is_looked_up(conn: Connection) -> None:
    fee = Decimal("0.0500")
    [version] = import_deck(
        conn, order(row("44", "0.0125"), row("52", "0.03", minimum_s=60, step_s=60, connection_fee=fee))
    )
    assert (version.version, version.rates, version.source, version.effective_from) == (
        1,
        2,
        "retail.csv",
        NOW,
    )

    deck = load_deck_history(conn, "retail", to_us(NOW)).at(to_us(NOW))

    assert deck is not None
    assert (deck.name, deck.version, deck.currency) == ("retail", 1, "CAD")
    assert deck.find("5255") == Rate("52", "to 52", Decimal("0.030000"), 60, 60, fee)
    assert deck.find("442079460000") == Rate("44", "to 44", Decimal("0.012500"))


def test_a_new_version_replaces_the_whole_deck_and_leaves_the_old_one_as_it_was(conn: Connection) -> None:
    import_deck(conn, order(row("44", "0.01"), row("33", "0.02")))
    later = NOW + timedelta(days=1)
    [second] = import_deck(conn, order(row("44", "0.05"), at=later))

    assert second.version == 2
    assert rates_at(conn, NOW) == {"33": "0.02", "44": "0.01"}
    assert rates_at(conn, later) == {"44": "0.05"}
    assert rates_at(conn, NOW - timedelta(microseconds=1)) is None


def test_an_update_keeps_what_it_does_not_name(conn: Connection) -> None:
    import_deck(conn, order(row("44", "0.01"), row("33", "0.02")))
    [second] = import_deck(conn, order(row("44", "0.05"), row("49", "0.03"), at=NOW, is_update=True))

    assert second.rates == 3
    assert rates_at(conn, NOW) == {"33": "0.02", "44": "0.05", "49": "0.03"}


def test_an_update_lies_over_the_version_in_effect_at_its_time(conn: Connection) -> None:
    import_deck(conn, order(row("44", "0.01")))
    import_deck(conn, order(row("33", "0.09"), at=NOW + timedelta(days=30)))
    import_deck(conn, order(row("49", "0.03"), at=NOW + timedelta(days=1), is_update=True))

    assert rates_at(conn, NOW + timedelta(days=1)) == {"44": "0.01", "49": "0.03"}
    assert rates_at(conn, NOW + timedelta(days=30)) == {"33": "0.09"}


def test_an_update_of_nothing_is_refused(conn: Connection) -> None:
    import_deck(conn, order(row("44", "0.01"), at=NOW + timedelta(days=1)))

    with pytest.raises(DecksError, match="no version yet"):
        import_deck(conn, order(row("44", "0.02"), is_update=True))


def test_rows_of_days_to_come_make_a_whole_version_for_each_day(conn: Connection) -> None:
    april, may = date(2026, 4, 1), date(2026, 5, 1)
    made = import_deck(
        conn,
        order(
            row("44", "0.01"),
            row("33", "0.02"),
            row("44", "0.05", may),
            row("44", "0.03", april),
            row("49", "0.07", april),
        ),
    )

    assert [(version.version, version.effective_from, version.rates) for version in made] == [
        (1, NOW, 2),
        (2, datetime(2026, 4, 1, tzinfo=UTC), 3),
        (3, datetime(2026, 5, 1, tzinfo=UTC), 3),
    ]
    assert rates_at(conn, datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC)) == {"33": "0.02", "44": "0.01"}
    assert rates_at(conn, datetime(2026, 4, 1, tzinfo=UTC)) == {"33": "0.02", "44": "0.03", "49": "0.07"}
    assert rates_at(conn, datetime(2026, 5, 1, tzinfo=UTC)) == {"33": "0.02", "44": "0.05", "49": "0.07"}


def test_days_gone_by_are_in_effect_and_the_latest_of_them_holds(conn: Connection) -> None:
    import_deck(
        conn,
        order(row("44", "0.03", date(2026, 3, 10)), row("44", "0.01"), row("44", "0.02", date(2026, 3, 1))),
    )

    assert rates_at(conn, NOW) == {"44": "0.03"}


def test_a_deck_whose_rows_all_begin_later_begins_later(conn: Connection) -> None:
    [version] = import_deck(conn, order(row("44", "0.03", date(2026, 4, 1))))

    assert version.effective_from == datetime(2026, 4, 1, tzinfo=UTC)


def test_days_to_come_are_limited(conn: Connection) -> None:
    days = [
        row("44", "0.01", date(2027, 1, 1) + timedelta(days=day)) for day in range(EFFECTIVE_DATES_MAX + 1)
    ]

    with pytest.raises(DecksError, match=f"names {EFFECTIVE_DATES_MAX + 1} effective dates"):
        import_deck(conn, order(*days))


def test_an_import_that_fails_half_way_leaves_nothing(conn: Connection) -> None:
    with pytest.raises(Exception, match="prefix"):
        import_deck(conn, order(row("44", "0.01"), row("not digits", "0.02")))
    with pytest.raises(DecksError, match=r"retail\.csv has no rates"):
        import_deck(conn, order())

    assert list_versions(conn, "retail") == []
    assert conn.execute("SELECT count(*) FROM rates").fetchone() == (0,)


def test_two_imports_at_once_make_two_versions(database_url: str, conn: Connection) -> None:
    def one(number: int) -> list[DeckVersion]:
        with connected(database_url) as own:
            return import_deck(own, order(row("44", f"0.0{number}")))

    jobs = [gevent.spawn(one, number) for number in range(1, 6)]
    gevent.joinall(jobs, raise_error=True)

    assert sorted(version.version for version in list_versions(conn, "retail")) == [1, 2, 3, 4, 5]


def test_only_what_may_still_be_looked_up_is_loaded(conn: Connection) -> None:
    for day in range(4):
        import_deck(conn, order(row("44", f"0.0{day + 1}"), at=NOW + timedelta(days=day)))

    history = load_deck_history(conn, "retail", to_us(NOW + timedelta(days=1, hours=1)))

    in_effect = [history.at(to_us(NOW + timedelta(days=day, hours=1))) for day in range(4)]
    assert [deck and deck.version for deck in in_effect] == [None, 2, 3, 4]
    assert load_deck_history(conn, "no such deck").at(to_us(NOW)) is None


def test_decks_are_listed_by_their_latest_version_and_rates_by_prefix(conn: Connection) -> None:
    for deck in ("b", "a", "b"):
        import_deck(conn, order(row("44", "0.01"), row("447", "0.05"), row("33", "0.02"), deck=deck))

    assert [(version.deck, version.version) for version in latest_versions(conn)] == [("a", 1), ("b", 2)]
    version = get_version(conn, "b", 1)
    assert [rate.prefix for rate in list_rates(conn, version, "44", 10)] == ["44", "447"]
    assert [rate.prefix for rate in list_rates(conn, version, "", 2)] == ["33", "44"]
    with pytest.raises(DecksError, match="no version 3"):
        get_version(conn, "b", 3)
    with pytest.raises(DecksError, match="'c' has no version"):
        get_version(conn, "c")
