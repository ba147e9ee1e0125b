"""The report: one self-contained HTML file on the whole history of some sources.

It is made in one pass over the sources. Nothing in it depends on the clock or on the machine, so the same sources give
the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import polars as pl

from clamp_analytics import __version__, plots
from clamp_analytics.analysis.compare import CompareOptions, Comparison, compare
from clamp_analytics.analysis.drift import Drift, DriftOptions, drift
from clamp_analytics.analysis.drift.result import change_frame, series_frame, verdict_frame
from clamp_analytics.analysis.result import Result
from clamp_analytics.analysis.series import SessionFold, SessionValues, session_values
from clamp_analytics.atomic_files import publish
from clamp_analytics.html_report import outcome, sections
from clamp_analytics.html_report.evidence import COLUMNS, Evidence, EvidenceReader
from clamp_analytics.html_report.figures import Figures
from clamp_analytics.html_report.markup import paragraph
from clamp_analytics.html_report.page import Section, page
from clamp_analytics.reading import Counts
from clamp_analytics.reading.open_source import Source, open_source

__all__ = ["Report", "ReportOptions", "columns", "report"]


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


@dataclass(frozen=True, slots=True, repr=False)
class Report(Result):
    """An HTML report, with the results that it shows.

    Attributes:
        html: the page, UTF-8.
        drift: the verdicts on the series.
        comparison: the sources against the baseline; None without one.
        counts: files seen, loaded, rejected and skipped.
    """

    html: bytes
    drift: Drift
    comparison: Comparison | None
    counts: Counts

    def describe(self) -> list[str]:
        """The size of the page, and the verdicts in it."""
        return [f"an HTML page of {len(self.html):,} bytes; files: {self.counts}", *self.drift.describe()]

    def to_polars(self) -> pl.DataFrame:
        """One row per group and metric: the verdicts on the series."""
        return self.drift.verdicts

    def write(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the page to a file, whole or not at all.

        Args:
            path: the file.
            overwrite: whether to replace a file that exists.

        Raises:
            OutputError: the file exists, or cannot be written.
        """
        publish(Path(path), [self.html], overwrite=overwrite)

    def _repr_html_(self) -> str:
        """The page in a frame, for a notebook."""
        page = escape(self.html.decode())
        return f'<iframe srcdoc="{page}" width="100%" height="800" sandbox="allow-scripts"></iframe>'


def report(
    source: Source,
    *,
    options: ReportOptions | None = None,
    baseline: Source | SessionValues | None = None,
    build_info: str | None = None,
    jobs: int | None = None,
    recursive: bool = True,
) -> Report:
    """Build an HTML report on the whole history of a source.

    Args:
        source: paths, loaded telemetry, or a DuckDB connection; see ``open_source``.
        options: what is told apart, and how changes are found.
        baseline: the sessions to compare with, likewise; or values of sessions by the same columns.
        build_info: JSON text of the provenance snapshot.
        jobs: how many batches of files are read at once; the usable cores by default.
        recursive: whether folders are searched recursively.

    Raises:
        SourceError: there is no usable session.
        UsageError: a package is missing, or there is no such column or metric.
    """
    plots.require_charts()
    chosen = options or ReportOptions()
    reader = EvidenceReader(open_source(source, columns=columns(chosen), jobs=jobs, recursive=recursive))
    values = session_values(reader, by=chosen.by, metrics=chosen.metrics)
    found = drift(values, options=chosen.drift) if values.sessions else _without_series(values, chosen.drift)
    compared = None
    if baseline is not None:
        compared = compare(
            baseline,
            values,
            by=chosen.by,
            metrics=chosen.metrics,
            options=chosen.compare,
            jobs=jobs,
            recursive=recursive,
        )
    figures = Figures()
    made = list(_sections(found, reader, chosen, compared, build_info, figures))
    return Report(page(made, figures.specifications), found, compared, reader.counts)


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
    reader: EvidenceReader,
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
