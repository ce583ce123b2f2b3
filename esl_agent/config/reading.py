"""The configuration: one TOML file, checked whole, each value overridable from the environment.

A value stands in a section (`[switch]`, `port = 8021`); the environment
variable `ESL_AGENT_SWITCH_PORT` overrides it.  Every error is found and told
at once; a value of a secret is never repeated in an error.
"""

from __future__ import annotations

import ipaddress
import socket
import tomllib
import zoneinfo
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_origin, get_type_hints

import msgspec

from esl_agent.config.hosts import is_loopback
from esl_agent.config.sections import Config, SwitchConfig
from esl_agent.config.webhook import webhook_problems
from esl_agent.core import money
from esl_agent.core.numbering import Numbering, parse_overrides
from esl_agent.core.office.dunning import DunningPolicy
from esl_agent.errors import EslAgentError
from esl_agent.switch.events import VariableNames

ENVIRONMENT_PREFIX: Final = "ESL_AGENT_"
SECRETS: Final = frozenset(
    {
        ("switch", "password"),
        ("database", "url"),
        ("database", "listen_url"),
        ("admission", "local_secret"),
        ("traffic", "webhook_url"),  # which may bear a token
        ("traffic", "webhook_secret"),
        ("web", "database_url"),
    }
)
#: Whole segments are deleted: with fewer of them a journal would be full or empty and nothing between.
SEGMENTS_MIN: Final = 4


class ConfigError(EslAgentError):
    """The configuration can't be used; `problems` has a line for each thing to put right."""

    def __init__(self, source: str, problems: list[str]) -> None:
        self.problems = problems
        super().__init__(f"{source} can't be used:\n" + "\n".join(f"  - {problem}" for problem in problems))


def load(path: Path | None, environment: Mapping[str, str]) -> Config:
    """The configuration in `path` (None: all defaults) under `environment`.

    Raises ConfigError, which lists everything that is wrong.
    """
    source = str(path) if path else "the environment"
    return parse(_read(path), environment, source=source)


def parse(tables: Mapping[str, Any], environment: Mapping[str, str], *, source: str) -> Config:
    """As `load`, from a TOML document that is read already; `source` names it in errors."""
    problems: list[str] = []
    sections = {name: _section(name, tables.get(name, {}), problems) for name in _section_types()}
    problems += [
        f"[{name}] is no section; there are: {', '.join(sections)}" for name in tables.keys() - sections
    ]
    for variable, section, key, text in _overrides(environment, problems):
        sections[section][key] = _Override(variable, text)
    built = {name: _build(name, values, problems) for name, values in sections.items()}
    if problems:
        raise ConfigError(source, problems)
    config = Config(**built)
    _check_together(config, source)
    return config


def switch_name_of(config: Config) -> str:
    """By what name the switch's calls are known in the database; never "".

    Without one of the operator's, where the event socket is, seen from
    anywhere: for a switch on this machine, with the machine's own name.
    """
    section = config.switch
    host = socket.gethostname() if is_loopback(section.host) else section.host
    return section.name or f"{host}:{section.port}"


def variable_names_of(config: Config) -> VariableNames:
    """The names of the channel variables, for what reads events and files."""
    return VariableNames(**msgspec.structs.asdict(config.variables))


def dunning_policy_of(config: Config) -> DunningPolicy:
    """When what is past due has which consequence; 0 days stand for never."""
    office = config.office
    return DunningPolicy(
        office.reminder_after_days, office.suspend_after_days or None, office.close_after_days or None
    )


