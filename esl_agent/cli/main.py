"""The `esl-agent` command itself.

gevent's patch comes first: psycopg looks at it when it is imported, and the
same code must serve the daemon and a command typed by hand.
"""

from gevent import monkey

monkey.patch_all()

import importlib  # noqa: E402
from typing import Final  # noqa: E402

import click  # noqa: E402

from esl_agent import __version__  # noqa: E402
from esl_agent.errors import EslAgentError  # noqa: E402

#: Subcommand to "module:object"; imported when called, so that `quote` needs no database driver.
COMMANDS: Final = {
    "account": "esl_agent.cli.account:account",
    "admit": "esl_agent.cli.admit:admit",
    "carrier": "esl_agent.cli.carrier:carrier",
    "cdr": "esl_agent.cli.cdr:cdr",
    "charge": "esl_agent.cli.charge:charge",
    "credential": "esl_agent.cli.credential:credential",
    "deck": "esl_agent.cli.deck:deck",
    "disclose": "esl_agent.cli.disclose:disclose",
    "disclosures": "esl_agent.cli.disclose:disclosures",
    "distribute": "esl_agent.cli.distribute:distribute",
    "doctor": "esl_agent.cli.doctor:doctor",
    "dunning": "esl_agent.cli.dunning:dunning",
    "files": "esl_agent.cli.files:files",
    "interest": "esl_agent.cli.invoice:interest",
    "invoice": "esl_agent.cli.invoice:invoice",
    "journal": "esl_agent.cli.journal:journal",
    "ledger": "esl_agent.cli.ledger:ledger",
    "live": "esl_agent.cli.live:live",
    "migrate": "esl_agent.cli.migrate:migrate",
    "number": "esl_agent.cli.number:number",
    "payment": "esl_agent.cli.payment:payment",
    "plan": "esl_agent.cli.plan:plan",
    "quote": "esl_agent.cli.quote:quote",
    "reconcile": "esl_agent.cli.reconcile:reconcile",
    "retention": "esl_agent.cli.retention:retention",
    "route": "esl_agent.cli.route:route",
    "run": "esl_agent.cli.run:run",
    "simulate": "esl_agent.cli.simulate:simulate",
    "statement": "esl_agent.cli.statement:statement",
    "terms": "esl_agent.cli.terms:terms",
}


class LazyGroup(click.Group):
    """A click group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        target = COMMANDS.get(cmd_name)
        if target is None:
            return None
        module, _, name = target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="esl-agent")
def cli() -> None:
    """Prepaid call control and rating beside FreeSWITCH."""


def main() -> None:
    """Run the command; what a user got wrong is said in a line, never as a traceback."""
    try:
        cli()
    except EslAgentError as error:
        raise SystemExit(f"esl-agent: {error}") from None
