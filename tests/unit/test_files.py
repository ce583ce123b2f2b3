"""The files that go with the package are found in a checkout and in an installed wheel alike."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from esl_agent.cli.main import cli
from esl_agent.files import FilesError, dialplan_dir, sql_dir, write_out

CHECKOUT = Path(__file__).parents[2]
#: What a wheel is made of.
SOURCES = ("setup.cfg", "pyproject.toml", "README.md", "esl_agent", "sql", "dialplan", "etc", "monitoring")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the contents of our wheel, built from a copy of the checkout."""
    copy = tmp_path_factory.mktemp("copy")
    for name in SOURCES:
        source = CHECKOUT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / name)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "."]
    subprocess.run([*build, "--wheel-dir", "wheels"], cwd=copy, check=True)
    [wheel] = (copy / "wheels").glob("*.whl")
    folder = tmp_path_factory.mktemp("installed")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def test_a_checkout_has_them_at_its_top() -> None:
    assert sql_dir() == CHECKOUT / "sql"
    assert dialplan_dir() == CHECKOUT / "dialplan"


@pytest.mark.parametrize(
    ("what", "folder", "suffixes"),
    [
        ("sql", "sql", {".sql"}),
        ("dialplan", "dialplan", {".xml", ".md"}),
        ("config", "etc", {".toml"}),
        ("monitoring", "monitoring", {".yml", ".json"}),
    ],
)
def test_an_installed_wheel_writes_them_out_whole(
    installed: Path, tmp_path: Path, what: str, folder: str, suffixes: set[str]
) -> None:
    ours = {name: body for name, body in contents(CHECKOUT / folder).items() if Path(name).suffix in suffixes}
    environment = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, "-m", "esl_agent", "files", what, "out"]

    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)

    assert contents(tmp_path / "out") == ours
    assert ours


def test_nothing_is_imported_from_the_checkout_by_the_test_above(installed: Path, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, "-c", "from esl_agent.files import sql_dir; print(sql_dir())"]

    found = subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True)

    assert Path(found.stdout.strip()) == (installed / "esl_agent" / "sql").resolve()


def test_files_that_are_there_already_are_left_alone_until_told_otherwise(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "deep").mkdir(parents=True)
    (source / "a.xml").write_text("a")
    (source / "deep" / "b.xml").write_text("b")

    assert len(write_out(source, target)) == 2
    assert write_out(source, target) == []

    (target / "a.xml").write_text("somebody's own")
    (source / "deep" / "b.xml").write_text("newer")
    with pytest.raises(FilesError, match="already there with other content"):
        write_out(source, target)
    assert contents(target) == {"a.xml": b"somebody's own", "deep/b.xml": b"b"}

    assert len(write_out(source, target, overwrite=True)) == 2
    assert contents(target) == contents(source)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    result = CliRunner().invoke(cli, ["files", "sql", str(tmp_path / "file" / "below")])

    assert isinstance(result.exception, FilesError)
    assert "can't write to" in str(result.exception)
