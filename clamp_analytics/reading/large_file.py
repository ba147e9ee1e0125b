"""Read a large file in parts, so that several workers share it and memory does not grow with its size.

A part is some records of the file between two commas of the ``records`` array. With the file's top-level fields around
it, it is a session document of its own and is decoded like any other. Where a cut does not lie between two records, the
part is not a valid document, and then the whole file is read in one piece. No result is returned before all parts of
the file are known to be valid.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import polars as pl

from clamp_analytics.batch import Batch
from clamp_analytics.decode import validate
from clamp_analytics.decode.accepted import counts_of_part, score_total, violations_of_part
from clamp_analytics.decode.batch_builder import BatchBuilder
from clamp_analytics.decode.kernel import Kernel, load_kernel
from clamp_analytics.decode.options import DEFAULT_OPTIONS
from clamp_analytics.decode.pieces import BETWEEN, OPENING
from clamp_analytics.decode.rows import SessionRow
from clamp_analytics.moments import exact_total
from clamp_analytics.path_names import source_name
from clamp_analytics.reading.options import ReadingOptions
from clamp_analytics.reading.per_thread import thread_buffers, thread_layouts
from clamp_analytics.reading.task import ReadRequest
from clamp_analytics.rules import RULES
from clamp_analytics.schema import RECORDS, Status

Result = TypeVar("Result")

BARE_HEAD, BARE_TAIL = b'{"records":[', b"]}"
"""What surrounds the records of a part after the first one."""

_OF_FILE = pl.col("record_index").is_null()
"""Whether a violation concerns the whole file."""

_ACROSS_PARTS = [rule.id for rule in RULES if rule.over_sessions]
"""Rules of a whole session, which one part cannot validate."""


@dataclass(frozen=True, slots=True)
class LargeFile:
    """The bytes of a large file around its records, and the positions of its parts.

    Attributes:
        path: the file.
        size: its size when its parts were planned.
        modified_ns: its modification time then; a file that changed since is read in one piece.
        head: its bytes up to and including the bracket that opens the records.
        tail: its bytes from the bracket that closes them.
        spans: start and end of each part.
        session_id: its hash, where it is requested.
    """

    path: str
    size: int
    modified_ns: int
    head: bytes
    tail: bytes
    spans: tuple[tuple[int, int], ...]
    session_id: str | None


@dataclass(frozen=True, slots=True)
class Part(Generic[Result]):
    """The result of one part.

    Attributes:
        is_valid: whether it is a valid document with nothing but records in it.
        result: its reduced records, where the reduction needs no record index; else None.
        batch: otherwise its records, with indexes from the start of the part.
        violations: the violations of its records, with indexes from the start of the part.
        session: its row of ``sessions``, for the records that it has.
        shared: its violations that concern the whole file.
        seeds: its seeds with their indexes (``seed``, ``record_index``).
        entries: the entries of its array, including those that are not objects.
        score_total: the exact sum of its usable scores, in units of 2^-1074.
        printed_short: whether its scores have at most three significant digits.
    """

    is_valid: bool
    result: Result | None = None
    batch: Batch | None = None
    violations: pl.DataFrame | None = None
    session: pl.DataFrame | None = None
    shared: pl.DataFrame | None = None
    seeds: pl.DataFrame | None = None
    entries: int = 0
    score_total: int = 0
    printed_short: bool = True


@dataclass(frozen=True, slots=True)
class PartTask(Generic[Result]):
    """One part of a large file to read, and the function that reduces it."""

    file: LargeFile
    number: int
    request: ReadRequest
    reduce: Callable[[Batch], Result]

    @property
    def paths(self) -> tuple[str, ...]:
        """The file that it reads."""
        return (self.file.path,)

    def __call__(self) -> Part[Result]:
        """Read and decode the part, and reduce it where that needs no record index."""
        kernel = load_kernel()
        part = (self._decode_natively(kernel) if kernel else None) or self._decode_in_python()
        if part.batch is None or self.request.needs_record_index:
            return part
        return replace(part, result=self.reduce(part.batch), batch=None)

    def _decode_natively(self, kernel: Kernel) -> Part[Result] | None:
        """The part, where the native decoder accepts its records."""
        file = self.file
        try:
            is_unchanged = _is_unchanged(os.stat(file.path), file)
        except OSError:
            return None
        if not is_unchanged:
            return None
        columns = [*self._wanted, "record_index", "seed"]
        found = kernel.decode_span(file.path, *file.spans[self.number], columns, DEFAULT_OPTIONS.rows_per_rule)
        if found is None:
            return None
        summary, record_table, in_flight_table = found
        is_first = self.number == 0
        builder = BatchBuilder((), thread_layouts())
        without_records = file.head + file.tail if is_first else BARE_HEAD + BARE_TAIL
        if builder.add(source_name(file.path), without_records, file.session_id).status is not Status.LOADED:
            return None
        top = builder.build()
        records = pl.DataFrame(record_table)
        violations = violations_of_part(source_name(file.path), summary, pl.DataFrame(in_flight_table))
        of_top = self._with_file_offsets(top.violations, len(file.head)) if is_first else top.violations.clear()
        from_file = top.sessions.select("source", "session_id").row(0, named=True)
        return Part(
            is_valid=True,
            batch=self._records_only(records.with_columns(pl.lit(v, pl.String).alias(k) for k, v in from_file.items())),
            violations=violations.filter(~_OF_FILE),
            session=top.sessions.with_columns(counts_of_part(summary)),
            shared=pl.concat([of_top, violations.filter(_OF_FILE)]),
            seeds=records.select("record_index", "seed"),
            entries=summary.record_count,
            score_total=score_total(summary),
            printed_short=summary.printed_short,
        )

    def _decode_in_python(self) -> Part[Result]:
        file = self.file
        start, end = file.spans[self.number]
        is_first = self.number == 0
        head, tail = (file.head, file.tail) if is_first else (BARE_HEAD, BARE_TAIL)
        document = read_span(file, start, end, head, tail)
        if document is None:
            return Part(is_valid=False)
        builder = BatchBuilder(self.request.columns | {"record_index", "seed", "stability_score"}, thread_layouts())
        session = builder.add(source_name(file.path), document, file.session_id)
        if not (_has_top_level_of(session, file) if is_first else _has_only_records(session)):
            return Part(is_valid=False)
        # The records of one part cannot contradict the declared mean of all records.
        declared, session.declared_stability_score = session.declared_stability_score, None
        entries = session.entry_count
        batch = builder.build()
        violations = self._with_file_offsets(batch.violations, len(head) + end - start)
        shared = violations.filter(_OF_FILE, ~pl.col("rule").is_in(_ACROSS_PARTS))
        if not is_first:
            shared = shared.filter((pl.col("rule") != "missing-field") | validate.is_summary())
        scores = batch.records["stability_score"]
        return Part(
            is_valid=True,
            batch=self._records_only(batch.records),
            violations=violations.filter(~_OF_FILE),
            session=batch.sessions.with_columns(declared_stability_score=pl.lit(declared, pl.Float64)),
            shared=shared,
            seeds=batch.records.select("record_index", "seed"),
            entries=entries,
            score_total=exact_total(scores),
            printed_short=validate.printed_short(scores),
        )

    @property
    def _wanted(self) -> list[str]:
        return [name for name in RECORDS.names if name in self.request.columns]

    def _records_only(self, records: pl.DataFrame) -> Batch:
        return replace(Batch.empty(self._wanted), records=records.select(self._wanted))

    def _with_file_offsets(self, violations: pl.DataFrame, body_end: int) -> pl.DataFrame:
        """Violations with offsets in the file, instead of in a document whose head and records end at ``body_end``."""
        file, is_first = self.file, self.number == 0
        # In the first part the head is at its offset in the file, and only the tail has moved.
        shift = 0 if is_first else file.spans[self.number][0] - len(BARE_HEAD)
        tail_shift = file.size - len(file.tail) - body_end if is_first else shift
        offset = pl.col("byte_offset").cast(pl.Int64)
        moved = pl.when(offset >= body_end).then(offset + tail_shift).otherwise(offset + shift)
        return violations.with_columns(moved.cast(pl.UInt64).alias("byte_offset"))


def _is_unchanged(status: os.stat_result, file: LargeFile) -> bool:
    """Whether a file has the size and the modification time that it had when its parts were planned."""
    return (status.st_size, status.st_mtime_ns) == (file.size, file.modified_ns)


def plan_parts(path: str, size: int, request: ReadRequest, options: ReadingOptions) -> LargeFile | None:
    """Divide a large file into parts; None where that is not possible, for a reason that reading it will report."""
    window = options.cut_window_bytes
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        modified = os.fstat(descriptor).st_mtime_ns
        opening = OPENING.search(os.pread(descriptor, window, 0))
        end_window = os.pread(descriptor, window, max(size - window, 0))
        closing = end_window.rfind(b"]")
        if opening is None or closing < 0:
            return None
        begin, end = opening.end(), size - len(end_window) + closing
        cuts = list(_cuts(descriptor, begin, end, options))
        edges = [begin, *(edge for cut in cuts for edge in cut), end]
        session_id = _digest(descriptor) if request.session_ids else None
        head = os.pread(descriptor, begin, 0)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    spans = tuple(zip(edges[::2], edges[1::2], strict=True))
    return LargeFile(path, size, modified, head, end_window[closing:], spans, session_id)


def _cuts(descriptor: int, begin: int, end: int, options: ReadingOptions) -> Iterator[tuple[int, int]]:
    """The end of each part but the last, and the start of the next one."""
    parts = round((end - begin) / options.part_bytes)
    for nominal in (begin + (end - begin) * number // parts for number in range(1, parts)):
        match = BETWEEN.search(os.pread(descriptor, options.cut_window_bytes, nominal))
        if match:
            yield nominal + match.start() + 1, nominal + match.end() - 1


def _digest(descriptor: int) -> str:
    with open(os.dup(descriptor), "rb") as file:
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_span(file: LargeFile, start: int, end: int, head: bytes, tail: bytes) -> bytearray | None:
    """The bytes of a part between a head and a tail, padded with blanks.

    Returns:
        A buffer that is valid until the next part is read; None where the file has changed since it was planned.
    """
    try:
        descriptor = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    begin, finish = len(head), len(head) + end - start
    document = thread_buffers().for_part(finish + len(tail))
    try:
        status = os.fstat(descriptor)
        if not _is_unchanged(status, file):
            return None
        with memoryview(document) as whole, whole[begin:finish] as body:
            if os.preadv(descriptor, [body], start) < end - start:
                return None
            whole[:begin] = head
            whole[finish : finish + len(tail)] = tail
            whole[finish + len(tail) :] = b" " * (len(whole) - finish - len(tail))
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return document


def _top_level(session: SessionRow) -> tuple[Any, ...]:
    faults = [(fault.rule, fault.field, fault.value) for fault in session.faults.kept if fault.record_index is None]
    return (
        session.status,
        session.declared_stability_score,
        session.backend,
        session.device_name,
        session.extra,
        session.labels,
        faults,
    )


def _has_top_level_of(session: SessionRow, file: LargeFile) -> bool:
    """Whether the first part has exactly the top-level fields of the file without its records."""
    without_records = BatchBuilder((), thread_layouts()).add(source_name(file.path), file.head + file.tail)
    return session.status is Status.LOADED and _top_level(session) == _top_level(without_records)


def _has_only_records(session: SessionRow) -> bool:
    """Whether a later part holds records and nothing else."""
    no_records = BatchBuilder((), thread_layouts()).add(session.source, BARE_HEAD + BARE_TAIL)
    return _top_level(session) == _top_level(no_records)
