"""Write an export into a hidden folder next to the target, and move it to the target in one step.

A hidden folder is locked as long as its export runs. One that is not locked was left by a killed export, and the next
export to the same target removes it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from clamp_analytics.errors import OutputError
from clamp_analytics.path_names import display_name
from clamp_analytics.reading.export import ExportedFile, named_files
from clamp_analytics.sources import MANIFEST

_NAME_BYTES = 100
_TOKEN_BYTES = 8


@dataclass(frozen=True, slots=True)
class WorkFolder:
    """The hidden folder of one running export.

    Attributes:
        target: the path of the finished export.
        folder: the hidden folder.
        overwrite: whether to replace an existing export.
    """

    target: Path
    folder: Path
    overwrite: bool = False

    @property
    def new(self) -> Path:
        """The folder of the unfinished export."""
        return self.folder / "new"

    @property
    def old(self) -> Path:
        """The path of a replaced export until it is removed."""
        return self.folder / "old"

    def add(self, file: ExportedFile) -> ExportedFile:
        """Add a complete file, which keeps its name."""
        return file

    def publish(self, manifest: bytes) -> None:
        """Write the manifest, and move the finished export to the target.

        Raises:
            OutputError: a file or folder was created there that must not be replaced.
            OSError: it cannot be moved; a replaced export is restored.
        """
        with (self.new / MANIFEST).open("xb") as file:
            file.write(manifest)
            file.flush()
            os.fsync(file.fileno())
        for folder, _, _ in os.walk(self.new):
            _sync(Path(folder))
        check_target(self.target, overwrite=self.overwrite)
        replaced = (self.target / MANIFEST).exists()
        if replaced:
            os.rename(self.target, self.old)
        try:
            os.rename(self.new, self.target)
        except OSError:
            if replaced:
                os.rename(self.old, self.target)
            raise
        _sync(self.target.parent)


@contextmanager
def work_folder(target: Path, *, overwrite: bool) -> Iterator[WorkFolder]:
    """A new hidden folder next to the target, which is removed with its content at the end of the block.

    Raises:
        OutputError: the target exists and may not be replaced.
        OSError: it cannot be created.
    """
    check_target(target, overwrite=overwrite)
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(target)
    folder, lock = _locked_folder(target)
    try:
        # Checked again, because an export whose replacement was interrupted may have been restored meanwhile.
        check_target(target, overwrite=overwrite)
        work = WorkFolder(target, folder, overwrite)
        work.new.mkdir()
        yield work
    finally:
        _remove(folder)
        os.close(lock)


def check_target(target: Path, *, overwrite: bool) -> None:
    """Check that the target does not exist, is an empty folder, or is an export that may be replaced.

    Raises:
        OutputError: it is something else, or an export and ``overwrite`` is off.
    """
    if not os.path.lexists(target):
        return
    if not target.is_dir():
        raise OutputError("it exists and is not a folder", where=display_name(target), hint="name another folder")
    if not any(target.iterdir()):
        return
    others = _other_files(target)
    if others is None:
        raise OutputError(
            "the folder holds something that is not an export of this package, and is unchanged",
            where=display_name(target),
            hint="name a new or empty folder",
        )
    if not overwrite:
        raise OutputError(
            "an export exists already",
            where=display_name(target),
            hint="name another folder, or replace it with overwrite=True",
        )
    if others:
        raise OutputError(
            f"the export's folder also holds files that are not part of it, and is unchanged: {others[0]}",
            where=display_name(target),
            hint="move them elsewhere, or name another folder",
        )


def _other_files(target: Path) -> list[str] | None:
    """Files in an export that its manifest does not name; None where there is no manifest."""
    try:
        ours = named_files((target / MANIFEST).read_bytes())
    except OSError:
        return None
    if ours is None:
        return None
    found = (
        os.path.relpath(os.path.join(folder, name), target)
        for folder, folders, names in os.walk(target)
        for name in (*names, *(name for name in folders if Path(folder, name).is_symlink()))
    )
    return sorted(path for path in found if path not in ours)


def _prefix(target: Path) -> str:
    name = os.fsencode(target.name)
    tag = target.name if len(name) <= _NAME_BYTES else hashlib.sha256(name).hexdigest()
    return f".{tag}.clamp-export-"


def _locked_folder(target: Path) -> tuple[Path, int]:
    while True:
        folder = target.parent / (_prefix(target) + secrets.token_hex(_TOKEN_BYTES))
        folder.mkdir()
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        # On a file system without locks, no other export can lock the folder either, and none is removed.
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock), folder.stat()):
                return folder, lock
        # Another export removed the folder before it was locked.
        os.close(lock)


def _remove_leftovers(target: Path) -> None:
    """Remove the folders of killed exports to this target, and restore an export that one of them was replacing."""
    pattern = re.compile(re.escape(_prefix(target)) + f"[0-9a-f]{{{2 * _TOKEN_BYTES}}}")
    for name in sorted(name for name in os.listdir(target.parent) if pattern.fullmatch(name)):
        entry = target.parent / name
        # A folder that is locked belongs to a running export. One that cannot be removed is hidden and harms nobody.
        with suppress(OSError):
            lock = os.open(entry, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                old = WorkFolder(target, entry).old
                if (old / MANIFEST).exists() and not os.path.lexists(target):
                    os.rename(old, target)
                _remove(entry)
            finally:
                os.close(lock)


def _remove(folder: Path) -> None:
    """Remove a hidden folder; where that fails, it stays hidden and the next export tries again."""
    # Manifests are removed first, so that a partly removed folder is not taken for an export.
    for part in ("new", "old"):
        with suppress(OSError):
            (folder / part / MANIFEST).unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _sync(folder: Path) -> None:
    """Flush the entries of a folder to disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
