"""One share of the work: some files, read, decoded, and reduced to what is wanted of them.

A task runs the same in this process, in a worker process, or on any executor a user passes in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import polars as pl

from clamp_analytics.decode.batch import Batch, BatchBuilder
from clamp_analytics.decode.strict import Layouts
from clamp_analytics.files import display_name
from clamp_analytics.schema import Status
from clamp_analytics.sources import UnreadableError, read_bytes

Result = TypeVar("Result")

LAYOUTS = Layouts()
"""What this process has learnt about the keys of files. It changes how fast a file is read, never what is read."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of the files.

    Attributes:
        columns: the columns of ``records``.
        session_ids: whether each file is hashed.
    """

    columns: frozenset[str]
    session_ids: bool = False


@dataclass(frozen=True, slots=True)
class Share(Generic[Result]):
    """What a task gives back.

    Attributes:
        result: what its batch was reduced to.
        ledger: one row a file, in order: ``loaded``, ``size_bytes``, ``record_count`` and ``seed_sum``.
    """

    result: Result
    ledger: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Task(Generic[Result]):
    """Files to read as one batch, and what to make of it."""

    paths: tuple[str, ...]
    wish: Wish
    reduce: Callable[[Batch], Result]
    stdin: bytes | None = None
    """What standard input held, where it is the only path; a worker process has another one."""

    def __call__(self) -> Share[Result]:
        """Read, decode and reduce the files."""
        builder = BatchBuilder(self.wish.columns, LAYOUTS)
        for path in self.paths:
            source = display_name(path)
            try:
                data = read_bytes(path) if self.stdin is None else self.stdin
            except UnreadableError as error:
                builder.add_unreadable(source, str(error))
                continue
            builder.add(source, data, hashlib.sha256(data).hexdigest() if self.wish.session_ids else None)
        batch = builder.build()
        return Share(self.reduce(batch), ledger_of(batch))


def ledger_of(batch: Batch) -> pl.DataFrame:
    """What the whole run needs to know of a batch's files."""
    return batch.sessions.select(
        loaded=pl.col("status") == Status.LOADED.value,
        size_bytes="size_bytes",
        record_count="record_count",
        seed_sum=batch.seed_sums,
    )


NO_LEDGER = pl.DataFrame(
    schema={"loaded": pl.Boolean, "size_bytes": pl.UInt64, "record_count": pl.UInt32, "seed_sum": pl.UInt64}
)
"""The ledger of a share without a file of its own."""
