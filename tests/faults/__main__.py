"""Faults at random for as long as you like: `python -m tests.faults --minutes 30 --seed 7`.

Each round is told on standard error; in the end the figures stand on standard
output as JSON.  What a round that went wrong has left (logs, CDR files) is
kept in the folder that is named; `--round` plays that one again.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import secrets  # noqa: E402
import shutil  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from argparse import ArgumentParser, Namespace  # noqa: E402
from collections import Counter  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from itertools import count  # noqa: E402
from pathlib import Path  # noqa: E402
from tempfile import TemporaryDirectory, mkdtemp  # noqa: E402
from typing import Final  # noqa: E402

from esl_agent.errors import EslAgentError  # noqa: E402

from .agent import Sections  # noqa: E402
from .cluster import Cluster  # noqa: E402
from .random_faults import play_round  # noqa: E402
from .score import Score  # noqa: E402
from .stage import AS_SHIPPED, ON_TRUST, ONE_DAEMON, SHORT_GRANTS, TWINS, TWO_SWITCHES, Sites, Stage  # noqa: E402

#: The stages, in turns, and what may come of it there besides.  Who holds little at a time loses calls
#: to outages that last longer; nothing is held for who goes out on trust, so a daemon that dies meanwhile
#: can't go on with it.
STAGES: Final[Sequence[tuple[Sites, Sections, Sequence[str]]]] = (
    (ONE_DAEMON, AS_SHIPPED, ()),
    (TWINS, AS_SHIPPED, ()),
    (TWO_SWITCHES, AS_SHIPPED, ()),
    (ONE_DAEMON, SHORT_GRANTS, ["cut"]),
    (ONE_DAEMON, ON_TRUST, ["cut"]),
)


class Run:
    """Rounds of one seed, one after the other on the same cluster."""

    def __init__(self, seed: int, folder: Path, kept: Path) -> None:
        self._seed = seed
        self._folder = folder
        self._kept = kept
        self._cluster = Cluster(folder / "cluster")
        self._score = Score()
        self._injected = Counter[str]()
        self.failures: list[dict[str, object]] = []

    def play(self, number: int) -> None:
        """One round; what it leaves is kept where something went wrong."""
        folder = self._folder / str(number)
        folder.mkdir()
        problem = self._play(folder, number)
        print(f"round {number}: {problem or 'all is well'}", file=sys.stderr, flush=True)
        if problem:
            self.failures.append({"round": number, "problem": problem})
            shutil.copytree(folder, self._kept / str(number), dirs_exist_ok=True)
        shutil.rmtree(folder)

    def _play(self, folder: Path, number: int) -> str:
        """What was wrong, or nothing."""
        sites, settings, allowed = STAGES[(number - 1) % len(STAGES)]
        stage = Stage(self._cluster, folder, sites, settings)
        try:
            for agent in stage.agents:
                agent.start()
            play_round(stage, f"{self._seed}/{number}", allowed=allowed)
        except (AssertionError, EslAgentError) as error:
            return str(error)
        finally:
            stage.close()
            self._score.add(stage)
            self._injected.update(stage.faults)
        return ""

    def figures(self) -> dict[str, object]:
        return {**self._score.figures(), "faults": dict(self._injected.most_common())}

    def close(self) -> None:
        self._cluster.remove()


def main(arguments: Namespace) -> int:
    kept = Path(arguments.keep or mkdtemp(prefix="esl-agent-faults-kept-"))
    print(f"seed {arguments.seed}; rounds that go wrong are kept in {kept}", file=sys.stderr)
    began = time.monotonic()
    with TemporaryDirectory(prefix="esl-agent-faults-") as folder:
        Path(folder).chmod(0o711)  # root's server runs as somebody else
        run = Run(arguments.seed, Path(folder), kept)
        try:
            for number in [arguments.round] if arguments.round else count(1):
                run.play(number)
                if time.monotonic() - began >= arguments.minutes * 60:
                    break
        finally:
            run.close()
    minutes = round((time.monotonic() - began) / 60, 1)
    told = {"seed": arguments.seed, "minutes": minutes, **run.figures(), "failures": run.failures}
    print(json.dumps(told, indent=2, default=str))
    return bool(run.failures)


def _arguments() -> Namespace:
    parser = ArgumentParser(prog="python -m tests.faults", description="Faults at random, then an audit.")
    parser.add_argument("--minutes", type=float, default=5.0, help="for how long (5)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32), help="drawn, if not given")
    parser.add_argument("--round", type=int, help="play this one alone")
    parser.add_argument("--keep", metavar="FOLDER", help="where rounds that go wrong are kept")
    return parser.parse_args()


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit("stopped; whatever was up is being ended"))
    sys.exit(main(_arguments()))
