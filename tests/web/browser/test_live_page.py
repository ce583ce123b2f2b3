"""The live page in Chromium: what it says of a daemon that is well, busy or broken, and to whom."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from http import HTTPStatus
from uuid import uuid4

import falcon
import pytest
from faults.proxy import Proxy, to_port
from fixtures.call_steps import LEG, PRICE
from fixtures.records import a_cdr
from gevent.event import Event
from playwright.sync_api import Locator, Page, expect

from esl_agent.agent.calls.desk import Desk
from esl_agent.agent.calls.live_call import LiveCall
from esl_agent.agent.clock import wall_us
from esl_agent.agent.pricing import Priced
from esl_agent.core import call as machine
from esl_agent.core.numbering.number import Number, NumberClass
from esl_agent.noc.words import WORDS
from esl_agent.simulator.plan import CallPlan
from esl_agent.store.accounts import NewAccount, add_account, top_up
from esl_agent.store.cdrs import insert_cdrs
from esl_agent.store.pool import Connection
from esl_agent.store.tokens import revoke_token
from esl_agent.web.live import feed
from esl_agent.web.problems import ProblemError
from esl_agent.web.routes import page as page_routes
from web.conftest import CALLER, UK, Served

from .conftest import PATIENCE_MS, Look, Stage, barriers

pytestmark = pytest.mark.browser

expect.set_options(timeout=PATIENCE_MS)

NO_RATE = "33142685300"
HOSTILE = "<img src=x onerror=alert(1)>"


def headline(page: Page) -> Locator:
    return page.locator("#headline .text")


def calls(page: Page) -> Locator:
    return page.locator("#calls tbody tr")


def sign_in(page: Page, secret: str | None) -> None:
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Token").fill(secret or "")
    page.get_by_role("dialog").get_by_role("button", name="Sign in").click()


def test_a_daemon_at_rest(look: Look, served: Served) -> None:
    page = look(served)
    expect(headline(page)).to_have_text("Nothing is broken")
    states = ("Switch: up", "Database: up", "Journal: nothing waits", "Agent: active")
    expect(page.locator("#states li")).to_have_text([re.compile(state) for state in states])
    for none in ("No call is up.", "No call is near the end of its money.", "No alert."):
        expect(page.get_by_text(none)).to_be_visible()
    assert barriers(page) == []


def test_a_call_that_is_up_is_counted_on_as_it_talks(look: Look, served: Served) -> None:
    page = look(served)
    expect(page.get_by_text("No call is up.")).to_be_visible()
    served.call(talk_ms=9_000)
    expect(calls(page)).to_have_count(1)
    expect(calls(page).locator("th")).to_have_text("1001")
    cost = calls(page).locator("td").nth(6)
    expect(cost).to_have_text("$0.0013")
    expect(cost).to_have_text("$0.0025")  # the second increment, of which the daemon told nothing
    expect(page.locator("#figures")).to_contain_text("1 talking, 0 ringing")
    expect(page.get_by_text("No call is up.")).to_be_visible()
    expect(calls(page)).to_have_count(0)


def test_refusals_are_counted_by_reason_with_what_to_do(look: Look, served: Served) -> None:
    """This switch asks nobody first: the leg is ended while it rings, and so is the next carrier's."""
    page = look(served)
    served.simulator.place_call(CallPlan(number=NO_RATE, ring_ms=5_000))
    served.journal.wait_for("CALL_REFUSED", 2)
    refusals = page.locator("#refusals")
    expect(refusals.locator(".reasons .count")).to_have_text(["2"])
    expect(refusals).to_contain_text("Add the prefix to the deck, or block the destination.")
    assert barriers(page) == []


def test_who_is_about_to_be_cut_is_told_by_all_that_the_account_has_left(
    look: Look, served: Served, conn: Connection
) -> None:
    """Two calls share what one account has: each would last twice as long alone."""
    poor(conn, 1003, "0.0500")
    for _ in range(2):
        served.call(account="1003")
    page = look(served)
    soon = page.locator("#soon li")
    expect(soon).to_have_count(1)
    expect(soon).to_contain_text("2 calls")
    expect(page.locator("#balances tbody tr")).to_contain_text(["1003"])
    expect(soon.locator(".left")).to_have_text(re.compile("^1:"))  # alone: almost 4:00, at 0.0125 a minute
    assert barriers(page) == []


def test_a_database_that_fails_is_said_first_and_when_it_is_back(
    look: Look, serve: Callable[..., Served], way: Proxy
) -> None:
    served = serve(way)
    page = look(served)
    expect(headline(page)).to_have_text("Nothing is broken")
    way.refuse()
    served.journal.wait_for("DB_DOWN")
    expect(headline(page)).to_have_text("Down: Database")
    expect(page.locator("#problems")).to_contain_text("Bring Postgres back.")
    assert barriers(page) == []
    way.heal()
    expect(headline(page)).to_have_text("Nothing is broken")
    expect(page.locator("#alerts")).to_contain_text("over since")


