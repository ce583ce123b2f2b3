"""`esl-agent completion`: what a shell needs to complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from esl_agent.errors import EslAgentError

#: By this variable the shell asks the command for completions.
VARIABLE = "_ESL_AGENT_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "fish", "zsh"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes SHELL complete commands and options, to be read by it when it starts."""
    kind = get_completion_class(shell)
    if kind is None:
        raise EslAgentError(f"this click knows no completion for {shell}")
    click.echo(kind(ctx.find_root().command, {}, "esl-agent", VARIABLE).source())
