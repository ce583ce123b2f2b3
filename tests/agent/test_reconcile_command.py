"""`esl-agent reconcile`: the switch's files against the books, with no daemon or beside one."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fixtures.admission import a_number
from fixtures.records import NOON_US, a_price

from esl_agent.agent.calls.known import remember
from esl_agent.agent.daemon import Daemon
from esl_agent.agent.files.cdr_folder import BROKEN, BROKEN_AFTER_S, DONE
from esl_agent.agent.pricing import Priced
from esl_agent.cli.main import cli
from esl_agent.core.leg import Direction, Leg, Product
from esl_agent.simulator.config import SimulatorConfig
from esl_agent.simulator.plan import CallPlan
from esl_agent.simulator.simulator import Simulator
from esl_agent.store.accounts import get_account
from esl_agent.store.cdrs import CdrFilter, Source, iterate_cdrs
from esl_agent.store.ledger import check
from esl_agent.store.pool import Connection

from .conftest import PATIENCE_S, Journal
from .exchange import UK

A_LEG = Leg(
    "planned", Direction.OUTBOUND, NOON_US, 1001, Product.TERMINATION, UK, UK, "15145550100", "caller", None,
    None, is_loopback=False,
)  # fmt: skip
LONG_AGO_S = 10 * BROKEN_AFTER_S


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "json_cdr"


@pytest.fixture
def simulator(folder: Path) -> Iterator[Simulator]:
    simulator = Simulator(SimulatorConfig(port=0, cdr_dir=folder)).start()
    yield simulator
    simulator.stop()


def call(simulator: Simulator, folder: Path, **plan: object) -> str:
    """A call, whose files are old already; gives its carrier's leg."""
    defaults = {"number": UK, "ring_ms": 20, "talk_ms": 200}
    handle = simulator.place_call(CallPlan(**defaults | plan))  # type: ignore[arg-type]
    assert handle.wait_ended(PATIENCE_S)
    make_old(folder)
    return handle.outbound_uuids[-1]


def make_old(folder: Path) -> None:
    then = time.time() - LONG_AGO_S
    for path in folder.glob("*.cdr.json"):
        os.utime(path, (then, then))


@pytest.fixture
def reconcile(
    database_url: str, customers: None, folder: Path, simulator: Simulator
) -> Callable[..., tuple[int, Any]]:
    """Runs the command; gives its exit code, and its report."""

    def run(*options: str, **settings: str) -> tuple[int, Any]:
        environment = {
            "ESL_AGENT_DATABASE_URL": database_url,
            "ESL_AGENT_CDR_FILES_FOLDER": str(folder),
            "ESL_AGENT_SWITCH_PORT": str(simulator.port),
        }
        arguments = ["reconcile", "--json", *options]
        result = CliRunner().invoke(cli, arguments, env=environment | settings)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, json.loads(result.stdout)

    return run


def test_legs_without_cdr_are_told_by_a_dry_run_and_settled_by_another(
    reconcile: Callable[..., tuple[int, Any]], simulator: Simulator, folder: Path, conn: Connection
) -> None:
    legs = {call(simulator, folder), call(simulator, folder, carriers_refusing=1)}

    code, report = reconcile("--dry-run")
    assert (code, report["files"], report["free"], len(report["owed"])) == (1, 5, 2, 3)
    assert legs < {leg["leg_uuid"] for leg in report["owed"]}
    assert {leg["uncollected"] for leg in report["owed"]} == {None}
    assert list(iterate_cdrs(conn, CdrFilter())) == []

    code, report = reconcile()
    assert (code, len(report["owed"])) == (1, 3)
    rows = list(iterate_cdrs(conn, CdrFilter()))
    assert {row.source for row in rows} == {Source.SWITCH_FILE}
    assert {row.leg_uuid: row.duration_us for row in rows} == {
        leg.uuid: leg.duration_us for leg in simulator.legs_ended() if leg.is_outbound
    }
    assert get_account(conn, 1001).balance == Decimal("9.9974")
    assert not check(conn)

    code, report = reconcile()
    assert (code, report["owed"], report["billed"]) == (0, [], 3)


def test_a_cdr_made_without_the_switchs_word_is_compared_though_it_begins_another_time(
    reconcile: Callable[..., tuple[int, Any]], simulator: Simulator, folder: Path, conn: Connection
) -> None:
    leg = call(simulator, folder)
    reconcile()
    conn.execute(
        "UPDATE cdrs SET source = 'recovered', duration_us = 5, created_at = created_at - interval '3 s'"
    )
    code, report = reconcile()
    assert (code, report["billed"], report["owed"]) == (1, 1, [])
    assert [(each["leg_uuid"], each["billed_us"]) for each in report["differing"]] == [(leg, 5)]


