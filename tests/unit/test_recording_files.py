"""The folder of recordings: only what is one is seen, read and removed; and whether there is room is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from esl_agent.store.recording_files import RecordingFiles, leg_of, name_of

LEG = "f7072568-ca1f-4ebc-9243-7e3e0cf03433"
NAME = f"{LEG}.wav"
NO_NAMES = ["", "x.wav", f"../{NAME}", f"/{NAME}", f"{NAME}\n", f"{LEG}.mp3", NAME.upper(), f"{NAME}/", "."]


@pytest.fixture
def files(tmp_path: Path) -> RecordingFiles:
    return RecordingFiles(tmp_path)


def test_a_recording_is_named_as_its_leg() -> None:
    assert name_of(f"/var/lib/freeswitch/recordings/esl_agent/{NAME}") == NAME
    assert name_of(NAME) == NAME
    assert leg_of(NAME) == LEG


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", f"/a/{NAME}/b", f"/a/{NAME}.part", f"/a/{LEG}", "/a/.wav"]
)
def test_other_paths_name_none(path: str) -> None:
    assert name_of(path) is None


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_is_named_otherwise_is_not_touched(files: RecordingFiles, tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError):
        files.remove(name)
    assert files.measure(name) is None


def test_only_plain_files_with_such_a_name_are_recordings(files: RecordingFiles, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"sound")
    (tmp_path / "notes.txt").touch()
    (tmp_path / NAME.replace("f", "e", 1)).mkdir()
    (tmp_path / NAME.replace("f", "d", 1)).symlink_to("/etc/passwd")
    assert list(files.names()) == [NAME]


def test_no_link_is_read_and_no_pipe_waited_for(files: RecordingFiles, tmp_path: Path) -> None:
    (tmp_path / NAME).symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="symbolic"):
        files.measure(NAME)
    (tmp_path / NAME).unlink()
    os.mkfifo(tmp_path / NAME)
    assert files.measure(NAME) is None


def test_what_has_gone_is_as_good_as_removed(files: RecordingFiles, tmp_path: Path) -> None:
    (tmp_path / NAME).touch()
    for _ in range(2):
        files.remove(NAME)
        files.sync()
    assert files.measure(NAME) is None


class TestRoom:
    def test_there_is(self, files: RecordingFiles) -> None:
        assert files.trouble(0) is None

    def test_a_folder_that_is_not_there_yet_is_made_by_the_switch(self, tmp_path: Path) -> None:
        assert RecordingFiles(tmp_path / "a" / "b").trouble(0) is None

    def test_a_disk_that_is_nearly_full(self, files: RecordingFiles) -> None:
        assert "MB are free" in (files.trouble(10**9) or "")

    def test_a_file_in_the_way(self, tmp_path: Path) -> None:
        (tmp_path / "recordings").touch()
        assert "is no folder" in (RecordingFiles(tmp_path / "recordings").trouble(0) or "")
        assert "is no folder" in (RecordingFiles(tmp_path / "recordings" / "here").trouble(0) or "")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_folder_that_may_not_be_written(self, files: RecordingFiles, tmp_path: Path) -> None:
        tmp_path.chmod(0o500)
        assert "may not be written" in (files.trouble(0) or "")

    def test_a_folder_that_is_mounted_read_only_as_systemd_does(self, tmp_path: Path) -> None:
        mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"'
        unshare = ["unshare", "--mount", "--map-root-user", "sh", "-c"]
        if subprocess.run([*unshare, mount, str(tmp_path)], capture_output=True, check=False).returncode:
            pytest.skip("nothing may be mounted here")
        ask = (
            "import sys; from pathlib import Path\n"
            "from esl_agent.store.recording_files import RecordingFiles\n"
            "print(RecordingFiles(Path(sys.argv[1])).trouble(0))"
        )
        said = subprocess.run(
            [*unshare, f'{mount} && exec "$1" -c "$2" "$0"', str(tmp_path), sys.executable, ask],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert "ReadWritePaths=" in said.stdout
