"""The `esl-agent` command itself.

gevent's patch comes first: psycopg looks at it when it is imported, and the
same code must serve the daemon and a command typed by hand.
"""

from gevent import monkey

monkey.patch_all()

import importlib  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
import traceback  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from typing import Final  # noqa: E402

import click  # noqa: E402

from esl_agent import __version__  # noqa: E402
from esl_agent.cli import exit_codes  # noqa: E402
from esl_agent.cli.completion import VARIABLE  # noqa: E402
from esl_agent.cli.examples import with_examples  # noqa: E402
from esl_agent.config import ConfigError  # noqa: E402
from esl_agent.errors import EslAgentError  # noqa: E402

#: Subcommand to "module:object"; imported when called, so that `quote` needs no database driver.
COMMANDS: Final = {
    "account": "esl_agent.cli.account:account",
    "admit": "esl_agent.cli.admit:admit",
    "carrier": "esl_agent.cli.carrier:carrier",
    "cdr": "esl_agent.cli.cdr:cdr",
    "charge": "esl_agent.cli.charge:charge",
    "completion": "esl_agent.cli.completion:completion",
    "credential": "esl_agent.cli.credential:credential",
    "deck": "esl_agent.cli.deck:deck",
    "department": "esl_agent.cli.department:department",
    "disclose": "esl_agent.cli.disclose:disclose",
    "disclosures": "esl_agent.cli.disclose:disclosures",
    "distribute": "esl_agent.cli.distribute:distribute",
    "doctor": "esl_agent.cli.doctor:doctor",
    "dunning": "esl_agent.cli.dunning:dunning",
    "files": "esl_agent.cli.files:files",
    "health": "esl_agent.cli.health:health",
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
    "recording": "esl_agent.cli.recording:recording",
    "retention": "esl_agent.cli.retention:retention",
    "route": "esl_agent.cli.route:route",
    "run": "esl_agent.cli.run:run",
    "simulate": "esl_agent.cli.simulate:simulate",
    "statement": "esl_agent.cli.statement:statement",
    "terms": "esl_agent.cli.terms:terms",
    "token": "esl_agent.cli.token:token",
    "traffic": "esl_agent.cli.traffic:traffic",
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
        return with_examples(command, cmd_name)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="esl-agent")
def cli() -> None:
    """Prepaid call control and rating beside FreeSWITCH.

    Every command and group says more with --help. Most need the database: by
    --config, --database-url or ESL_AGENT_DATABASE_URL. What is listed or shown
    is JSON with --json.
    """


def main() -> None:
    """The command of the shell."""
    raise SystemExit(run(None))


def run(arguments: Sequence[str] | None) -> int:
    """Run the command (None: as the process was called), and return what the shell is to get.

    What a user got wrong is said in a line on standard error, never as a traceback.
    """
    try:
        code = cli.main(arguments, "esl-agent", VARIABLE, standalone_mode=False)
        sys.stdout.flush()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else exit_codes.OK
    except click.Abort:
        return exit_codes.INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:  # as by `| head`, which has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exit_codes.OK
    except ConfigError as error:
        return _fail(str(error), exit_codes.USAGE)
    except (EslAgentError, OSError) as error:
        return _fail(str(error), exit_codes.FAILED)
    except Exception as error:  # noqa: BLE001  whatever it is, it is told in a line
        return _fault(error)
    return code if isinstance(code, int) else exit_codes.OK


def _fault(error: Exception) -> int:
    if os.environ.get("ESL_TRACEBACK"):
        traceback.print_exception(error)
    where = traceback.extract_tb(error.__traceback__)[-1]
    said = " ".join(f"{type(error).__name__}: {error}".split())
    return _fail(
        f"a fault of the program, to be reported: {said} ({where.name}, line {where.lineno})",
        exit_codes.FAULT,
    )


def _fail(said: str, code: int) -> int:
    click.echo(f"esl-agent: {said}", err=True)
    return code