def test_a_switch_that_is_lost_is_said_first_and_calls_stay_on_the_page(look: Look, served: Served) -> None:
    page = look(served)
    served.call()
    expect(calls(page)).to_have_count(1)
    served.simulator.stop()
    expect(headline(page)).to_have_text("Down: Switch")
    expect(page.locator("#problems")).to_contain_text("Is FreeSWITCH up?")
    expect(calls(page)).to_have_count(1)


def test_a_daemon_that_is_gone_is_not_taken_for_one_that_is_well(look: Look, served: Served) -> None:
    page = look(served)
    expect(headline(page)).to_have_text("Nothing is broken")
    served.daemon.stop()
    expect(headline(page)).to_contain_text("No word from the agent since")


def test_a_network_that_was_away_is_forgiven(look: Look, served: Served) -> None:
    network = Proxy("network", to_port(served.port), lambda fault: None)
    page = look(served._replace(port=network.port))
    served.call()
    expect(calls(page)).to_have_count(1)
    network.refuse()
    expect(headline(page)).to_contain_text("No word from the agent since")
    network.heal()
    expect(headline(page)).to_have_text("Nothing is broken")
    expect(calls(page)).to_have_count(1)
    network.close()


def test_five_thousand_calls_are_sorted_in_pages(look: Look, crowded: Stage) -> None:
    crowd(crowded.daemon.desk, 5_000)
    page = look(crowded)
    expect(page.locator("#calls .pages")).to_contain_text("1–50 of 5,000")
    expect(calls(page)).to_have_count(50)
    page.locator("#calls thead").get_by_role("button", name="Account").click()
    expect(calls(page).first.locator("th")).to_have_text("2000")
    page.locator("#calls thead").get_by_role("button", name="Account").click()
    expect(calls(page).first.locator("th")).to_have_text("2099")
    expect(page.locator("#calls thead [aria-sort]")).to_have_attribute("aria-sort", "descending")
    page.get_by_role("button", name="Next").click()
    expect(page.locator("#calls .pages")).to_contain_text("51–100 of 5,000")
    for leg_uuid in list(crowded.daemon.desk.live)[:4_990]:
        del crowded.daemon.desk.live[leg_uuid]
    expect(page.locator("#calls .pages")).to_contain_text("1–10 of 10")
    expect(calls(page)).to_have_count(10)


# Who sees what.


def test_numbers_are_masked_until_a_token_shows_them_and_what_a_phone_says_is_never_more_than_text(
    look: Look, served: Served
) -> None:
    served.call(caller=HOSTILE)
    page = look(served)
    caller = calls(page).locator("td").first
    expect(caller).to_have_text("x" * (len(HOSTILE) - 4) + HOSTILE[-4:])
    expect(page.locator("#about")).to_contain_text("Numbers are masked")
    sign_in(page, served.admin.token)
    expect(caller).to_have_text(HOSTILE)
    expect(calls(page)).to_contain_text([UK])
    expect(page.locator("img")).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    expect(caller).to_have_text("x" * (len(HOSTILE) - 4) + HOSTILE[-4:])


def test_where_a_token_is_needed_the_page_asks_for_one(look: Look, serve: Callable[..., Served]) -> None:
    served = serve(read_without_token=False)
    page = look(served)
    expect(headline(page)).to_have_text("A token is needed: sign in")
    sign_in(page, "wrong")
    expect(headline(page)).to_have_text("A token is needed: sign in")
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, served.noc.token)
    expect(headline(page)).to_have_text("Nothing is broken")


def test_nothing_stays_on_the_page_of_who_signed_out(look: Look, serve: Callable[..., Served]) -> None:
    served = serve(read_without_token=False)
    served.call()
    page = look(served)
    sign_in(page, served.admin.token)
    expect(calls(page)).to_contain_text([UK])
    page.get_by_role("button", name="Sign out").click()
    assert_nothing_is_shown(page)


