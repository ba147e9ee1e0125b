"""Runs the rules over a batch and writes down what broke them."""

from __future__ import annotations

import codecs
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from clamp_analytics.decode.faults import shorten
from clamp_analytics.decode.rows import Fault, SessionRow
from clamp_analytics.decode.scan import Scanner, text_of
from clamp_analytics.rules import BY_ID, PRINTED_MEAN_HALF_STEP, PRINTED_SCORE_HALF_STEP, RULES, Rule, Scope
from clamp_analytics.schema import VIOLATIONS, Status, polars_schema

_SCHEMA = polars_schema(VIOLATIONS)
_RANK = {rule.id: rank for rank, rule in enumerate(RULES)}
_FLOAT_SLACK = 1e-12


def violations(
    sessions: Sequence[SessionRow], datas: Sequence[bytes], evidence: pl.DataFrame, frame: pl.DataFrame
) -> pl.DataFrame:
    """The violations of a batch: by file, the whole file's first, then by record and rule.

    Args:
        sessions: the files, with the faults that decoding found.
        datas: their bytes, to look up what stood where.
        evidence: their records, ``file`` being the position among the sessions.
        frame: the sessions as a frame with their aggregates.
    """
    faults: defaultdict[int, list[Fault]] = defaultdict(list)
    for file, session in enumerate(sessions):
        if session.faults or session.deprecated or session.unknown:
            faults[file] = [*session.faults, *session.shared_faults()]
    for file, found in _over_records(evidence).items():
        # A field that decoding has faulted already is null for that reason alone.
        known = {(fault.record_index, fault.field) for fault in session_faults(sessions[file])}
        fresh = [fault for fault in found if (fault.record_index, fault.field) not in known]
        faults[file] += _located(datas[file], fresh)
    for file, found in _over_sessions(evidence, frame).items():
        faults[file] += found
    rows = [(sessions[file].source, fault) for file in sorted(faults) for fault in sorted(faults[file], key=_order)]
    return _frame(rows)


def session_faults(session: SessionRow) -> list[Fault]:
    """The faults of a session that are about one of its records."""
    return [fault for fault in session.faults if fault.record_index is not None]


def _order(fault: Fault) -> tuple[int, int, str]:
    index = -1 if fault.record_index is None else fault.record_index
    return index, _RANK[fault.rule], fault.field or ""


def _frame(rows: Sequence[tuple[str, Fault]]) -> pl.DataFrame:
    def message(fault: Fault) -> str:
        sentence = BY_ID[fault.rule].sentence
        return f"{sentence} ({fault.detail})" if fault.detail else sentence

    columns: dict[str, list[Any]] = {
        "source": [source for source, _ in rows],
        "record_index": [fault.record_index for _, fault in rows],
        "rule": [fault.rule for _, fault in rows],
        "severity": [BY_ID[fault.rule].severity.value for _, fault in rows],
        "field": [fault.field for _, fault in rows],
        "value": [fault.value for _, fault in rows],
        "count": [fault.times for _, fault in rows],
        "message": [message(fault) for _, fault in rows],
        "byte_offset": [fault.byte_offset for _, fault in rows],
    }
    return pl.DataFrame(columns, schema=_SCHEMA)


def _flags(evidence: pl.DataFrame, rules: Iterable[Rule]) -> list[tuple[Rule, str, pl.Expr]]:
    """The rules that something in the frame breaks, each with its field and expression."""
    pairs = [(rule, field) for rule in rules for field in rule.fields if rule.expression]
    suspicious = evidence.select(
        rule.suspicion(field).alias(f"{rule.id} {field}") for rule, field in pairs if rule.suspicion
    )
    left = [
        (rule, field, rule.expression(field))
        for rule, field in pairs
        if rule.expression and (rule.suspicion is None or suspicious[f"{rule.id} {field}"].item())
    ]
    broken = evidence.select(flag.any().alias(f"{rule.id} {field}") for rule, field, flag in left)
    return [(rule, field, flag) for rule, field, flag in left if broken[f"{rule.id} {field}"].item()]


def _over_records(evidence: pl.DataFrame) -> dict[int, list[Fault]]:
    """What records break, by file; a rule of the whole file names its first record for now."""
    found: defaultdict[int, list[Fault]] = defaultdict(list)
    if evidence.is_empty():
        return found
    for rule, field, flag in _flags(evidence, (rule for rule in RULES if not rule.over_sessions)):
        hits = evidence.filter(flag).select("file", "record_index", count=pl.lit(1, pl.UInt32))
        if rule.scope is Scope.FILE:
            hits = hits.group_by("file", maintain_order=True).agg(pl.col("record_index").first(), pl.col("count").sum())
        for file, index, count in hits.iter_rows():
            found[file].append(Fault(rule.id, field, record_index=index, times=count))
    return found


def _located(data: bytes, faults: Sequence[Fault]) -> list[Fault]:
    """The faults with the text that stood there and its place in the file."""
    wanted: defaultdict[int, list[Fault]] = defaultdict(list)
    placed: list[Fault] = []
    for fault in faults:
        if BY_ID[fault.rule].null_value:
            placed.append(fault._replace(value="null"))
        elif fault.record_index is not None:
            wanted[fault.record_index].append(fault)
    if not wanted:
        return placed
    scanner = Scanner(data.replace(codecs.BOM_UTF8, b"   ", 1) if data.startswith(codecs.BOM_UTF8) else data)
    array = next(member for member in scanner.members(scanner.document()) if member.key == "records")
    last = max(wanted)
    for index, (start, _) in enumerate(scanner.elements(array.start)):
        if index in wanted:
            spans = {member.key: member for member in scanner.members(start)}
            for fault in wanted[index]:
                place = spans[fault.field or ""]
                whole_file = BY_ID[fault.rule].scope is Scope.FILE
                placed.append(
                    fault._replace(
                        value=shorten(text_of(data[place.start : place.end])),
                        byte_offset=place.start,
                        record_index=None if whole_file else index,
                    )
                )
        if index == last:
            break
    return placed


def _over_sessions(evidence: pl.DataFrame, sessions: pl.DataFrame) -> dict[int, list[Fault]]:
    """What whole sessions break, by file."""
    difference = (pl.col("declared_stability_score") - pl.col("mean_stability")).abs()
    judged = sessions.filter(
        (pl.col("status") == Status.LOADED.value)
        # Where a score is unusable, the mean of the others says nothing about the declared one.
        & (pl.col("scored_count") == pl.col("record_count"))
        & (difference > PRINTED_MEAN_HALF_STEP + _FLOAT_SLACK)
    )
    found: defaultdict[int, list[Fault]] = defaultdict(list)
    if judged.is_empty():
        return found
    score = pl.col("stability_score")
    printed_short = (score.round_sig_figs(3) - score).abs().max() < _FLOAT_SLACK
    resolution = (
        evidence.filter(pl.col("file").is_in(judged["file"].implode()))
        .group_by("file")
        .agg(
            mean_resolution=PRINTED_MEAN_HALF_STEP
            + _FLOAT_SLACK
            + pl.when(printed_short).then(PRINTED_SCORE_HALF_STEP).otherwise(0.0)
        )
    )
    judged = judged.join(resolution, on="file", maintain_order="left")
    for rule, field, flag in _flags(judged, (rule for rule in RULES if rule.over_sessions)):
        hits = judged.filter(flag).select("file", "declared_stability_score", "mean_stability")
        for file, declared, mean in hits.iter_rows():
            found[file].append(Fault(rule.id, field, repr(declared), detail=f"the records' mean is {mean:.6f}"))
    return found
