"""`esl-agent simulate`: a switch in software, for demonstrations, tests and load."""

from __future__ import annotations

import dataclasses
import gc
import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click
import gevent
from gevent.event import Event

from esl_agent.simulator.config import SimulatorConfig, load_config
from esl_agent.simulator.replay import Trace
from esl_agent.simulator.simulator import Simulator
from esl_agent.simulator.traffic import Shares, TrafficConfig

#: How long calls that are up when the last one has come may go on.
_DRAIN_S: Final = 3_600.0
#: How long clients have to read what is queued for them when the last call is over.
_READ_UP_S: Final = 60.0
_GC_OBJECTS: Final = (50_000, 10, 100)


def _shares(command: Callable[..., None]) -> Callable[..., None]:
    """One option for each share of the traffic."""
    for field in reversed(dataclasses.fields(Shares)):
        name = field.name.replace("_", "-")
        option = click.option(f"--{name}", type=click.FloatRange(0, 1), help=f"Share of {name} calls.")
        command = option(command)
    return command


@click.command()
@click.option(
    "--config", "config_file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--host", help="Where to listen; 127.0.0.1 if not said.")
@click.option("--port", type=click.IntRange(0, 65_535), help="8021 if not said; 0 for any.")
@click.option("--password", envvar="ESL_AGENT_SWITCH_PASSWORD", help="The Event Socket's password.")
@click.option("--admission", metavar="HOST:PORT", help="Have the dialplan ask this socket server first.")
@click.option("--cdr-dir", type=click.Path(file_okay=False, path_type=Path), help="Write CDR files there.")
@click.option(
    "--truth",
    "truth_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write each leg's true times there.",
)
@click.option("--heartbeat-s", type=float, help="Seconds between HEARTBEATs; 20 if not said.")
@click.option("--calls-per-second", type=click.FloatRange(min=0), help="How many calls come.")
@click.option(
    "--duration", "duration_s", type=click.FloatRange(min=0), help="For how many seconds they come."
)
@click.option("--calls", type=click.IntRange(min=0), help="How many come in all.")
@click.option("--evenly/--at-random", default=None, help="How far calls are from each other.")
@click.option("--seed", type=int, help="The same seed brings the same calls.")
@click.option(
    "--account",
    "accounts",
    metavar="ACCOUNT",
    multiple=True,
    help="An account that calls; several times for more.",
)
@click.option("--to", "destinations", multiple=True, help="A number that is called; several times for more.")
@click.option(
    "--talk-ms", "talk_ms_mean", type=click.FloatRange(min=0), help="How long a call talks, on average."
)
@click.option("--talk-exactly/--talk-random", default=None, help="Every call as long as the average, or not.")
@click.option("--ring-ms", type=click.IntRange(min=0), help="How long the far end rings.")
@_shares
@click.option("--at-once", is_flag=True, help="Let calls come before anybody listens.")
@click.option("--stay", is_flag=True, help="Stay up when the last call is over.")
@click.option(
    "--replay",
    "trace",
    type=click.Path(exists=True, path_type=Path),
    help="Play this trace to whoever subscribes.",
)
@click.option("--speed", type=click.FloatRange(min=0), default=0.0, help="How fast to replay; 0 for at once.")
def simulate(
    config_file: Path | None, *, at_once: bool, stay: bool, trace: Path | None, speed: float, **options: Any
) -> None:
    """Be a FreeSWITCH in software: Event Socket, calls, CDR files.

    Without calls to place it stays up till it is ended; with some, till the
    last one is over.  At the end it says as JSON what there was.
    """
    simulator = Simulator(_config(config_file, options))
    if trace is not None:
        recorded = Trace(trace)
        core = simulator.core
        core.when_subscribed.append(lambda listener: recorded.play(core, listener, speed))
    # Calls are rings of objects by the thousand: looking for dead ones every few hundred objects, as
    # Python does by itself, would cost a tenth of the time; looking through all of them, as it would
    # every ten seconds under load, would stop the switch for one.
    gc.freeze()
    gc.set_threshold(*_GC_OBJECTS)
    simulator.start()
    over = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, over.set)
    click.echo(f"simulated switch on {simulator.config.host}:{simulator.port}", err=True)
    worker = gevent.spawn(_traffic, simulator, over, at_once=at_once, stay=stay)
    over.wait()
    worker.kill()
    simulator.stop()
    click.echo(json.dumps(dataclasses.asdict(simulator.summary()), indent=2))


def _traffic(simulator: Simulator, over: Event, *, at_once: bool, stay: bool) -> None:
    """Place the configured calls; then, unless the switch is to stay, set `over`."""
    if simulator.config.traffic.calls_per_second <= 0:
        return
    if not at_once:
        click.echo("waiting for a client that wants events", err=True)
        simulator.subscribed().wait()
    click.echo(f"placing {simulator.config.traffic.calls_per_second:g} calls a second", err=True)
    simulator.begin_traffic()
    simulator.traffic_over.wait()
    click.echo("the last call has come", err=True)
    simulator.wait_quiet(_DRAIN_S)
    simulator.core.truth.flush()
    click.echo("the last call is over", err=True)
    if not stay:
        simulator.finish(_READ_UP_S)
        over.set()


def _config(config_file: Path | None, options: dict[str, Any]) -> SimulatorConfig:
    """The configuration of the file, and over it what was said on the command line."""
    config = load_config(config_file) if config_file is not None else SimulatorConfig()
    said = {name: value for name, value in options.items() if value is not None and value != ()}
    shares = replace(config.traffic.shares, **_fields_of(Shares, said))
    traffic = replace(config.traffic, **_fields_of(TrafficConfig, said), shares=shares)
    return replace(config, **_fields_of(SimulatorConfig, said), traffic=traffic)


def _fields_of(kind: type[Any], said: dict[str, Any]) -> dict[str, Any]:
    names = {field.name for field in dataclasses.fields(kind)}
    return {name: value for name, value in said.items() if name in names}
