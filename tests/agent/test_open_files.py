"""The daemon takes as many open files as the system lets it, and says when they are too few."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

from esl_agent.agent.open_files import OPEN_FILES_ELSE, raise_open_files
from esl_agent.config import Config, parse

from .conftest import Journal


@pytest.fixture
def hard() -> Iterator[int]:
    """The hard limit, under a soft one that is lower; afterwards all is as it was."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1] // 2, before[1]))
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def config_with(peers_max: int) -> Config:
    admission = {"peers_max": peers_max, "local_socket": ""}
    return parse({"admission": admission, "database": {"pool_max": 6}}, {}, source="the test")


def test_the_soft_limit_becomes_the_hard_one(hard: int, journal: Journal) -> None:
    assert raise_open_files(config_with(10), journal) == hard
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    assert not journal.lines


def test_too_few_for_what_is_configured_is_told(hard: int, journal: Journal) -> None:
    peers_max = 100_000
    raise_open_files(config_with(peers_max), journal)
    told = [{"allowed": hard, "needed": peers_max + 6 + OPEN_FILES_ELSE}] if hard < peers_max else []
    assert journal.of("AGENT_FEW_FILES") == told
