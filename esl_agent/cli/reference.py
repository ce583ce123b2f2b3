"""docs/cli.md, written from the commands themselves: `python -m esl_agent.cli.reference > docs/cli.md`."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Final

import click

from esl_agent.cli import exit_codes
from esl_agent.cli.main import cli

#: Of a line of help.
WIDTH: Final = 100

INTRODUCTION: Final = """\
# The commands

Written by `make docs` from the commands' own help; a test holds the two together.

Most commands need the database: `--database-url`, else `ESL_AGENT_DATABASE_URL`, else `[database] url` of the
file that `--config` names. A password is best kept in the environment or in `~/.pgpass`.

**JSON.** What lists, shows or changes something takes `--json` and prints one JSON document, whole, at the
end. Two print JSON lines instead, one object a line as it comes: `doctor --json` and `cdr export --format
jsonl`. Amounts are strings (`"0.0130"`), so that no reader makes a float of them; times are ISO 8601 in UTC.
Errors are sentences on standard error, with or without `--json`.

**Completion.** `esl-agent completion bash | zsh | fish` prints what the shell has to read:

```
esl-agent completion bash > /etc/bash_completion.d/esl-agent
esl-agent completion zsh  > /usr/local/share/zsh/site-functions/_esl-agent
esl-agent completion fish > ~/.config/fish/completions/esl-agent.fish
```

## Exit codes

| code | means |
|---|---|
"""


def reference() -> str:
    """The page."""
    codes = "".join(f"| {code} | {meaning} |\n" for code, meaning in exit_codes.MEANINGS.items())
    return INTRODUCTION + codes + "".join(_sections())


def commands() -> Iterator[tuple[str, click.Command, click.Context]]:
    """Every command and group behind `esl-agent`, each before those in it."""
    root = click.Context(cli, info_name="esl-agent", terminal_width=WIDTH, max_content_width=WIDTH)
    yield from _below(cli, root)


def _below(group: click.Group, ctx: click.Context) -> Iterator[tuple[str, click.Command, click.Context]]:
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        if command is None:
            continue
        within = click.Context(command, info_name=name, parent=ctx)
        yield within.command_path.removeprefix("esl-agent "), command, within
        if isinstance(command, click.Group):
            yield from _below(command, within)


def _sections() -> Iterator[str]:
    for path, command, ctx in commands():
        level = "##" if " " not in path else "###"
        yield f"\n{level} esl-agent {path}\n\n```\n{_own(command).get_help(ctx).strip()}\n```\n"


def _own(command: click.Command) -> click.Command:
    """Without the options that the introduction speaks of."""
    own = copy.copy(command)
    own.params = [param for param in command.params if param.name not in ("database_url", "config_file")]
    own.add_help_option = False
    return own


if __name__ == "__main__":
    click.echo(reference(), nl=False)
