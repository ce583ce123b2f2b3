"""Everything at once, by a seed that is drawn each time."""

from __future__ import annotations

import secrets

import pytest

from .random_faults import play_round
from .stage import Stage

pytestmark = pytest.mark.faults

SECONDS = 15.0


def test_a_round_of_faults_at_random(stage: Stage) -> None:
    seed = f"{secrets.randbelow(2**32)}/1"
    print(f"the seed is {seed}")
    play_round(stage, seed, SECONDS)
