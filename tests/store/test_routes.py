"""Carriers and routes: which ways out a number has, as admission reads them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from esl_agent.core.admission.carriers import Carrier, NumberFormat
from esl_agent.core.admission.route_file import Route, RouteError
from esl_agent.store import routes
from esl_agent.store.carriers import (
    StoredCarrier,
    UnknownCarrierError,
    enable_carrier,
    list_carriers,
    put_carrier,
)
from esl_agent.store.pool import Connection
from esl_agent.store.routes import CARRIERS_OF_PREFIX_MAX, list_routes, put_routes, remove_route

ALPHA = Carrier(
    name="alpha",
    dial_template="sofia/gateway/alpha/{number}",
    number_format=NumberFormat.NATIONAL,
    strip_digits=1,
    prepend="9*",
    capacity=30,
    progress_timeout_s=8,
)
BRAVO = Carrier(name="bravo", dial_template="sofia/external/{number}@192.0.2.7")


@pytest.fixture
def two_carriers(conn: Connection) -> None:
    put_carrier(conn, BRAVO)
    put_carrier(conn, ALPHA)


def ways(conn: Connection, digits: str) -> list[str]:
    """Names of the carriers that take the number, as they are loaded."""
    return [carrier.name for carrier in routes.load_all(conn).find(digits) or ()]


def all_routes(conn: Connection) -> list[Route]:
    return list_routes(conn, "", None, 100)


@pytest.mark.usefixtures("two_carriers")
def test_carriers_come_back_as_they_were_described_and_can_be_described_anew(conn: Connection) -> None:
    assert list_carriers(conn) == [StoredCarrier(ALPHA, True), StoredCarrier(BRAVO, True)]

    enable_carrier(conn, "alpha", False)
    put_carrier(conn, replace(ALPHA, capacity=None, strip_digits=0))

    changed = replace(ALPHA, capacity=None, strip_digits=0)
    assert list_carriers(conn) == [StoredCarrier(changed, False), StoredCarrier(BRAVO, True)]
    with pytest.raises(UnknownCarrierError, match="no carrier 'charlie'"):
        enable_carrier(conn, "charlie", True)


@pytest.mark.usefixtures("two_carriers")
def test_the_longest_prefix_counts_and_every_number_begins_with_nothing(conn: Connection) -> None:
    put_routes(conn, [Route("", "bravo"), Route("1", "alpha"), Route("1", "bravo"), Route("1876", "bravo")])

    assert ways(conn, "18765550123") == ["bravo"]
    assert ways(conn, "15145550123") == ["alpha", "bravo"]
    assert ways(conn, "442079460000") == ["bravo"]


@pytest.mark.usefixtures("two_carriers")
def test_a_routed_carrier_has_the_routes_priority_and_weight(conn: Connection) -> None:
    put_routes(
        conn, [Route("44", "alpha", priority=2, weight=30), Route("44", "bravo", priority=1, weight=0)]
    )

    assert routes.load_all(conn).find("442079460000") == (
        replace(BRAVO, priority=1, weight=0),
        replace(ALPHA, priority=2, weight=30),
    )


@pytest.mark.usefixtures("two_carriers")
def test_a_disabled_carrier_has_no_routes_so_a_shorter_prefix_counts(conn: Connection) -> None:
    put_routes(conn, [Route("44", "bravo"), Route("447", "alpha")])
    enable_carrier(conn, "alpha", False)

    assert ways(conn, "447700900000") == ["bravo"]
    assert len(all_routes(conn)) == 2
    enable_carrier(conn, "bravo", False)
    assert ways(conn, "447700900000") == []
    enable_carrier(conn, "alpha", True)
    assert ways(conn, "447700900000") == ["alpha"]


@pytest.mark.usefixtures("two_carriers")
def test_routes_are_changed_added_replaced_and_removed(conn: Connection) -> None:
    put_routes(conn, [Route("44", "alpha", 1, 10), Route("33", "alpha")])

    put_routes(conn, [Route("44", "alpha", 2, 5), Route("44", "bravo")])
    assert all_routes(conn) == [Route("33", "alpha"), Route("44", "bravo"), Route("44", "alpha", 2, 5)]
    assert list_routes(conn, "4", "alpha", 100) == [Route("44", "alpha", 2, 5)]
    assert list_routes(conn, "", None, 1) == [Route("33", "alpha")]

    put_routes(conn, [Route("", "bravo")], is_all=True)
    assert all_routes(conn) == [Route("", "bravo")]

    remove_route(conn, "", "bravo")
    assert all_routes(conn) == []
    with pytest.raises(RouteError, match="no route for any by bravo"):
        remove_route(conn, "", "bravo")


@pytest.mark.usefixtures("two_carriers")
def test_routes_of_an_unknown_carrier_are_refused_with_all_that_came_with_them(conn: Connection) -> None:
    put_routes(conn, [Route("44", "alpha")])

    with pytest.raises(UnknownCarrierError, match="'charlie'"):
        put_routes(conn, [Route("33", "alpha"), Route("33", "charlie")], is_all=True)

    assert all_routes(conn) == [Route("44", "alpha")]


def test_a_prefix_has_so_many_carriers_and_no_more(conn: Connection) -> None:
    names = [f"carrier{number}" for number in range(CARRIERS_OF_PREFIX_MAX + 1)]
    for name in names:
        put_carrier(conn, replace(BRAVO, name=name))
    put_routes(conn, [Route("", name) for name in names[1:]])

    with pytest.raises(RouteError, match="any would have 17 carriers; at most 16"):
        put_routes(conn, [Route("", names[0])])

    assert len(all_routes(conn)) == CARRIERS_OF_PREFIX_MAX
