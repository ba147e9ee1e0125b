"""Sources into an archive: every session once, whatever happens on the way."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from clamp_analytics.analysis.result import Result
from clamp_analytics.archive.ingest.plan import Ledger, no_ledger, plan, read_ledger
from clamp_analytics.archive.ingest.reader import Desk
from clamp_analytics.archive.ingest.reconcile import LOADED, REJECTED, without_change
from clamp_analytics.archive.ingest.staging import Stage
from clamp_analytics.archive.ingest.transaction import Ingest, commit, decide, writing
from clamp_analytics.archive.layout import View, create, empty_in_memory, require_current
from clamp_analytics.archive.lock import writer
from clamp_analytics.atomic_files import display_name
from clamp_analytics.batch import Batch
from clamp_analytics.errors import UsageError
from clamp_analytics.reading.archive import explained, open_archive
from clamp_analytics.reading.executors import checked_jobs
from clamp_analytics.reading.reader import Progress, Sources
from clamp_analytics.schema import SESSIONS
from clamp_analytics.sources import (
    CONTAINER_ENDINGS,
    DEFAULT_LIMITS,
    ENDING,
    ContainerLimits,
    Listing,
    list_sources,
)

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """How to ingest.

    Attributes:
        rehash: whether files are read although their name, size and time are known.
        dry_run: whether to tell what would be new, and write nothing.
        recursive: whether folders are searched below, too.
        jobs: how many batches are read at once; the usable cores by default.
        wait_seconds: how long to wait for another writer, and for readers before each commit.
        build_info: the sources' provenance snapshot, as JSON text.
        limits: how much one container may hold.
        salvage: whether the whole members of a damaged container are kept, instead of none of them.
    """

    rehash: bool = False
    dry_run: bool = False
    recursive: bool = True
    jobs: int | None = None
    wait_seconds: float = 10.0
    build_info: str | None = None
    limits: ContainerLimits = DEFAULT_LIMITS
    salvage: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Ingested(Result):
    """What an ingest came to: ``seen = new + known + rejected + skipped``.

    Attributes:
        new: sessions that were added.
        known: files whose sessions were known.
        rejected: files that are no sessions, now or when they were last read.
        skipped: entries passed over, by reason.
        changed: whether anything was written.
        rejections: path and reason of the first files that were rejected now.
    """

    new: int
    known: int
    rejected: int
    skipped: Counter[str] = field(default_factory=Counter)
    changed: bool = False
    rejections: tuple[tuple[str, str], ...] = ()

    @property
    def seen(self) -> int:
        """All entries that the sources came to."""
        return self.new + self.known + self.rejected + self.skipped.total()

    def describe(self) -> list[str]:
        """The files by outcome, and the first that were rejected."""
        return [str(self), *(f"rejected: {path}: {reason}" for path, reason in self.rejections)]

    def to_polars(self) -> pl.DataFrame:
        """One row with the number of files by outcome."""
        counts = {"new": self.new, "known": self.known, "rejected": self.rejected, "skipped": self.skipped.total()}
        return pl.DataFrame({"seen": self.seen, **counts, "changed": self.changed})

    def __str__(self) -> str:
        return (
            f"{self.seen} seen = {self.new} new + {self.known} known + {self.rejected} rejected"
            f" + {self.skipped.total()} skipped"
        )


DEFAULTS = IngestOptions()
REJECTIONS_KEPT = 10
"""Rejected files that are named; the ledger names all."""

Added = Callable[[pl.DataFrame], None]
"""Called with the sessions that were added, or would be, as rows of ``sessions``; rejected ones included."""


def ingest(
    sources: Sources | Listing,
    archive: str | os.PathLike[str],
    options: IngestOptions = DEFAULTS,
    *,
    views: Sequence[View] = (),
    executor: Executor | None = None,
    progress: Progress | None = None,
    added: Added | None = None,
) -> Ingested:
    """Add to an archive the sessions of sources that it does not hold.

    A session is known by the hash of its bytes. What is written is written in transactions of some hundred thousand
    records; the archive is open only for as long as one of them takes. An ingest that ends early has added whole
    files, and the next one adds the rest.

    Args:
        sources: session files, folders or globs; or what ``list_sources`` made of them.
        archive: the archive; it is made where there is none.
        options: what to read, and how.
        views: the views that a new archive gets.
        executor: where to read; by default processes, where there is enough to read.
        progress: is told how many files that needed reading were read.
        added: is told what each transaction added.

    Raises:
        SourceError: a source does not exist, or what stands at ``archive`` is no archive.
        UsageError: a source is an export or an archive, or the archive is called like a session or a container.
        OutputError: another writer or reader keeps the archive too long, it must be upgraded, or cannot be written.
        WorkerError: a worker process died.
    """
    listing = sources if isinstance(sources, Listing) else list_sources(sources, recursive=options.recursive)
    if listing.exports or listing.archives:
        raise UsageError(
            "an export or archive cannot be ingested",
            where=display_name((listing.exports + listing.archives)[0]),
            hint="name the session files that it was made from",
        )
    place = Path(os.path.realpath(archive))
    if place.name.endswith((ENDING, *CONTAINER_ENDINGS)):
        raise UsageError(
            "an archive is not called like a session file or a container, because it would be read as one",
            where=display_name(os.fspath(archive)),
            hint="for example telemetry.duckdb",
        )
    run = _Run(listing, place, options, views, added)
    if options.dry_run:
        return run.look(executor, progress)
    with writer(place, "ingest", options.wait_seconds):
        return run.write(executor, progress)


@dataclass(slots=True)
class _Run:
    """One ingest."""

    listing: Listing
    archive: Path
    options: IngestOptions
    views: Sequence[View]
    added: Added | None
    unread_known: int = 0
    unread_rejected: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    changed: bool = False
    rejections: list[tuple[str, str]] = field(default_factory=list)

    def write(self, executor: Executor | None, progress: Progress | None) -> Ingested:
        """Read what is new and write it, transaction by transaction."""
        row = Ingest(display_name(self.listing.directory), self.options.build_info, dict(self.listing.skipped))
        stage = Stage(self.archive.parent)
        try:
            for more in self._stages(stage, executor, progress):
                if not self.archive.exists():
                    create(self.archive, self.views)
                row.skipped = dict(self.listing.skipped + self.skipped)
                row.unread_known, row.unread_rejected = self.unread_known, self.unread_rejected
                with writing(self.archive, self.options.wait_seconds) as connection:
                    if not more:
                        # Nobody decodes any more, so that every core may write.
                        connection.execute(f"SET threads = {checked_jobs(self.options.jobs)}")
                    sessions = commit(connection, stage, row, last=not more)
                self.changed = True
                self._tell(sessions)
        finally:
            stage.clear()
        return self._outcome(row)

    def look(self, executor: Executor | None, progress: Progress | None) -> Ingested:
        """Read what is new, and tell what writing it would do."""
        row = Ingest(display_name(self.listing.directory))
        stage = Stage(self.archive.parent)
        seen: set[str] = set()
        for _ in self._stages(stage, executor, progress):
            with _reading(self.archive) as connection:
                files = stage.files
                # What could not be read has no hash, and is like nothing else.
                again = files["session_id"].is_in(list(seen)).fill_null(value=False)
                row.known += files.filter(again).height
                settled = decide(connection, files.filter(~again))
            row.count(settled)
            added = stage.sessions.join(settled.added, on="place", how="semi").select(SESSIONS.names)
            seen.update(added.filter(pl.col("status") == LOADED)["session_id"])
            self._tell(added)
        return self._outcome(row)

    def _tell(self, sessions: pl.DataFrame) -> None:
        if self.added is not None:
            self.added(sessions)

    def _outcome(self, row: Ingest) -> Ingested:
        return Ingested(
            new=row.new,
            known=row.known + self.unread_known,
            rejected=row.rejected + self.unread_rejected,
            skipped=self.listing.skipped + self.skipped,
            changed=self.changed,
            rejections=tuple(self.rejections[:REJECTIONS_KEPT]),
        )

    def _stages(self, stage: Stage, executor: Executor | None, progress: Progress | None) -> Iterator[bool]:
        """Fill the stage with what is new and yield when it is to be written: whether more is to come."""
        ledger = self._ledger()
        planned = plan(self.listing.files, ledger, rehash=self.options.rehash)
        self.unread_known, self.unread_rejected = planned.known, planned.rejected
        self.skipped.update(planned.skipped)
        desk = Desk(self.listing.files, planned, ledger.members)
        for container in desk.touched():
            stage.containers.append(container)
        self._add(stage, desk.recognized())
        shares = desk.read(self.options, executor)
        total = len(self.listing.files)
        try:
            for files, batch, done in shares:
                if stage.is_full and not files.is_empty():
                    yield True
                    stage.clear()
                stage.containers += desk.ended
                self._add(stage, files, batch)
                if progress is not None:
                    progress(done, total)
        finally:
            # Ends the workers now, and not when an error that is under way is forgotten.
            shares.close()
        stage.containers += desk.ended
        self.skipped.update(desk.skipped)
        if not stage.is_empty:
            yield False
            stage.clear()

    def _add(self, stage: Stage, files: pl.DataFrame, batch: Batch | None = None) -> None:
        """Put files on the stage; those that turn out as the ledger has them are only counted."""
        same = without_change(files)
        rejected = files.filter(same, pl.col("status") == REJECTED).height
        self.unread_rejected += rejected
        self.unread_known += int(same.sum()) - rejected
        if batch is not None:
            stage.add_batch(files, batch)
        fresh = files.filter(~same)
        stage.add_files(fresh)
        if len(self.rejections) < REJECTIONS_KEPT:
            self.rejections += fresh.filter(pl.col("status") == REJECTED).select("path", "reason").rows()

    def _ledger(self) -> Ledger:
        """What the archive knows of files; nothing where there is none yet.

        Raises:
            SourceError: what stands there is no archive.
            OutputError: it is an older one.
        """
        if not self.archive.exists():
            return no_ledger()
        connection, version = open_archive(self.archive, wait_seconds=self.options.wait_seconds)
        try:
            require_current(version, self.archive)
            with explained(self.archive):
                return read_ledger(connection)
        finally:
            connection.close()


@contextmanager
def _reading(archive: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The archive, open to be read; an empty one in memory where there is none."""
    if archive.exists():
        connection, _ = open_archive(archive)
    else:
        connection = empty_in_memory()
    try:
        yield connection
    finally:
        connection.close()
