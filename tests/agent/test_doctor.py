"""`esl-agent doctor`: what is good, what is missing, and what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from fixtures.postgres import as_role

from esl_agent.cli.main import cli
from esl_agent.core.lease import Row
from esl_agent.simulator.config import SimulatorConfig
from esl_agent.simulator.simulator import Simulator
from esl_agent.store import lease
from esl_agent.store.departments import Department, put_department
from esl_agent.store.embedded import EmbeddedPostgres
from esl_agent.store.journal_records import Release
from esl_agent.store.pool import Connection
from esl_agent.store.tokens import TokenRole, add_token
from esl_agent.store.unwritable import Refused, set_aside


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    simulator = Simulator(SimulatorConfig(port=0, password="secret")).start()
    yield simulator
    simulator.stop()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the switch writes its CDR files."""
    folder = tmp_path / "json_cdr"
    folder.mkdir()
    monkeypatch.setenv("ESL_AGENT_CDR_FILES_FOLDER", str(folder))
    return folder


@pytest.fixture
def safe_url(database_url: str) -> str:
    """The tests' server does not wait for its disk; here it says that it does."""
    return database_url + "&options=-c%20synchronous_commit%3Don"


def examine(url: str, port: int, password: str = "secret", **more: str) -> tuple[int, dict[str, list[str]]]:
    """The exit code, and what was found by verdict."""
    environment = {
        "ESL_AGENT_DATABASE_URL": url,
        "ESL_AGENT_SWITCH_PORT": str(port),
        "ESL_AGENT_SWITCH_PASSWORD": password,
        **more,
    }
    result = CliRunner().invoke(cli, ["doctor", "--json"], env=environment)
    found: dict[str, list[str]] = {"good": [], "warning": [], "bad": []}
    for line in result.output.splitlines():
        finding = json.loads(line)
        found[finding["verdict"]].append(finding["what"])
        assert finding["advice"] or finding["verdict"] == "good", finding
    return result.exit_code, found


def test_a_place_where_all_is_well(safe_url: str, customers: None, simulator: Simulator) -> None:
    code, found = examine(safe_url, simulator.port)
    assert (code, found["warning"], found["bad"]) == (0, [], [])
    assert "mod_json_cdr is loaded" in found["good"]
    assert "plan 'standard' has deck 'standard' in effect" in found["good"]


def test_a_fresh_database_lacks_rates(safe_url: str, simulator: Simulator) -> None:
    code, found = examine(safe_url, simulator.port)
    assert code == 0
    assert found["warning"] == ["plan 'standard' has no rates: no version of deck 'standard' is in effect"]


def test_a_server_that_confirms_too_early(database_url: str, customers: None, simulator: Simulator) -> None:
    code, found = examine(database_url, simulator.port)
    assert code == 0
    assert found["warning"] == ["Postgres confirms commits before they are on disk"]


def test_a_database_without_our_tables(postgres: EmbeddedPostgres, simulator: Simulator) -> None:
    code, found = examine(postgres.url("postgres"), simulator.port)
    assert code == 1
    assert "lacks" in found["bad"][0]


def test_a_role_that_may_not_do_what_the_daemon_does(
    conn: Connection, database_url: str, customers: None, simulator: Simulator
) -> None:
    conn.execute("CREATE ROLE doctor_test LOGIN")
    try:
        conn.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO doctor_test")
        code, found = examine(database_url.replace("postgres@", "doctor_test@"), simulator.port)
        assert code == 1
        assert "UPDATE on accounts" in found["bad"][0]
    finally:
        conn.execute("DROP OWNED BY doctor_test")
        conn.execute("DROP ROLE doctor_test")


def test_a_switch_that_refuses_the_password(database_url: str, customers: None, simulator: Simulator) -> None:
    code, found = examine(database_url, simulator.port, password="wrong")
    assert code == 1
    assert "refuses the password" in found["bad"][0]
    assert "wrong" not in "".join(found["bad"])


def test_a_switch_that_is_not_there(database_url: str, customers: None) -> None:
    code, found = examine(database_url, 1)
    assert code == 1
    assert "no switch answers at 127.0.0.1:1" in found["bad"][0]


def test_the_switchs_default_password_is_warned_of(safe_url: str, customers: None) -> None:
    simulator = Simulator(SimulatorConfig(port=0)).start()
    try:
        code, found = examine(safe_url, simulator.port, password="ClueCon")
    finally:
        simulator.stop()
    assert code == 0
    assert found["warning"] == ["the event socket has FreeSWITCH's default password"]


