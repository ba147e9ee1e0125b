"""What is read, file by file, put beside what was planned and what the ledger says of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Generator, Sequence
from concurrent.futures import Executor
from typing import Protocol

import polars as pl

from clamp_analytics.archive.ingest.plan import OLD, Plan, absolute
from clamp_analytics.archive.ingest.reconcile import LOADED, REJECTED
from clamp_analytics.archive.ingest.staging import INCOMING, Container
from clamp_analytics.batch import Batch
from clamp_analytics.reading.executors import checked_jobs
from clamp_analytics.reading.task import ReadRequest
from clamp_analytics.reading.tasks import Containers, read_files
from clamp_analytics.rules import Severity
from clamp_analytics.schema import RECORDS
from clamp_analytics.sources import INSIDE, ContainerLimits


class Reading(Protocol):
    """The options that reading looks at."""

    @property
    def jobs(self) -> int | None:
        """How many batches are read at once."""

    @property
    def limits(self) -> ContainerLimits:
        """How much one container may hold."""

    @property
    def salvage(self) -> bool:
        """Whether the whole members of a damaged container are kept."""


class Desk:
    """Reads what is planned, in order.

    Args:
        names: all files and containers, as they were found.
        planned: which of them to read.
        members: what the ledger knows of what is in containers.

    Attributes:
        ended: containers of which every member was given out; whoever takes them empties the list.
        skipped: entries of containers that were passed over, by reason.
    """

    def __init__(self, names: Sequence[str], planned: Plan, members: pl.DataFrame) -> None:
        self._names = names
        self._planned = planned
        self._members = members.rename({name.removeprefix("old_"): name for name in OLD})
        self._place = planned.recognized.height
        self._ended: list[Container] = []
        self.skipped: Counter[str] = Counter()

    @property
    def ended(self) -> list[Container]:
        """Containers that have ended since it was asked last."""
        ended, self._ended = self._ended, []
        return ended

    def recognized(self) -> pl.DataFrame:
        """Plain files that need no reading, because their bytes are known."""
        files = self._planned.recognized
        return files.select(
            place=pl.int_range(pl.len(), dtype=pl.UInt32),
            path="path",
            container=pl.lit(None, pl.String),
            size_bytes="size_bytes",
            mtime_ns="mtime_ns",
            source="name",
            session_id="session_id",
            status=pl.lit(LOADED),
            reason=pl.lit(None, pl.String),
            **{name: pl.col(name) for name in OLD},
        )

    def touched(self) -> list[Container]:
        """Containers that need no reading, because their bytes are known."""
        return [
            Container(row["path"], row["size_bytes"], row["mtime_ns"], row["sha256"], row["skipped_reasons"], None)
            for row in self._planned.touched.iter_rows(named=True)
        ]

    def read(
        self, options: Reading, executor: Executor | None
    ) -> Generator[tuple[pl.DataFrame, Batch, int], None, None]:
        """Read, and yield files with their batch, and how much of what was found is done.

        No files come with records that belong to the file before.
        """
        read = self._planned.read
        tops = [self._names[place] for place in read["place"]]
        packed = read["packed"].to_list()
        request = ReadRequest(frozenset(RECORDS.names), session_ids=True)
        containers = Containers(options.limits, options.salvage)
        at = -1
        inside: list[str] = []
        for paths, share in read_files(tops, request, _whole, checked_jobs(options.jobs), executor, containers):
            places = []
            for path in paths:
                while at < 0 or not _belongs(path, tops[at], packed[at]):
                    self._end(at, inside, containers, packed)
                    inside = []
                    at += 1
                places.append(at)
                if packed[at]:
                    inside.append(path)
            yield self._files(read[places], paths, share.result), share.result, int(read["place"][max(at, 0)]) + 1
        while at < len(tops):
            self._end(at, inside, containers, packed)
            inside = []
            at += 1

    def _end(self, at: int, inside: list[str], containers: Containers, packed: list[bool]) -> None:
        """Note that nothing more comes of what was planned as number ``at``."""
        if at < 0 or not packed[at]:
            return
        row = self._planned.read.row(at, named=True)
        passed = containers.passed.pop(self._names[row["place"]], Counter())
        self.skipped.update(passed)
        if row["path"] != row["container"]:
            # A part that was named tells nothing of the rest, so the container is not known as a whole.
            return
        reasons = json.dumps(dict(sorted(passed.items())))
        self._ended.append(
            Container(row["path"], row["size_bytes"], row["mtime_ns"], row["sha256"], reasons, absolute(inside))
        )

    def _files(self, planned: pl.DataFrame, paths: Sequence[str], batch: Batch) -> pl.DataFrame:
        """Files that were read, with what became of them."""
        sessions = batch.sessions.select("source", "session_id", "status", session_bytes="size_bytes")
        found = planned.select("packed", *OLD, "size_bytes", "mtime_ns", "container", top="path").hstack(sessions)
        found = found.with_columns(place=pl.int_range(self._place, self._place + found.height, dtype=pl.UInt32))
        self._place += found.height
        if planned["packed"].any():
            found = self._as_members(found.with_columns(path=pl.Series(absolute(paths), dtype=pl.String)))
        else:
            found = found.with_columns(path="top")
        return found.join(_reasons(batch), on="source", how="left", maintain_order="left").select(
            pl.col(name).cast(kind) for name, kind in INCOMING.items()
        )

    def _as_members(self, found: pl.DataFrame) -> pl.DataFrame:
        """What is in containers has no time of its own, and its size is that of its session."""
        known = found.select("path").join(self._members, on="path", how="left", maintain_order="left")
        packed = pl.col("packed")
        return found.with_columns(
            size_bytes=pl.when(packed).then("session_bytes").otherwise("size_bytes"),
            mtime_ns=pl.when(~packed).then("mtime_ns"),
            **{name: pl.when(packed).then(known[name]).otherwise(name) for name in OLD},
        )


def _reasons(batch: Batch) -> pl.DataFrame:
    """Why files were rejected, by name."""
    rejected = batch.sessions.filter(pl.col("status") == REJECTED).select("source").unique()
    faults = batch.violations.filter(pl.col("severity") == Severity.ERROR.value, pl.col("record_index").is_null())
    return (
        faults.join(rejected, on="source", how="semi")
        .group_by("source", maintain_order=True)
        .agg(reason=pl.col("message").first())
    )


def _belongs(path: str, top: str, packed: bool) -> bool:
    return path == top or (packed and path.startswith((top + INSIDE, top + "/")))


def _whole(batch: Batch) -> Batch:
    return batch
