"""Large files in parts, so that no core waits for one file and memory does not grow with it.

A part is some records of a file between two commas of its array. Put into the file's own frame of top-level
fields, it is a session document of its own and is read like any other. That a cut lies between two records
needs no proof beforehand: a part that was cut elsewhere is no valid document, and then the file is read in one
piece. Nothing of a file is given out before all of its parts are sound.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, Generic, TypeVar, cast

import polars as pl

from clamp_analytics.atomic_files import display_name
from clamp_analytics.batch import Batch
from clamp_analytics.decode import validate
from clamp_analytics.decode.batch_builder import BatchBuilder
from clamp_analytics.decode.pieces import BETWEEN, OPENING, WINDOW
from clamp_analytics.decode.rows import Fault, SessionRow
from clamp_analytics.reading.buffers import BUFFERS
from clamp_analytics.reading.task import LAYOUTS, NO_LEDGER, ReadRequest, TaskResult, ledger_of
from clamp_analytics.rules import RULES
from clamp_analytics.schema import RECORDS, VIOLATIONS, Status, empty_frame, polars_schema

Result = TypeVar("Result")

LARGE_BYTES = 16_000_000
"""A file from here on is read in parts."""

PART_BYTES = 10_000_000
"""About one batch of records."""

_BARE_HEAD, _BARE_TAIL = b'{"records":[', b"]}"
_ACROSS_PARTS = [rule.id for rule in RULES if rule.over_sessions]
"""Rules of a whole session, which one part cannot validate."""

_NAMES_JOINED = frozenset({"deprecated-field", "unknown-field"})


@dataclass(frozen=True, slots=True)
class LargeFile:
    """A large file around its records, and where its parts are.

    Attributes:
        path: the file.
        size: its size when it was planned.
        modified_ns: its modification time then; a file that changed since is read in one piece.
        head: its bytes up to and with the bracket that opens the records.
        tail: its bytes from the bracket that closes them.
        spans: start and end of each part.
        session_id: its hash, where that is asked for.
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
    """What one part gave.

    Attributes:
        sound: whether it is a valid document with nothing but records in it.
        result: its records reduced, where they need not know their place in the file; else None.
        batch: its records and their violations, places counted from the part's start, where they do.
        session: its row of ``sessions``, for the records that it has.
        shared: its violations that are about the whole file.
        seeds: its seeds with their places (``seed``, ``record_index``).
        entries: the entries of its array, those that are no object included.
        score_sum: the sum of its usable scores.
        printed_short: whether its scores have three significant digits at most.
    """

    sound: bool
    result: Result | None = None
    batch: Batch | None = None
    session: pl.DataFrame | None = None
    shared: pl.DataFrame | None = None
    seeds: pl.DataFrame | None = None
    entries: int = 0
    score_sum: float = 0.0
    printed_short: bool = True


@dataclass(frozen=True, slots=True)
class PartTask(Generic[Result]):
    """One part to read, and what to make of it."""

    frame: LargeFile
    number: int
    request: ReadRequest
    reduce: Callable[[Batch], Result]
    """A function with an attribute ``placeless`` that is true does not look at places inside the file."""

    @property
    def paths(self) -> tuple[str, ...]:
        """The file that it reads from."""
        return (self.frame.path,)

    def __call__(self) -> Part[Result]:
        """Read, decode and, where that needs no places, reduce the part."""
        frame = self.frame
        start, end = frame.spans[self.number]
        first = self.number == 0
        head, tail = (frame.head, frame.tail) if first else (_BARE_HEAD, _BARE_TAIL)
        document = _read_unchanged(frame, start, end, head, tail)
        if document is None:
            return Part(sound=False)
        builder = BatchBuilder(self.request.columns | {"record_index", "seed", "stability_score"}, LAYOUTS)
        session = builder.add(display_name(frame.path), document, frame.session_id)
        if not (_same_top(session, frame) if first else _is_bare(session)):
            return Part(sound=False)
        # One part cannot contradict the mean of all.
        declared, session.declared_stability_score = session.declared_stability_score, None
        entries = session.entry_count
        batch = builder.build()
        batch = replace(
            batch, sessions=batch.sessions.with_columns(declared_stability_score=pl.lit(declared, pl.Float64))
        )
        return self._part(batch, entries, len(head) + end - start, start - len(head), first=first)

    def _part(self, batch: Batch, entries: int, body_end: int, shift: int, *, first: bool) -> Part[Result]:
        # In the first part the head stands where it stands in the file, and only the tail moved.
        tail_shift = self.frame.size - len(self.frame.tail) - body_end if first else shift
        offset = pl.col("byte_offset").cast(pl.Int64)
        moved = pl.when(offset >= body_end).then(offset + tail_shift).otherwise(offset + shift)
        violations = batch.violations.with_columns(moved.cast(pl.UInt64).alias("byte_offset"))
        of_file = pl.col("record_index").is_null()
        shared = violations.filter(of_file, ~pl.col("rule").is_in(_ACROSS_PARTS))
        if not first:
            shared = shared.filter(pl.col("rule") != "missing-field")
        scores = batch.records["stability_score"]
        wanted = [name for name in RECORDS.names if name in self.request.columns]
        empty = Batch.empty(wanted, violations.filter(~of_file))
        slim = dataclasses.replace(empty, records=batch.records.select(wanted))
        placeless = getattr(self.reduce, "placeless", False)
        return Part(
            sound=True,
            result=self.reduce(slim) if placeless else None,
            batch=None if placeless else slim,
            session=batch.sessions,
            shared=shared,
            seeds=batch.records.select("record_index", "seed"),
            entries=entries,
            score_sum=float(scores.sum()),
            printed_short=validate.printed_short(scores),
        )


