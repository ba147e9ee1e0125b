"""Folders followed: what is written there gets into an archive as soon as it is complete."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from clamp_analytics.archive.ingest.run import DEFAULTS, Added, Ingested, IngestOptions, ingest
from clamp_analytics.archive.layout import View
from clamp_analytics.atomic_files import display_name
from clamp_analytics.errors import SourceError, UsageError
from clamp_analytics.sources import CONTAINER_ENDINGS, ENDING, Listing, list_sources
from clamp_analytics.sources.names import is_not_session

SETTLE_SECONDS = 0.5
"""How long a file must keep its size and time before it is read."""

_READ = (ENDING, *CONTAINER_ENDINGS)


class _StoppedError(Exception):
    """The end was asked for in the middle of an ingest."""


@dataclass(frozen=True, slots=True)
class Events:
    """Whom to tell what.

    Attributes:
        added: is told which sessions were added, rejected ones included.
        ingested: is told what an ingest came to.
        watching: is called once, when what was there is ingested and changes are followed.
    """

    added: Added | None = None
    ingested: Callable[[Ingested], None] | None = None
    watching: Callable[[], None] | None = None


SILENT = Events()


def follow(
    folders: Sequence[str],
    archive: str | os.PathLike[str],
    stop: threading.Event,
    options: IngestOptions = DEFAULTS,
    *,
    views: Sequence[View] = (),
    events: Events = SILENT,
    settle_seconds: float = SETTLE_SECONDS,
) -> None:
    """Ingest what is in folders, then whatever comes or changes there, until the end is asked for.

    A file is read when its size and time have stayed the same for a while; one that is still cut then is rejected,
    and tried again when it changes. The archive is open only for each commit.

    Args:
        folders: the folders.
        archive: the archive; it is made where there is none.
        stop: set it to end; an ingest that is under way ends with the transaction before.
        options: how to ingest.
        views: the views that a new archive gets.
        events: whom to tell.
        settle_seconds: how long a file must stay the same.

    Raises:
        SourceError: one of the folders is none, or is removed or renamed while it is followed.
        UsageError: the package watchfiles is not installed.
        OutputError: the archive cannot be written.
    """
    for folder in folders:
        if not Path(folder).is_dir():
            raise SourceError("it is no folder", where=display_name(folder), hint="name the folder to follow")
    places = {folder: _place_of(folder) for folder in folders}
    changes = _changes(folders, stop, settle_seconds, recursive=options.recursive)
    take = _Taker(Path(archive), stop, options, views, events)
    try:
        # Once before, so that much is not read while changes pile up; once when changes are followed, so that
        # nothing is lost in between.
        take(folders)
        next(changes, None)
        take(folders)
        if events.watching is not None:
            events.watching()
        waiting: dict[str, tuple[int, int] | None] = {}
        for changed in changes:
            for folder, place in places.items():
                # The system follows what was there, under whatever name, and would never tell of what comes now.
                if _place_of(folder) != place:
                    raise SourceError(
                        "the folder is gone", where=display_name(folder), hint="watch again when it is there"
                    )
            waiting.update({path: waiting.get(path) for path in changed})
            if ready := list(_settled(waiting)):
                take(ready)
    except _StoppedError:
        return


def _place_of(folder: str) -> tuple[int, int] | None:
    """Which folder a name stands for; None where there is none."""
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _changes(
    folders: Sequence[str], stop: threading.Event, settle_seconds: float, *, recursive: bool
) -> Iterator[set[str]]:
    """The files that were touched, every ``settle_seconds``, be it none; the first time at once."""
    try:
        from watchfiles import Change, watch
    except ImportError as error:
        raise UsageError(
            "following a folder needs the package watchfiles", hint="pip install 'clamp-analytics[watch]'"
        ) from error
    milliseconds = max(int(settle_seconds * 1000), 1)
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
                found.update(_as_found(path, folders, recursive=recursive))
        yield found


def _as_found(path: str, folders: Iterable[str], *, recursive: bool) -> list[str]:
    """What a search of the folders would find at a path: it as a file, or the files of a folder that came whole."""
    for folder in folders:
        inside = os.path.relpath(path, folder)
        if inside == ".." or inside.startswith("../"):
            continue
        if inside == "." or "/." in f"/{inside}":
            return []
        name = os.path.join(folder, inside)
        if os.path.isdir(name):
            # Of what is in it already, the system tells nothing.
            try:
                return list_sources([name]).files if recursive and not os.path.islink(name) else []
            except SourceError:
                return []
        return [name] if name.endswith(_READ) and not is_not_session(os.path.basename(name)) else []
    return []


def _settled(waiting: dict[str, tuple[int, int] | None]) -> Iterator[str]:
    """Files that are as they were when they were last looked at; they wait no more."""
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
class _Taker:
    """Ingests some sources and tells of it."""

    archive: Path
    stop: threading.Event
    options: IngestOptions
    views: Sequence[View]
    events: Events

    def __call__(self, sources: Sequence[str]) -> None:
        listing = self._listed(sources)
        if listing is None or not listing.files:
            return
        done = ingest(
            listing,
            self.archive,
            self.options,
            views=self.views,
            progress=self._check,
            added=self.events.added,
        )
        if done.changed and self.events.ingested is not None:
            self.events.ingested(done)
        self._check()

    def _listed(self, sources: Sequence[str]) -> Listing | None:
        """The sources that have not vanished since they were told; None where all have."""
        while sources:
            try:
                return list_sources(sources, recursive=self.options.recursive)
            except SourceError:
                left = [source for source in sources if os.path.lexists(source)]
                if len(left) == len(sources):
                    raise
                sources = left
        return None

    def _check(self, *_: int) -> None:
        if self.stop.is_set():
            raise _StoppedError
