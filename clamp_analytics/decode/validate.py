"""Runs the rules over a batch and writes down what broke them."""

from __future__ import annotations

import codecs
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import polars as pl

from clamp_analytics.decode.fallback import shorten
from clamp_analytics.decode.json_scanner import Document, Member, Scanner, text_of
from clamp_analytics.decode.rows import Fault, SessionRow
from clamp_analytics.rules import BY_ID, PRINTED_MEAN_HALF_STEP, PRINTED_SCORE_HALF_STEP, RULES, Rule, Scope
from clamp_analytics.schema import VIOLATIONS, Status, polars_schema

_SCHEMA = polars_schema(VIOLATIONS)
_RANK = {rule.id: rank for rank, rule in enumerate(RULES)}
_FLOAT_SLACK = 1e-12


def violations(
    sessions: Sequence[SessionRow], datas: Sequence[Document], evidence: pl.DataFrame, frame: pl.DataFrame
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
        if found := [*session.faults, *session.shared_faults()]:
            faults[file] = found
    for file, broken in _over_records(evidence).items():
        # A field that decoding has faulted already is null for that reason alone.
        known = {(fault.record_index, fault.field) for fault in session_faults(sessions[file])}
        fresh = [fault for fault in broken if (fault.record_index, fault.field) not in known]
        faults[file] += located(datas[file], fresh)
    for file, fault in _over_sessions(evidence, frame):
        faults[file].append(located_at_top(datas[file], fault))
    rows = [(sessions[file].source, fault) for file in sorted(faults) for fault in sorted(faults[file], key=_order)]
    return frame_of(rows)


def session_faults(session: SessionRow) -> list[Fault]:
    """The faults of a session that are about one of its records."""
    return [fault for fault in session.faults if fault.record_index is not None]


def in_order(violations: pl.DataFrame) -> pl.DataFrame:
    """Violations by file, the whole file's first, then by record, rule and field."""
    rank = pl.col("rule").replace_strict(_RANK, return_dtype=pl.UInt32)
    keys = [pl.col("source"), pl.col("record_index"), rank, pl.col("field").fill_null("")]
    return violations.sort(keys, nulls_last=False, maintain_order=True)


def _order(fault: Fault) -> tuple[int, int, str]:
    index = -1 if fault.record_index is None else fault.record_index
    return index, _RANK[fault.rule], fault.field or ""


def frame_of(rows: Sequence[tuple[str, Fault]]) -> pl.DataFrame:
    """Faults, each with its file's name, as rows of ``violations``."""

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


@cache
def _checks(*, over_sessions: bool) -> list[tuple[Rule, str, pl.Expr, pl.Expr | None]]:
    """The rules with an expression, each with its field, the expression and what makes it worth a try."""
    return [
        (rule, field, rule.expression(field), rule.suspicion(field) if rule.suspicion else None)
        for rule in RULES
        for field in rule.fields
        if rule.expression and rule.over_sessions == over_sessions
    ]


def _broken(frame: pl.DataFrame, *, over_sessions: bool) -> list[tuple[Rule, str, pl.Expr]]:
    """The rules that something in the frame breaks, each with its field and expression."""
    checks = _checks(over_sessions=over_sessions)
    suspicions = {str(place): doubt for place, (*_, doubt) in enumerate(checks) if doubt is not None}
    suspicious = frame.select(**suspicions).row(0, named=True) if suspicions else {}
    left = {str(place): flag for place, (_, _, flag, _) in enumerate(checks) if suspicious.get(str(place), True)}
    broken = frame.select(flag.any().alias(name) for name, flag in left.items()).row(0, named=True)
    return [checks[int(name)][:3] for name in left if broken[name]]


def _over_records(evidence: pl.DataFrame) -> dict[int, list[Fault]]:
    """What records break, by file; a rule of the whole file names its first record for now."""
    found: defaultdict[int, list[Fault]] = defaultdict(list)
    if evidence.is_empty():
        return found
    for rule, field, flag in _broken(evidence, over_sessions=False):
        hits = evidence.filter(flag).select("file", "record_index", count=pl.lit(1, pl.UInt32))
        if rule.scope is Scope.FILE:
            hits = hits.group_by("file", maintain_order=True).agg(pl.col("record_index").first(), pl.col("count").sum())
        for file, index, count in hits.iter_rows():
            found[file].append(Fault(rule.id, field, record_index=index, times=count))
    return found


def _scanner(data: Document) -> Scanner:
    # Blanks in place of the mark keep every offset true.
    return Scanner(b"   " + data[3:] if data.startswith(codecs.BOM_UTF8) else data)


def _placed(fault: Fault, data: Document, members: Iterable[Member]) -> Fault:
    """The fault with the text that stands at its field, and its place in the file."""
    place = next(member for member in members if member.key == fault.field)
    return fault._replace(value=shorten(text_of(data[place.start : place.end])), byte_offset=place.start)


def located_at_top(data: Document, fault: Fault) -> Fault:
    """A fault of a document's top level with what stands there and where."""
    scanner = _scanner(data)
    return _placed(fault, data, scanner.members(scanner.document()))


def located(data: Document, faults: Sequence[Fault]) -> list[Fault]:
    """The faults of records with the text that stood there and its place in the file."""
    wanted: defaultdict[int, list[Fault]] = defaultdict(list)
    placed: list[Fault] = []
    for fault in faults:
        if BY_ID[fault.rule].null_value:
            placed.append(fault._replace(value="null"))
        elif fault.record_index is not None:
            wanted[fault.record_index].append(fault)
    if not wanted:
        return placed
    scanner = _scanner(data)
    array = next(member for member in scanner.members(scanner.document()) if member.key == "records")
    last = max(wanted)
    for index, (start, _) in enumerate(scanner.elements(array.start)):
        if index in wanted:
            members = list(scanner.members(start))
            for fault in wanted[index]:
                whole_file = BY_ID[fault.rule].scope is Scope.FILE
                placed.append(_placed(fault, data, members)._replace(record_index=None if whole_file else index))
        if index == last:
            break
    return placed


def _over_sessions(evidence: pl.DataFrame, sessions: pl.DataFrame) -> Iterator[tuple[int, Fault]]:
    """What whole sessions break, with the file."""
    doubtful = _doubtful(sessions)
    if doubtful.is_empty():
        return
    # The producer prints scores shorter than it averages them, so this is every session with a score below 1.
    others = evidence.filter(pl.col("stability_score") != 1)
    short = others.group_by("file").agg(short=_is_short(pl.col("stability_score")).all())
    judged = doubtful.join(short, on="file", how="left", maintain_order="left")
    yield from _contradictions(judged.with_columns(pl.col("short").fill_null(value=True)))


def _doubtful(sessions: pl.DataFrame) -> pl.DataFrame:
    """Sessions whose declared mean is not the mean of their records to the last printed digit."""
    difference = (sessions["declared_stability_score"] - sessions["mean_stability"]).abs()
    doubtful = (
        (difference > PRINTED_MEAN_HALF_STEP + _FLOAT_SLACK)
        & (sessions["status"] == Status.LOADED.value)
        # Where a score is unusable, the mean of the others says nothing about the declared one.
        & (sessions["scored_count"] == sessions["record_count"])
    )
    return sessions.filter(doubtful) if doubtful.any() else sessions.clear()


def _is_short(score: pl.Expr) -> pl.Expr:
    """Whether a score has no more than the three significant digits that the C++ producer prints."""
    return (score.round_sig_figs(3) - score).abs() < _FLOAT_SLACK


def printed_short(scores: pl.Series) -> bool:
    """Whether all scores have no more significant digits than the C++ producer prints."""
    # Nearly every cycle ends well and scores 1, which is as short as can be.
    return bool(scores.to_frame("score").filter(pl.col("score") != 1).select(_is_short(pl.col("score")).all()).item())


def contradictions(sessions: pl.DataFrame) -> Iterator[tuple[int, Fault]]:
    """Sessions that break a rule of whole sessions, with their ``file``.

    Args:
        sessions: rows of ``sessions`` with the columns ``file`` and ``short``, whether its scores are printed short.
    """
    doubtful = _doubtful(sessions)
    if not doubtful.is_empty():
        yield from _contradictions(doubtful)


def _contradictions(doubtful: pl.DataFrame) -> Iterator[tuple[int, Fault]]:
    half_step = pl.when("short").then(PRINTED_SCORE_HALF_STEP).otherwise(0.0)
    judged = doubtful.with_columns(mean_resolution=PRINTED_MEAN_HALF_STEP + _FLOAT_SLACK + half_step)
    for rule, field, flag in _broken(judged, over_sessions=True):
        for file, mean in judged.filter(flag).select("file", "mean_stability").iter_rows():
            yield file, Fault(rule.id, field, detail=f"the records' mean is {mean:.6f}")
