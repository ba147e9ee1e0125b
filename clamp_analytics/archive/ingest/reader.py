"""Read the planned files, and attach their entries in the ledger."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Generator, Sequence
from concurrent.futures import Executor

import polars as pl

from clamp_analytics.archive.ingest.options import IngestOptions
from clamp_analytics.archive.ingest.plan import OLD_COLUMNS, VERSION_COLUMNS, Plan, absolute_paths
from clamp_analytics.archive.ingest.reconcile import LOADED, REJECTED
from clamp_analytics.archive.ingest.staging import INCOMING, FinishedContainer
from clamp_analytics.batch import Batch
from clamp_analytics.reading.executors import checked_jobs
from clamp_analytics.reading.fetching import RemoteFiles
from clamp_analytics.reading.labels import parse_label_rules
from clamp_analytics.reading.task import ReadRequest
from clamp_analytics.reading.tasks import Containers
from clamp_analytics.reading.workers import Workers, file_reader
from clamp_analytics.rules import Severity
from clamp_analytics.schema import RECORDS
from clamp_analytics.sources import INSIDE


class PlannedReader:
    """Reads the planned files, in order.

    Args:
        names: paths of all files and containers, as they were found.
        planned: which of them to read.
        members: the ledger's entries of members of containers.
        remote: the objects among the files.

    Attributes:
        skipped: skipped entries of containers, by reason.
    """

    def __init__(self, names: Sequence[str], planned: Plan, members: pl.DataFrame, remote: RemoteFiles) -> None:
        self._names = names
        self._remote = remote
        self._planned = planned
        self._members = members.rename({name.removeprefix("old_"): name for name in OLD_COLUMNS})
        self._next_number = planned.recognized.height
        self._finished: list[FinishedContainer] = []
        self.skipped: Counter[str] = Counter()

    def take_finished(self) -> list[FinishedContainer]:
        """The containers that were read to their end since the last call."""
        finished, self._finished = self._finished, []
        return finished

    def recognized(self) -> pl.DataFrame:
        """Plain files that need not be read, because their content is known."""
        files = self._planned.recognized
        return files.select(
            file_number=pl.int_range(pl.len(), dtype=pl.UInt32),
            path="path",
            container=pl.lit(None, pl.String),
            size_bytes="size_bytes",
            mtime_ns="mtime_ns",
            etag="etag",
            source="name",
            session_id="session_id",
            status=pl.lit(LOADED),
            reason=pl.lit(None, pl.String),
            **{name: pl.col(name) for name in OLD_COLUMNS},
        )

    def touched(self) -> list[FinishedContainer]:
        """Containers that need not be read, because their content is known."""
        return [
            FinishedContainer(
                row["path"],
                row["size_bytes"],
                row["mtime_ns"],
                row["etag"],
                row["sha256"],
                row["skipped_reasons"],
                None,
            )
            for row in self._planned.touched.iter_rows(named=True)
        ]

    def read(
        self, options: IngestOptions, executor: Executor | Workers | None
    ) -> Generator[tuple[pl.DataFrame, Batch, int], None, None]:
        """Read the files batch by batch.

        Yields:
            One row per file of the batch; the batch; and how many of the files that were found are done. Without
            files, the records of the batch belong to the previous file.
        """
        read = self._planned.read
        named = [self._names[index] for index in read["found_index"]]
        packed = read["packed"].to_list()
        request = ReadRequest(frozenset(RECORDS.names), session_ids=True, labels=parse_label_rules(options.labels))
        containers = Containers(options.limits, options.salvage)
        files = file_reader(executor, checked_jobs(options.jobs), containers, options.reading, remote=self._remote)
        # The planned file that is being read, and the members of it that were read, if it is a container.
        current = -1
        members: list[str] = []
        for paths, task_result in files.read(named, request, _unchanged):
            rows = []
            for path in paths:
                while current < 0 or not _is_part_of(path, named[current], in_container=packed[current]):
                    self._finish(current, members, containers)
                    members = []
                    current += 1
                rows.append(current)
                if packed[current]:
                    members.append(path)
            done = int(read["found_index"][max(current, 0)]) + 1
            yield self._files(read[rows], paths, task_result.result), task_result.result, done
        while current < len(named):
            self._finish(current, members, containers)
            members = []
            current += 1

    def _finish(self, current: int, members: list[str], containers: Containers) -> None:
        """Note that a planned file was read to its end, where it is a container."""
        if current < 0:
            return
        row = self._planned.read.row(current, named=True)
        if not row["packed"]:
            return
        skipped = containers.skipped_in.pop(self._names[row["found_index"]], Counter())
        self.skipped.update(skipped)
        if row["path"] != row["container"]:
            # A part of the container was named, which says nothing about its other members.
            return
        reasons = json.dumps(dict(sorted(skipped.items())))
        paths = absolute_paths(members)
        self._finished.append(
            FinishedContainer(
                row["path"], row["size_bytes"], row["mtime_ns"], row["etag"], row["sha256"], reasons, paths
            )
        )

    def _files(self, planned: pl.DataFrame, paths: Sequence[str], batch: Batch) -> pl.DataFrame:
        """One row per file that was read, with its status and its entry in the ledger."""
        sessions = batch.sessions.select("source", "session_id", "status", session_bytes="size_bytes")
        found = planned.select("packed", *OLD_COLUMNS, *VERSION_COLUMNS, "container", planned_path="path").hstack(
            sessions
        )
        found = found.with_columns(
            file_number=pl.int_range(self._next_number, self._next_number + found.height, dtype=pl.UInt32)
        )
        self._next_number += found.height
        if planned["packed"].any():
            found = self._with_member_entries(
                found.with_columns(path=pl.Series(absolute_paths(paths), dtype=pl.String))
            )
        else:
            found = found.with_columns(path="planned_path")
        return found.join(_reasons(batch), on="source", how="left", maintain_order="left").select(
            pl.col(name).cast(kind) for name, kind in INCOMING.items()
        )

    def _with_member_entries(self, found: pl.DataFrame) -> pl.DataFrame:
        """Set the size and the ledger's entry of members; a member has no modification time and no ETag."""
        known = found.select("path").join(self._members, on="path", how="left", maintain_order="left")
        packed = pl.col("packed")
        return found.with_columns(
            size_bytes=pl.when(packed).then("session_bytes").otherwise("size_bytes"),
            mtime_ns=pl.when(~packed).then("mtime_ns"),
            etag=pl.when(~packed).then("etag"),
            **{name: pl.when(packed).then(known[name]).otherwise(name) for name in OLD_COLUMNS},
        )


def _reasons(batch: Batch) -> pl.DataFrame:
    """The reason why each file was rejected, by source."""
    rejected = batch.sessions.filter(pl.col("status") == REJECTED).select("source").unique()
    faults = batch.violations.filter(pl.col("severity") == Severity.ERROR.value, pl.col("record_index").is_null())
    return (
        faults.join(rejected, on="source", how="semi")
        .group_by("source", maintain_order=True)
        .agg(reason=pl.col("message").first())
    )


def _is_part_of(path: str, named: str, *, in_container: bool) -> bool:
    return path == named or (in_container and path.startswith((named + INSIDE, named + "/")))


def _unchanged(batch: Batch) -> Batch:
    return batch
