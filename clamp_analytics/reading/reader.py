"""The reader: one pass over all sources, and the tables it gives."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from operator import itemgetter
from typing import TypeVar

import polars as pl

from clamp_analytics.atomic_files import display_name
from clamp_analytics.batch import Batch
from clamp_analytics.decode.validate import in_order
from clamp_analytics.errors import SourceError, UsageError, did_you_mean
from clamp_analytics.reading.archive import State, read_archive, read_state
from clamp_analytics.reading.executors import checked_jobs
from clamp_analytics.reading.export import Manifest, read_export, read_manifest
from clamp_analytics.reading.task import ReadRequest, ledger_of
from clamp_analytics.reading.tasks import Containers, read_files
from clamp_analytics.rules import BY_ID
from clamp_analytics.schema import RECORDS, SESSIONS, VIOLATIONS, empty_frame, polars_schema
from clamp_analytics.sources import (
    DEFAULT_LIMITS,
    ContainerLimits,
    Listing,
    UnreadableError,
    is_container,
    list_sources,
    read_bytes,
)

Result = TypeVar("Result")
Sources = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
Progress = Callable[[int, int], None]
"""Called with the files read so far and the files in all."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of everything that was seen: ``seen = loaded + rejected + skipped``."""

    loaded: int
    rejected: int
    skipped: int

    @property
    def seen(self) -> int:
        """All entries that the sources came to."""
        return self.loaded + self.rejected + self.skipped

    def __str__(self) -> str:
        return f"{self.seen} seen = {self.loaded} loaded + {self.rejected} rejected + {self.skipped} skipped"


@dataclass(frozen=True, slots=True)
class Telemetry:
    """The three tables of all sources (see ``schema.py`` for their columns), with what was counted.

    Attributes:
        sessions: one row a session file, by name.
        records: one row an anchor event, by file and place in it.
        violations: one row a fault, by file and place in it.
        counts: files seen, loaded, rejected and skipped.
        directory: the absolute folder that all sources have in common.
    """

    sessions: pl.DataFrame
    records: pl.DataFrame
    violations: pl.DataFrame
    counts: Counts
    directory: str


