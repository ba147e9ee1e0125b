"""``Staging``: files, sessions and records that wait for the next transaction."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import polars as pl

from clamp_analytics.archive.ingest.options import IngestOptions
from clamp_analytics.batch import Batch
from clamp_analytics.schema import SESSIONS, VIOLATIONS, empty_frame

if TYPE_CHECKING:
    import pyarrow as pa

INCOMING = {
    "file_number": pl.UInt32,
    "path": pl.String,
    "container": pl.String,
    "size_bytes": pl.UInt64,
    "mtime_ns": pl.Int64,
    "etag": pl.String,
    "source": pl.String,
    "session_id": pl.String,
    "status": pl.String,
    "reason": pl.String,
    "old_size_bytes": pl.UInt64,
    "old_mtime_ns": pl.Int64,
    "old_etag": pl.String,
    "old_session_id": pl.String,
    "old_status": pl.String,
    "old_reason": pl.String,
}
"""A file that was read: its number in this run, its properties, and as ``old_…`` its entry in the ledger."""


@dataclass(frozen=True, slots=True)
class FinishedContainer:
    """A container that was read to its end.

    Attributes:
        path: its absolute path.
        size_bytes: its size.
        mtime_ns: its modification time; None for an object.
        etag: its ETag; None for a file on disk.
        sha256: the hash of its bytes; None where they could not be read.
        skipped: skipped members by reason, as a JSON object.
        members: paths of its members; None where they have not changed.
    """

    path: str
    size_bytes: int | None
    mtime_ns: int | None
    etag: str | None
    sha256: str | None
    skipped: str
    members: list[str] | None


class Staging:
    """Files, sessions and records that wait for the next transaction.

    Args:
        folder: the folder for records that do not fit in memory; None for the system's folder of temporary files.
        options: how much is kept in memory, and committed at once.

    Attributes:
        containers: containers of which all members wait or are committed.
    """

    def __init__(self, folder: Path | None, options: IngestOptions) -> None:
        self._folder = folder
        self._options = options
        self._spill: IO[bytes] | None = None
        self._writer: pa.ipc.RecordBatchFileWriter | None = None
        self._clear()

    def _clear(self) -> None:
        self.containers: list[FinishedContainer] = []
        self._files: list[pl.DataFrame] = []
        self._sessions: list[pl.DataFrame] = []
        self._records: list[pl.DataFrame] = []
        self._violations: list[pl.DataFrame] = []
        self._rows_in_memory = self._rows = self._file_count = self._last_number = 0

    def add_batch(self, files: pl.DataFrame, batch: Batch) -> None:
        """Add the rows of a batch; only those of files that are given to ``add_files``, too, will be written.

        Args:
            files: one row per session of the batch; none where its records belong to the previous session.
            batch: the batch, with all columns.
        """
        self._sessions.append(batch.sessions.with_columns(files["file_number"]))
        self._violations.append(batch.violations)
        rows = batch.records.height
        if not files.is_empty():
            self._last_number = int(files["file_number"][-1])
        if not rows:
            return
        if files.is_empty():
            numbers = pl.repeat(self._last_number, rows, dtype=pl.UInt32, eager=True)
        else:
            numbers = files["file_number"].repeat_by(batch.sessions["record_count"]).explode(empty_as_null=False)
        self._records.append(batch.records.with_columns(numbers.alias("file_number")))
        self._rows += rows
        self._rows_in_memory += rows
        if self._rows_in_memory > self._options.memory_records:
            self._spill_records()

    def add_files(self, files: pl.DataFrame) -> None:
        """Add files whose entries in the ledger are to be written."""
        if not files.is_empty():
            self._files.append(files)
            self._file_count += files.height

    @property
    def is_full(self) -> bool:
        """Whether it is time for a transaction."""
        return self._rows >= self._options.commit_records or self._file_count >= self._options.commit_files

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
        """Their sessions, with the ``file_number``."""
        none = empty_frame(SESSIONS).with_columns(file_number=pl.lit(None, pl.UInt32))
        return pl.concat([none, *self._sessions])

    @property
    def violations(self) -> pl.DataFrame:
        """Their violations."""
        return pl.concat([empty_frame(VIOLATIONS), *self._violations])

    def records(self) -> Iterator[pl.DataFrame]:
        """Their records with the ``file_number``, in order, in several frames."""
        if self._spill is not None:
            import pyarrow as pa

            if self._writer is not None:
                self._spill_records()
                self._writer.close()
                self._writer = None
            self._spill.seek(0)
            reader = pa.ipc.open_file(self._spill)
            for number in range(reader.num_record_batches):
                yield pl.DataFrame(reader.get_batch(number))
        elif self._records:
            yield pl.concat(self._records)

    def clear(self) -> None:
        """Remove everything, after it was committed or because the ingest failed."""
        if self._spill is not None:
            self._spill.close()
        self._spill = self._writer = None
        self._clear()

    def _spill_records(self) -> None:
        """Move the records to a temporary file without a name, which disappears even if the process is killed."""
        import pyarrow as pa

        if not self._records:
            return
        rows = pl.concat(self._records).to_arrow(compat_level=pl.CompatLevel.oldest())
        if self._writer is None:
            self._spill = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115  # closed by clear
            self._writer = pa.ipc.new_file(self._spill, rows.schema, options=pa.ipc.IpcWriteOptions(compression="lz4"))
        self._writer.write_table(rows)
        self._records = []
        self._rows_in_memory = 0
