"""One share of the work: some files, read, decoded, and reduced to what is wanted of them.

A task runs the same in this process, in a worker process, or on any executor a user passes in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import polars as pl

from clamp_analytics.atomic_files import display_name
from clamp_analytics.batch import Batch
from clamp_analytics.decode.batch_builder import BatchBuilder, mark_unreadable
from clamp_analytics.decode.typed import Layouts
from clamp_analytics.reading.buffers import BUFFERS
from clamp_analytics.schema import Status
from clamp_analytics.sources import LazyMember, MismatchError, Rejected, UnreadableError, format_of, read_into

Result = TypeVar("Result")

Content = bytes | LazyMember | Rejected
"""What is known of a file besides its path: its bytes, where in a container they are, or why it is not read."""

LAYOUTS = Layouts()
"""What this process has learnt about the keys of files. It changes how fast a file is read, never what is read."""


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """What is wanted of the files.

    Attributes:
        columns: the columns of ``records``.
        session_ids: whether each file is hashed.
    """

    columns: frozenset[str]
    session_ids: bool = False


@dataclass(frozen=True, slots=True)
class TaskResult(Generic[Result]):
    """What a task gives back.

    Attributes:
        result: what its batch was reduced to.
        ledger: one row a file, in order: ``loaded``, ``size_bytes``, ``record_count``, ``seed_sum`` and ``digest``.
    """

    result: Result
    ledger: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Task(Generic[Result]):
    """Files to read as one batch, and what to make of it."""

    paths: tuple[str, ...]
    request: ReadRequest
    reduce: Callable[[Batch], Result]
    contents: Mapping[int, Content] = field(default_factory=dict)
    """What is not read by its path, by its place among the paths: standard input, and what containers hold."""

    def __call__(self) -> TaskResult[Result]:
        """Read, decode and reduce the files."""
        builder = BatchBuilder(self.request.columns, LAYOUTS)
        digests: list[bytes | None] = [None] * len(self.paths)
        buffers = BUFFERS.of_files(len(self.paths))
        for place, (path, buffer) in enumerate(zip(self.paths, buffers, strict=True)):
            source, content = display_name(path), self.contents.get(place)
            if isinstance(content, Rejected):
                builder.add_unreadable(source, content.why, content.rule)
                continue
            try:
                data = read_into(buffer, path) if content is None else _data_of(content)
            except UnreadableError as error:
                builder.add_unreadable(source, str(error), error.rule)
                continue
            digest = hashlib.sha256(data) if self.request.session_ids or content is not None else None
            session = builder.add(source, data, digest.hexdigest() if digest and self.request.session_ids else None)
            if content is not None and digest:
                digests[place] = digest.digest()
            if session.status is Status.REJECTED and (found := format_of(data)):
                mark_unreadable(session, f"its bytes say {found}", MismatchError.rule)
        batch = builder.build()
        return TaskResult(self.reduce(batch), ledger_of(batch, digests))


def _data_of(content: bytes | LazyMember) -> bytes:
    return content if isinstance(content, bytes) else content.read()


def ledger_of(batch: Batch, digests: Sequence[bytes | None] | None = None) -> pl.DataFrame:
    """What the whole run needs to know of a batch's files.

    Args:
        batch: the batch.
        digests: the SHA-256 of each file that cannot be read again by its path.
    """
    return batch.sessions.select(
        loaded=pl.col("status") == Status.LOADED.value,
        size_bytes="size_bytes",
        record_count="record_count",
        seed_sum=batch.seed_sums,
        digest=pl.Series(digests or [None] * batch.sessions.height, dtype=pl.Binary),
    )


NO_LEDGER = pl.DataFrame(
    schema={
        "loaded": pl.Boolean,
        "size_bytes": pl.UInt64,
        "record_count": pl.UInt32,
        "seed_sum": pl.UInt64,
        "digest": pl.Binary,
    }
)
"""The ledger of a share without a file of its own."""
