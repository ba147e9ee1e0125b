"""Plot the series of any source over time."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from clamp_analytics.analysis.drift import Drift, DriftOptions, drift
from clamp_analytics.analysis.result import Result
from clamp_analytics.analysis.series import SessionValues, session_values
from clamp_analytics.atomic_files import publish
from clamp_analytics.errors import SourceError, UsageError
from clamp_analytics.plots.image import KINDS, overview, picture, require_charts, specification
from clamp_analytics.plots.panels import MOST_PANELS, shelves
from clamp_analytics.plots.theme import PICTURE
from clamp_analytics.reading import Counts
from clamp_analytics.reading.open_source import Source
from clamp_analytics.wording import plural


@dataclass(frozen=True, slots=True, repr=False)
class Plot(Result):
    """A picture of series over time.

    Attributes:
        chart: the Altair chart.
        drift: the verdicts on the series.
        drawn: the number of series in the picture.
        left_out: the number of series that are not.
        counts: files seen, loaded, rejected and skipped.
    """

    chart: Any
    drift: Drift
    drawn: int
    left_out: int
    counts: Counts

    def describe(self) -> list[str]:
        """How many series are drawn."""
        return [f"{plural(self.drawn, 'series', 'series')} drawn, {self.left_out:,} left out", f"files: {self.counts}"]

    def to_polars(self) -> pl.DataFrame:
        """One row per group and metric: the verdicts on the series."""
        return self.drift.verdicts

    def to_dict(self) -> dict[str, Any]:
        """The Vega-Lite specification of the chart."""
        return specification(self.chart, PICTURE)

    def write(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the picture to a file, whole or not at all.

        Args:
            path: the file; its name ends in ``.png`` or ``.svg``.
            overwrite: whether to replace a file that exists.

        Raises:
            UsageError: the name has another ending.
            OutputError: the file exists, or cannot be written.
        """
        kind = Path(path).suffix.lower().removeprefix(".")
        if kind not in KINDS:
            raise UsageError("the name of a picture ends in .png or .svg", where=str(path))
        publish(Path(path), [picture(self.chart, kind)], overwrite=overwrite)

    def _repr_html_(self) -> str:
        """The picture as SVG, for a notebook."""
        return picture(self.chart, "svg").decode()


def plot(
    source: Source | SessionValues,
    *,
    by: Iterable[str] | str | None = ("context",),
    metrics: Iterable[str] | str | None = None,
    options: DriftOptions | None = None,
    limit: int = MOST_PANELS,
    jobs: int | None = None,
    recursive: bool = True,
) -> Plot:
    """Plot metrics over the sessions, with their change points; series that changed come first.

    Args:
        source: paths, loaded telemetry, or a DuckDB connection (see ``open_source``); or values of sessions.
        by: the columns of ``BY`` that series are grouped by; none for one series of all records.
        metrics: names of ``METRICS``; by default stability, the 95th percentile of durations, and what changed.
        options: which sessions are examined, and when a change counts.
        limit: how many series of each metric are drawn.
        jobs: how many batches of files are read at once; the usable cores by default.
        recursive: whether folders are searched recursively.

    Raises:
        UsageError: a package is missing, or there is no such column or metric.
        SourceError: there is no session with a value to draw.
    """
    require_charts()
    if isinstance(source, SessionValues):
        values = source
    else:
        values = session_values(source, by=by, metrics=metrics, jobs=jobs, recursive=recursive)
    found = drift(values, options=options)
    made = shelves(found, values.by, None if metrics is None else values.metrics, at_most=limit)
    if not made:
        raise SourceError(
            f"no session has a value to draw among {values.counts}",
            hint="name other metrics; an anchor without a release has no duration",
        )
    drawn = sum(len(shelf.panels) for shelf in made)
    return Plot(overview(made), found, drawn, sum(shelf.left_out for shelf in made), values.counts)