def numbering_of(config: Config) -> Numbering:
    """The operator's numbering; raises EslAgentError where the file of overrides can't be read."""
    section = config.numbering
    if not section.overrides_file:
        return Numbering(section.home_country, section.home_area)
    try:
        text = Path(section.overrides_file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EslAgentError(f"[numbering] overrides_file {section.overrides_file}: {error}") from None
    return Numbering(section.home_country, section.home_area, parse_overrides(text))


class _Override(msgspec.Struct, frozen=True):
    variable: str
    text: str


def _read(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(str(path), [f"it can't be read: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), [f"it is not TOML: {error}"]) from None


def _section_types() -> dict[str, type[msgspec.Struct]]:
    return get_type_hints(Config)


def _section(name: str, value: object, problems: list[str]) -> dict[str, Any]:
    if isinstance(value, dict):
        return dict(value)
    problems.append(f"{name} has to be a section, written [{name}]")
    return {}


def _overrides(environment: Mapping[str, str], problems: list[str]) -> Iterator[tuple[str, str, str, str]]:
    sections = _section_types()
    for variable, text in sorted(environment.items()):
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        section = next((each for each in sections if name.startswith(f"{each}_")), name.partition("_")[0])
        key = name.removeprefix(section).removeprefix("_")
        if section in sections and key in sections[section].__struct_fields__:
            yield variable, section, key, text
        else:
            problems.append(f"the environment's {variable} overrides nothing: there is no [{section}] {key}")


def _build(name: str, values: Mapping[str, Any], problems: list[str]) -> Any:
    """The section as its type; each wrong value adds to `problems` and counts as left out."""
    kind = _section_types()[name]
    hints = get_type_hints(kind, include_extras=True)
    built = {}
    for key, value in values.items():
        try:
            if key not in hints:
                raise msgspec.ValidationError(f"there is no such setting; there are: {', '.join(hints)}")
            built[key] = _convert(value, hints[key])
        except msgspec.ValidationError as error:
            where = value.variable if isinstance(value, _Override) else f"[{name}] {key}"
            shown = "" if (name, key) in SECRETS else f" = {_shown(value)}"
            problems.append(f"{where}{shown}: {error}")
    return kind(**built)


def _convert(value: object, hint: Any) -> object:
    if isinstance(value, _Override):
        is_list = get_origin(hint) is tuple
        text = [part.strip() for part in value.text.split(",") if part.strip()] if is_list else value.text
        return msgspec.convert(text, hint, strict=False)
    return msgspec.convert(value, hint)


def _shown(value: object) -> str:
    return repr(value.text) if isinstance(value, _Override) else repr(value)


def _network_problems(config: Config) -> Iterator[str]:
    for name, networks in (("admission", config.admission.networks), ("web", config.web.networks)):
        for network in networks:
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                yield f"[{name}] networks: {error}"


def _check_together(config: Config, source: str) -> None:
    problems = []
    if config.switch.password == SwitchConfig().password and not is_loopback(config.switch.host):
        problems.append(
            f"[switch] password is FreeSWITCH's default and {config.switch.host} is not this machine: "
            "set another in event_socket.conf.xml and here"
        )
    if config.twin.enabled and not config.switch.name:
        problems.append("[twin] enabled needs [switch] name: by it the twins know that they are twins")
    if config.recording.when_failed == "refuse" and not config.recording.folder:
        problems.append('[recording] when_failed = "refuse" needs folder: it has to be seen that it fails')
    if config.budget.last_ask_ms >= config.budget.extend_lead_ms:
        problems.append("[budget] last_ask_ms has to be below extend_lead_ms: it is the second asking")
    problems += webhook_problems(config.traffic)
    if config.journal.size_max_mb < SEGMENTS_MIN * config.journal.segment_mb:
        problems.append(f"[journal] size_max_mb has to be at least {SEGMENTS_MIN} times segment_mb")
    problems += _wrong_amounts(config)
    problems += _network_problems(config)
    if config.admission.time_zone not in zoneinfo.available_timezones():
        problems.append(f"[admission] time_zone: there is no {config.admission.time_zone!r}")
    if problems:
        raise ConfigError(source, problems)


def _wrong_amounts(config: Config) -> Iterator[str]:
    amounts = {
        "[admission] cached_call_max": config.admission.cached_call_max,
        "[admission] cached_account_max": config.admission.cached_account_max,
        "[phones] spike_min_amount": config.phones.spike_min_amount,
        "[office] returned_check_fee": config.office.returned_check_fee,
    }
    for name, text in amounts.items():
        try:
            if money.amount(text) < 0:
                yield f"{name}: {text} is below zero"
        except money.MoneyError as error:
            yield f"{name}: {error}"
