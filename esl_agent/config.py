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
from typing import Annotated, Any, Final, Literal, get_origin, get_type_hints

import msgspec

from esl_agent.core import money
from esl_agent.core.numbering import NumberClass, Numbering, parse_overrides
from esl_agent.errors import EslAgentError
from esl_agent.switch.commands import PLACE, SOUND
from esl_agent.switch.events import VariableNames

ENVIRONMENT_PREFIX: Final = "ESL_AGENT_"
SECRETS: Final = frozenset(
    {("switch", "password"), ("database", "url"), ("database", "listen_url"), ("admission", "local_secret")}
)
#: Whole segments are deleted: with fewer of them a journal would be full or empty and nothing between.
SEGMENTS_MIN: Final = 4

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Seconds = Annotated[int, msgspec.Meta(ge=1, le=86_400)]
Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=3_600_000)]
WarnTimes = Annotated[tuple[Annotated[int, msgspec.Meta(ge=1, le=3_600)], ...], msgspec.Meta(max_length=8)]
Country = Annotated[str, msgspec.Meta(pattern="^[A-Z]{2}$")]
VariableName = Annotated[str, msgspec.Meta(pattern="^[A-Za-z_][A-Za-z0-9_]{0,63}$")]


class ConfigError(EslAgentError):
    """The configuration can't be used; `problems` has a line for each thing to put right."""

    def __init__(self, source: str, problems: list[str]) -> None:
        self.problems = problems
        super().__init__(f"{source} can't be used:\n" + "\n".join(f"  - {problem}" for problem in problems))


class DatabaseConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    url: str = "postgresql:///esl_agent"
    listen_url: str = ""
    pool_max: Annotated[int, msgspec.Meta(ge=2, le=100)] = 6
    connect_timeout_s: Seconds = 5
    statement_timeout_ms: Annotated[int, msgspec.Meta(ge=100, le=600_000)] = 10_000


class SwitchConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`name`: see `switch_name_of`."""

    name: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_.:-]{0,64}$")] = ""
    host: str = "127.0.0.1"
    port: Port = 8021
    password: str = "ClueCon"  # noqa: S105  FreeSWITCH's own default; refused off loopback
    connect_timeout_s: Seconds = 5
    command_deadline_ms: Annotated[int, msgspec.Meta(ge=100, le=60_000)] = 5_000
    heartbeat_timeout_s: Annotated[int, msgspec.Meta(ge=21, le=600)] = 65
    gone_patience_s: Annotated[int, msgspec.Meta(ge=2, le=3_600)] = 10
    audit_every_s: Seconds = 300


class VariablesConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names of the channel variables by which the dialplan tells who pays for a leg."""

    account: VariableName = "esl_account"
    product: VariableName = "esl_product"
    number: VariableName = "esl_number"
    carrier: VariableName = "esl_carrier"
    forwarded_from: VariableName = "esl_forwarded_from"
    recording: VariableName = "esl_recording"


class NumberingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    home_country: Country = "CA"
    home_area: Annotated[str, msgspec.Meta(pattern="^[0-9]{0,5}$")] = "514"
    overrides_file: str = ""


class BudgetConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """core.call.CallPolicy's fields, and what callers hear.

    `extend_lead_ms` leaves room for the switch's coarse scheduler.
    """

    grant_s: Annotated[int, msgspec.Meta(ge=6, le=3_600)] = 60
    rich_grants: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 20
    extend_lead_ms: Annotated[int, msgspec.Meta(ge=3_500, le=30_000)] = 4_000
    last_ask_ms: Annotated[int, msgspec.Meta(ge=50, le=5_000)] = 400
    cut_lead_ms: Annotated[int, msgspec.Meta(ge=0, le=2_000)] = 60
    unfunded_ms: Annotated[int, msgspec.Meta(ge=0, le=30_000)] = 2_000
    kill_retry_ms: Annotated[int, msgspec.Meta(ge=50, le=30_000)] = 500
    warn_at_s: WarnTimes = (60, 10)
    warn_sound: Annotated[str, msgspec.Meta(pattern=rf"^(?:{SOUND})?\Z")] = (
        "tone_stream://%(200,100,800);loops=2"
    )
    end_announcement: Annotated[str, msgspec.Meta(pattern=rf"^(?:{PLACE})?\Z")] = ""


class AdmissionConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the dialplan asks, and what the operator lets anybody do (terms 5, 6, 13)."""

    outbound_host: str = "127.0.0.1"
    outbound_port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8084
    local_socket: str = "/run/esl-agent/door"
    local_group: str = ""
    local_secret: str = ""
    networks: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    peers_max: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 2_000
    deadline_ms: Annotated[int, msgspec.Meta(ge=50, le=30_000)] = 2_000
    database_down: Literal["refuse", "cached"] = "refuse"
    cached_call_max: str = "0.5000"
    cached_account_max: str = "2.0000"
    allow_premium: bool = False
    blocked_classes: tuple[NumberClass, ...] = (NumberClass.SATELLITE, NumberClass.PERSONAL)
    blocked_countries: tuple[Country, ...] = ()
    payphone_oli: tuple[str, ...] = ("27", "70")
    suspended_calls: Literal["end", "finish"] = "end"
    time_zone: str = "America/Toronto"


class CdrFilesConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The files that mod_json_cdr writes, from which legs are settled whose end was missed; "": none."""

    folder: str = ""
    every_s: Seconds = 10
    settle_after_s: Annotated[int, msgspec.Meta(ge=1, le=240)] = 30
    files_max: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 5_000
    when_done: Literal["delete", "keep"] = "delete"


class JournalConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where what has happened is kept until Postgres has it, and how much of it."""

    folder: str = ""
    size_max_mb: Annotated[int, msgspec.Meta(ge=4, le=1_000_000)] = 1_024
    free_min_mb: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 256
    segment_mb: Annotated[int, msgspec.Meta(ge=1, le=1_024)] = 16


class LimitsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much of each thing the daemon will hold; it says so in the log when one is hit."""

    live_calls_max: Count = 100_000
    queue_max: Count = 200_000
    batch_max: Annotated[int, msgspec.Meta(ge=1, le=5_000)] = 400
    retry_max_s: Seconds = 2
    drain_s: Seconds = 15
    account_cache_s: Seconds = 5


class OfficeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the operator charges besides calls, and who it is on its invoices (terms 7, 8, 9)."""

    company: str = ""
    address: tuple[str, ...] = ()
    contact: str = ""
    gst_number: str = ""
    qst_number: str = ""
    how_to_pay: str = ""
    net_days: Annotated[int, msgspec.Meta(ge=0, le=365)] = 30
    interest_per_month: Annotated[str, msgspec.Meta(pattern=r"^0(\.[0-9]{1,4})?\Z")] = "0.02"
    reminder_after_days: tuple[Annotated[int, msgspec.Meta(ge=1, le=365)], ...] = (1, 15)
    suspend_after_days: Annotated[int, msgspec.Meta(ge=0, le=3_650)] = 30
    close_after_days: Annotated[int, msgspec.Meta(ge=0, le=3_650)] = 0
    dunning_hook: tuple[str, ...] = ()
    returned_check_fee: str = "15.0000"
    consumers_pay_returned_checks: bool = False


class TwinConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A second daemon for the same switch; docs/twins.md."""

    enabled: bool = False
    door: Annotated[str, msgspec.Meta(pattern=r"^(?:[A-Za-z0-9_.-]{1,255}:[0-9]{1,5})?\Z")] = ""
    lease_ms: Annotated[int, msgspec.Meta(ge=500, le=60_000)] = 1_500


class PhonesConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a phone's password is being tried, or used by somebody else (terms 14); docs/phones.md."""

    watch: bool = True
    failures_max: Annotated[int, msgspec.Meta(ge=2, le=100)] = 10
    failures_window_s: Annotated[int, msgspec.Meta(ge=10, le=86_400)] = 300
    new_network_hours: Annotated[int, msgspec.Meta(ge=1, le=720)] = 24
    spike_factor: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 10
    spike_min_amount: str = "5.0000"
    on_spike: Literal["alarm", "suspend"] = "alarm"


class RetentionConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long what is known of calls and customers is kept (terms 15)."""

    calls_months: Annotated[int, msgspec.Meta(ge=1, le=600)] = 24
    holds_months: Annotated[int, msgspec.Meta(ge=3, le=600)] = 6
    ledger_years: Annotated[int, msgspec.Meta(ge=1, le=100)] = 6


class LogConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: Literal["auto", "plain", "color", "json"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"
    mask_numbers: bool = False


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    database: DatabaseConfig = DatabaseConfig()
    switch: SwitchConfig = SwitchConfig()
    variables: VariablesConfig = VariablesConfig()
    numbering: NumberingConfig = NumberingConfig()
    budget: BudgetConfig = BudgetConfig()
    admission: AdmissionConfig = AdmissionConfig()
    cdr_files: CdrFilesConfig = CdrFilesConfig()
    journal: JournalConfig = JournalConfig()
    limits: LimitsConfig = LimitsConfig()
    phones: PhonesConfig = PhonesConfig()
    office: OfficeConfig = OfficeConfig()
    retention: RetentionConfig = RetentionConfig()
    twin: TwinConfig = TwinConfig()
    log: LogConfig = LogConfig()


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


def is_loopback(host: str) -> bool:
    """Whether `host` is surely this machine; a name other than localhost is not looked up."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


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


def _check_together(config: Config, source: str) -> None:
    problems = []
    if config.switch.password == SwitchConfig().password and not is_loopback(config.switch.host):
        problems.append(
            f"[switch] password is FreeSWITCH's default and {config.switch.host} is not this machine: "
            "set another in event_socket.conf.xml and here"
        )
    if config.twin.enabled and not config.switch.name:
        problems.append("[twin] enabled needs [switch] name: by it the twins know that they are twins")
    if config.budget.last_ask_ms >= config.budget.extend_lead_ms:
        problems.append("[budget] last_ask_ms has to be below extend_lead_ms: it is the second asking")
    amounts = {
        "[admission] cached_call_max": config.admission.cached_call_max,
        "[admission] cached_account_max": config.admission.cached_account_max,
        "[phones] spike_min_amount": config.phones.spike_min_amount,
        "[office] returned_check_fee": config.office.returned_check_fee,
    }
    if config.journal.size_max_mb < SEGMENTS_MIN * config.journal.segment_mb:
        problems.append(f"[journal] size_max_mb has to be at least {SEGMENTS_MIN} times segment_mb")
    for name, text in amounts.items():
        try:
            if money.amount(text) < 0:
                problems.append(f"{name}: {text} is below zero")
        except money.MoneyError as error:
            problems.append(f"{name}: {error}")
    for network in config.admission.networks:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            problems.append(f"[admission] networks: {error}")
    if config.admission.time_zone not in zoneinfo.available_timezones():
        problems.append(f"[admission] time_zone: there is no {config.admission.time_zone!r}")
    if problems:
        raise ConfigError(source, problems)