def test_since_leaves_out_what_is_older(
    reconcile: Callable[..., tuple[int, Any]], simulator: Simulator, folder: Path
) -> None:
    call(simulator, folder)
    assert reconcile("--since", "2100-01-01")[0] == 0
    assert reconcile("--dry-run", "--since", "2026-01-01")[0] == 1


def test_files_that_are_broken_are_told_and_those_in_the_making_not(
    reconcile: Callable[..., tuple[int, Any]], simulator: Simulator, folder: Path
) -> None:
    simulator.faults.truncate_cdr_files(2)
    call(simulator, folder)
    (folder / BROKEN).mkdir()
    half, other = folder.glob("*.cdr.json")
    half.rename(folder / BROKEN / half.name)
    code, report = reconcile()
    assert code == 1
    assert {each["file"] for each in report["broken"]} == {other.name, f"{BROKEN}/{half.name}"}

    os.utime(other)
    assert {each["file"] for each in reconcile()[1]["broken"]} == {f"{BROKEN}/{half.name}"}


def test_files_that_were_kept_are_compared_and_those_that_lack_are_told(
    reconcile: Callable[..., tuple[int, Any]],
    simulator: Simulator,
    start_daemon: Callable[..., Daemon],
    journal: Journal,
    folder: Path,
    conn: Connection,
) -> None:
    files = {"folder": str(folder), "every_s": 1, "settle_after_s": 1, "when_done": "keep"}
    start_daemon(simulator.port, cdr_files=files)
    settings = {"ESL_AGENT_CDR_FILES_WHEN_DONE": "keep", "ESL_AGENT_CDR_FILES_SETTLE_AFTER_S": "1"}
    first, second, third = (call(simulator, folder) for _ in range(3))
    journal.wait_for("CALL_RATED", 3)
    code, report = reconcile(**settings)
    assert (code, report["without_file"]) == (0, [])

    conn.execute("UPDATE cdrs SET duration_us = 9 WHERE leg_uuid = %s", [first])
    conn.execute("UPDATE cdrs SET ended_at = ended_at - interval '1 hour'")
    for place in (folder, folder / DONE):
        (place / f"{second}.cdr.json").unlink(missing_ok=True)
    code, report = reconcile("--since", "2026-01-01", **settings)
    assert code == 1
    assert [(each["leg_uuid"], each["billed_us"]) for each in report["differing"]] == [(first, 9)]
    assert [each["leg_uuid"] for each in report["without_file"]] == [second]
    assert third not in str(report)


def test_the_hold_of_a_carrier_that_refused_goes_on_to_the_one_that_took_the_call(
    reconcile: Callable[..., tuple[int, Any]], simulator: Simulator, folder: Path, conn: Connection
) -> None:
    """Beside it stands another call that has all that is free."""
    last = call(simulator, folder, carriers_refusing=1)
    [first] = [leg.uuid for leg in simulator.legs_ended() if leg.is_outbound and leg.uuid != last]
    priced = Priced(A_LEG, 1001, a_number(UK), a_price(), "CAD")
    known = remember(priced, "caller", [(first, "alpha"), (last, "beta")], as_of_us=NOON_US)
    conn.execute(
        "INSERT INTO reservations (account_id, leg_uuid, state, held, held_at, known)"
        " VALUES (1001, %s, 'held', 0.0013, now(), %s), (1001, 'another', 'held', 9.9987, now(), NULL)",
        [first, known],
    )
    conn.execute("UPDATE accounts SET reserved = 10, calls_up = 2 WHERE account_id = 1001")
    _, report = reconcile()
    assert {leg["uncollected"] for leg in report["owed"]} == {"0.0000"}
    assert [leg["total"] for leg in report["owed"] if leg["leg_uuid"] == last] == ["0.0013"]
    account = get_account(conn, 1001)
    assert (account.balance, account.reserved) == (Decimal("9.9987"), Decimal("9.9987"))


def test_what_people_read_names_every_kind(
    database_url: str, customers: None, simulator: Simulator, folder: Path
) -> None:
    leg = call(simulator, folder)
    environment = {"ESL_AGENT_DATABASE_URL": database_url, "ESL_AGENT_CDR_FILES_FOLDER": str(folder)}
    result = CliRunner().invoke(cli, ["reconcile"], env=environment)
    assert result.exit_code == 1
    assert "1 legs in files without CDR, settled now" in result.stdout
    assert leg in result.stdout
    assert "2 files: 0 legs have their CDR, 1 are nobody's to pay, 1 had no CDR" in result.stdout


def test_without_a_folder_it_says_where_to_set_one(refused: Callable[..., str]) -> None:
    assert "[cdr_files] folder" in refused("reconcile")
