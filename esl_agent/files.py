"""Where the files that go with the package are: migrations, dialplan, monitoring, and the configuration.

In a checkout they stand at the top of the tree, where operators look for
them; an installed wheel carries them inside the package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from esl_agent.errors import EslAgentError


class FilesError(EslAgentError):
    """A file that belongs to the package is missing, or can't be written out."""


def sql_dir() -> Path:
    """The folder of the numbered migrations."""
    return _shipped("sql", "*.sql")


def dialplan_dir() -> Path:
    """The folder of what an operator includes in FreeSWITCH."""
    return _shipped("dialplan", "**/*.xml")


def config_dir() -> Path:
    """The folder of the configuration with every setting explained, and of systemd's units."""
    return _shipped("etc", "*.toml")


def monitoring_dir() -> Path:
    """The folder of Prometheus' rules and Grafana's dashboard."""
    return _shipped("monitoring", "*/*.yml")


def write_out(
    source: Path, target: Path, patterns: Sequence[str] = ("**/*",), *, overwrite: bool = False
) -> list[Path]:
    """Copy the files under `source` that match a pattern to `target`, made if need be; say what is new.

    A file that is there already with the same content is left alone; one with
    other content is somebody's work: raises FilesError before anything is
    written, unless `overwrite`.
    """
    wanted = {path.relative_to(source): path.read_bytes() for path in _files(source, patterns)}
    return write_files(wanted, target, overwrite=overwrite)


def write_files(wanted: Mapping[Path, bytes], target: Path, *, overwrite: bool = False) -> list[Path]:
    """As `write_out`, for files that are not on disk yet."""
    try:
        changed = {
            name: body
            for name, body in wanted.items()
            if not (target / name).exists() or (target / name).read_bytes() != body
        }
        taken = sorted(str(target / name) for name in changed if (target / name).exists())
        if taken and not overwrite:
            raise FilesError(
                f"already there with other content: {', '.join(taken)}; --overwrite replaces them"
            )
        for name, body in changed.items():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes(body)
    except OSError as error:
        raise FilesError(f"can't write to {target}: {error.strerror}") from None
    return [target / name for name in changed]


def _files(folder: Path, patterns: Sequence[str]) -> list[Path]:
    found = {path for pattern in patterns for path in folder.glob(pattern)}
    return sorted(path for path in found if path.is_file() and not path.name.startswith((".", "__")))


def _shipped(name: str, pattern: str) -> Path:
    package = Path(__file__).resolve().parent
    for folder in (package / name, package.parent / name):
        if any(folder.glob(pattern)):
            return folder
    raise FilesError(f"the files of {name}/ are missing beside {package}: install the package again")
