"""Batches on their way into an archive: they wait here until they are worth a transaction."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import polars as pl

from clamp_analytics.batch import Batch
from clamp_analytics.schema import SESSIONS, VIOLATIONS, empty_frame

if TYPE_CHECKING:
    import pyarrow as pa

COMMIT_RECORDS = 500_000
COMMIT_FILES = 20_000
"""A transaction is made when one of these is reached: two seconds of decoding, and few enough to hold."""

INCOMING = {
    "place": pl.UInt32,
    "path": pl.String,
    "container": pl.String,
    "size_bytes": pl.UInt64,
    "mtime_ns": pl.Int64,
    "source": pl.String,
    "session_id": pl.String,
    "status": pl.String,
    "reason": pl.String,
    "old_size_bytes": pl.UInt64,
    "old_mtime_ns": pl.Int64,
    "old_session_id": pl.String,
    "old_status": pl.String,
    "old_reason": pl.String,
}
"""A file that was read: its place in this run, what it is, and what the ledger says of it."""

HELD_RECORDS = 1_000_000
"""Records that wait in memory; those of a file that is larger wait on disk, because its transaction is one."""


@dataclass(frozen=True, slots=True)
class Container:
    """A container that was read to its end.

    Attributes:
        path: its absolute path.
        size_bytes: its size.
        mtime_ns: its modification time.
        sha256: the hash of its bytes; None where they could not be read.
        skipped: members passed over, by reason, as a JSON object.
        members: paths of what it holds; None where that is known to be what it was.
    """

    path: str
    size_bytes: int | None
    mtime_ns: int | None
    sha256: str | None
    skipped: str
    members: list[str] | None


class Stage:
    """What waits for the next transaction.

    Args:
        folder: where records go that are too many for the memory.

    Attributes:
        containers: containers of which all members wait, or are written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._spill: IO[bytes] | None = None
        self._writer: pa.ipc.RecordBatchFileWriter | None = None
        self._clear()

    def _clear(self) -> None:
        self.containers: list[Container] = []
        self._files: list[pl.DataFrame] = []
        self._sessions: list[pl.DataFrame] = []
        self._records: list[pl.DataFrame] = []
        self._violations: list[pl.DataFrame] = []
        self._held = self._rows = self._count = self._last_place = 0

    def add_batch(self, files: pl.DataFrame, batch: Batch) -> None:
        """Take a batch on, of which only the files that are added, too, will be written.

        Args:
            files: one row for each of its sessions; none where its records belong to the session before.
            batch: the batch, with all columns.
        """
        self._sessions.append(batch.sessions.with_columns(files["place"]))
        self._violations.append(batch.violations)
        rows = batch.records.height
        if not files.is_empty():
            self._last_place = int(files["place"][-1])
        if not rows:
            return
        if files.is_empty():
            places = pl.repeat(self._last_place, rows, dtype=pl.UInt32, eager=True)
        else:
            places = files["place"].repeat_by(batch.sessions["record_count"]).explode(empty_as_null=False)
        self._records.append(batch.records.with_columns(places.alias("place")))
        self._rows += rows
        self._held += rows
        if self._held > HELD_RECORDS:
            self._put_aside()

    def add_files(self, files: pl.DataFrame) -> None:
        """Take files on whose rows in the ledger are to be written."""
        if not files.is_empty():
            self._files.append(files)
            self._count += files.height

    @property
    def is_full(self) -> bool:
        """Whether it is time for a transaction."""
        return self._rows >= COMMIT_RECORDS or self._count >= COMMIT_FILES

    @property
    def files(self) -> pl.DataFrame:
        """The files that wait."""
        return pl.concat([pl.DataFrame(schema=INCOMING), *self._files])

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not (self._files or self.containers)

    @property
    def sessions(self) -> pl.DataFrame:
        """Their sessions, with the ``place`` of the file."""
        none = empty_frame(SESSIONS).with_columns(place=pl.lit(None, pl.UInt32))
        return pl.concat([none, *self._sessions])

    @property
    def violations(self) -> pl.DataFrame:
        """Their violations."""
        return pl.concat([empty_frame(VIOLATIONS), *self._violations])

    def records(self) -> Iterator[pl.DataFrame]:
        """Their records with the ``place`` of the file, in order, some at a time."""
        if self._writer is not None and self._spill is not None:
            import pyarrow as pa

            self._put_aside()
            self._writer.close()
            self._writer = None
            self._spill.seek(0)
            reader = pa.ipc.open_file(self._spill)
            for number in range(reader.num_record_batches):
                yield pl.DataFrame(reader.get_batch(number))
        elif self._records:
            yield pl.concat(self._records)

    def clear(self) -> None:
        """Let everything go, because it is in the archive, or never will be."""
        if self._spill is not None:
            self._spill.close()
        self._spill = self._writer = None
        self._clear()

    def _put_aside(self) -> None:
        """Move the records to disk, into a file without a name, which no killed process leaves behind."""
        import pyarrow as pa

        if not self._records:
            return
        rows = pl.concat(self._records).to_arrow(compat_level=pl.CompatLevel.oldest())
        if self._writer is None:
            self._spill = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115  # closed by clear
            self._writer = pa.ipc.new_file(self._spill, rows.schema, options=pa.ipc.IpcWriteOptions(compression="lz4"))
        self._writer.write_table(rows)
        self._records = []
        self._held = 0
