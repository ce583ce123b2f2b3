"""The sections of the configuration, with what each setting may be and is by default."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from esl_agent.core.numbering import NumberClass
from esl_agent.switch.commands import PLACE, SOUND

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Seconds = Annotated[int, msgspec.Meta(ge=1, le=86_400)]
Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=3_600_000)]
WarnTimes = Annotated[tuple[Annotated[int, msgspec.Meta(ge=1, le=3_600)], ...], msgspec.Meta(max_length=8)]
Country = Annotated[str, msgspec.Meta(pattern="^[A-Z]{2}$")]
VariableName = Annotated[str, msgspec.Meta(pattern="^[A-Za-z_][A-Za-z0-9_]{0,63}$")]


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


class TrafficConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is done about traffic, and who is told (terms 5, 10, 11, 13); docs/traffic.md."""

    watch: bool = True
    rules_file: str = ""
    toll_free_when_off: Literal["refuse", "rate"] = "refuse"
    webhook_url: str = ""
    webhook_secret: str = ""
    webhook_plain: bool = False
    webhook_give_up_s: Seconds = 3_600
    hook: tuple[str, ...] = ()


class RecordingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Recordings of departments' calls (terms 12); docs/recording.md."""

    folder: str = ""
    when_failed: Literal["alarm", "refuse"] = "alarm"
    free_min_mb: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 512
    start_max_s: Annotated[int, msgspec.Meta(ge=1, le=3_600)] = 30


class RetentionConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long what is known of calls and customers is kept (terms 15)."""

    calls_months: Annotated[int, msgspec.Meta(ge=1, le=600)] = 24
    holds_months: Annotated[int, msgspec.Meta(ge=3, le=600)] = 6
    ledger_years: Annotated[int, msgspec.Meta(ge=1, le=100)] = 6


class WebConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The HTTP server: API, live page, metrics; port 0: none.  docs/api.md."""

    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8085
    hosts: tuple[str, ...] = ()
    networks: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    read_without_token: bool = True
    database_url: str = ""
    pool_max: Annotated[int, msgspec.Meta(ge=1, le=20)] = 3
    statement_timeout_ms: Annotated[int, msgspec.Meta(ge=100, le=60_000)] = 3_000
    connections_max: Annotated[int, msgspec.Meta(ge=8, le=10_000)] = 200
    requests_per_second: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 20
    low_balance: str = "5.00"


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
    traffic: TrafficConfig = TrafficConfig()
    office: OfficeConfig = OfficeConfig()
    recording: RecordingConfig = RecordingConfig()
    retention: RetentionConfig = RetentionConfig()
    twin: TwinConfig = TwinConfig()
    web: WebConfig = WebConfig()
    log: LogConfig = LogConfig()
