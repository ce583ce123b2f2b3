"""A scripted switch for each test that asks for one."""

from collections.abc import Iterator

import pytest
from scripted_switch import ScriptedSwitch


@pytest.fixture
def switch() -> Iterator[ScriptedSwitch]:
    scripted = ScriptedSwitch()
    scripted.start()
    yield scripted
    scripted.stop()
