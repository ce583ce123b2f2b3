"""The commands as a stranger meets them: help with examples, JSON, exit codes, completion, no traceback."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from esl_agent.cli import exit_codes
from esl_agent.cli.examples import EXAMPLES
from esl_agent.cli.main import run
from esl_agent.cli.reference import commands, reference

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
COMMANDS = {path: command for path, command, _ in commands() if not isinstance(command, click.Group)}
#: What prints no facts of its own, and why it has no --json.
WITHOUT_JSON = {
    "cdr export": "it has --format jsonl",
    "completion": "it prints what a shell reads",
    "invoice export": "it writes a file",
    "run": "its output is the log: [log] format = json",
    "simulate": "it prints JSON always",
}
#: A database that is not there, and never will be.
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


def arguments(path: str) -> list[str]:
    example = shlex.split(EXAMPLES[path].replace("/etc/esl-agent/", ""))
    return [*path.split(), *(word for word in example if word != "--watch")]  # which waits for a daemon


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the examples read."""
    for name, text in {
        "rates.csv": "prefix,rate\n44,0.02\n", "routes.csv": "prefix,carrier\n44,alpha\n",
        "terms.txt": "Pay first.\n", "1001.zip": "not one\n", "esl-agent.toml": "",
    }.items():  # fmt: skip
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_is_what_the_commands_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "write it again: make docs"


def test_every_command_has_an_example_and_no_example_is_of_something_else() -> None:
    assert EXAMPLES.keys() == COMMANDS.keys()


@pytest.mark.parametrize("path", COMMANDS)
def test_an_example_is_a_command_line_that_the_command_takes(path: str, files: Path) -> None:
    line = arguments(path)[len(path.split()) :]
    if path == "completion":
        line = line[:1]  # the rest is the shell's
    with COMMANDS[path].make_context(path, line) as ctx:
        assert ctx.params


def test_what_is_listed_or_shown_or_done_is_told_as_json() -> None:
    without = {
        path for path, command in COMMANDS.items() if "as_json" not in {each.name for each in command.params}
    }
    assert without == WITHOUT_JSON.keys()


def test_one_thing_is_called_the_same_everywhere() -> None:
    named: dict[str, set[str | None]] = {}
    for command in COMMANDS.values():
        for param in command.params:
            for option in param.opts if isinstance(param, click.Option) else ():
                named.setdefault(option, set()).add(
                    param.make_metavar(click.Context(command)) if not param.is_flag else None
                )
    for option in (
        "--config",
        "--database-url",
        "--account",
        "--by",
        "--on",
        "--reason",
        "--reference",
        "--output",
    ):
        assert len(named[option]) == 1, (option, named[option])
    assert not {"--out", "--out-file", "--database", "--cfg", "--as-json"} & named.keys()


@pytest.mark.parametrize("path", [path for path in COMMANDS if path not in ("run", "simulate")])
def test_without_a_database_a_configuration_or_sense_it_is_told_in_a_sentence(
    path: str, files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ESL_AGENT_DATABASE_URL", NOWHERE)
    monkeypatch.setenv("ESL_AGENT_SWITCH_PORT", "1")
    _run_and_hear(path, arguments(path), capsys)
    _run_and_hear(path, [*path.split(), "--no-such-option"], capsys, exit_codes.USAGE)
    (files / "broken.toml").write_text("[switch\nport = 'often'")
    if any("--config" in param.opts for param in COMMANDS[path].params):
        line = [word for word in arguments(path) if word not in ("--config", "esl-agent.toml")]
        expected = exit_codes.FAILED if path == "doctor" else exit_codes.USAGE
        _run_and_hear(path, [*line, "--config", "broken.toml"], capsys, expected)
        (files / "broken.toml").write_text("[database]\nurl = 'mysql://elsewhere'\n")
        monkeypatch.delenv("ESL_AGENT_DATABASE_URL")
        _run_and_hear(path, [*line, "--config", "broken.toml"], capsys)
        missing = [*line, "--config", "missing.toml"]
        _run_and_hear(path, missing, capsys, expected)


def _run_and_hear(
    path: str, line: list[str], capsys: pytest.CaptureFixture[str], expected: int | None = None
) -> None:
    code = run(line)
    said = capsys.readouterr()
    assert code in exit_codes.MEANINGS
    assert code != exit_codes.FAULT, said.err
    assert expected is None or code == expected, said.err
    assert "Traceback" not in said.err + said.out
    if code != exit_codes.OK:
        assert said.err.strip() or path == "doctor", "it says nothing"


def test_every_exit_code_is_on_the_page_and_means_what_it_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ESL_AGENT_DATABASE_URL", raising=False)
    assert run(["quote", "911", "--seconds", "1"]) == exit_codes.OK
    assert run(["--help"]) == exit_codes.OK
    assert run(["account", "list", "--database-url", NOWHERE]) == exit_codes.FAILED
    assert run(["account", "show", "nobody"]) == exit_codes.USAGE
    assert run(["accounts"]) == exit_codes.USAGE
    monkeypatch.setenv("ESL_AGENT_SWITCH_PORT", "often")
    assert run(["account", "list"]) == exit_codes.USAGE
    assert "ESL_AGENT_SWITCH_PORT" in capsys.readouterr().err
    for code in exit_codes.MEANINGS:
        assert f"| {code} |" in PAGE.read_text(encoding="utf-8")


def test_a_fault_of_the_program_is_a_line_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fault(*_: object, **__: object) -> None:
        raise KeyError("lost")

    monkeypatch.setattr("esl_agent.cli.quote.json.dumps", fault)
    assert run(["quote", "911", "--seconds", "1", "--json"]) == exit_codes.FAULT
    said = capsys.readouterr().err
    assert said.startswith("esl-agent: a fault of the program, to be reported: KeyError: 'lost'")
    assert len(said.splitlines()) == 1
    monkeypatch.setenv("ESL_TRACEBACK", "1")
    assert run(["quote", "911", "--seconds", "1", "--json"]) == exit_codes.FAULT
    assert "Traceback" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_fault() -> None:
    first = subprocess.run(
        f"{shlex.quote(sys.executable)} -m esl_agent quote 911 --seconds 1 --json | head -c 1",
        shell=True, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert first.stdout == "{"
    assert first.stderr == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_and_options(
    shell: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["completion", shell]) == exit_codes.OK
    script = capsys.readouterr().out
    assert "_ESL_AGENT_COMPLETE" in script
    program = shutil.which(shell)
    if program is None:
        return
    file = tmp_path / "completion"
    file.write_text(script)
    if shell != "zsh":  # whose compdef needs a terminal's set-up
        subprocess.run([program, str(file)], check=True, capture_output=True)


def test_the_command_answers_what_bash_asks_for_completions() -> None:
    asked = {"_ESL_AGENT_COMPLETE": "bash_complete", "COMP_WORDS": "esl-agent account su", "COMP_CWORD": "2"}
    said = subprocess.run(
        [sys.executable, "-m", "esl_agent"], env=asked, capture_output=True, text=True, check=True
    ).stdout
    assert said.splitlines() == ["plain,suspend"]


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run(["quote", "5145550199", "--seconds", "30", "--rate-per-minute", "0.01", "--json"])
        == exit_codes.OK
    )
    assert json.loads(capsys.readouterr().out)["billed_seconds"] == 30
