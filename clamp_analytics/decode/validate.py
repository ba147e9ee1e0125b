"""Evaluate the rules over a batch, and collect the violations."""

from __future__ import annotations

import codecs
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import repeat
from typing import Any

import polars as pl

from clamp_analytics.decode.json_scanner import KeyValueSpan, Scanner, excerpt
from clamp_analytics.decode.options import DEFAULT_OPTIONS
from clamp_analytics.decode.rows import Fault, SessionRow, summary_fault
from clamp_analytics.rules import BY_ID, PRINTED_MEAN_HALF_STEP, PRINTED_SCORE_HALF_STEP, RULES, Rule, Scope
from clamp_analytics.schema import VIOLATIONS, polars_schema

_SCHEMA = polars_schema(VIOLATIONS)
_RANK = {rule.id: rank for rank, rule in enumerate(RULES)}
_FLOAT_SLACK = 1e-12
_ROW = pl.col("file").cast(pl.UInt64) * 2**32 + pl.col("record_index")
"""A number for each record of a batch."""


def violations(
    sessions: Sequence[SessionRow],
    documents: Sequence[bytes],
    records: pl.DataFrame,
    frame: pl.DataFrame,
    rows_per_rule: int = DEFAULT_OPTIONS.rows_per_rule,
) -> pl.DataFrame:
    """The violations of a batch with ``file``: by file, those of the whole file first, then by record and rule.

    Args:
        sessions: the files, with the faults that decoding found.
        documents: their bytes, for the original values.
        records: their records, ``file`` being the position among the sessions.
        frame: the sessions as a frame with their aggregates.
        rows_per_rule: the violations of a rule in the records of one file that have a row each.
    """
    faults: defaultdict[int, list[Fault]] = defaultdict(list)
    for file, session in enumerate(sessions):
        if found := [*session.faults.kept, *session.shared_faults()]:
            faults[file] = found
            faults[file] += (
                summary_fault(rule, count, rows_per_rule) for rule, count in session.faults.not_kept().items()
            )
    for (file, rule), (found, count) in _over_records(sessions, records, rows_per_rule).items():
        faults[file] += located(documents[file], found)
        if count > len(found):
            faults[file].append(summary_fault(rule, count - len(found), rows_per_rule))
    for file, fault in _over_sessions(records, frame):
        faults[file].append(located_at_top(documents[file], fault))
    rows = [(file, fault) for file in sorted(faults) for fault in sorted(faults[file], key=_order)]
    files = pl.Series("file", [file for file, _ in rows], dtype=pl.UInt32)
    return frame_of([(sessions[file].source, fault) for file, fault in rows]).insert_column(0, files)


def in_order(violations: pl.DataFrame) -> pl.DataFrame:
    """Violations by file, the whole file's first, then by record, rule and field."""
    keys = [pl.col("source"), pl.col("record_index"), rank_of(pl.col("rule")), pl.col("field").fill_null("")]
    return violations.sort(keys, nulls_last=False, maintain_order=True)


def rank_of(rule: pl.Expr) -> pl.Expr:
    """The position of a rule among all rules."""
    return rule.replace_strict(_RANK, return_dtype=pl.UInt32)


def _order(fault: Fault) -> tuple[int, int, str]:
    index = -1 if fault.record_index is None else fault.record_index
    return index, _RANK[fault.rule], fault.field or ""


def frame_of(rows: Sequence[tuple[str, Fault]]) -> pl.DataFrame:
    """Rows of ``violations`` for faults, each with the name of its file."""
    columns: dict[str, list[Any]] = {
        "source": [source for source, _ in rows],
        "record_index": [fault.record_index for _, fault in rows],
        "rule": [fault.rule for _, fault in rows],
        "severity": [BY_ID[fault.rule].severity.value for _, fault in rows],
        "field": [fault.field for _, fault in rows],
        "value": [fault.value for _, fault in rows],
        "count": [fault.times for _, fault in rows],
        "message": [message_of(fault) for _, fault in rows],
        "byte_offset": [fault.byte_offset for _, fault in rows],
    }
    return pl.DataFrame(columns, schema=_SCHEMA)


def message_of(fault: Fault) -> str:
    """The sentence of the rule that a fault breaks, with the detail of the fault."""
    sentence = BY_ID[fault.rule].sentence
    return f"{sentence} ({fault.detail})" if fault.detail else sentence


@cache
def _checks(*, over_sessions: bool) -> list[tuple[Rule, str, pl.Expr, pl.Expr | None]]:
    """The rules with an expression, each with its field, expression and precondition."""
    return [
        (rule, field, rule.expression(field), rule.precondition(field) if rule.precondition else None)
        for rule in RULES
        for field in rule.fields
        if rule.expression and rule.over_sessions == over_sessions
    ]


def _broken(frame: pl.DataFrame, *, over_sessions: bool) -> list[tuple[Rule, str, pl.Expr]]:
    """The rules that a row of the frame breaks, each with its field and expression."""
    checks = _checks(over_sessions=over_sessions)
    preconditions = {str(number): condition for number, (*_, condition) in enumerate(checks) if condition is not None}
    met = frame.select(**preconditions).row(0, named=True) if preconditions else {}
    left = {str(number): flag for number, (_, _, flag, _) in enumerate(checks) if met.get(str(number), True)}
    broken = frame.select(flag.any().alias(name) for name, flag in left.items()).row(0, named=True)
    return [checks[int(name)][:3] for name in left if broken[name]]


