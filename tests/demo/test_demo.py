"""The demo as a person runs it: what it shows, that it adds up, and that it leaves nothing running."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest

from demo.books import Books
from demo.errors import DemoError

ROOT: Final = Path(__file__).resolve().parents[2]
DEADLINE_S: Final = 120
MARK: Final = "ESL_AGENT_DEMO_TEST_MARK".lower()  # not upper case: ESL_AGENT_* are settings


@dataclass
class Run:
    """A demo that was started, and all that it starts: they inherit its mark."""

    process: subprocess.Popen[str]
    folder: Path
    mark: str

    def read_until(self, text: str) -> None:
        assert self.process.stdout is not None
        said = []
        for line in self.process.stdout:
            said.append(line)
            if text in line:
                return
        _, errors = self.process.communicate(timeout=DEADLINE_S)
        pytest.fail(f"it never said {text}, but\n{''.join(said)}{errors}")

    def finish(self) -> tuple[int, str, str]:
        output, errors = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, output, errors

    def left_running(self) -> list[str]:
        """Command lines of the processes that bear the mark."""
        left = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if self.mark in (entry / "environ").read_text(errors="replace"):
                    left.append((entry / "cmdline").read_text().replace("\0", " "))
            except OSError:
                continue  # gone meanwhile, or somebody else's
        return left

    def postgres(self) -> Path:
        """What the system says of the server: empty, or not there, once it has ended."""
        pid, _, _ = (self.folder / "postgres" / "data" / "postmaster.pid").read_text().partition("\n")
        return Path("/proc", pid, "cmdline")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "a folder"


def start(folder: Path, environment: Mapping[str, str] | None = None, *options: str) -> Run:
    mark = f"{MARK}-{uuid.uuid4()}"
    clean = {name: text for name, text in os.environ.items() if not name.startswith("ESL_AGENT_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "demo", "--folder", str(folder), *options],
        cwd=ROOT,
        env={**clean, "DEMO_SWITCH": "simulator", MARK: mark, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return Run(process, folder, mark)


@pytest.fixture
def demo(folder: Path) -> Iterator[Run]:
    run = start(folder)
    try:
        yield run
    finally:
        run.process.terminate()  # does nothing to one that has ended
        run.process.communicate(timeout=DEADLINE_S)


def test_calls_are_rated_the_ledger_took_as_much_and_nothing_is_left_running(demo: Run) -> None:
    code, output, errors = demo.finish()

    assert (code, errors) == (0, "")
    assert "CDRs come to 0.2371 CAD, and the ledger took 0.2371 CAD." in output
    words = re.findall(r"Z (?:INFO|WARNING) +([A-Z_]+)", output)
    assert {"CALL_ADMITTED", "CALL_ANSWERED", "CALL_CUT", "CALL_LOW_BALANCE", "CALL_REFUSED"} <= set(words)
    [mexico] = [line for line in output.splitlines() if "525512345678   NORMAL_CLEARING" in line]
    assert " 60 " in mexico
    assert "0.0200" in mexico
    assert "1003   A café" in output
    assert demo.left_running() == []
    assert not (demo.folder / "postgres").exists()


def test_a_signal_in_the_middle_of_calls_ends_all_of_it(demo: Run) -> None:
    demo.read_until("CALL_ANSWERED")
    postgres = demo.postgres()
    assert "postgres" in postgres.read_text()
    assert any("esl_agent run" in line for line in demo.left_running())

    demo.process.send_signal(signal.SIGTERM)
    code, output, errors = demo.finish()

    assert (code, errors) == (128 + signal.SIGTERM, "")
    assert output.endswith("Stopped; nothing is left running.\n")
    assert demo.left_running() == []
    assert not postgres.exists() or not postgres.read_text()


def test_a_second_demo_in_the_same_folder_is_told_of_the_first(demo: Run) -> None:
    demo.read_until("esl-agent migrate")

    code, _, errors = start(demo.folder).finish()

    assert code == 1
    assert "a demo runs already" in errors
    assert demo.process.poll() is None


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"DEMO_SWITCH": "asterisk"}, "DEMO_SWITCH=asterisk: it may be simulator or freeswitch"),
        (
            {"DEMO_SWITCH": "freeswitch", "FREESWITCH_BIN": "/nowhere/freeswitch"},
            "DEMO_SWITCH=freeswitch, but no FreeSWITCH here",
        ),
        ({"DEMO_SWITCH": "", "FREESWITCH": "nowhere"}, "FREESWITCH=nowhere: write host:port"),
        ({"DEMO_SWITCH": "", "FREESWITCH": "127.0.0.1:1"}, "no Event Socket at 127.0.0.1:1"),
    ],
)
def test_a_switch_that_can_not_be_had_is_told_in_a_line(
    folder: Path, environment: dict[str, str], told: str
) -> None:
    run = start(folder, environment)
    code, _, errors = run.finish()

    assert code == 1
    assert errors.startswith("The demo failed: ")
    assert told in errors
    assert "Traceback" not in errors
    assert run.left_running() == []


BALANCED: Final = Books(
    calls=2,
    rated=Decimal("0.2371"),
    uncollected=Decimal(0),
    taken=Decimal("0.2371"),
    paid_in=Decimal("35.2500"),
    left_over=Decimal("35.0129"),
    reserved=Decimal(0),
    poorest=Decimal("0.0400"),
)


def test_books_that_balance_pass() -> None:
    BALANCED.check()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (replace(BALANCED, rated=Decimal("0.2372")), "calls cost 0.2372, the ledger took 0.2371"),
        (replace(BALANCED, uncollected=Decimal("0.0001")), "0.0001 could not be collected"),
        (replace(BALANCED, left_over=Decimal("35.0128")), "is not the 35.0128 left over"),
        (replace(BALANCED, reserved=Decimal("0.1050")), "0.1050 is still held"),
        (replace(BALANCED, poorest=Decimal("-0.0001")), "an account is at -0.0001"),
    ],
)
def test_books_that_do_not_balance_are_told(wrong: Books, told: str) -> None:
    with pytest.raises(DemoError, match=re.escape(told)):
        wrong.check()
