"""Plot series over time, from any source."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from clamp_analytics.analysis.drift import Drift, DriftOptions, drift
from clamp_analytics.analysis.result import Result
from clamp_analytics.analysis.series import SessionValues, session_values
from clamp_analytics.errors import SourceError, UsageError
from clamp_analytics.extras import require_extras
from clamp_analytics.outputs import write_file
from clamp_analytics.path_names import display_name
from clamp_analytics.plots.images import IMAGE_FORMATS, MOST_IN_PICTURE, panel_grid, render_image, vega_lite_spec
from clamp_analytics.plots.panels import MOST_PANELS, select_panels
from clamp_analytics.plots.theme import PICTURE
from clamp_analytics.reading import Counts
from clamp_analytics.reading.open_source import Source
from clamp_analytics.reading.reader import Progress
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
        return vega_lite_spec(self.chart, PICTURE)

    def write(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        storage_options: Mapping[str, str] | None = None,
    ) -> None:
        """Write the picture to a file or object, complete or not at all.

        Args:
            path: the file, or the URL of an object; its name ends in ``.png``, ``.svg`` or ``.pdf``.
            overwrite: whether to replace a file or object that exists.
            storage_options: configuration of the object storage, as Polars takes it; by default that of the
                environment.

        Raises:
            UsageError: the name has another ending.
            OutputError: the file or object exists, or cannot be written.
        """
        kind = Path(path).suffix.lower().removeprefix(".")
        if kind not in IMAGE_FORMATS:
            raise UsageError("the name of a picture must end in .png, .svg or .pdf", where=display_name(path))
        picture = render_image(self.chart, kind)
        write_file(path, picture, overwrite=overwrite, storage_options=storage_options)

    def _repr_html_(self) -> str:
        """The picture as SVG, for a notebook."""
        return render_image(self.chart, "svg").decode()


def plot(
    source: Source | SessionValues,
    *,
    by: Iterable[str] | str | None = ("context",),
    metrics: Iterable[str] | str | None = None,
    labels: Iterable[str] = (),
    options: DriftOptions | None = None,
    limit: int | None = None,
    jobs: int | None = None,
    recursive: bool = True,
    storage_options: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Plot:
    r"""Plot metrics over the sessions, with their change points; series that changed come first.

    Args:
        source: paths, loaded telemetry, or a DuckDB connection (see ``open_source``); or values of sessions.
        by: the columns of ``BY`` that series are grouped by; none for one series of all records.
        metrics: names of ``METRICS``; by default stability, the 95th percentile of durations, and what changed.
        labels: rules that give sessions labels, such as ``build=build-(\d+)``; see ``parse_label_rule``.
        options: which sessions are examined, and when a change counts.
        limit: maximal number of series per metric, in a picture of any size. By default the picture has at most 1,600 x
            1,200 points.
        jobs: how many batches of files are read at once; the usable cores by default.
        recursive: whether folders are searched recursively.
        storage_options: configuration of the object storage, as Polars takes it; by default that of the environment.
        progress: called with the number of series that were judged and of all series.

    Raises:
        UsageError: a package is missing, there is no such column or metric, or a label is not given as NAME=RULE.
        SourceError: there is no session with a value to draw.
    """
    require_extras("charts", "drift")
    if isinstance(source, SessionValues):
        values = source
    else:
        strata = (options or DriftOptions()).strata
        values = session_values(
            source,
            by=by,
            strata=strata,
            metrics=metrics,
            labels=labels,
            jobs=jobs,
            recursive=recursive,
            storage_options=storage_options,
        )
    found = drift(values, options=options, progress=progress)
    wanted = None if metrics is None else values.metrics
    panels = select_panels(found, found.by, wanted, at_most=MOST_PANELS if limit is None else limit)
    if not panels:
        raise SourceError(
            f"no session has a value to draw among {values.counts}",
            hint="name other metrics; an anchor without a release has no duration",
        )
    grid = panel_grid(panels, at_most=MOST_IN_PICTURE if limit is None else None)
    return Plot(grid.chart, found, grid.drawn, grid.left_out, values.counts)