def _over_records(
    sessions: Sequence[SessionRow], records: pl.DataFrame, rows_per_rule: int
) -> dict[tuple[int, str], tuple[list[Fault], int]]:
    """The faults of records that rules find, by file and rule: the first ones, and how many there are.

    A rule of the whole file has one fault for each field, which names the first record with ``times`` for all.
    """
    found: dict[tuple[int, str], tuple[list[Fault], int]] = {}
    if records.is_empty():
        return found
    for rule, field, flag in _broken(records, over_sessions=False):
        hits = records.select("file", "record_index").filter(records.select(flag).to_series())
        # A value that decoding has found at fault is null for that reason alone.
        faulted = _faulted(sessions, field)
        if not faulted.is_empty():
            # A join would take ten times the memory of the rows.
            hits = hits.filter(~hits.select(_ROW).to_series().is_in(faulted.select(_ROW).to_series().implode()))
        counts = hits.group_by("file").agg(pl.col("record_index").head(rows_per_rule), count=pl.len())
        for file, indices, count in counts.iter_rows():
            faults, known = found.get((file, rule.id), ([], 0))
            if rule.scope is Scope.FILE:
                faults.append(Fault(rule.id, field, record_index=indices[0], times=count))
                count = 1
            else:
                faults += (Fault(rule.id, field, record_index=index) for index in indices)
            found[file, rule.id] = faults, known + count
    for (file, rule_id), (faults, count) in found.items():
        if BY_ID[rule_id].scope is Scope.RECORD:
            found[file, rule_id] = sorted(faults, key=_order)[:rows_per_rule], count
    return found


def _faulted(sessions: Sequence[SessionRow], field: str) -> pl.DataFrame:
    """The records whose field decoding has found at fault, as ``file`` and ``record_index``."""
    files, indices = array("I"), array("I")
    for file, session in enumerate(sessions):
        of_field = session.faults.faulted.get(field)
        if of_field:
            files.extend(repeat(file, len(of_field)))
            indices.extend(of_field)
    return pl.DataFrame({"file": files, "record_index": indices}, schema={"file": pl.UInt32, "record_index": pl.UInt32})


def _scanner(data: bytes) -> Scanner:
    # Blanks in place of the mark keep every offset true.
    return Scanner(b"   " + data[3:] if data.startswith(codecs.BOM_UTF8) else data)


def _with_value(fault: Fault, data: bytes, members: Iterable[KeyValueSpan]) -> Fault:
    """The fault with the original text of its field, and the byte offset of that."""
    span = next(member for member in members if member.key == fault.field)
    return fault._replace(value=excerpt(data, span.start, span.end), byte_offset=span.start)


def located_at_top(data: bytes, fault: Fault) -> Fault:
    """A fault of a document's top level with its original value and byte offset."""
    scanner = _scanner(data)
    return _with_value(fault, data, scanner.members(scanner.document()))


def located(data: bytes, faults: Sequence[Fault]) -> list[Fault]:
    """Faults of records with their original values and byte offsets."""
    wanted: defaultdict[int, list[Fault]] = defaultdict(list)
    complete: list[Fault] = []
    for fault in faults:
        if BY_ID[fault.rule].null_value:
            complete.append(fault._replace(value="null"))
        elif fault.record_index is not None:
            wanted[fault.record_index].append(fault)
    if not wanted:
        return complete
    scanner = _scanner(data)
    array = next(member for member in scanner.members(scanner.document()) if member.key == "records")
    last = max(wanted)
    for index, (start, _) in enumerate(scanner.elements(array.start)):
        if index in wanted:
            members = list(scanner.members(start))
            for fault in wanted[index]:
                whole_file = BY_ID[fault.rule].scope is Scope.FILE
                complete.append(_with_value(fault, data, members)._replace(record_index=None if whole_file else index))
        if index == last:
            break
    return complete


def _over_sessions(records: pl.DataFrame, sessions: pl.DataFrame) -> Iterator[tuple[int, Fault]]:
    """Faults of whole sessions, each with its file."""
    differing = _with_another_mean(sessions)
    if differing.is_empty():
        return
    # The producer prints scores shorter than it averages them, so this is every session with a score below 1.
    others = records.filter(pl.col("stability_score") != 1)
    short = others.group_by("file").agg(short=_is_short(pl.col("stability_score")).all())
    half_step = pl.when(pl.col("short").fill_null(value=True)).then(PRINTED_SCORE_HALF_STEP).otherwise(0.0)
    checked = differing.join(short, on="file", how="left", maintain_order="left").with_columns(
        mean_resolution=PRINTED_MEAN_HALF_STEP + _FLOAT_SLACK + half_step
    )
    for rule, field, flag in _broken(checked, over_sessions=True):
        for file, mean in checked.filter(flag).select("file", "mean_stability").iter_rows():
            yield file, Fault(rule.id, field, detail=f"the records' mean is {mean:.6f}")


def _with_another_mean(sessions: pl.DataFrame) -> pl.DataFrame:
    """Sessions whose declared mean differs from the mean of their records in a printed digit."""
    difference = (sessions["declared_stability_score"] - sessions["mean_stability"]).abs()
    # Where a score is unusable, the mean of the others says nothing about the declared one.
    is_complete = sessions["scored_count"] == sessions["record_count"]
    return sessions.filter((difference > PRINTED_MEAN_HALF_STEP + _FLOAT_SLACK) & is_complete)


def _is_short(score: pl.Expr) -> pl.Expr:
    """Whether a score has no more than the three significant digits that the C++ producer prints."""
    return (score.round_sig_figs(3) - score).abs() < _FLOAT_SLACK
