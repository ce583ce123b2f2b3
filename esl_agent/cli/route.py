"""`esl-agent route`: which carriers take calls to which numbers."""

from __future__ import annotations

from pathlib import Path

import click

from esl_agent.cli.database import with_database
from esl_agent.cli.output import as_json_option, print_done, print_json, print_table
from esl_agent.core.admission.route_file import ANY, Route, RouteError, parse_routes, read_prefix
from esl_agent.store import routes
from esl_agent.store.pool import Connection


@click.group()
def route() -> None:
    """Which carriers take calls to which numbers.

    The longest PREFIX that a number begins with counts, from the country code
    on; `any` is the beginning of every number.
    """


@route.command()
@click.argument("prefix", type=read_prefix)
@click.option("--carrier", required=True, metavar="NAME", help="Whose calls these are to be.")
@click.option("--priority", type=int, default=1, show_default=True, help="Lower ones are tried first.")
@click.option(
    "--weight", type=int, default=1, show_default=True, help="The share among those of one priority."
)
@as_json_option
@with_database
def add(conn: Connection, prefix: str, carrier: str, priority: int, weight: int, as_json: bool) -> None:
    """Let a carrier take calls to PREFIX, or change its turn there."""
    routes.put_routes(conn, [Route(prefix, carrier, priority, weight)])
    _tell([each for each in routes.list_routes(conn, prefix, None, 1_000) if each.prefix == prefix], as_json)


@route.command()
@click.argument("prefix", type=read_prefix)
@click.option("--carrier", required=True, metavar="NAME")
@as_json_option
@with_database
def remove(conn: Connection, prefix: str, carrier: str, as_json: bool) -> None:
    """Let a carrier take no more calls to PREFIX."""
    routes.remove_route(conn, prefix, carrier)
    said = f"{carrier} takes no calls by {prefix or ANY} any more"
    print_done(as_json, said, prefix=prefix, carrier=carrier, removed=True)


@route.command("list")
@click.option(
    "--prefix", default=ANY, type=read_prefix, metavar="PREFIX", help="Only prefixes that begin so."
)
@click.option("--carrier", metavar="NAME", help="Only this one's.")
@click.option("--limit", type=click.IntRange(1, 200_000), default=1_000, show_default=True)
@as_json_option
@with_database
def list_(conn: Connection, prefix: str, carrier: str | None, limit: int, as_json: bool) -> None:
    """Routes by prefix, in the order in which they are tried."""
    _tell(routes.list_routes(conn, prefix, carrier, limit), as_json)


@route.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Remove the routes that FILE doesn't name.")
@click.option("--dry-run", is_flag=True, help="Only say what it would do.")
@as_json_option
@with_database
def import_(conn: Connection, file: Path, replace: bool, dry_run: bool, as_json: bool) -> None:
    """Add or change the routes of a CSV file, all of them or none.

    Its columns are prefix and carrier, and priority and weight where they
    aren't all 1.
    """
    read = _read(file)
    with conn.transaction(force_rollback=dry_run):
        routes.put_routes(conn, read, is_all=replace)
    said = f"{len(read)} routes {'could be' if dry_run else 'were'} imported from {file}"
    print_done(as_json, said, routes=len(read), dry_run=dry_run)


def _read(path: Path) -> list[Route]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return parse_routes(file)
    except UnicodeDecodeError:
        raise RouteError(f"{path} isn't UTF-8 text: save it as UTF-8") from None
    except OSError as error:
        raise RouteError(f"{path} can't be read: {error.strerror}") from None
    except RouteError as error:
        raise RouteError(f"nothing was imported from {path}:\n{error}") from None


def _tell(shown: list[Route], as_json: bool) -> None:
    if as_json:
        print_json(shown)
        return
    print_table(
        ("prefix", "carrier", "priority", "weight"),
        [(each.prefix or ANY, each.carrier, each.priority, each.weight) for each in shown],
        numbers=("priority", "weight"),
    )