class Reader:
    """One pass over sources, batch by batch.

    Args:
        sources: session files, containers, folders, globs, ``-``, exports or archives; or what ``list_sources`` made
            of them.
        columns: the columns of ``records`` that are wanted; all by default.
        session_ids: whether to hash each file for its ``session_id``.
        recursive: whether folders are searched below, too.
        jobs: how many batches are read at once; the usable cores by default.
        executor: where to read them; by default processes, where there is enough to read.
        progress: is told how far reading has come.
        limits: how much one container may hold.
        salvage: whether the whole members of a damaged container are kept, instead of none of them.

    Attributes:
        directory: the absolute folder that all sources have in common; an export or archive gives its own sources'.
        single_folder: the folder, where the only source is one.
        skipped: how many entries were passed over, by reason; those of a container once it was read.
        build_info: the provenance snapshot that an export or archive carries; None where there is none.

    Raises:
        SourceError: a source does not exist, or an export or archive is damaged.
        UsageError: ``jobs`` is below 1, or there is no such column.
    """

    def __init__(
        self,
        sources: Sources | Listing,
        *,
        columns: Collection[str] | None = None,
        session_ids: bool = False,
        recursive: bool = True,
        jobs: int | None = None,
        executor: Executor | None = None,
        progress: Progress | None = None,
        limits: ContainerLimits = DEFAULT_LIMITS,
        salvage: bool = False,
    ) -> None:
        self._jobs = checked_jobs(jobs)
        self._executor = executor
        self._progress = progress
        self._request = ReadRequest(_known_columns(RECORDS.names if columns is None else columns), session_ids)
        listing = sources if isinstance(sources, Listing) else list_sources(sources, recursive=recursive)
        self._files = listing.files
        self._exports = [(folder, read_manifest(folder)) for folder in listing.exports]
        self._archives = [(path, read_state(path)) for path in listing.archives]
        self.skipped = Counter(listing.skipped)
        self._containers = Containers(limits, salvage, self.skipped)
        self.directory = listing.directory
        self.single_folder = listing.single_folder
        self.build_info: str | None = None
        for _, manifest in self._exports:
            self.skipped.update(manifest.skipped)
        for _, state in self._archives:
            self.skipped.update(state.skipped)
        stores = len(self._exports) + len(self._archives)
        if stores == 1 and not self._files:
            self._stand_in_for(self._exports[0][1] if self._exports else self._archives[0][1])
        self._loaded = self._rejected = 0

    def _stand_in_for(self, store: Manifest | State) -> None:
        """Tell of the files that the only export or archive was made from, and not of itself."""
        self.directory = store.source_directory or self.directory
        self.build_info = store.build_info

    @property
    def counts(self) -> Counts:
        """What was seen so far."""
        return Counts(self._loaded, self._rejected, self.skipped.total())

    @property
    def columns(self) -> frozenset[str]:
        """The columns of ``records`` that are read."""
        return self._request.columns

    def require_sessions(self) -> None:
        """Check, after the pass, that it found at least one usable session.

        Raises:
            SourceError: it found none.
        """
        require_sessions(self.counts, self.directory)

    def fold(self, reduce: Callable[[Batch], Result]) -> Iterator[Result]:
        """Reduce every batch where it is read, and yield the results in a fixed order.

        The last batch holds no session, only the violations that show when all sessions are known.

        Args:
            reduce: a function that can be pickled, because it may run in another process.

        Raises:
            WorkerError: a worker process died.
        """
        ledgers: list[pl.DataFrame] = []
        read: list[str] = []
        for paths, share in read_files(
            self._files, self._request, reduce, self._jobs, self._executor, self._containers
        ):
            self._count(share.ledger)
            ledgers.append(share.ledger)
            read += paths
            yield share.result
        for folder, manifest in self._exports:
            for batch in read_export(folder, manifest, self._request.columns):
                if not batch.sessions.is_empty():
                    self._count(ledger_of(batch))
                yield reduce(batch)
        for path, _ in self._archives:
            for batch in read_archive(path, self._request.columns):
                self._count(ledger_of(batch))
                yield reduce(batch)
        repeated = _repeated(read, ledgers)
        if not repeated.is_empty():
            yield reduce(Batch.empty(self._request.columns, repeated))

    def _count(self, ledger: pl.DataFrame) -> None:
        loaded = int(ledger["loaded"].sum())
        self._loaded += loaded
        self._rejected += ledger.height - loaded
        if self._progress:
            files = len(self._files) - self._containers.opened + self._containers.found
            self._progress(self._loaded + self._rejected, files)


def require_sessions(counts: Counts, directory: str) -> None:
    """Check that at least one usable session was read.

    Raises:
        SourceError: none was.
    """
    if counts.loaded == 0:
        raise SourceError(
            f"no usable session among {counts}",
            where=directory,
            hint="`clamp-analytics validate` says what is wrong with each file",
        )


def _known_columns(columns: Collection[str]) -> frozenset[str]:
    for name in columns:
        if name not in RECORDS.names:
            raise UsageError(f"records have no column {name!r}", hint=did_you_mean(name, RECORDS.names))
    return frozenset(columns)