@pytest.mark.parametrize("path", ["/", "/#/account/1001"])
def test_nothing_stays_on_the_page_of_who_has_a_token_that_was_revoked(
    look: Look, serve: Callable[..., Served], conn: Connection, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(feed, "STREAM_MAX_S", 2.0)
    served = serve(read_without_token=False)
    served.call()
    page = look(served, path)
    sign_in(page, served.admin.token)
    expect(page.locator("main")).to_contain_text(UK)
    revoke_token(conn, "admin", "the test")
    assert_nothing_is_shown(page)


def assert_nothing_is_shown(page: Page) -> None:
    """Nor is there anything in what is hidden now."""
    expect(page.locator("body")).not_to_contain_text(UK)
    expect(headline(page)).to_have_text("A token is needed: sign in")
    expect(page.locator("html")).to_be_visible()
    content = page.locator("body").inner_html()
    for each in (UK, CALLER, "$9.9"):
        assert each not in content


# Accounts and numbers.


def test_an_account_has_its_money_its_calls_now_and_its_last_calls(look: Look, served: Served) -> None:
    served.call(talk_ms=10)
    served.journal.wait_for("CALL_RATED")
    served.call()
    served.call(account="1002")
    page = look(served)
    calls(page).get_by_role("link", name="1001").click()
    heading = page.get_by_role("heading", level=1, name="Account 1001")
    expect(heading).to_be_focused()
    expect(page.locator("#account .chip")).to_have_text("active")
    expect(page.locator("#account .figures")).to_contain_text("$9.99")  # 10 dollars and a first increment
    expect(page.locator("#account section").first.locator("tbody tr")).to_have_count(1)
    past = page.locator("#account section").last.locator("tbody tr")
    expect(past).to_have_count(1)
    expect(past).to_contain_text("$0.0013")
    assert barriers(page) == []
    page.go_back()
    expect(page.locator("#overview")).to_be_visible()
    expect(calls(page)).to_have_count(2)


def test_an_account_that_is_none_is_said_to_be_none(look: Look, served: Served) -> None:
    page = look(served, "/#/account/4711")
    expect(page.get_by_text("There is no account 4711.")).to_be_visible()


def test_older_calls_come_when_they_are_asked_for(look: Look, served: Served, conn: Connection) -> None:
    cost = Decimal("0.0100")
    rows = (a_cdr(1001, f"leg {n}", str(cost), created_us=wall_us() - n, charged=cost) for n in range(40))
    insert_cdrs(conn, list(rows))
    page = look(served, "/#/account/1001")
    past = page.locator("#account section").last
    expect(past.locator("tbody tr")).to_have_count(25)
    past.get_by_role("button", name="Older calls").click()
    expect(past.locator("tbody tr")).to_have_count(40)
    expect(past.get_by_role("button", name="Older calls")).to_be_hidden()


def test_a_search_finds_accounts_and_calls_of_now_and_before(look: Look, served: Served) -> None:
    served.call(talk_ms=10)
    served.journal.wait_for("CALL_RATED")
    served.call()
    page = look(served)
    sign_in(page, served.admin.token)
    page.get_by_label("Account or number").fill("1002")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page.locator("#found").get_by_role("link", name="Account 1002")).to_be_visible()
    expect(page.get_by_text("No call that is up matches.")).to_be_visible()
    page.get_by_label("Account or number").fill(f"+{UK}")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#found section").first.locator("tbody tr")).to_have_count(1)
    expect(page.locator("#found section").last.locator("tbody tr")).to_have_count(1)
    assert barriers(page) == []


# How it looks and speaks.


def test_french_with_its_numbers_and_money(look: Look, crowded: Stage) -> None:
    crowd(crowded.daemon.desk, 1_234)
    page = look(crowded, "/?lang=fr")
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    expect(headline(page)).to_have_text("Rien n’est en panne")
    expect(page.locator("#figures dd").first).to_have_text(re.compile(r"^1\s234$"))
    expect(calls(page).first.locator("td").nth(6)).to_have_text(re.compile(r"^\d+,\d{4}\s\$$"))
    assert barriers(page) == []
    page.get_by_label("Langue").select_option("en")
    expect(headline(page)).to_have_text("Nothing is broken")
    page.reload()
    expect(headline(page)).to_have_text("Nothing is broken")


def test_what_is_broken_is_told_in_the_language_that_is_chosen(
    look: Look, serve: Callable[..., Served], way: Proxy
) -> None:
    served = serve(way)
    page = look(served)
    expect(headline(page)).to_have_text("Nothing is broken")
    way.refuse()
    expect(page.locator("#problems")).to_contain_text("Bring Postgres back.")
    page.get_by_label("Language").select_option("fr")
    expect(page.locator("#problems")).to_contain_text("Remettez Postgres en marche.")
    expect(page.locator("#states li")).to_have_count(4)
    expect(page.locator("#problems")).not_to_contain_text("Bring Postgres back.")
    way.heal()


