"""Pieces to Parquet files, in bounded memory and with few files open.

What is written depends on the pieces and their order alone, so equal input gives equal bytes.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from clamp_analytics.parquet.options import ExportOptions
from clamp_analytics.parquet.partitions import Piece
from clamp_analytics.reading.export import ExportedFile
from clamp_analytics.schema import TABLES, ColumnType, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

OPEN_FILES = 16
"""Files that are open at once; beyond that the one that was written to longest ago is finished."""

SPAN_BYTES = 300
"""Memory of one span, which counts as buffered, so that very many folders are bounded, too."""


class _Part:
    """One Parquet file while it is written."""

    def __init__(self, root: Path, table: str, path: str, level: int) -> None:
        import pyarrow.parquet as pq

        self.rows = 0
        self._table = table
        self._path = path
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        # Opening a file that exists must fail, because it would overwrite rows.
        self._file = file.open("x+b")
        self._schema = arrow_schema(TABLES[table])
        self._writer = pq.ParquetWriter(
            self._file,
            self._schema,
            compression="zstd",
            compression_level=level,
            # Numbers rarely repeat, names often do; a dictionary that does not help is dropped by the writer.
            use_dictionary=[column.name for column in TABLES[table].columns if column.type is ColumnType.STRING],
        )

    def write(self, group: pa.Table) -> None:
        """Add one row group."""
        self._writer.write_table(group.replace_schema_metadata(None).cast(self._schema), row_group_size=group.num_rows)
        self.rows += group.num_rows

    def finish(self) -> ExportedFile:
        """Complete the file, safely on disk."""
        with self._file:
            self._writer.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            size = self._file.tell()
            self._file.seek(0)
            digest = hashlib.file_digest(self._file, "sha256").hexdigest()
        return ExportedFile(self._table, self._path, self.rows, size, digest)

    def abandon(self) -> None:
        """Close the file, which is about to be removed; the error that caused this was reported before."""
        for close in (self._writer.close, self._file.close):
            with suppress(OSError, ValueError):
                close()


@dataclass(slots=True, eq=False)
class _Block:
    """Rows in memory; they are freed together, when none of them is ``waiting``."""

    rows: pa.Table
    waiting: int
    size: int


@dataclass(slots=True)
class _FolderQueue:
    """The rows that wait for one folder: spans of blocks as block, first row and number of rows."""

    table: str
    folder: str
    spans: deque[tuple[_Block, int, int]] = field(default_factory=deque)
    rows: int = 0


class Writer:
    """Writes pieces into the files of an export.

    Args:
        root: the folder to write into.
        options: the bounds to keep.
        finished: called with each complete file; returns it with its final name.
    """

    def __init__(
        self,
        root: Path,
        options: ExportOptions,
        finished: Callable[[ExportedFile], ExportedFile] = lambda file: file,
    ) -> None:
        self._root = root
        self._options = options
        self._finished = finished
        self._queues: dict[str, _FolderQueue] = {}
        self._parts: OrderedDict[str, _Part] = OrderedDict()
        self._opened: Counter[str] = Counter()
        self._files: list[tuple[str, ExportedFile]] = []
        self._held = 0

    def add(self, piece: Piece) -> None:
        """Add rows, and write full row groups, or more where the buffer is full.

        Raises:
            OSError: they cannot be written.
        """
        self._put(piece)
        for folder, _ in piece.spans:
            queue = self._queues[folder]
            while queue.rows >= self._options.row_group_rows:
                self._write_group(queue)
        if self._held > self._options.buffer_bytes:
            self._shrink_buffer()

    def finish(self) -> list[ExportedFile]:
        """Write the remaining rows and complete every file; each table has at least one, possibly without rows.

        Raises:
            OSError: they cannot be written.
        """
        for queue in sorted(self._queues.values(), key=lambda queue: queue.folder):
            self._drain(queue)
        for table in TABLES:
            if not self._opened[table]:
                self._part(table, table)
        while self._parts:
            self._finish_oldest()
        # In the order of the rows, which the final names need not have.
        ordered = sorted(self._files, key=lambda item: (list(TABLES).index(item[1].table), item[0]))
        return [file for _, file in ordered]

    def abandon(self) -> None:
        """Close every open file, because the export has failed."""
        while self._parts:
            self._parts.popitem()[1].abandon()

    def _put(self, piece: Piece) -> None:
        block = _Block(piece.rows, piece.rows.num_rows, piece.rows.nbytes)
        self._held += block.size + len(piece.spans) * SPAN_BYTES
        start = 0
        for folder, count in piece.spans:
            queue = self._queues.setdefault(folder, _FolderQueue(piece.table, folder))
            queue.spans.append((block, start, count))
            queue.rows += count
            start += count

    def _take(self, queue: _FolderQueue, count: int) -> Iterator[tuple[_Block, int, int]]:
        """Remove the first rows of a queue, and yield their spans."""
        queue.rows -= count
        while count:
            block, start, rows = queue.spans.popleft()
            taken = min(rows, count)
            if taken < rows:
                queue.spans.appendleft((block, start + taken, rows - taken))
            else:
                self._held -= SPAN_BYTES
            block.waiting -= taken
            if not block.waiting:
                self._held -= block.size
            count -= taken
            yield block, start, taken
        if not queue.rows:
            del self._queues[queue.folder]

    def _shrink_buffer(self) -> None:
        """Write the longest queues until half of the rows are written, and join the remaining rows of each table."""
        queues = sorted(self._queues.values(), key=lambda queue: (-queue.rows, queue.folder))
        excess = sum(queue.rows for queue in queues) // 2
        for queue in queues:
            if excess <= 0:
                break
            excess -= queue.rows
            self._drain(queue)
        for table in TABLES:
            left = [queue for queue in self._queues.values() if queue.table == table]
            if left:
                self._put(self._joined(table, left))

    def _joined(self, table: str, queues: list[_FolderQueue]) -> Piece:
        """The rows of queues as one piece, so that no block is kept in memory for a few of its rows."""
        import pyarrow as pa

        spans = [(queue.folder, queue.rows) for queue in queues]
        taken = [span for queue in queues for span in self._take(queue, queue.rows)]
        first_row: dict[_Block, int] = {}
        total = 0
        for block, _, _ in taken:
            if block not in first_row:
                first_row[block] = total
                total += block.rows.num_rows
        positions = array("q")
        for block, start, count in taken:
            positions.extend(range(first_row[block] + start, first_row[block] + start + count))
        # From a buffer, because Arrow would convert Python objects one by one.
        indices = pa.Array.from_buffers(pa.int64(), len(positions), [None, pa.py_buffer(positions)])
        return Piece(table, spans, pa.concat_tables(block.rows for block in first_row).take(indices))

    def _drain(self, queue: _FolderQueue) -> None:
        while queue.rows:
            self._write_group(queue)

    def _write_group(self, queue: _FolderQueue) -> None:
        import pyarrow as pa

        part = self._part(queue.table, queue.folder)
        room = self._options.rows_per_file - part.rows
        taken = self._take(queue, min(queue.rows, self._options.row_group_rows, room))
        part.write(pa.concat_tables(block.rows.slice(start, count) for block, start, count in taken))
        if part.rows >= self._options.rows_per_file:
            self._finish_part(self._parts.pop(queue.folder))

    def _part(self, table: str, folder: str) -> _Part:
        """The open file of a folder."""
        if folder in self._parts:
            self._parts.move_to_end(folder)
            return self._parts[folder]
        if len(self._parts) >= OPEN_FILES:
            self._finish_oldest()
        # Numbers are unique in the table: two folders that are one to a file system (it may ignore case)
        # still have no file name in common.
        path = f"{folder}/part-{self._opened[table]:06d}.parquet"
        self._opened[table] += 1
        part = self._parts[folder] = _Part(self._root, table, path, self._options.compression_level)
        return part

    def _finish_oldest(self) -> None:
        folder, part = next(iter(self._parts.items()))
        self._finish_part(part)
        del self._parts[folder]

    def _finish_part(self, part: _Part) -> None:
        file = part.finish()
        self._files.append((file.path, self._finished(file)))
