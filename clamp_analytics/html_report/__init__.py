"""The HTML report: one self-contained file on the whole history of some sources.

It is built in one pass over the sources. Nothing in it depends on the clock or the machine, so the same sources give
the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any

import polars as pl

from clamp_analytics import __version__, plots
from clamp_analytics.analysis.compare import CompareOptions, Comparison, compare
from clamp_analytics.analysis.drift import Drift, DriftOptions, drift
from clamp_analytics.analysis.incidents.known_changes import KnownChange
from clamp_analytics.analysis.result import Result
from clamp_analytics.analysis.series import AttributeFold, SessionFold, SessionValues, session_values
from clamp_analytics.extras import require_extras
from clamp_analytics.html_report import sections, verdict_tables
from clamp_analytics.html_report.conclusion import conclude
from clamp_analytics.html_report.figures import LEGEND, Figures
from clamp_analytics.html_report.incidents import incidents
from clamp_analytics.html_report.links import SeriesLinks
from clamp_analytics.html_report.markup import details as folded
from clamp_analytics.html_report.markup import paragraph
from clamp_analytics.html_report.matrix import matrix
from clamp_analytics.html_report.page import Section, page
from clamp_analytics.html_report.report_data import COLUMNS, ReportReader
from clamp_analytics.html_report.session_details import session_details
from clamp_analytics.outputs import write_file
from clamp_analytics.reading import Counts
from clamp_analytics.reading.open_source import Source, open_source
from clamp_analytics.reading.reader import Progress
from clamp_analytics.wording import plural

__all__ = ["Report", "ReportOptions", "columns", "report"]

Step = Callable[[str], AbstractContextManager[Progress | None]]
"""Begins a part of the work by its name; gives a function for its progress, or None."""


def silent_step(name: str) -> AbstractContextManager[None]:
    """A part of the work whose progress is not shown."""
    del name
    return nullcontext()


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """Options of a report.

    Attributes:
        by: the columns that define the groups.
        metrics: the metrics to analyse and draw; None analyses all, and draws the default ones and those that changed.
        known_changes: changes that are accepted: they are shown, but do not make the history unstable.
        drift: options of the search for changes.
        compare: options of the comparison with the baseline.
    """

    by: tuple[str, ...] = ("context",)
    metrics: tuple[str, ...] | None = None
    known_changes: tuple[KnownChange, ...] = ()
    drift: DriftOptions = field(default_factory=DriftOptions)
    compare: CompareOptions = field(default_factory=CompareOptions)


def columns(options: ReportOptions) -> frozenset[str]:
    """The columns of ``records`` that the reader of a report needs."""
    by = (*options.by, *options.drift.strata)
    fold = SessionFold(by) if options.metrics is None else SessionFold(by, options.metrics)
    return AttributeFold(fold).columns | frozenset(COLUMNS)


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

    def write(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        storage_options: Mapping[str, str] | None = None,
    ) -> None:
        """Write the page to a file or object, complete or not at all.

        Args:
            path: the file, or the URL of an object.
            overwrite: whether to replace a file or object that exists.
            storage_options: configuration of the object storage, as Polars takes it; by default that of the
                environment.

        Raises:
            OutputError: the file or object exists, or cannot be written.
        """
        write_file(path, self.html, overwrite=overwrite, storage_options=storage_options)

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
    labels: Iterable[str] = (),
    jobs: int | None = None,
    recursive: bool = True,
    storage_options: Mapping[str, str] | None = None,
    step: Step = silent_step,
) -> Report:
    r"""Build an HTML report on the whole history of a source.

    Args:
        source: paths, loaded telemetry, or a DuckDB connection; see ``open_source``.
        options: what is analysed, and how.
        baseline: the sessions to compare with, likewise; or values of sessions by ``by`` and ``drift.strata`` of the
            options.
        build_info: JSON text of the provenance snapshot.
        labels: rules that give sessions labels, such as ``build=build-(\d+)``; see ``parse_label_rule``.
        jobs: number of batches of files that are read at once; by default the usable cores.
        recursive: whether to search subfolders.
        storage_options: configuration of the object storage, as Polars takes it; by default that of the environment.
        step: called with the name of each part of the work behind the reading; its context lasts as long as that part.

    Raises:
        SourceError: there is no usable session.
        UsageError: a package is missing, a column or metric is unknown, or a label is not given as NAME=RULE.
    """
    require_extras("charts", "drift")
    chosen = options or ReportOptions()
    reader = ReportReader(
        open_source(
            source,
            columns=columns(chosen),
            jobs=jobs,
            recursive=recursive,
            storage_options=storage_options,
            labels=labels,
        )
    )
    by, strata = chosen.by, chosen.drift.strata
    values = session_values(reader, by=by, strata=strata, metrics=chosen.metrics)
    if values.sessions:
        with step("judging the series") as progress:
            changes = drift(values, known_changes=chosen.known_changes, options=chosen.drift, progress=progress)
    else:
        changes = Drift.without_sessions(values, chosen.drift)
    compared = None
    if baseline is not None:
        if not isinstance(baseline, SessionValues):
            baseline = session_values(
                baseline,
                by=by,
                strata=strata,
                metrics=chosen.metrics,
                labels=labels,
                jobs=jobs,
                recursive=recursive,
                storage_options=storage_options,
            )
        with step("comparing with the baseline") as progress:
            compared = _compare(baseline, values, chosen, progress)
    data = reader.report_data
    with step("drawing the charts") as progress:
        panels = plots.select_panels(changes, changes.by, chosen.metrics)
        figures = Figures(progress=progress, series=sum(len(one.panels) for one in panels))
        details = session_details(changes, data.sessions, panels)
        parts = list(_sections(changes, reader, chosen, compared, build_info, figures, panels, details["traces"]))
        opening = sections.conclusion(conclude(changes, compared)) + sections.facts(changes, data, reader.counts)
    # Most of this time is spent in one call, which makes the script of the chart library.
    with step("writing the page"):
        html = page(opening, parts, figures.specifications, details)
    return Report(html, changes, compared, reader.counts)


def _compare(
    baseline: SessionValues, values: SessionValues, options: ReportOptions, progress: Progress | None
) -> Comparison:
    """Compare by the columns of the options, and by backend and device where there are several."""
    both = pl.concat([side.values.select(values.by) for side in (baseline, values)])
    by = tuple(name for name in values.by if name in options.by or both[name].n_unique() > 1)
    one, other = (replace(side, by=by) for side in (baseline, values))
    return compare(one, other, by=by, metrics=options.metrics, options=options.compare, progress=progress)


def _sections(
    changes: Drift,
    reader: ReportReader,
    options: ReportOptions,
    compared: Comparison | None,
    build_info: str | None,
    figures: Figures,
    metrics: list[plots.MetricPanels],
    traces: Mapping[str, Mapping[str, Any]],
) -> Iterator[Section]:
    data, by = reader.report_data, changes.by
    links = SeriesLinks(changes.verdicts, by, metrics, verdict_tables.MOST_VERDICTS)
    if compared is not None:
        yield "baseline", "Against the baseline", verdict_tables.comparison(compared)
    if changes.incidents:
        yield "incidents", "Incidents", incidents(changes, links, traces)
    if changes.verdicts.height:
        title = "Overview" if compared is None else "Changes within these sessions"
        yield "overview", title, matrix(changes.verdicts, by, links)
    yield "over-time", "Over time", _over_time(changes, metrics, links, figures)
    yield "series", "All series", verdict_tables.all_series(changes, by, links)
    yield "violations", "Violations", sections.violations(data)
    if data.summary.rejected:
        yield "rejected", "Rejected files", sections.rejected(data)
    yield "durations", "Durations by context", figures.durations(data)
    yield "timeline", "The latest session by thread", figures.timeline(data)
    yield "figures", "Figures", sections.figures(changes, data, reader.counts)
    yield "provenance", "Provenance", sections.provenance(reader.directory, build_info, __version__)
    yield "glossary", "How to read it", sections.glossary(changes.options)


def _over_time(changes: Drift, metrics: list[plots.MetricPanels], links: SeriesLinks, figures: Figures) -> str:
    if not metrics:
        return paragraph("No session has a usable timestamp, so there is no series.")
    strip = figures.strip(changes.series) + LEGEND
    changed, unchanged = figures.changed_series(metrics, links), figures.unchanged_series(metrics, links)
    if not unchanged:
        return strip + changed
    count = sum(not panel.is_changed for one in metrics for panel in one.panels)
    title = f"Charts of {plural(count, 'series', 'series')} without a change"
    if changed:
        return strip + changed + folded(title, unchanged, kind="unchanged-charts")
    return folded(title, strip + unchanged, kind="unchanged-charts")