def test_explanations_that_come_late_are_drawn(
    look: Look, serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what was on the page already."""
    asked = []
    answer = page_routes._Words.on_get

    def late(words: page_routes._Words, req: falcon.Request, resp: falcon.Response) -> None:
        asked.append(req.path)
        if not said.is_set():
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "not yet")
        answer(words, req, resp)

    said = Event()
    monkeypatch.setattr(page_routes._Words, "on_get", late)
    served = serve()
    for word in ("TRAFFIC_WEBHOOK_DOWN", "SWITCH_GAP"):  # one that stands, and one that is over
        served.daemon.parts.log(word, reason="the test")
    served.daemon.parts.log("CALL_REFUSED", account=1001, caller=CALLER, to=UK, reason="no_funds")
    page = look(served)
    expect(page.locator("#problems")).to_contain_text("TRAFFIC_WEBHOOK_DOWN")
    expect(page.locator("#alerts")).to_contain_text("SWITCH_GAP")
    expect(page.locator("#refusals .reasons li")).to_have_count(1)
    expect(page.locator("#refusals")).not_to_contain_text("The customer has to top up.")
    said.set()
    expect(page.locator("#problems")).to_contain_text(WORDS["TRAFFIC_WEBHOOK_DOWN"].meaning.partition("`")[0])
    expect(page.locator("#alerts")).to_contain_text(WORDS["SWITCH_GAP"].meaning.partition("`")[0])
    expect(page.locator("#refusals")).to_contain_text("The customer has to top up.")
    expect(page.locator("#problems li")).to_have_count(1)
    assert len(asked) >= 2


def test_the_browsers_language_counts_where_none_was_chosen(look: Look, served: Served) -> None:
    page = look(served, locale="fr-FR")
    expect(headline(page)).to_have_text("Rien n’est en panne")


def test_dark_where_the_system_is_dark_or_it_is_chosen(look: Look, served: Served) -> None:
    page = look(served, color_scheme="dark")
    expect(headline(page)).to_have_text("Nothing is broken")
    assert brightness(page) < 64
    assert barriers(page) == []
    page.get_by_label("Appearance").select_option("light")
    assert brightness(page) > 192
    page.reload()
    assert brightness(page) > 192


def test_a_narrow_window_needs_no_sideways_scrolling(look: Look, crowded: Stage) -> None:
    crowd(crowded.daemon.desk, 60)
    page = look(crowded, viewport={"width": 390, "height": 844})
    expect(calls(page)).to_have_count(50)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    left = calls(page).first.locator(".left").bounding_box()
    assert left is not None
    assert left["x"] + left["width"] <= 390
    assert barriers(page) == []


def test_the_keyboard_reaches_everything_and_shows_where_it_is(look: Look, crowded: Stage) -> None:
    crowd(crowded.daemon.desk, 60)
    page = look(crowded)
    expect(calls(page)).to_have_count(50)
    walked = []
    for _ in range(12):
        page.keyboard.press("Tab")
        walked.append(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
        outline = page.evaluate(
            "(s => s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2)"
            "(getComputedStyle(document.activeElement))"
        )
        assert outline, walked
    first = ["Skip to the calls", "esl-agentswitch", "query", "Search", "language", "theme", "sign-in"]
    assert [walked[0], *walked[2:7]] == [first[0], *first[2:]]
    assert "plot-range" in walked
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()


def test_the_plot_is_read_with_arrow_keys(look: Look, served: Served) -> None:
    served.call()
    page = look(served)
    expect(calls(page)).to_have_count(1)
    slider = page.get_by_role("slider", name="Minute")
    expect(slider).to_have_attribute("aria-valuetext", re.compile(r"1 admitted, 1 answered"))
    slider.focus()
    page.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuenow", "0")
    expect(page.locator(".readout")).to_contain_text("0 admitted")
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuenow", "1")
    page.get_by_label("Range").select_option("1")
    expect(slider).to_have_attribute("aria-valuemax", "59")


# What they are made of.


def poor(conn: Connection, account_id: int, amount: str) -> None:
    add_account(
        conn, NewAccount(account_id=account_id, name="", plan="standard", by="test", terms_version="1")
    )
    top_up(conn, account_id, Decimal(amount), "first")


def crowd(desk: Desk, count: int) -> None:
    """So many calls that are up and that nobody ends; of 100 accounts."""
    for number in range(count):
        leg = replace(LEG, leg_uuid=str(uuid4()), created_us=wall_us() - 60_000_000 - number)
        held = machine.begin_held(leg, PRICE, Decimal("6.0000"))[0]
        call = replace(held, phase=machine.Phase.TALKING, answered_us=leg.created_us + 1_000_000)
        number_called = Number(UK, UK, "GB", NumberClass.WORLD)
        desk.live[leg.leg_uuid] = LiveCall(
            call, Priced(leg, 2_000 + number % 100, number_called, PRICE, "CAD")
        )


def brightness(page: Page) -> float:
    """Of what is behind all, from 0 to 255."""
    background = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    values = [float(value) for value in re.findall(r"[\d.]+", background)[:3]]
    return sum(values) / 3
