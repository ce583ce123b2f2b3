"""The rules of traffic, from the operator's file or as they are shipped."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from esl_agent.core.traffic.rule_file import RuleFileError, parse_rules
from esl_agent.core.traffic.rules import RuleSet
from esl_agent.files import config_dir

SHIPPED: Final = "traffic.toml"


def load_rules(path: str | Path) -> RuleSet:
    """The rules in a file, or with "" the shipped ones; raises RuleFileError."""
    source = Path(path) if path else config_dir() / SHIPPED
    try:
        text = source.read_text(encoding="utf-8")
    except OSError as error:
        raise RuleFileError(str(source), [f"it can't be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise RuleFileError(str(source), ["it is not UTF-8 text"]) from None
    return parse_rules(text, str(source))
