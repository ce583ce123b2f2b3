"""The configuration is checked whole, and the example in etc/ is the truth."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from esl_agent.config import Config, ConfigError, load, parse, switch_name_of
from esl_agent.switch.embedded import DEFAULT_DOOR

EXAMPLE = Path(__file__).parents[2] / "etc" / "esl-agent.toml"


def problems_of(tables: dict[str, object], environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(tables, environment or {}, source="test.toml")
    return caught.value.problems


def test_the_example_file_is_valid_as_it_is() -> None:
    assert load(EXAMPLE, {}) == Config()


def test_the_example_file_names_every_setting_at_its_default() -> None:
    text = re.sub(r"^#(\w+ = )", r"\1", EXAMPLE.read_text(), flags=re.MULTILINE)
    tables = tomllib.loads(text)
    assert parse(tables, {}, source="example") == Config()
    named = {(section, key) for section, keys in tables.items() for key in keys}
    there_is = {
        (section, key)
        for section in Config.__struct_fields__
        for key in getattr(Config(), section).__struct_fields__
    }
    assert named == there_is


def test_the_daemon_listens_where_the_module_in_the_switch_asks() -> None:
    assert Config().admission.local_socket == DEFAULT_DOOR


def test_every_error_is_told_at_once() -> None:
    problems = problems_of(
        {"switch": {"port": 99999, "hots": "x"}, "budget": {"grant_s": "long"}, "nonsense": {}, "log": 3},
        {"ESL_AGENT_DATABASE_POOL_MAX": "many", "ESL_AGENT_SWITCH_COLOUR": "red"},
    )
    told = "\n".join(problems)
    for word in ("port", "hots", "grant_s", "[nonsense]", "log has to be", "POOL_MAX", "SWITCH_COLOUR"):
        assert word in told
    assert len(problems) == 7


def test_a_section_of_two_words_can_be_overridden_too() -> None:
    config = parse({}, {"ESL_AGENT_CDR_FILES_FOLDER": "/var/log/json_cdr"}, source="test")
    assert config.cdr_files.folder == "/var/log/json_cdr"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("warn_sound", "hangup::x"),
        ("warn_sound", "a.wav both"),
        ("warn_sound", "a.wav\n"),
        ("end_announcement", "hangup inline"),
        ("end_announcement", "used_up\n"),
        ("warn_at_s", [0]),
        ("warn_at_s", list(range(1, 20))),
    ],
)
def test_what_callers_are_to_hear_can_be_nothing_else(key: str, value: object) -> None:
    assert key in problems_of({"budget": {key: value}})[0]


def test_the_environment_overrides_the_file() -> None:
    tables = {"switch": {"port": 8022}, "log": {"mask_numbers": False}}
    environment = {"ESL_AGENT_SWITCH_PORT": "8023", "ESL_AGENT_LOG_MASK_NUMBERS": "true", "HOME": "/"}
    config = parse(tables, environment, source="test.toml")
    assert config.switch.port == 8023
    assert config.log.mask_numbers is True


def test_a_secret_is_never_repeated() -> None:
    problems = problems_of({"switch": {"password": 271828}, "database": {"url": ["hunter2"]}})
    assert len(problems) == 2
    assert "271828" not in "".join(problems)
    assert "hunter2" not in "".join(problems)


def test_the_switchs_default_password_is_refused_off_loopback() -> None:
    assert "default" in problems_of({"switch": {"host": "10.0.0.5"}})[0]
    assert "default" in problems_of({"switch": {"host": "127.0.0.1.example.net"}})[0]
    assert (
        parse({"switch": {"host": "10.0.0.5", "password": "s3cret"}}, {}, source="x").switch.host
        == "10.0.0.5"
    )
    assert parse({"switch": {"host": "127.0.0.2"}}, {}, source="x").switch.host == "127.0.0.2"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml.*\n.*No such file"):
        load(tmp_path / "nowhere.toml", {})
    broken = tmp_path / "broken.toml"
    broken.write_text("[switch\nport = 1")
    with pytest.raises(ConfigError, match="is not TOML"):
        load(broken, {})


def test_a_switch_has_a_name_of_its_own_even_where_nobody_gave_it_one() -> None:
    def named(**switch: object) -> str:
        return switch_name_of(parse({"switch": switch}, {}, source="test.toml"))

    here = {named(), named(port=8022), named(host="localhost")}
    assert "" not in here
    assert len(here) == 2
    assert named(host="10.0.0.5", password="of our own") == "10.0.0.5:8021"
    assert named(name="montreal-1", host="127.0.0.1") == "montreal-1"


SECRET = "whsec_" + "c2l4dGVlbiBhbmQgZWlnaHQgYnl0ZXMgb2YgaXQ="


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"webhook_url": "https://noc.example/hook"}, "webhook_secret has to be whsec_"),
        ({"webhook_url": "https://noc.example/hook", "webhook_secret": "whsec_c2hvcnQ="}, "at least 24"),
        ({"webhook_url": "https://noc.example/hook", "webhook_secret": SECRET[6:]}, "webhook_secret"),
        ({"webhook_url": "http://noc.example/hook", "webhook_secret": SECRET}, "use https"),
        ({"webhook_url": "ftp://noc.example/hook", "webhook_secret": SECRET}, "is not a URL"),
        ({"webhook_url": "https:///hook", "webhook_secret": SECRET}, "is not a URL"),
        ({"webhook_url": "https://noc.example:99999/", "webhook_secret": SECRET}, "is not a URL"),
        ({"webhook_url": "https://noc.example/a b", "webhook_secret": SECRET}, "is not a URL"),
        ({"webhook_url": "https://noc.example/\r\nx: y", "webhook_secret": SECRET}, "is not a URL"),
        (
            {"webhook_url": "https://me:pass@noc.example/", "webhook_secret": SECRET},
            "without a name or password",
        ),
    ],
)
def test_a_webhook_that_would_not_be_safe_is_refused_and_nothing_of_it_repeated(
    settings: dict[str, object], problem: str
) -> None:
    (told,) = problems_of({"traffic": settings})
    assert problem in told
    assert "noc.example" not in told
    assert str(settings.get("webhook_secret", "no secret")) not in told


@pytest.mark.parametrize(
    "settings",
    [
        {"webhook_url": "https://noc.example/hook?of=us"},
        {"webhook_url": "http://127.0.0.1:8080/hook"},
        {"webhook_url": "http://[::1]/"},
        {"webhook_url": "http://noc.example/hook", "webhook_plain": True},
    ],
)
def test_a_webhook_that_is_encrypted_stays_here_or_is_allowed_may_be(settings: dict[str, object]) -> None:
    config = parse({"traffic": settings | {"webhook_secret": SECRET}}, {}, source="test")
    assert config.traffic.webhook_url == settings["webhook_url"]
