"""What every test has: gevent's patch, before anything imports psycopg, and the shared fixtures."""

from gevent import monkey

monkey.patch_all()

from collections.abc import Iterator  # noqa: E402
from pathlib import Path  # noqa: E402

import pytest  # noqa: E402

pytest_plugins = ["fixtures.commands", "fixtures.postgres", "fixtures.scripted_switch"]


@pytest.fixture(scope="session", autouse=True)
def no_state_at_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A daemon that is told no journal's folder keeps it here; one that is told no web port opens none."""
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder))
        patch.setenv("ESL_AGENT_WEB_PORT", "0")
        yield folder
