"""``Task``: read some files, decode them into one batch, and reduce the batch.

A task does the same in this process, in a worker process, or on any executor that the user passes in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import polars as pl

from clamp_analytics.batch import Batch
from clamp_analytics.decode.accepted import decode_accepted
from clamp_analytics.decode.decoded_files import DecodedFiles, batch_of
from clamp_analytics.decode.kernel import load_kernel
from clamp_analytics.path_names import source_name
from clamp_analytics.reading.labels import LabelRule, with_labels
from clamp_analytics.schema import Status
from clamp_analytics.sources import (
    LazyMember,
    MismatchError,
    Rejected,
    UnreadableError,
    format_of,
    read_bytes,
)

Result = TypeVar("Result")

Content = bytes | LazyMember | Rejected
"""Content of a file that is not read by its path: its bytes, the container member to unpack, or why it is rejected."""


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """What to read of each file.

    Attributes:
        columns: the columns of ``records``.
        session_ids: whether each file is hashed.
        labels: how labels are found beside those that the files bring.
    """

    columns: frozenset[str]
    session_ids: bool = False
    labels: tuple[LabelRule, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskResult(Generic[Result]):
    """A batch that a task has read.

    Attributes:
        result: the reduced batch.
        ledger: one row per file, in order: ``loaded``, ``size_bytes``, ``record_count``, ``seed_sum`` and ``digest``.
    """

    result: Result
    ledger: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Task(Generic[Result]):
    """Files that are read as one batch, and the function that reduces it."""

    paths: tuple[str, ...]
    request: ReadRequest
    reduce: Callable[[Batch], Result]
    contents: Mapping[int, Content] = field(default_factory=dict)
    """Files that are not read by their path, by index in ``paths``: standard input and members of containers."""

    def __call__(self) -> list[TaskResult[Result]]:
        """Read, decode and reduce the files."""
        sources = [source_name(path) for path in self.paths]
        contents = {index: _unpacked(content) for index, content in self.contents.items()}
        parts: list[DecodedFiles] = []
        doubtful: Sequence[int] = range(len(self.paths))
        if kernel := load_kernel():
            files = [_file_of(contents[index]) if index in contents else path for index, path in enumerate(self.paths)]
            accepted, doubtful = decode_accepted(
                kernel, files, sources, self.request.columns, session_ids=self.request.session_ids
            )
            parts.append(accepted)
        if doubtful or not parts:
            parts.append(self._decode_in_python(doubtful, sources, contents).with_files(doubtful))
        batch = with_labels(batch_of(parts, self.request.columns), self.request.labels)
        return [TaskResult(self.reduce(batch), ledger_of(batch, self._digests(batch, contents)))]

    def _digests(self, batch: Batch, contents: Mapping[int, bytes | Rejected]) -> list[bytes | None]:
        """The SHA-256 of each file that cannot be read again by its path; a session id is the same in hexadecimal."""
        digests: list[bytes | None] = [None] * len(self.paths)
        ids = batch.sessions["session_id"]
        for index, content in contents.items():
            if isinstance(content, bytes):
                session_id = ids[index]
                digests[index] = bytes.fromhex(session_id) if session_id else hashlib.sha256(content).digest()
        return digests

    def _decode_in_python(
        self, files: Sequence[int], sources: Sequence[str], contents: Mapping[int, bytes | Rejected]
    ) -> DecodedFiles:
        """Decode the files of these indexes."""
        # The native decoder accepts most files, and importing the other one takes longer than reading a small folder.
        from clamp_analytics.decode.batch_builder import BatchBuilder, mark_unreadable
        from clamp_analytics.decode.typed import KeyLayouts

        builder = BatchBuilder(self.request.columns, KeyLayouts())
        for index in files:
            content = contents.get(index)
            if isinstance(content, Rejected):
                builder.add_unreadable(sources[index], content.why, content.rule)
                continue
            try:
                data = read_bytes(self.paths[index]) if content is None else content
            except UnreadableError as error:
                builder.add_unreadable(sources[index], str(error), error.rule)
                continue
            session_id = hashlib.sha256(data).hexdigest() if self.request.session_ids else None
            session = builder.add(sources[index], data, session_id)
            if session.status is Status.REJECTED and (found := format_of(data)):
                mark_unreadable(session, f"its bytes say {found}", MismatchError.rule)
        return builder.take()


def _unpacked(content: Content) -> bytes | Rejected:
    """The bytes of a file that is not read by its path, or why it has none."""
    if not isinstance(content, LazyMember):
        return content
    try:
        return content.read()
    except UnreadableError as error:
        return Rejected(content.source, error.rule, str(error))


def _file_of(content: bytes | Rejected) -> bytes | None:
    """What the native decoder reads of a file that is not read by its path."""
    return content if isinstance(content, bytes) else None


def content_bytes(content: bytes | LazyMember) -> bytes:
    """The bytes of a file that is not read by its path.

    Raises:
        UnreadableError: the member of a container is damaged or too large.
    """
    return content if isinstance(content, bytes) else content.read()


def ledger_of(batch: Batch, digests: Sequence[bytes | None] | None = None) -> pl.DataFrame:
    """The columns of ``sessions`` that find repeated sessions after the last batch is read.

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


EMPTY_LEDGER = pl.DataFrame(
    schema={
        "loaded": pl.Boolean,
        "size_bytes": pl.UInt64,
        "record_count": pl.UInt32,
        "seed_sum": pl.UInt64,
        "digest": pl.Binary,
    }
)
"""The ledger of a batch without sessions."""
