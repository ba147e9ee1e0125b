"""Where an export goes: built in a hidden folder beside the target, and moved there in one step.

A hidden folder is locked as long as its export runs. One that is not locked was left by a killed export;
the next export to the same target removes it.
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

import msgspec

from clamp_analytics.errors import OutputError
from clamp_analytics.reading.export import FORMAT, Manifest
from clamp_analytics.sources import MANIFEST

_NAME_BYTES = 100
_TOKEN_BYTES = 8


@dataclass(frozen=True, slots=True)
class Workplace:
    """The hidden folder of one running export.

    Attributes:
        target: where the export will stand.
        folder: the hidden folder.
    """

    target: Path
    folder: Path

    @property
    def new(self) -> Path:
        """Where the export is built."""
        return self.folder / "new"

    @property
    def old(self) -> Path:
        """Where an export that is replaced waits for its removal."""
        return self.folder / "old"

    def publish(self, *, overwrite: bool) -> None:
        """Move what was built to the target.

        Raises:
            OutputError: something came to stand there that must not be replaced.
            OSError: it cannot be moved; what stood there is there again.
        """
        for folder, _, _ in os.walk(self.new):
            _sync(Path(folder))
        check_target(self.target, overwrite=overwrite)
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
def workplace(target: Path) -> Iterator[Workplace]:
    """A fresh hidden folder beside the target, removed with all that is left in it at the end.

    Raises:
        OSError: it cannot be made.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _clear_remains(target)
    folder, lock = _locked_folder(target)
    try:
        place = Workplace(target, folder)
        place.new.mkdir()
        yield place
    finally:
        _remove(folder)
        os.close(lock)


def check_target(target: Path, *, overwrite: bool) -> None:
    """Check that an export may be put at the target: nothing, an empty folder, or an export to replace.

    Raises:
        OutputError: something else is there, or an export and ``overwrite`` is off.
    """
    if not os.path.lexists(target):
        return
    if not target.is_dir():
        raise OutputError("it exists and is no folder", where=str(target), hint="name another folder")
    if not any(target.iterdir()):
        return
    strangers = _strangers(target)
    if strangers is None:
        raise OutputError(
            "the folder holds something that is no export of ours, and is left as it is",
            where=str(target),
            hint="name a new or empty folder",
        )
    if not overwrite:
        raise OutputError(
            "an export exists already", where=str(target), hint="name another folder, or replace it with overwrite=True"
        )
    if strangers:
        raise OutputError(
            f"the export's folder also holds what is not part of it, and is left as it is: {strangers[0]}",
            where=str(target),
            hint="move that elsewhere, or name another folder",
        )


def _strangers(target: Path) -> list[str] | None:
    """Files in an export that its manifest does not name; None where there is no manifest."""
    try:
        manifest = msgspec.json.decode((target / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError):
        return None
    if manifest.format != FORMAT:
        return None
    ours = {MANIFEST, *(file.path for file in manifest.files)}
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
        # A file system without locks gives none to those who clear up either, and nothing is removed there.
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock), folder.stat()):
                return folder, lock
        # Another export took it for a dead one's before it was locked.
        os.close(lock)


def _clear_remains(target: Path) -> None:
    """Remove what killed exports to this target have left, and put back what one of them was about to replace."""
    pattern = re.compile(re.escape(_prefix(target)) + f"[0-9a-f]{{{2 * _TOKEN_BYTES}}}")
    for name in sorted(name for name in os.listdir(target.parent) if pattern.fullmatch(name)):
        entry = target.parent / name
        # Remains that cannot be locked belong to a running export; those that cannot be removed harm nobody.
        with suppress(OSError):
            lock = os.open(entry, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                old = Workplace(target, entry).old
                if (old / MANIFEST).exists() and not os.path.lexists(target):
                    os.rename(old, target)
                _remove(entry)
            finally:
                os.close(lock)


def _remove(folder: Path) -> None:
    """Remove a hidden folder; what cannot be removed stays hidden, and the next export tries again."""
    # The manifests go first, so that nothing half removed passes for an export.
    for part in ("new", "old"):
        with suppress(OSError):
            (folder / part / MANIFEST).unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _sync(folder: Path) -> None:
    """See to it that a folder's entries are on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
