"""A stage for each scenario, and a table of what became of all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .agent import Sections
from .cluster import Cluster
from .score import Score
from .stage import AS_SHIPPED, ONE_DAEMON, Sites, Stage

SCORE = pytest.StashKey[Score]()


@pytest.fixture(scope="session")
def cluster(server_folder: Path) -> Iterator[Cluster]:
    """The server that these scenarios alone stop and kill."""
    server = Cluster(server_folder / "faults")
    yield server
    server.remove()


@pytest.fixture
def set_stage(
    cluster: Cluster, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Stage]]:
    """Sets a stage with these switches and daemons, none of those started."""
    stages: list[Stage] = []

    def set_one(sites: Sites = ONE_DAEMON, settings: Sections = AS_SHIPPED) -> Stage:
        stages.append(Stage(cluster, tmp_path, sites, settings))
        return stages[-1]

    yield set_one
    score = request.config.stash.setdefault(SCORE, Score())
    for stage in stages:
        stage.close()
        score.add(stage)


@pytest.fixture
def stage(set_stage: Callable[..., Stage]) -> Stage:
    """One daemon that is connected, and no calls."""
    set_one = set_stage()
    set_one.agent.start()
    return set_one


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    score = config.stash.get(SCORE, None)
    if score is not None:
        terminalreporter.section("faults")
        terminalreporter.write_line(score.table())