def _seed_sum(parts: Sequence[Part[Result]]) -> pl.Series:
    seeds = pl.concat([part.seeds["seed"] for part in parts if part.seeds is not None])
    return pl.Series("seed_sum", [seeds.sum()], dtype=pl.UInt64)


def frame_of(path: str, size: int, request: ReadRequest) -> LargeFile | None:
    """Plan the parts of a large file; None where it cannot be cut, for whatever reason reading it will name."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        modified = os.fstat(descriptor).st_mtime_ns
        head = OPENING.search(os.pread(descriptor, WINDOW, 0))
        end_window = os.pread(descriptor, WINDOW, max(size - WINDOW, 0))
        closing = end_window.rfind(b"]")
        if head is None or closing < 0:
            return None
        begin, end = head.end(), size - len(end_window) + closing
        cuts = list(_cuts(descriptor, begin, end))
        edges = [begin, *(edge for cut in cuts for edge in cut), end]
        digest = _digest(descriptor) if request.session_ids else None
        whole_head = os.pread(descriptor, begin, 0)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    spans = tuple(zip(edges[::2], edges[1::2], strict=True))
    return LargeFile(path, size, modified, whole_head, end_window[closing:], spans, digest)


def _cuts(descriptor: int, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Where one part ends and where the next one starts."""
    parts = round((end - begin) / PART_BYTES)
    for at in (begin + (end - begin) * number // parts for number in range(1, parts)):
        match = BETWEEN.search(os.pread(descriptor, WINDOW, at))
        if match:
            yield at + match.start() + 1, at + match.end() - 1


def _digest(descriptor: int) -> str:
    with open(os.dup(descriptor), "rb") as file:
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_unchanged(frame: LargeFile, start: int, end: int, head: bytes, tail: bytes) -> bytearray | None:
    """A part of a file between a head and a tail, with blanks after it; it is good until the next part is read.

    Returns:
        None where the file is not what it was when it was planned.
    """
    try:
        descriptor = os.open(frame.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    begin, finish = len(head), len(head) + end - start
    document = BUFFERS.of_part(finish + len(tail))
    try:
        status = os.fstat(descriptor)
        if (status.st_size, status.st_mtime_ns) != (frame.size, frame.modified_ns):
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


def _top(session: SessionRow) -> tuple[Any, ...]:
    faults = [(fault.rule, fault.field, fault.value) for fault in session.faults if fault.record_index is None]
    return (
        session.status,
        session.declared_stability_score,
        session.backend,
        session.device_name,
        session.extra,
        faults,
    )


def _same_top(session: SessionRow, frame: LargeFile) -> bool:
    """Whether the first part has the top-level fields of the file without its records, and no others."""
    return session.status is Status.LOADED and _top(session) == _top(_skeleton(frame))


def _is_bare(session: SessionRow) -> bool:
    """Whether a later part holds records and nothing beside them."""
    return _top(session) == _top(BatchBuilder((), LAYOUTS).add(session.source, _BARE_HEAD + _BARE_TAIL))


def _skeleton(frame: LargeFile) -> SessionRow:
    """The file's top-level fields, read without its records."""
    return BatchBuilder((), LAYOUTS).add(display_name(frame.path), frame.head + frame.tail)


def join(
    frame: LargeFile, parts: Sequence[Part[Result]], request: ReadRequest, reduce: Callable[[Batch], Result]
) -> Iterator[TaskResult[Result]]:
    """The results of a file whose parts are all sound: its session first, then its records in order."""
    starts = [0, *accumulate(part.entries for part in parts)]
    session = _joined_session(frame, parts)
    of_file = validate.in_order(pl.concat([_joined_shared(parts), _contradiction(frame, parts, session)]))
    violations = pl.concat([of_file, _reused(frame, parts, starts)])
    nothing = empty_frame(RECORDS).select(name for name in RECORDS.names if name in request.columns)
    closing = Batch(session, nothing, violations, _seed_sum(parts))
    yield TaskResult(reduce(closing), ledger_of(closing))
    for part, start in zip(parts, starts, strict=False):
        if part.batch is None:
            yield TaskResult(cast("Result", part.result), NO_LEDGER)
        else:
            yield TaskResult(reduce(_placed(part.batch, start)), NO_LEDGER)


def _placed(batch: Batch, start: int) -> Batch:
    """A part's batch with places counted from the start of the file."""
    index = (pl.col("record_index") + start).cast(pl.UInt32)
    records = batch.records.with_columns(index) if "record_index" in batch.records.columns else batch.records
    return Batch(batch.sessions, records, batch.violations.with_columns(index), batch.seed_sums)


def _joined_session(frame: LargeFile, parts: Sequence[Part[Result]]) -> pl.DataFrame:
    rows = pl.concat([part.session for part in parts if part.session is not None])
    scored = int(rows["scored_count"].sum())
    mean = math.fsum(part.score_sum for part in parts) / scored if scored else None
    counts = ("record_count", "scored_count", "in_flight_count")
    return rows.head(1).with_columns(
        *(pl.lit(rows[name].sum(), pl.UInt32).alias(name) for name in counts),
        pl.lit(frame.size, pl.UInt64).alias("size_bytes"),
        pl.lit(mean, pl.Float64).alias("mean_stability"),
        rows.select(pl.col("first_acquired_at").min()).to_series(),
        rows.select(pl.col("last_acquired_at").max()).to_series(),
    )


def _joined_shared(parts: Sequence[Part[Result]]) -> pl.DataFrame:
    """The violations of the whole file, each with its count over all parts and its first value."""
    rows: dict[tuple[str, str | None], dict[str, Any]] = {}
    for part in parts:
        for row in part.shared.iter_rows(named=True) if part.shared is not None else ():
            key = (row["rule"], None if row["rule"] in _NAMES_JOINED else row["field"])
            known = rows.setdefault(key, {**row, "count": 0})
            known["count"] += row["count"]
            if row["rule"] in _NAMES_JOINED:
                names = {*known["field"].split(", "), *row["field"].split(", ")}
                known["field"] = ", ".join(sorted(names))
    return pl.DataFrame(list(rows.values()), schema=polars_schema(VIOLATIONS))


def _contradiction(frame: LargeFile, parts: Sequence[Part[Result]], session: pl.DataFrame) -> pl.DataFrame:
    """Whether the declared mean contradicts the records of all parts."""
    short = all(part.printed_short for part in parts)
    document = frame.head + frame.tail
    found = validate.contradictions(session.with_columns(file=0, short=pl.lit(short)))
    faults = [validate.located_at_top(document, fault) for _, fault in found]
    shift = frame.size - len(document)
    moved = [
        fault._replace(byte_offset=fault.byte_offset + shift)
        if fault.byte_offset is not None and fault.byte_offset >= len(frame.head)
        else fault
        for fault in faults
    ]
    return validate.frame_of([(display_name(frame.path), fault) for fault in moved])


def _reused(frame: LargeFile, parts: Sequence[Part[Result]], starts: Sequence[int]) -> pl.DataFrame:
    """Seeds that stand again in another part than the first time; each part knows of its own."""
    table = pl.concat(
        [part.seeds.with_columns(part=pl.lit(n)) for n, part in enumerate(parts) if part.seeds is not None]
    ).filter(pl.col("seed") != 0)
    if table["seed"].n_unique() == table.height:
        return empty_frame(VIOLATIONS)
    again = table.filter(~pl.col("seed").is_first_distinct(), pl.struct("seed", "part").is_first_distinct())
    faults = []
    for (number,), rows in again.group_by("part", maintain_order=True):
        found = [Fault("seed-reused", "seed", record_index=index) for index in rows["record_index"]]
        faults += _found_in_part(frame, int(str(number)), found, starts[int(str(number))])
    return validate.frame_of([(display_name(frame.path), fault) for fault in faults])


def _found_in_part(frame: LargeFile, number: int, faults: Sequence[Fault], first_index: int) -> list[Fault]:
    """Faults of a part's records with what stood there, and places counted from the start of the file."""
    start, end = frame.spans[number]
    document = _read_unchanged(frame, start, end, _BARE_HEAD, _BARE_TAIL)
    if document is not None:
        shift = start - len(_BARE_HEAD)
        located = validate.located(document, faults)
        faults = [fault._replace(byte_offset=(fault.byte_offset or 0) + shift) for fault in located]
    return [fault._replace(record_index=(fault.record_index or 0) + first_index) for fault in faults]