def _repeated(files: Sequence[str], ledgers: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The violations of sessions that were read twice under different names.

    Equal bytes have equal size, record count and sum of seeds, so only those files are hashed.
    """
    if not ledgers:
        return empty_frame(VIOLATIONS)
    key = ["size_bytes", "record_count", "seed_sum"]
    ledger = pl.concat(ledgers).with_row_index("place").filter("loaded", pl.col("record_count") > 0)
    alike = ledger.filter(pl.struct(key).is_duplicated()).select("place", "digest").rows()
    first: dict[bytes, str] = {}
    found = []
    # Streams give their members in an order of their own; which of two is the second does not depend on it.
    for path, known in sorted(((files[place], digest) for place, digest in alike), key=itemgetter(0)):
        try:
            digest = known or hashlib.sha256(read_bytes(path)).digest()
        except UnreadableError:
            # It was read a moment ago and is counted; only the comparison is gone with it.
            continue
        if digest in first:
            found.append((display_name(path), display_name(first[digest])))
        else:
            first[digest] = path
    rule = BY_ID["session-repeated"]
    rows = [
        {
            "source": source,
            "rule": rule.id,
            "severity": rule.severity.value,
            "value": other,
            "count": 1,
            "message": f"{rule.sentence} (it has the same bytes as {other})",
        }
        for source, other in found
    ]
    return pl.DataFrame(rows, schema=polars_schema(VIOLATIONS))


def _whole(batch: Batch) -> Batch:
    return batch


def iter_batches(
    sources: Sources,
    *,
    columns: Collection[str] | None = None,
    session_ids: bool = False,
    recursive: bool = True,
    jobs: int | None = None,
    executor: Executor | None = None,
    limits: ContainerLimits = DEFAULT_LIMITS,
    salvage: bool = False,
) -> Iterator[Batch]:
    """The tables of sources in batches of about 40,000 records, for what does not fit in memory.

    Args and errors are those of ``Reader``.
    """
    reader = Reader(
        sources,
        columns=columns,
        session_ids=session_ids,
        recursive=recursive,
        jobs=jobs,
        executor=executor,
        limits=limits,
        salvage=salvage,
    )
    return reader.fold(_whole)


def load(
    sources: Sources,
    *,
    columns: Collection[str] | None = None,
    session_ids: bool = False,
    recursive: bool = True,
    jobs: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    limits: ContainerLimits = DEFAULT_LIMITS,
    salvage: bool = False,
) -> Telemetry:
    """Read sources into the three tables.

    A bad file never harms its neighbours: it has a row in ``sessions`` with its status, and its violations.
    Args and errors are those of ``Reader``.
    """
    reader = Reader(
        sources,
        columns=columns,
        session_ids=session_ids,
        recursive=recursive,
        jobs=jobs,
        executor=executor,
        progress=progress,
        limits=limits,
        salvage=salvage,
    )
    return collect(reader)


def collect(reader: Reader) -> Telemetry:
    """Everything that a reader gives, as one set of tables."""
    request, files = reader._request, reader._files  # noqa: SLF001  # of this module
    exports, archives = reader._exports, reader._archives  # noqa: SLF001
    containers = any(map(is_container, files))
    if exports or archives or containers:
        # Exports hold records by partition, archives by ingest, and tars sessions in any order: it takes these two
        # to put them back in order.
        reader._request = ReadRequest(request.columns | {"source", "record_index"}, request.session_ids)  # noqa: SLF001
    batches = list(reader.fold(_whole))
    sessions = pl.concat([empty_frame(SESSIONS), *(batch.sessions for batch in batches)])
    if archives or containers or len(exports) + bool(files) > 1:
        sessions = sessions.sort("source", maintain_order=True)
    records = pl.concat([batch.records for batch in batches]) if batches else empty_frame(RECORDS)
    if exports or archives or containers:
        records = _by_file(records, sessions)
    return Telemetry(
        sessions=sessions,
        records=records.select(name for name in RECORDS.names if name in request.columns),
        violations=in_order(pl.concat([empty_frame(VIOLATIONS), *(batch.violations for batch in batches)])),
        counts=reader.counts,
        directory=reader.directory,
    )


def _by_file(records: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """Records by their file's place among the sessions, and by their place in the file."""
    places = sessions.select(pl.col("source").unique(maintain_order=True)).with_row_index("place")
    placed = records.join(places, on="source", how="left", maintain_order="left")
    return placed.sort("place", "record_index", maintain_order=True).drop("place")
