"""Targets of links to a series: its chart if it is drawn, else its row in the table of verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from clamp_analytics.plots import MetricPanels

Key = tuple[str | None, ...]
"""The values of the columns that define a group."""


class SeriesLinks:
    """The identifiers of the charts and table rows of all series.

    Args:
        verdicts: the verdicts on all series, whose order numbers them.
        by: the columns that define the groups.
        drawn: the series that have a chart.
        listed: number of the verdicts that have a row in a table.
    """

    def __init__(self, verdicts: pl.DataFrame, by: Sequence[str], drawn: Iterable[MetricPanels], listed: int) -> None:
        keys = verdicts.select("metric", *by).iter_rows()
        self._numbers: dict[tuple[str | None, ...], int] = {key: number for number, key in enumerate(keys, 1)}
        self._drawn = {(panel.metric.name, *panel.key) for one in drawn for panel in one.panels}
        self._listed = listed

    def chart(self, metric: str, key: Key) -> str:
        """The identifier of the chart of a series."""
        return f"series-{self._numbers[metric, *key]}"

    def row(self, metric: str, key: Key) -> str:
        """The identifier of the table row of a series."""
        return f"row-{self._numbers[metric, *key]}"

    def target(self, metric: str, key: Key) -> str | None:
        """The identifier of the best element for a link to a series; None if there is none."""
        number = self._numbers.get((metric, *key))
        if number is None:
            return None
        if (metric, *key) in self._drawn:
            return f"series-{number}"
        return f"row-{number}" if number <= self._listed else None
