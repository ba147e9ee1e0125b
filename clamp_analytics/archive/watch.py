"""Follow folders, and ingest session files as soon as they are written completely."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from clamp_analytics.archive.ingest.options import DEFAULT_INGEST_OPTIONS, IngestOptions
from clamp_analytics.archive.ingest.run import Added, Ingested, ingest
from clamp_analytics.archive.tables import View
from clamp_analytics.errors import SourceError, UsageError
from clamp_analytics.path_names import display_name
from clamp_analytics.sources import CONTAINER_ENDINGS, ENDING, Listing, list_sources
from clamp_analytics.sources.names import is_not_session

QUIET_SECONDS = 0.5
"""How long a file's size and time must stay the same before it is read."""

MAX_QUIET_SECONDS = 86_400

_ENDINGS = (ENDING, *CONTAINER_ENDINGS)


class _StoppedError(Exception):
    """Following was stopped during an ingest."""


@dataclass(frozen=True, slots=True)
class Events:
    """Functions that are called while folders are followed.

    Attributes:
        added: called with the sessions that were added, including rejected ones.
        ingested: called with the result of each ingest that changed the archive.
        watching: called once, when the existing files are ingested and changes are followed.
    """

    added: Added | None = None
    ingested: Callable[[Ingested], None] | None = None
    watching: Callable[[], None] | None = None


NO_EVENTS = Events()


def follow(
    folders: Sequence[str],
    archive: str | os.PathLike[str],
    stop: threading.Event,
    options: IngestOptions = DEFAULT_INGEST_OPTIONS,
    *,
    views: Sequence[View] = (),
    events: Events = NO_EVENTS,
    quiet_seconds: float = QUIET_SECONDS,
) -> None:
    """Ingest the files in folders, then every file that is added or changed, until ``stop`` is set.

    A file is read when its size and time have stayed the same for ``quiet_seconds``. A file that is still incomplete
    then is rejected, and read again when it changes. The archive is open only during each commit.

    Args:
        folders: the folders.
        archive: the archive; it is created where there is none.
        stop: set it to end; a running ingest keeps the transactions that are committed.
        options: how to ingest.
        views: the views that a new archive gets.
        events: functions to call.
        quiet_seconds: how long a file's size and time must stay the same.

    Raises:
        SourceError: one of the sources is not a folder, or a folder is removed or renamed while it is followed.
        UsageError: the package watchfiles is not installed, or ``quiet_seconds`` is not a positive number.
        OutputError: the archive cannot be written.
    """
    if not (math.isfinite(quiet_seconds) and 0 < quiet_seconds <= MAX_QUIET_SECONDS):
        raise UsageError(
            f"{quiet_seconds} is not a number of seconds between 0 and {MAX_QUIET_SECONDS:,}", where="quiet time"
        )
    for folder in folders:
        if not os.path.isdir(folder):
            raise SourceError("it is not a folder", where=display_name(folder), hint="name the folder to follow")
    inodes = {folder: _inode(folder) for folder in folders}
    changes = _changes(folders, stop, quiet_seconds, recursive=options.recursive)
    ingest_sources = _Ingester(os.fspath(archive), stop, options, views, events)
    try:
        # Once before changes are followed, so that they do not pile up while many files are read; and once after,
        # so that no file is missed in between.
        ingest_sources(folders)
        next(changes, None)
        ingest_sources(folders)
        if events.watching is not None:
            events.watching()
        waiting: dict[str, tuple[int, int] | None] = {}
        for changed in changes:
            for folder, inode in inodes.items():
                # The system follows the folder that had this name, and would not report changes in another one.
                if _inode(folder) != inode:
                    raise SourceError(
                        "the folder is gone", where=display_name(folder), hint="watch again when it is there"
                    )
            waiting.update({path: waiting.get(path) for path in changed})
            if ready := list(_unchanged_files(waiting)):
                ingest_sources(ready)
    except _StoppedError:
        return


def _inode(folder: str) -> tuple[int, int] | None:
    """The device and inode of a folder; None where there is none."""
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _changes(
    folders: Sequence[str], stop: threading.Event, quiet_seconds: float, *, recursive: bool
) -> Iterator[set[str]]:
    """The files that were changed in the last ``quiet_seconds``, possibly none; the first set comes at once."""
    try:
        from watchfiles import Change, watch
    except ImportError as error:
        raise UsageError.not_installed(["watchfiles"], "watch") from error
    milliseconds = max(int(quiet_seconds * 1000), 1)
    for changes in watch(
        *folders,
        watch_filter=None,
        debounce=milliseconds,
        step=min(milliseconds, 50),
        rust_timeout=milliseconds,
        yield_on_timeout=True,
        stop_event=stop,
        recursive=recursive,
        raise_interrupt=False,
    ):
        found: set[str] = set()
        for change, path in changes:
            if change != Change.deleted:
                found.update(_listed_at(path, folders, recursive=recursive))
        yield found


def _listed_at(path: str, folders: Iterable[str], *, recursive: bool) -> list[str]:
    """The files that listing the folders would find at a path: the file itself, or the files of a moved folder."""
    for folder in folders:
        inside = os.path.relpath(path, folder)
        if inside == ".." or inside.startswith("../"):
            continue
        if inside == "." or "/." in f"/{inside}":
            return []
        name = os.path.join(folder, inside)
        if os.path.isdir(name):
            # The system reports no change for the files that a moved folder holds.
            try:
                return list_sources([name]).files if recursive and not os.path.islink(name) else []
            except SourceError:
                return []
        return [name] if name.endswith(_ENDINGS) and not is_not_session(os.path.basename(name)) else []
    return []


def _unchanged_files(waiting: dict[str, tuple[int, int] | None]) -> Iterator[str]:
    """Remove from ``waiting``, and yield, the files whose size and time are the same as at the last call."""
    for path, before in list(waiting.items()):
        try:
            status = os.stat(path)
        except OSError:
            del waiting[path]
            continue
        now = (status.st_size, status.st_mtime_ns)
        if now == before:
            del waiting[path]
            yield path
        else:
            waiting[path] = now


@dataclass(frozen=True, slots=True)
class _Ingester:
    """Ingests sources and calls the event functions."""

    archive: str
    stop: threading.Event
    options: IngestOptions
    views: Sequence[View]
    events: Events

    def __call__(self, sources: Sequence[str]) -> None:
        listing = self._list(sources)
        if listing is None or not listing.files:
            return
        done = ingest(
            listing,
            self.archive,
            self.options,
            views=self.views,
            progress=self._raise_if_stopped,
            added=self.events.added,
        )
        if done.changed and self.events.ingested is not None:
            self.events.ingested(done)
        self._raise_if_stopped()

    def _list(self, sources: Sequence[str]) -> Listing | None:
        """List the sources that still exist; None where none does."""
        while sources:
            try:
                return list_sources(sources, recursive=self.options.recursive)
            except SourceError:
                left = [source for source in sources if os.path.lexists(source)]
                if len(left) == len(sources):
                    raise
                sources = left
        return None

    def _raise_if_stopped(self, *_: int) -> None:
        if self.stop.is_set():
            raise _StoppedError
