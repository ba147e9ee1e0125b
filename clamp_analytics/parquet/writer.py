"""Pieces to Parquet files, in bounded memory and with few files open.

What is written depends on the pieces and their order alone, so equal input gives equal bytes.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator
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
"""What it costs to know where some rows of a folder wait, so that many folders are bounded, too."""


class _Part:
    """One Parquet file while it is written."""

    def __init__(self, root: Path, table: str, path: str, level: int) -> None:
        import pyarrow.parquet as pq

        self.rows = 0
        self._table = table
        self._path = path
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        # A name that exists already would mean rows overwritten: that must fail.
        self._file = place.open("x+b")
        self._schema = arrow_schema(TABLES[table])
        self._writer = pq.ParquetWriter(
            self._file,
            self._schema,
            compression="zstd",
            compression_level=level,
            # Values of numbers hardly repeat, those of names do; a column that does not repeat falls back by itself.
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
        """Let go of the file, which is about to be removed: what fails now has been reported before."""
        for close in (self._writer.close, self._file.close):
            with suppress(OSError, ValueError):
                close()


@dataclass(slots=True, eq=False)
class _Block:
    """Rows in memory; they are let go together, when ``waiting`` of them are none."""

    rows: pa.Table
    waiting: int
    size: int


@dataclass(slots=True)
class _Shelf:
    """What waits for one folder: spans of blocks as block, first row and number of rows."""

    table: str
    folder: str
    spans: deque[tuple[_Block, int, int]] = field(default_factory=deque)
    rows: int = 0


class Writer:
    """Writes pieces into the files of an export.

    Args:
        root: the folder to write into.
        options: the bounds to keep.
    """

    def __init__(self, root: Path, options: ExportOptions) -> None:
        self._root = root
        self._options = options
        self._shelves: dict[str, _Shelf] = {}
        self._parts: OrderedDict[str, _Part] = OrderedDict()
        self._opened: Counter[str] = Counter()
        self._files: list[ExportedFile] = []
        self._held = 0

    def add(self, piece: Piece) -> None:
        """Take rows on, and write what fills a row group or is too much to hold.

        Raises:
            OSError: they cannot be written.
        """
        self._put(piece)
        for folder, _ in piece.spans:
            shelf = self._shelves[folder]
            while shelf.rows >= self._options.row_group_rows:
                self._write_group(shelf)
        if self._held > self._options.buffer_bytes:
            self._relieve()

    def finish(self) -> list[ExportedFile]:
        """Write what is left and complete every file; each table has at least one, be it without rows.

        Raises:
            OSError: they cannot be written.
        """
        for shelf in sorted(self._shelves.values(), key=lambda shelf: shelf.folder):
            self._drain(shelf)
        for table in TABLES:
            if not self._opened[table]:
                self._part(table, table)
        while self._parts:
            self._finish_oldest()
        return sorted(self._files, key=lambda file: (list(TABLES).index(file.table), file.path))

    def abandon(self) -> None:
        """Let go of every open file, because the export has failed."""
        while self._parts:
            self._parts.popitem()[1].abandon()

    def _put(self, piece: Piece) -> None:
        block = _Block(piece.rows, piece.rows.num_rows, piece.rows.nbytes)
        self._held += block.size + len(piece.spans) * SPAN_BYTES
        start = 0
        for folder, count in piece.spans:
            shelf = self._shelves.setdefault(folder, _Shelf(piece.table, folder))
            shelf.spans.append((block, start, count))
            shelf.rows += count
            start += count

    def _take(self, shelf: _Shelf, count: int) -> Iterator[tuple[_Block, int, int]]:
        """Spans of the first rows of a shelf, which then wait no more."""
        shelf.rows -= count
        while count:
            block, start, rows = shelf.spans.popleft()
            taken = min(rows, count)
            if taken < rows:
                shelf.spans.appendleft((block, start + taken, rows - taken))
            else:
                self._held -= SPAN_BYTES
            block.waiting -= taken
            if not block.waiting:
                self._held -= block.size
            count -= taken
            yield block, start, taken
        if not shelf.rows:
            del self._shelves[shelf.folder]

    def _relieve(self) -> None:
        """Write the fullest shelves until half of the rows are gone, and put what is left of each table together."""
        shelves = sorted(self._shelves.values(), key=lambda shelf: (-shelf.rows, shelf.folder))
        excess = sum(shelf.rows for shelf in shelves) // 2
        for shelf in shelves:
            if excess <= 0:
                break
            excess -= shelf.rows
            self._drain(shelf)
        for table in TABLES:
            left = [shelf for shelf in self._shelves.values() if shelf.table == table]
            if left:
                self._put(self._joined(table, left))

    def _joined(self, table: str, shelves: list[_Shelf]) -> Piece:
        """What waits on shelves as one piece, so that no block is kept for the sake of a few of its rows."""
        import pyarrow as pa

        spans = [(shelf.folder, shelf.rows) for shelf in shelves]
        taken = [span for shelf in shelves for span in self._take(shelf, shelf.rows)]
        first_row: dict[_Block, int] = {}
        total = 0
        for block, _, _ in taken:
            if block not in first_row:
                first_row[block] = total
                total += block.rows.num_rows
        places = array("q")
        for block, start, count in taken:
            places.extend(range(first_row[block] + start, first_row[block] + start + count))
        # From a buffer: Arrow would look into Python objects one by one.
        indices = pa.Array.from_buffers(pa.int64(), len(places), [None, pa.py_buffer(places)])
        return Piece(table, spans, pa.concat_tables(block.rows for block in first_row).take(indices))

    def _drain(self, shelf: _Shelf) -> None:
        while shelf.rows:
            self._write_group(shelf)

    def _write_group(self, shelf: _Shelf) -> None:
        import pyarrow as pa

        part = self._part(shelf.table, shelf.folder)
        room = self._options.rows_per_file - part.rows
        taken = self._take(shelf, min(shelf.rows, self._options.row_group_rows, room))
        part.write(pa.concat_tables(block.rows.slice(start, count) for block, start, count in taken))
        if part.rows >= self._options.rows_per_file:
            self._files.append(self._parts.pop(shelf.folder).finish())

    def _part(self, table: str, folder: str) -> _Part:
        """The open file of a folder."""
        if folder in self._parts:
            self._parts.move_to_end(folder)
            return self._parts[folder]
        if len(self._parts) >= OPEN_FILES:
            self._finish_oldest()
        # Numbers run through the whole table: two folders that a file system holds for one (it may ignore case)
        # still have no file name in common.
        path = f"{folder}/part-{self._opened[table]:06d}.parquet"
        self._opened[table] += 1
        part = self._parts[folder] = _Part(self._root, table, path, self._options.compression_level)
        return part

    def _finish_oldest(self) -> None:
        folder, part = next(iter(self._parts.items()))
        self._files.append(part.finish())
        del self._parts[folder]
