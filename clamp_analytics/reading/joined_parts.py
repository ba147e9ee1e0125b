"""Join the parts of a large file into the result that reading the file in one piece would give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any, TypeVar, cast

import polars as pl

from clamp_analytics.batch import Batch
from clamp_analytics.decode import validate
from clamp_analytics.decode.fallback import is_too_dense
from clamp_analytics.decode.options import DEFAULT_OPTIONS
from clamp_analytics.decode.rows import Fault
from clamp_analytics.moments import mean_of
from clamp_analytics.path_names import source_name
from clamp_analytics.reading.labels import with_labels
from clamp_analytics.reading.large_file import BARE_HEAD, BARE_TAIL, LargeFile, Part, read_span
from clamp_analytics.reading.task import EMPTY_LEDGER, ReadRequest, TaskResult, ledger_of
from clamp_analytics.schema import RECORDS, VIOLATIONS, empty_frame, polars_schema

Result = TypeVar("Result")

_REUSED = "seed-reused"
_FIELDS_JOINED = frozenset({"deprecated-field", "unknown-field"})
"""Rules of which a file has one violation that names all fields."""


def can_be_joined(file: LargeFile, parts: Sequence[Part[Result]]) -> bool:
    """Whether the parts give what the file gives in one piece."""
    begin, end = file.spans[0][0], file.spans[-1][1]
    brackets = 2
    is_dense = is_too_dense(sum(part.entries for part in parts), end - begin + brackets)
    return all(part.is_valid for part in parts) and not is_dense


def join_parts(
    file: LargeFile, parts: Sequence[Part[Result]], request: ReadRequest, reduce: Callable[[Batch], Result]
) -> Iterator[TaskResult[Result]]:
    """The results of a file whose parts are all valid: its session first, then its records in order."""
    starts = [0, *accumulate(part.entries for part in parts)]
    session = _session(file, parts)
    violations = _violations(file, parts, starts, session)
    no_records = empty_frame(RECORDS).select(name for name in RECORDS.names if name in request.columns)
    session_batch = with_labels(Batch(session, no_records, violations, _seed_sum(parts)), request.labels)
    yield TaskResult(reduce(session_batch), ledger_of(session_batch))
    for part, start in zip(parts, starts, strict=False):
        if part.batch is None:
            yield TaskResult(cast("Result", part.result), EMPTY_LEDGER)
        else:
            yield TaskResult(reduce(_with_file_indexes(part.batch, start)), EMPTY_LEDGER)


def _seed_sum(parts: Sequence[Part[Result]]) -> pl.Series:
    seeds = pl.concat([part.seeds["seed"] for part in parts if part.seeds is not None])
    return pl.Series("seed_sum", [seeds.sum()], dtype=pl.UInt64)


def _with_file_indexes(batch: Batch, start: int) -> Batch:
    """The batch of a part with record indexes from the start of the file."""
    if "record_index" not in batch.records.columns:
        return batch
    return replace(batch, records=batch.records.with_columns(_file_index(start)))


def _file_index(start: int) -> pl.Expr:
    return (pl.col("record_index") + start).cast(pl.UInt32)


def _violations(
    file: LargeFile, parts: Sequence[Part[Result]], starts: Sequence[int], session: pl.DataFrame
) -> pl.DataFrame:
    """The violations of the file: as many rows of each rule as a file that is read in one piece has."""
    shared = _shared_violations(parts)
    reused, reused_not_listed = _reused_seeds(file, parts, starts)
    not_listed = Counter(dict(shared.filter(validate.is_summary()).select("rule", "count").iter_rows()))
    not_listed[_REUSED] += reused_not_listed
    of_records = [
        part.violations.with_columns(_file_index(start))
        for part, start in zip(parts, starts, strict=False)
        if part.violations is not None
    ]
    of_file = [shared.filter(~validate.is_summary()), _mean_violations(file, parts, session)]
    violations = validate.in_order(pl.concat([*of_file, *of_records, reused]))
    return validate.limited(violations, +not_listed, DEFAULT_OPTIONS.rows_per_rule)


def _session(file: LargeFile, parts: Sequence[Part[Result]]) -> pl.DataFrame:
    rows = pl.concat([part.session for part in parts if part.session is not None])
    scored = int(rows["scored_count"].sum())
    mean = mean_of(sum(part.score_total for part in parts), scored)
    counts = ("record_count", "scored_count", "in_flight_count")
    return rows.head(1).with_columns(
        *(pl.lit(rows[name].sum(), pl.UInt32).alias(name) for name in counts),
        pl.lit(file.size, pl.UInt64).alias("size_bytes"),
        pl.lit(mean, pl.Float64).alias("mean_stability"),
        rows.select(pl.col("first_acquired_at").min()).to_series(),
        rows.select(pl.col("last_acquired_at").max()).to_series(),
    )


def _shared_violations(parts: Sequence[Part[Result]]) -> pl.DataFrame:
    """The violations of the whole file, each with its count over all parts and its first value."""
    rows: dict[tuple[str, str | None], dict[str, Any]] = {}
    for part in parts:
        for row in part.shared.iter_rows(named=True) if part.shared is not None else ():
            joins_fields = row["rule"] in _FIELDS_JOINED
            total = rows.setdefault((row["rule"], None if joins_fields else row["field"]), {**row, "count": 0})
            total["count"] += row["count"]
            if joins_fields:
                total["field"] = ", ".join(sorted({*total["field"].split(", "), *row["field"].split(", ")}))
    return pl.DataFrame(list(rows.values()), schema=polars_schema(VIOLATIONS))


def _mean_violations(file: LargeFile, parts: Sequence[Part[Result]], session: pl.DataFrame) -> pl.DataFrame:
    """A violation where the declared mean contradicts the records of all parts."""
    short = all(part.printed_short for part in parts)
    document = file.head + file.tail
    found = validate.mean_faults(session.with_columns(file=0, short=pl.lit(short)))
    faults = [validate.located_at_top(document, fault) for _, fault in found]
    shift = file.size - len(document)
    moved = [
        fault._replace(byte_offset=fault.byte_offset + shift)
        if fault.byte_offset is not None and fault.byte_offset >= len(file.head)
        else fault
        for fault in faults
    ]
    return validate.frame_of([(source_name(file.path), fault) for fault in moved])


def _reused_seeds(file: LargeFile, parts: Sequence[Part[Result]], starts: Sequence[int]) -> tuple[pl.DataFrame, int]:
    """Violations for seeds that occur in more than one part: the first ones as rows, the others as a count.

    Each part reports its own repetitions.
    """
    table = pl.concat(
        [part.seeds.with_columns(part=pl.lit(n)) for n, part in enumerate(parts) if part.seeds is not None]
    ).filter(pl.col("seed") != 0)
    if table["seed"].n_unique() == table.height:
        return empty_frame(VIOLATIONS), 0
    again = table.filter(~pl.col("seed").is_first_distinct(), pl.struct("seed", "part").is_first_distinct())
    listed = again.head(DEFAULT_OPTIONS.rows_per_rule)
    faults = []
    for (number,), rows in listed.group_by("part", maintain_order=True):
        found = [Fault(_REUSED, "seed", record_index=index) for index in rows["record_index"]]
        faults += _located_in_file(file, int(str(number)), found, starts[int(str(number))])
    rows = validate.frame_of([(source_name(file.path), fault) for fault in faults])
    return rows, again.height - listed.height


def _located_in_file(file: LargeFile, number: int, faults: Sequence[Fault], first_index: int) -> list[Fault]:
    """Faults of a part's records with their values, and with offsets and indexes from the start of the file."""
    start, end = file.spans[number]
    document = read_span(file, start, end, BARE_HEAD, BARE_TAIL)
    if document is not None:
        shift = start - len(BARE_HEAD)
        located = validate.located(document, faults)
        faults = [fault._replace(byte_offset=(fault.byte_offset or 0) + shift) for fault in located]
    return [fault._replace(record_index=(fault.record_index or 0) + first_index) for fault in faults]
