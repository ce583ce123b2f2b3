"""What `esl-agent doctor` says of the folders: the journal, the switch's CDR files, recordings."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Final

from esl_agent.agent.doctor.checks import Finding, Findings, Verdict
from esl_agent.agent.files.cdr_folder import BROKEN
from esl_agent.agent.money.journal_place import journal_folder
from esl_agent.config import Config
from esl_agent.errors import EslAgentError
from esl_agent.store.journal import MB, free_bytes, probe
from esl_agent.store.journal_summary import look
from esl_agent.store.recording_files import RecordingFiles
from esl_agent.switch.cdr_file import leg_uuid_of

#: Entries of the folder that are looked at: enough to tell what is wrong with all.
ENTRIES_MAX: Final = 1_000
#: As mod_json_cdr names the folders that it makes where `rotate` is on.
_ROTATED: Final = re.compile(r"\d{4}(-\d\d){5}", re.ASCII)

SEE: Final = "json_cdr.conf.xml on the switch and docs/reconciliation.md say how"


def check_journal(config: Config, environment: Mapping[str, str]) -> Findings:
    """There is a folder that takes records, with room, and nothing waits that a person should look at."""
    try:
        folder = journal_folder(config.journal, environment)
        # One that is not there yet is left for the daemon to make, as its own.
        there = next(path for path in (folder, *folder.parents) if path.exists())
        probe(there)
        free_mb = free_bytes(there) // MB
        found = look(folder) if there == folder else None
    except (EslAgentError, OSError) as error:
        advice = "see [journal] folder, and run this as the user that the daemon runs as"
        yield Finding(Verdict.BAD, f"the journal can't be kept: {error}", advice)
        return
    if free_mb < config.journal.free_min_mb:
        what = f"the disk of the journal in {folder} has {free_mb} MB free"
        yield Finding(Verdict.BAD, what, "make room, or lower [journal] free_min_mb: new calls are refused")
    else:
        yield Finding(Verdict.GOOD, f"the journal in {folder} can be written, {free_mb} MB are free")
    if found and found.unwritable:
        what = f"Postgres refused {found.unwritable} records, which are set aside in {folder}"
        yield Finding(Verdict.WARNING, what, "see `esl-agent journal show`, and docs/journal.md")
    if found and found.broken_files:
        what = f"{folder} has {len(found.broken_files)} files with something unreadable"
        yield Finding(Verdict.WARNING, what, "see docs/journal.md")


def check_cdr_files(config: Config) -> Findings:
    """Set, there, to be read and cleared; by whoever runs this, so run it as the daemon's user."""
    if not config.cdr_files.folder:
        yield Finding(
            Verdict.WARNING,
            "no folder of CDR files is set: a leg whose end is missed is billed by what was last known of it",
            f"set [cdr_files] folder; {SEE}",
        )
        return
    folder = Path(config.cdr_files.folder)
    if not folder.is_dir():
        yield Finding(Verdict.BAD, f"there is no folder of CDR files {folder}", SEE)
    elif not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield Finding(Verdict.BAD, f"this user may not read and write the folder of CDR files {folder}", SEE)
    else:
        yield from _check_entries(folder)


def check_recordings(config: Config) -> Findings:
    """Seen from here, with room; nothing to say where none is set and none is wanted."""
    section = config.recording
    if not section.folder:
        return
    files = RecordingFiles(Path(section.folder))
    see = "see docs/recording.md, and run this as the user that the daemon runs as"
    try:
        trouble = files.trouble(section.free_min_mb)
        if trouble is None and not os.access(files.folder, os.R_OK | os.W_OK | os.X_OK):
            trouble = f"{files.folder} is not there, or may not be read and cleared"
    except OSError as error:
        trouble = str(error)
    if trouble is not None:
        yield Finding(Verdict.BAD, f"the folder of recordings can't be used: {trouble}", see)
    else:
        yield Finding(Verdict.GOOD, f"recordings in {files.folder} can be seen, and there is room for more")


def _check_entries(folder: Path) -> Findings:
    entries = list(islice(_entries(folder), ENTRIES_MAX))
    if locked := [path.name for path in entries if leg_uuid_of(path.name) and not os.access(path, os.R_OK)]:
        yield Finding(Verdict.BAD, f"this user may not read the CDR file {locked[0]}", SEE)
    if any(_ROTATED.fullmatch(path.name) for path in entries):
        yield Finding(
            Verdict.WARNING,
            f"{folder} has folders with dates: mod_json_cdr rotates, and what is in them is not read",
            "set `rotate` to false in json_cdr.conf.xml, and move their files up",
        )
    if broken := sum(1 for _ in islice(_entries(folder / BROKEN), ENTRIES_MAX)):
        yield Finding(
            Verdict.WARNING,
            f"{broken} files in {folder / BROKEN} tell of no leg",
            "look at them, and remove them: `esl-agent reconcile` says what is wrong with each",
        )
    if not locked:
        yield Finding(Verdict.GOOD, f"the CDR files in {folder} can be read and cleared away")


def _entries(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from folder.iterdir()
