"""The report: one self-contained HTML file on the whole history of some sources.

It is made in one pass over the sources. Nothing in it depends on the clock or on the machine, so the same sources give
the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from clamp_analytics import __version__, plots
from clamp_analytics.analysis.compare import CompareOptions, Comparison, Side, compare
from clamp_analytics.analysis.drift import Drift, DriftOptions, drift
from clamp_analytics.analysis.drift.result import change_frame, series_frame, verdict_frame
from clamp_analytics.analysis.series import SessionFold, SessionValues, session_values
from clamp_analytics.html_report import outcome, sections
from clamp_analytics.html_report.evidence import COLUMNS, Evidence, WitnessReader
from clamp_analytics.html_report.figures import Figures
from clamp_analytics.html_report.markup import paragraph
from clamp_analytics.html_report.page import Section, page

__all__ = ["ReportOptions", "WitnessReader", "columns", "report"]


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What a report tells apart and looks at.

    Attributes:
        by: the columns that tell series apart.
        metrics: the metrics that are judged and drawn; None judges all, and draws the usual ones and what changed.
        drift: how changes are looked for.
        compare: how the baseline is compared with.
    """

    by: tuple[str, ...] = ("context",)
    metrics: tuple[str, ...] | None = None
    drift: DriftOptions = field(default_factory=DriftOptions)
    compare: CompareOptions = field(default_factory=CompareOptions)


def columns(options: ReportOptions) -> frozenset[str]:
    """The columns of ``records`` that a report's reader needs."""
    return _fold(options).columns | frozenset(COLUMNS)


def _fold(options: ReportOptions) -> SessionFold:
    return SessionFold(options.by) if options.metrics is None else SessionFold(options.by, options.metrics)


def report(
    reader: WitnessReader,
    options: ReportOptions,
    *,
    baseline: Side | None = None,
    build_info: str | None = None,
) -> bytes:
    """The report on what a reader gives, as an HTML file.

    Args:
        reader: the sources; its columns must include those of ``columns``.
        options: what is told apart and looked at.
        baseline: what the sources are compared with: a reader, tables, or values of sessions by the same columns.
        build_info: JSON text of the provenance snapshot.

    Raises:
        SourceError: no usable session was met.
        UsageError: a package is missing, or there is no such column or metric.
    """
    plots.require_charts()
    values = session_values(reader, options.by, options.metrics)
    found = drift(values, options.drift) if values.sessions else _without_series(values, options.drift)
    compared = None if baseline is None else compare(baseline, values, options.compare, options.by, options.metrics)
    figures = Figures()
    made = list(_sections(found, reader, options, compared, build_info, figures))
    return page(made, figures.specifications)


def _without_series(values: SessionValues, options: DriftOptions) -> Drift:
    """What is known of sessions that have no place in time: their other figures are worth a report all the same."""
    table, by = values.values, values.by
    return Drift(
        verdicts=verdict_frame([], table, by, options.confidence),
        series=series_frame(table, by, values.metrics),
        changes=change_frame([], table, by),
        by=by,
        sessions=0,
        untimed=values.untimed,
        tested=0,
        options=options,
    )


def _sections(
    found: Drift,
    reader: WitnessReader,
    options: ReportOptions,
    compared: Comparison | None,
    build_info: str | None,
    figures: Figures,
) -> Sequence[Section]:
    evidence = reader.evidence
    made: list[Section] = [
        ("figures", "Figures", sections.headline(found, evidence, reader.counts)),
        ("verdicts", "Verdicts", outcome.verdicts(found, options.by)),
    ]
    if compared is not None:
        made.append(("baseline", "Against the baseline", outcome.comparison(compared)))
    shelves = plots.shelves(found, options.by, options.metrics)
    drawn = "".join(figures.over_time(shelf) for shelf in shelves)
    made += [
        ("over-time", "Over time", drawn or paragraph("No session has a usable timestamp, so there is no series.")),
        ("durations", "Durations by context", figures.durations(evidence)),
        ("timeline", "The latest session by thread", figures.timeline(evidence)),
        ("violations", "Violations", _violations(evidence, figures)),
        ("rejected", "Rejected files", sections.rejected(evidence)),
        ("provenance", "Provenance", sections.provenance(reader.directory, build_info, __version__)),
        ("reading", "How to read it", sections.reading(found.options)),
    ]
    return made


def _violations(evidence: Evidence, figures: Figures) -> str:
    if evidence.rules.is_empty():
        return paragraph("None: every rule holds in every session.")
    return figures.violations(evidence) + sections.violations(evidence)
