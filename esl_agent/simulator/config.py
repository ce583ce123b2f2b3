"""What the simulated switch is like."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from esl_agent.errors import EslAgentError
from esl_agent.simulator.traffic import TrafficConfig
from esl_agent.switch.events import VariableNames


class SimulatorError(EslAgentError):
    """Something about the simulator that whoever starts it can put right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """Where the simulated dialplan sends calls out: a name, and host:port of its SIP side."""

    name: str
    address: str = "127.0.0.1:5090"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorConfig:
    """A switch in software.

    `admission` is the host:port that the dialplan's `socket` application asks
    before it bridges, as the shipped dialplan does; "" lets the dialplan set
    the payer itself.
    """

    host: str = "127.0.0.1"
    port: int = 8021  # 0: any that is free
    password: str = "ClueCon"  # noqa: S105 (FreeSWITCH's own default)
    hostname: str = "vm"
    version: str = "1.10.12"

    tick_ms: int = 20  # in such steps the switch's clock moves; 0: exact
    heartbeat_s: float = 20.0
    names: VariableNames = field(default_factory=VariableNames)
    carriers: tuple[Carrier, ...] = (
        Carrier(name="a", address="127.0.0.1:5090"),
        Carrier(name="b", address="127.0.0.1:5091"),
    )

    admission: str = ""
    admission_connect_s: float = 5.0
    records: bool = True  # False: the folder of recordings can't be written

    cdr_dir: Path | None = None  # write mod_json_cdr's files there
    truth_file: Path | None = None  # write what each leg really was there, a JSON line each
    truth_max: int = 1_000_000  # so many legs' truths are kept in memory

    event_queue_max: int = 100_000  # frames that wait for a slow client; FreeSWITCH's MAX_QUEUE_LEN
    missed_max: int = 500  # events lost in a row before it is cut off; FreeSWITCH's MAX_MISSED
    clients_max: int = 2_000
    calls_max: int = 200_000

    traffic: TrafficConfig = field(default_factory=TrafficConfig)


def _path(kind: type, value: Any) -> Any:
    """A Path from the text of one: the only type here that msgspec doesn't know."""
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(f"{kind} can't be written in TOML")


def load_config(path: Path) -> SimulatorConfig:
    """Read the [simulator] table of a TOML file; raises SimulatorError where it doesn't make sense."""
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8")).get("simulator", {})
        return msgspec.convert(table, SimulatorConfig, strict=False, dec_hook=_path)
    except OSError as error:
        raise SimulatorError(f"{path}: can't be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise SimulatorError(f"{path}: {error}") from None