def test_a_folder_of_cdr_files_that_is_not_set_or_not_there(
    safe_url: str, customers: None, simulator: Simulator, folder: Path
) -> None:
    code, found = examine(safe_url, simulator.port, ESL_AGENT_CDR_FILES_FOLDER="")
    assert (code, len(found["warning"])) == (0, 1)
    assert "no folder of CDR files is set" in found["warning"][0]
    folder.rmdir()
    code, found = examine(safe_url, simulator.port)
    assert (code, found["bad"]) == (1, [f"there is no folder of CDR files {folder}"])


def test_a_folder_of_cdr_files_in_which_not_all_is_well(
    safe_url: str, customers: None, simulator: Simulator, folder: Path
) -> None:
    (folder / "2026-11-23-02-15-08").mkdir()
    (folder / "broken").mkdir()
    (folder / "broken" / "x.cdr.json").touch()
    code, found = examine(safe_url, simulator.port)
    assert code == 0
    assert "mod_json_cdr rotates" in found["warning"][0]
    assert f"1 files in {folder / 'broken'} tell of no leg" in found["warning"][1]


def test_departments_whose_recordings_are_not_seen(
    safe_url: str, customers: None, conn: Connection, simulator: Simulator, tmp_path: Path
) -> None:
    put_department(conn, Department("15145550199", "support"), "test")
    _, found = examine(safe_url, simulator.port)
    assert (
        "calls of 1 departments' numbers are recorded in a folder that is not seen here" in found["warning"]
    )
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    _, found = examine(safe_url, simulator.port, ESL_AGENT_RECORDING_FOLDER=str(recordings))
    assert found["warning"] == []
    assert f"recordings in {recordings} can be seen, and there is room for more" in found["good"]


def test_a_folder_of_recordings_in_which_nothing_can_be_written(
    safe_url: str, customers: None, simulator: Simulator, tmp_path: Path
) -> None:
    missing, full = tmp_path / "recordings", {"ESL_AGENT_RECORDING_FREE_MIN_MB": "1000000"}
    code, found = examine(safe_url, simulator.port, ESL_AGENT_RECORDING_FOLDER=str(missing))
    assert (code, "is not there" in found["bad"][0]) == (1, True)
    missing.mkdir()
    code, found = examine(safe_url, simulator.port, ESL_AGENT_RECORDING_FOLDER=str(missing), **full)
    assert (code, "MB are free" in found["bad"][0]) == (1, True)


def test_rules_of_traffic_that_are_wrong_are_a_line_each(
    safe_url: str, customers: None, simulator: Simulator, tmp_path: Path
) -> None:
    _, found = examine(safe_url, simulator.port)
    assert "traffic is watched by 10 rules (the rules as shipped)" in found["good"]
    rules = tmp_path / "traffic.toml"
    rules.write_text("[[rule]]\nname = 'x'\n[[rule]]\nname = 'y'\n")
    code, found = examine(safe_url, simulator.port, ESL_AGENT_TRAFFIC_RULES_FILE=str(rules))
    assert code == 1
    assert found["bad"] == ["[[rule]] 1 (x): when is missing", "[[rule]] 2 (y): when is missing"]
    _, found = examine(safe_url, simulator.port, ESL_AGENT_TRAFFIC_WATCH="false")
    assert "traffic is not watched" in found["warning"]


def test_every_fault_of_the_configuration_is_a_line() -> None:
    code, found = examine("postgresql:///x", 1, ESL_AGENT_LOG_LEVEL="loud", ESL_AGENT_BUDGET_GRANT_S="x")
    assert code == 1
    assert len(found["bad"]) == 2


def test_a_journal_that_takes_no_record_is_bad(safe_url: str, simulator: Simulator, tmp_path: Path) -> None:
    place = {"ESL_AGENT_JOURNAL_FOLDER": str(tmp_path / "new" / "journal")}
    _, found = examine(safe_url, simulator.port, **place)
    assert any(
        what.startswith(f"the journal in {tmp_path}/new/journal can be written") for what in found["good"]
    )
    assert not (tmp_path / "new").exists()

    code, found = examine(safe_url, simulator.port, **place, ESL_AGENT_JOURNAL_FREE_MIN_MB="1000000")
    assert code == 1
    assert any("MB free" in what for what in found["bad"])

    (tmp_path / "new").touch()
    code, found = examine(safe_url, simulator.port, **place)
    assert code == 1
    assert any("the journal can't be kept" in what for what in found["bad"])


