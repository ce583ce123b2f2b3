"""The pages name only what there is: words of the log, commands, options, files, settings, each other."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import get_type_hints

import click
import pytest

from esl_agent.cli.main import cli
from esl_agent.config import Config
from esl_agent.noc.words import WORDS

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "dialplan" / "README.md"])
#: Where everything in capitals with an underscore is a word of the log, but for hangup causes and variables.
OF_THE_LOG = ("troubleshooting.md", "phones.md", "journal.md", "recovery.md", "twins.md", "architecture.md")
NOT_OF_THE_LOG = re.compile(r"ESL_|ALLOTTED_TIMEOUT|CHANNEL_|LOSE_RACE|NORMAL_|[A-Z]+_IMAGE$|END_")
CODE = re.compile(r"```.*?```|`[^`\n]+`|^    .*$", re.M | re.S)

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def code_of(page: Path) -> str:
    return "\n".join(CODE.findall(page.read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", OF_THE_LOG)
def test_a_word_of_the_log_is_one(name: str) -> None:
    said = code_of(ROOT / "docs" / name)
    named = {
        word for word in re.findall(r"\b[A-Z]{2,}_[A-Z_]*[A-Z]\b", said) if not NOT_OF_THE_LOG.match(word)
    }
    assert named <= WORDS.keys()


@pages
def test_a_command_and_its_options_are_ones(page: Path) -> None:
    for line in re.findall(r"(?<![/\w-])esl-agent ([a-z][^`|;&\n]*)", code_of(page)):
        if page.name != "cli.md":
            _is_command(line.split("#")[0].split(" > ")[0])


def _is_command(line: str) -> None:
    words = _words(line)
    command: click.Command | None = cli
    ctx = click.Context(cli)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name = words.pop(0)
        if name in ("is", "by", "files…"):
            return
        command = command.get_command(ctx, name)
        assert command is not None, f"esl-agent {line}: there is no {name}"
    assert command is not None
    known = {option for param in command.params for option in param.opts + param.secondary_opts} | {"--help"}
    given = {word.partition("=")[0] for word in words if re.match(r"--[a-z]", word)}
    assert given <= known, f"esl-agent {line}"


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:  # as in "won't"
        return line.split()


@pages
def test_a_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith(("http:", "https:")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.M)
            assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, (
                target
            )


@pages
def test_a_file_of_the_repository_is_there(page: Path) -> None:
    tops = "docs|sql|tests|etc|dialplan|compose|core|agent|switch|store|esl_agent"
    for name in re.findall(
        rf"(?<![\w/.$-])((?:{tops})/[\w./-]*[\w/])(?=[\s`,;:)|]|\.\s|$)", page.read_text()
    ):
        assert any((folder / name).exists() for folder in (ROOT, ROOT / "esl_agent", ROOT / "dialplan")), name


@pages
def test_a_setting_is_one(page: Path) -> None:
    sections = {name: set(kind.__struct_fields__) for name, kind in get_type_hints(Config).items()}
    for section, key in re.findall(r"`\[(\w+)\] ([a-z_]+)", page.read_text(encoding="utf-8")):
        assert section in sections, f"[{section}]"
        assert key in sections[section], f"[{section}] {key}"


def test_every_page_is_in_the_readmes_table() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = [
        page.name for page in PAGES if page.parent.name == "docs" and f"(docs/{page.name})" not in readme
    ]
    assert missing == []
