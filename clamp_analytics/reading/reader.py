"""``Reader``: one pass over all sources, as batches or as tables in memory."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import polars as pl

from clamp_analytics.batch import Batch
from clamp_analytics.decode.validate import in_order
from clamp_analytics.errors import SourceError, UsageError, did_you_mean
from clamp_analytics.path_names import display_name
from clamp_analytics.reading.executors import checked_jobs
from clamp_analytics.reading.fetching import RemoteFiles
from clamp_analytics.reading.labels import LabelRule, parse_label_rules, with_labels
from clamp_analytics.reading.options import DEFAULT_OPTIONS, ReadingOptions
from clamp_analytics.reading.repeated_sessions import (
    REPEATED,
    RepeatedSessions,
    SeenContents,
    StoredSessionFilter,
    repeated_violations,
)
from clamp_analytics.reading.task import ReadRequest, ledger_of
from clamp_analytics.reading.tasks import Containers
from clamp_analytics.reading.telemetry import Counts, Telemetry, require_sessions
from clamp_analytics.reading.unique_sources import UniqueSources
from clamp_analytics.reading.workers import Cluster, Workers, chosen_workers, file_reader, is_distributed, workers_of
from clamp_analytics.schema import RECORDS, SESSIONS, VIOLATIONS, empty_frame
from clamp_analytics.sources import (
    DEFAULT_LIMITS,
    ContainerLimits,
    Listing,
    is_container,
    list_sources,
    size_of,
)
from clamp_analytics.sources.object_patterns import has_magic
from clamp_analytics.sources.object_ranges import UnsortedError

if TYPE_CHECKING:
    from clamp_analytics.reading.stores import Stores

Result = TypeVar("Result")
Sources = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
Progress = Callable[[int, int], None]
"""Called with the number of files read so far and the number of all files."""


class Reader:
    r"""One pass over sources, batch by batch.

    Args:
        sources: session files, containers, folders, globs, ``-``, exports or archives; or the result of
            ``list_sources``.
        columns: the columns of ``records`` to read; all by default.
        session_ids: whether to hash each file for its ``session_id``.
        recursive: whether subfolders are searched, too.
        jobs: how many batches are read at once; the number of usable cores by default.
        executor: where to read them; by default processes, where the sources are large enough.
        cluster: a Dask cluster to read them on: the address of its scheduler, or a client.
        progress: called after each batch with the number of files read and of all files.
        limits: how much one container may hold.
        salvage: whether to read the intact members of a damaged container, instead of rejecting all of them.
        unique: whether to read each session once: files with the same bytes as one that was read are skipped.
        labels: rules that give sessions labels, such as ``build=build-(\d+)``; see ``parse_label_rule``.
        options: sizes of tasks and batches.
        storage_options: configuration of the object storage, as Polars takes it; by default that of the environment.

    Attributes:
        directory: the absolute folder that all sources have in common, as valid Unicode; for an export or archive, the
            folder of the files that it was made from.
        single_folder: the folder, where the only source is a folder.
        skipped: the number of skipped entries by reason; those of a container are known after it was read.
        build_info: the provenance snapshot of an export or archive; None where there is none.

    Raises:
        SourceError: a source does not exist, or an export or archive is damaged.
        UsageError: ``jobs`` is below 1, there is no such column, or a label is not given as NAME=RULE.
    """

    def __init__(
        self,
        sources: Sources | Listing,
        *,
        columns: Collection[str] | None = None,
        session_ids: bool = False,
        recursive: bool = True,
        jobs: int | None = None,
        executor: Executor | Workers | None = None,
        cluster: Cluster | None = None,
        progress: Progress | None = None,
        limits: ContainerLimits = DEFAULT_LIMITS,
        salvage: bool = False,
        unique: bool = False,
        labels: Iterable[str | LabelRule] = (),
        options: ReadingOptions = DEFAULT_OPTIONS,
        storage_options: Mapping[str, str] | None = None,
    ) -> None:
        self._progress = progress
        self._options = options
        self._request = ReadRequest(
            _known_columns(RECORDS.names if columns is None else columns),
            session_ids,
            labels=parse_label_rules(labels),
        )
        listing = (
            sources
            if isinstance(sources, Listing)
            else list_sources(
                sources,
                recursive=recursive,
                storage_options=storage_options,
                leave_unlisted=is_distributed(executor) or cluster is not None,
            )
        )
        self._unlisted = listing.unlisted
        self._files = listing.files
        self._remote = RemoteFiles(listing.storage, listing.objects, options.concurrency)
        self._stores = _open_stores(listing, options)
        self._is_one_export = len(listing.exports) == 1 and not (listing.archives or listing.files)
        self.skipped = Counter(listing.skipped)
        self._unique = unique
        self._containers = Containers(limits, salvage, self.skipped)
        self._jobs, self._executor, self._cluster = checked_jobs(jobs), executor, cluster
        self.directory = display_name(listing.directory)
        self.single_folder = listing.single_folder
        self.build_info: str | None = None
        if self._stores is not None:
            self.skipped.update(self._stores.skipped)
            if self._stores.only is not None and not self._files:
                self.directory = self._stores.only.source_directory or self.directory
                self.build_info = self._stores.only.build_info
        self._loaded = self._rejected = 0

    @property
    def columns(self) -> frozenset[str]:
        """The columns of ``records`` that are read."""
        return self._request.columns

    @property
    def counts(self) -> Counts:
        """The files read so far, by outcome."""
        return Counts(self._loaded, self._rejected, self.skipped.total())

    def require_sessions(self) -> None:
        """Check, after reading, that at least one session was loaded.

        Raises:
            SourceError: no session was loaded.
        """
        require_sessions(self.counts, self.directory)

    def fold(self, reduce: Callable[[Batch], Result]) -> Iterator[Result]:
        """Reduce every batch where it is read, and yield the results in a fixed order.

        The session of a large file comes in a batch before those of its records. The last batch holds no session, only
        the violations that show after all sessions are read.

        Args:
            reduce: a function that can be pickled, because it may run in another process.

        Raises:
            WorkerError: a worker or the cluster failed.
        """
        return self._fold(self._request, reduce)

    def fold_merged(
        self,
        reduce: Callable[[Batch], Result],
        merge: Callable[[Iterable[Result]], Result],
        add: Callable[[Iterable[Result]], Result],
    ) -> Result:
        """Reduce every batch, and merge the results.

        Folders of object storage are listed on the workers of a cluster or executor, and the results are merged
        there, too. The violations of repeated sessions then have no source.

        Args:
            reduce: a function that can be pickled, because it may run in another process.
            merge: merges the results of all batches of some sessions; it can be pickled, too.
            add: merges merged results, in any order.

        Raises:
            SourceError: a folder cannot be listed.
            WorkerError: a worker or the cluster failed.
            OutputError: the hashes of very many sessions do not fit in the temporary folder.
        """
        if self._unlisted and not self._unique:
            try:
                with chosen_workers(self._executor, self._cluster) as workers:
                    assert workers is not None
                    return add(self._fold_unlisted(workers_of(workers, self._jobs), reduce, merge))
            except UnsortedError:
                # Ranges of keys mean nothing to such a service, so its folders are listed here and read anew.
                self._loaded = self._rejected = 0
                self.skipped.clear()
        return merge(self.fold(reduce))

    def _fold_unlisted(
        self,
        workers: Workers,
        reduce: Callable[[Batch], Result],
        merge: Callable[[Iterable[Result]], Result],
    ) -> Iterator[Result]:
        from clamp_analytics.reading.content_hashes import ContentHashes
        from clamp_analytics.reading.divided import DividedReader

        reader = DividedReader(
            self._unlisted,
            self._remote.storage,
            workers,
            self._request,
            reduce,
            merge,
            self._containers.limits,
            self._containers.salvage,
            self._options,
        )
        with ContentHashes() as hashes:
            for found in reader.read():
                self._loaded += found.loaded
                self._rejected += found.rejected
                self.skipped.update(found.skipped)
                hashes.add(found.digests)
                if self._progress:
                    self._progress(self._loaded + self._rejected, 0)
                yield found.result
            violations = repeated_violations(hashes.repeated())
            yield merge(reduce(Batch.empty(self._request.columns, some)) for some in violations)
        for folder in self._unlisted:
            if has_magic(folder.named) and not self.counts.seen:
                raise SourceError("the pattern matches nothing", where=folder.named)

    def collect(self) -> Telemetry:
        """Read everything into one set of tables.

        Raises:
            WorkerError: a worker or the cluster failed.
        """
        self._list_unlisted()
        request = self._request
        has_stores = self._stores is not None
        # Exports hold records by partition, archives by ingest, and tars sessions in any order; these two columns
        # are needed to sort them.
        needs_sorting = has_stores or any(map(is_container, self._files))
        if needs_sorting:
            request = replace(request, columns=request.columns | {"source", "record_index"})
        batches = list(self._fold(request, unchanged))
        sessions = pl.concat([empty_frame(SESSIONS), *(batch.sessions for batch in batches)])
        # Sorting copies all records, which a container of one large member does not need.
        is_sorted = not has_stores and sessions["source"].is_sorted()
        if needs_sorting and not self._is_one_export:
            sessions = sessions.sort("source", maintain_order=True)
        records = pl.concat([batch.records for batch in batches]) if batches else empty_frame(RECORDS)
        if needs_sorting and not is_sorted:
            records = _sorted_by_session(records, sessions)
        return Telemetry(
            sessions=sessions,
            records=records.select(name for name in RECORDS.names if name in self._request.columns),
            violations=in_order(pl.concat([empty_frame(VIOLATIONS), *(batch.violations for batch in batches)])),
            counts=self.counts,
            directory=self.directory,
        )

    def _fold(self, request: ReadRequest, reduce: Callable[[Batch], Result]) -> Iterator[Result]:
        with chosen_workers(self._executor, self._cluster) as workers:
            yield from self._fold_on(workers, request, reduce)

    def _fold_on(
        self, workers: Executor | Workers | None, request: ReadRequest, reduce: Callable[[Batch], Result]
    ) -> Iterator[Result]:
        self._list_unlisted()
        sources = UniqueSources()
        is_mixed = self._stores is not None and (self._stores.only is None or bool(self._files))
        seen = self._seen_contents() if self._unique else None
        files = file_reader(workers, self._jobs, self._containers, self._options, seen, self._remote)
        repeated = RepeatedSessions(files.hash_files)
        for paths, task_result in files.read(self._files, request, reduce):
            self._count(task_result.ledger)
            repeated.add_files(paths, task_result.ledger)
            if is_mixed:
                sources.add_files(paths)
            yield task_result.result
        # The source tells to which session a record belongs.
        columns = request.columns | {"source"} if self._unique else request.columns
        for store, batches in self._stores.read(columns) if self._stores else ():
            if seen is not None:
                batches = self._new_sessions(batches, seen, request)
            for batch in sources.rename(store, batches) if is_mixed else batches:
                if not batch.sessions.is_empty():
                    self._count(ledger_of(batch))
                    repeated.add_stored(store, batch.sessions)
                yield reduce(with_labels(batch, request.labels))
        violations = repeated.violations()
        if not violations.is_empty():
            yield reduce(Batch.empty(request.columns, violations))

    def _list_unlisted(self) -> None:
        """List the folders that were left to workers, because every file in them must be known here."""
        if not self._unlisted:
            return
        storage = self._remote.storage
        listing = list_sources([folder.named for folder in self._unlisted], storage_options=storage.options)
        self._unlisted = ()
        self._files = listing.files
        self._remote = replace(self._remote, objects=listing.objects)
        self.skipped.update(listing.skipped)

    def _new_sessions(self, batches: Iterable[Batch], seen: SeenContents, request: ReadRequest) -> Iterator[Batch]:
        """The batches of one export or archive without the sessions that were read already."""
        new_only = StoredSessionFilter(seen)
        columns = [name for name in RECORDS.names if name in request.columns]
        for batch in batches:
            kept, removed = new_only.apply(batch)
            self.skipped[REPEATED] += removed
            yield replace(kept, records=kept.records.select(columns))

    def _seen_contents(self) -> SeenContents:
        if self._stores is not None or any(map(is_container, self._files)):
            return SeenContents(sizes=None)
        return SeenContents(map(size_of, self._files))

    def _count(self, ledger: pl.DataFrame) -> None:
        loaded = int(ledger["loaded"].sum())
        self._loaded += loaded
        self._rejected += ledger.height - loaded
        if self._progress:
            files = len(self._files) - self._containers.opened + self._containers.members - self.skipped[REPEATED]
            self._progress(self._loaded + self._rejected, files)


def _open_stores(listing: Listing, options: ReadingOptions) -> Stores | None:
    """The exports and archives of a listing; None where there are none."""
    if not listing.exports and not listing.archives:
        return None
    # Most sources are files, and importing takes longer than reading a small folder.
    from clamp_analytics.reading.stores import Stores

    return Stores(listing, options)


def _known_columns(columns: Collection[str]) -> frozenset[str]:
    for name in columns:
        if name not in RECORDS.names:
            raise UsageError(f"records have no column {name!r}", hint=did_you_mean(name, RECORDS.names))
    return frozenset(columns)


def unchanged(batch: Batch) -> Batch:
    """The batch itself: the function to fold where whole batches are needed."""
    return batch


def _sorted_by_session(records: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """Records in the order of their sessions, and by index in the session."""
    order = sessions.select(pl.col("source").unique(maintain_order=True)).with_row_index("session_row")
    joined = records.join(order, on="source", how="left", maintain_order="left")
    return joined.sort("session_row", "record_index", maintain_order=True).drop("session_row")
