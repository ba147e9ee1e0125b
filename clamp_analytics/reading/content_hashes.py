"""``ContentHashes``: count the sessions that were read more than once, in little memory.

The hashes of a billion sessions do not fit in memory. They are divided by their first byte, and the parts are kept in
temporary files where they are large. Each part is counted on its own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

import polars as pl

from clamp_analytics.errors import OutputError

DIGEST_BYTES = 16
"""Bytes of a SHA-256 that are compared; among a billion of them, two are equal by chance with probability 2e-21."""

IN_MEMORY_BYTES = 256_000
"""Bytes of the hashes with one first byte that are kept in memory."""


class ContentHashes(AbstractContextManager["ContentHashes"]):
    """The hashes of sessions, within a ``with`` block.

    Args:
        in_memory_bytes: how many bytes of the hashes with one first byte are kept in memory.
    """

    def __init__(self, in_memory_bytes: int = IN_MEMORY_BYTES) -> None:
        self._in_memory_bytes = in_memory_bytes
        self._parts: dict[int, bytearray] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Delete the temporary files."""
        if self._folder is not None:
            self._folder.cleanup()

    def add(self, digests: Mapping[int, bytes]) -> None:
        """Add hashes of ``DIGEST_BYTES`` each, by their first byte.

        Raises:
            OutputError: a temporary file cannot be written.
        """
        for first, some in digests.items():
            part = self._parts.setdefault(first, bytearray())
            part += some
            if len(part) > self._in_memory_bytes:
                self._write(first, part)
                part.clear()

    def repeated(self) -> int:
        """How many hashes are equal to one that was added before them."""
        return sum(_repeated(part) for part in self._all_parts())

    def _all_parts(self) -> Iterator[bytes | bytearray]:
        for first, part in self._parts.items():
            path = self._path(first)
            if path is None or not path.exists():
                yield part
                continue
            self._write(first, part)
            part.clear()
            yield path.read_bytes()

    def _write(self, first: int, part: bytearray) -> None:
        try:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="clamp-hashes-")
            with Path(self._folder.name, str(first)).open("ab") as file:
                file.write(part)
        except OSError as error:
            where = tempfile.gettempdir() if self._folder is None else self._folder.name
            raise OutputError.from_os_error("hashes of sessions cannot be kept", error, where=where) from error

    def _path(self, first: int) -> Path | None:
        return None if self._folder is None else Path(self._folder.name, str(first))


def _repeated(part: bytes | bytearray) -> int:
    """How many hashes of a part are equal to an earlier one."""
    # Importing it takes longer than reading most folders, and only a cluster has hashes to count.
    import pyarrow as pa

    halves = pl.Series(pa.Array.from_buffers(pa.uint64(), len(part) // 8, [None, pa.py_buffer(part)]))
    high = halves.gather_every(2)
    # Nearly all hashes differ in their first half, and sorting takes less memory than comparing both halves.
    ordered = high.sort()
    alike = ordered.filter(ordered == ordered.shift(1)).unique()
    if alike.is_empty():
        return 0
    pairs = pl.DataFrame({"high": high, "low": halves.gather_every(2, 1)}).filter(high.is_in(alike.implode()))
    return pairs.height - pairs.n_unique()