def test_what_postgres_refused_is_a_warning(safe_url: str, simulator: Simulator, tmp_path: Path) -> None:
    set_aside(tmp_path, [Refused(Release(1001, "leg"), "no")])
    (tmp_path / "broken-000000000001.log").touch()
    _, found = examine(safe_url, simulator.port, ESL_AGENT_JOURNAL_FOLDER=str(tmp_path))
    assert found["warning"][:2] == [
        f"Postgres refused 1 records, which are set aside in {tmp_path}",
        f"{tmp_path} has 1 files with something unreadable",
    ]


def test_who_is_active_is_told(safe_url: str, customers: None, simulator: Simulator) -> None:
    name = {"ESL_AGENT_SWITCH_NAME": "montreal"}
    with lease.connect_to_lease(safe_url) as daemon:
        told = examine(safe_url, simulator.port, **name)[1]["good"]
        assert "no daemon is active for the switch montreal at the moment" in told
        lease.lock(daemon, "montreal")
        told = examine(safe_url, simulator.port, **name)[1]["good"]
        assert any(what.startswith("a daemon is active for the switch montreal") for what in told)
        code, found = examine(safe_url, simulator.port, **name, ESL_AGENT_TWIN_ENABLED="true")
        assert (code, len(found["warning"])) == (0, 1)
        assert "and is no twin" in found["warning"][0]


@pytest.mark.parametrize(("lease_s", "verdict"), [(3_600, "good"), (0.001, "warning")])
def test_the_active_twin_is_told_and_when_it_last_said_so(
    safe_url: str, customers: None, simulator: Simulator, lease_s: float, verdict: str
) -> None:
    with lease.connect_to_lease(safe_url) as twin:
        wanted = Row("machine/7/abc", 1, 0, int(lease_s * 1_000_000))
        assert lease.take(twin, "montreal", None, wanted)
        found = examine(safe_url, simulator.port, ESL_AGENT_SWITCH_NAME="montreal")[1]
        assert any(what.startswith("the twin machine/7/abc is active") for what in found[verdict])


def test_a_role_that_may_not_suspend_where_it_should_is_said(safe_url: str, simulator: Simulator) -> None:
    as_daemon = as_role(safe_url, "esl_agent_daemon").replace("&options=-c%20role", "%20-c%20role")
    _, found = examine(as_daemon, simulator.port, ESL_AGENT_PHONES_ON_SPIKE="suspend")
    assert [each for each in found["bad"] if "suspend" in each]
    _, found = examine(safe_url, simulator.port, ESL_AGENT_PHONES_ON_SPIKE="suspend")
    assert [each for each in found["good"] if "suspend" in each]


def test_who_reaches_the_http_server_is_told(
    safe_url: str, customers: None, simulator: Simulator, conn: Connection
) -> None:
    port = {"ESL_AGENT_WEB_PORT": "8085"}
    _, found = examine(safe_url, simulator.port, **port)
    assert (
        "the HTTP server on 127.0.0.1:8085 is reached from this machine alone; 0 tokens are in force"
        in (found["good"])
    )
    off_loopback = port | {"ESL_AGENT_WEB_HOST": "192.0.2.1"}
    _, found = examine(safe_url, simulator.port, **off_loopback)
    assert any("there is no token" in each for each in found["warning"])
    add_token(conn, "noc", TokenRole.NOC, "test", None)
    _, found = examine(safe_url, simulator.port, **off_loopback)
    assert any("plain HTTP" in each for each in found["warning"])


@pytest.mark.parametrize(("role", "is_good"), [("esl_agent_office", True), ("esl_agent_noc", False)])
def test_whether_the_api_may_act_on_accounts_is_told(
    safe_url: str, customers: None, simulator: Simulator, role: str, is_good: bool
) -> None:
    url = as_role(safe_url, role)
    code, found = examine(safe_url, simulator.port, ESL_AGENT_WEB_PORT="8085", ESL_AGENT_WEB_DATABASE_URL=url)
    assert (code == 0) is is_good
    assert any("on accounts" in each for each in found["good" if is_good else "bad"])
