"""``ingest``: add the sessions of sources to an archive, each once, in transactions."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from clamp_analytics.analysis.result import Result
from clamp_analytics.archive.ingest.options import DEFAULT_INGEST_OPTIONS, IngestOptions
from clamp_analytics.archive.ingest.plan import plan
from clamp_analytics.archive.ingest.reader import PlannedReader
from clamp_analytics.archive.ingest.reconcile import LOADED, REJECTED, is_unchanged
from clamp_analytics.archive.ingest.staging import Staging
from clamp_analytics.archive.ingest.store import DuckDBStore, Store
from clamp_analytics.archive.ingest.transaction import IngestRow, reconcile_with_archive
from clamp_analytics.archive.tables import View
from clamp_analytics.batch import Batch
from clamp_analytics.errors import UsageError
from clamp_analytics.path_names import display_name
from clamp_analytics.reading.delta_archive import is_delta_location
from clamp_analytics.reading.executors import checked_jobs
from clamp_analytics.reading.fetching import RemoteFiles
from clamp_analytics.reading.interrupts import raise_keyboard_interrupt
from clamp_analytics.reading.labels import parse_label_rules
from clamp_analytics.reading.reader import Progress, Sources
from clamp_analytics.reading.tasks import Containers
from clamp_analytics.reading.workers import Workers, file_reader
from clamp_analytics.schema import SESSIONS
from clamp_analytics.sources import (
    CONTAINER_ENDINGS,
    ENDING,
    Listing,
    list_sources,
)


@dataclass(frozen=True, slots=True, repr=False)
class Ingested(Result):
    """The counts of an ingest: ``seen = new + known + rejected + skipped``.

    Attributes:
        new: sessions that were added.
        known: files whose session was in the archive already.
        rejected: files that could not be read as a session, now or when they were last read.
        skipped: skipped entries by reason.
        changed: whether anything was written.
        rejections: path and reason of the first files that were rejected in this ingest.
    """

    new: int
    known: int
    rejected: int
    skipped: Counter[str] = field(default_factory=Counter)
    changed: bool = False
    rejections: tuple[tuple[str, str], ...] = ()

    @property
    def seen(self) -> int:
        """All entries found in the sources."""
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


REJECTIONS_KEPT = 10
"""Rejected files that the result names; the ledger has all of them."""

Added = Callable[[pl.DataFrame], None]
"""Called with the rows of ``sessions`` that were or would be added, including rejected ones."""


def ingest(
    sources: Sources | Listing,
    archive: str | os.PathLike[str],
    options: IngestOptions = DEFAULT_INGEST_OPTIONS,
    *,
    views: Sequence[View] = (),
    executor: Executor | Workers | None = None,
    progress: Progress | None = None,
    added: Added | None = None,
    storage_options: Mapping[str, str] | None = None,
) -> Ingested:
    """Add the sessions of sources to an archive, unless it holds them already.

    A session is identified by the hash of its bytes. Sessions are written in transactions of some hundred thousand
    records, and the archive is open only during a transaction. An ingest that is interrupted has added complete
    files, and the next one adds the rest.

    Args:
        sources: session files, folders or globs; or the result of ``list_sources``.
        archive: the archive; it is created where there is none. A folder, which is named with a slash at the end
            unless it exists, or a URL is a Delta archive; anything else is a DuckDB file.
        options: what to read, and how.
        views: the views that a new archive gets.
        executor: where to read; by default processes, where the sources are large enough.
        progress: called with the number of files that are done and of all files.
        added: called with the sessions that each transaction added.
        storage_options: configuration of the object storage, as Polars takes it; by default that of the environment.

    Raises:
        SourceError: a source does not exist, or the file at ``archive`` is not an archive or is damaged.
        UsageError: a source is an export or an archive, the archive has the ending of a session or container, or a
            label is not given as NAME=RULE.
        OutputError: another process uses the archive for too long, or it must be upgraded or cannot be written.
        WorkerError: a worker process died.
    """
    listing = (
        sources
        if isinstance(sources, Listing)
        else list_sources(sources, recursive=options.recursive, storage_options=storage_options)
    )
    if listing.exports or listing.archives:
        raise UsageError(
            "an export or archive cannot be ingested",
            where=display_name((listing.exports + listing.archives)[0]),
            hint="name the session files that it was made from",
        )
    # A wrong rule is reported before anything is read or locked.
    options = replace(options, labels=parse_label_rules(options.labels))
    run = _Run(listing, _store(archive, options, views, storage_options), options, added)
    with raise_keyboard_interrupt():
        if options.dry_run:
            return run.count(executor, progress)
        with run.store.lock():
            return run.write(executor, progress)


def _store(
    archive: str | os.PathLike[str],
    options: IngestOptions,
    views: Sequence[View],
    storage_options: Mapping[str, str] | None,
) -> Store:
    """The store of an archive: Delta tables in a folder or at a URL, else a DuckDB file.

    Raises:
        UsageError: the name is that of a session file or container.
    """
    name = os.fspath(archive)
    if is_delta_location(name) or name.endswith("/"):
        from clamp_analytics.archive.delta.store import DeltaStore

        return DeltaStore(name, storage_options)
    path = Path(os.path.realpath(archive))
    # A path that the system refuses is not a folder; opening it says why.
    if os.path.isdir(path):
        raise UsageError(
            "it is a folder, and not a Delta archive",
            where=display_name(name),
            hint="a name that ends with / creates a Delta archive, and any other one a DuckDB file",
        )
    if path.name.endswith((ENDING, *CONTAINER_ENDINGS)):
        raise UsageError(
            "an archive with the ending of a session file or container would be read as one",
            where=display_name(name),
            hint="for example telemetry.duckdb",
        )
    return DuckDBStore(path, options, views)


@dataclass(slots=True)
class _Run:
    """One ingest."""

    listing: Listing
    store: Store
    options: IngestOptions
    added: Added | None
    unread_known: int = 0
    unread_rejected: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    changed: bool = False
    rejections: list[tuple[str, str]] = field(default_factory=list)

    def write(self, executor: Executor | Workers | None, progress: Progress | None) -> Ingested:
        """Read the new files and write them, one transaction after another."""
        row = IngestRow(display_name(self.listing.directory), self.options.build_info, dict(self.listing.skipped))
        staging = Staging(self.store.spill_folder, self.options)
        try:
            for more in self._fill(staging, executor, progress):
                row.skipped = dict(self.listing.skipped + self.skipped)
                row.unread_known, row.unread_rejected = self.unread_known, self.unread_rejected
                sessions = self.store.write(staging, row, is_last=not more)
                self.changed = True
                self._call_added(sessions)
        finally:
            staging.clear()
        return self._result(row)

    def count(self, executor: Executor | Workers | None, progress: Progress | None) -> Ingested:
        """Read the new files, and count what writing them would do."""
        row = IngestRow(display_name(self.listing.directory))
        staging = Staging(self.store.spill_folder, self.options)
        seen: set[str] = set()
        for _ in self._fill(staging, executor, progress):
            with self.store.open() as connection:
                files = staging.files
                # A file that could not be read has no hash and never counts as known.
                is_repeated = files["session_id"].is_in(list(seen)).fill_null(value=False)
                row.known += files.filter(is_repeated).height
                decisions = reconcile_with_archive(connection, files.filter(~is_repeated))
            row.count(decisions)
            added = staging.sessions.join(decisions.added, on="file_number", how="semi").select(SESSIONS.names)
            seen.update(added.filter(pl.col("status") == LOADED)["session_id"])
            self._call_added(added)
        return self._result(row)

    def _call_added(self, sessions: pl.DataFrame) -> None:
        if self.added is not None:
            self.added(sessions)

    def _result(self, row: IngestRow) -> Ingested:
        return Ingested(
            new=row.new,
            known=row.known + self.unread_known,
            rejected=row.rejected + self.unread_rejected,
            skipped=self.listing.skipped + self.skipped,
            changed=self.changed,
            rejections=tuple(self.rejections[:REJECTIONS_KEPT]),
        )

    def _fill(self, staging: Staging, executor: Executor | Workers | None, progress: Progress | None) -> Iterator[bool]:
        """Stage the new files, and yield whenever a transaction is due: whether more files follow."""
        ledger = self.store.ledger()
        remote = RemoteFiles(self.listing.storage, self.listing.objects, self.options.reading.concurrency)
        planned = plan(
            self.listing.files,
            ledger,
            rehash=self.options.rehash,
            large_bytes=self.options.reading.large_bytes,
            objects=self.listing.objects,
            hash_files=file_reader(executor, checked_jobs(self.options.jobs), Containers(), remote=remote).hash_files,
        )
        self.unread_known, self.unread_rejected = planned.known, planned.rejected
        self.skipped.update(planned.skipped)
        reader = PlannedReader(self.listing.files, planned, ledger.members, remote)
        for container in reader.touched():
            staging.containers.append(container)
        self._stage(staging, reader.recognized())
        batches = reader.read(self.options, executor)
        total = len(self.listing.files)
        try:
            for files, batch, done in batches:
                if staging.is_full and not files.is_empty():
                    yield True
                    staging.clear()
                staging.containers += reader.take_finished()
                self._stage(staging, files, batch)
                if progress is not None:
                    progress(done, total)
        finally:
            # Ends the workers now, and not when a pending exception is discarded.
            batches.close()
        staging.containers += reader.take_finished()
        self.skipped.update(reader.skipped)
        if not staging.is_empty:
            yield False
            staging.clear()

    def _stage(self, staging: Staging, files: pl.DataFrame, batch: Batch | None = None) -> None:
        """Stage files; those that agree with their entry in the ledger are only counted."""
        unchanged = is_unchanged(files)
        rejected = files.filter(unchanged, pl.col("status") == REJECTED).height
        self.unread_rejected += rejected
        self.unread_known += int(unchanged.sum()) - rejected
        if batch is not None:
            staging.add_batch(files, batch)
        fresh = files.filter(~unchanged)
        staging.add_files(fresh)
        if len(self.rejections) < REJECTIONS_KEPT:
            self.rejections += fresh.filter(pl.col("status") == REJECTED).select("path", "reason").rows()
