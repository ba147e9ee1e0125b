"""Select the sessions of an analysis, and build their series."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from clamp_analytics.analysis.options import DriftOptions, as_utc
from clamp_analytics.analysis.series import METRICS, Metric, SessionValues
from clamp_analytics.analysis.stats.arrays import Floats
from clamp_analytics.errors import SourceError

MICROSECONDS_A_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Series:
    """One metric of one group over sessions.

    Attributes:
        group: the values of the columns of ``by``.
        metric: the metric.
        rows: the indices of its sessions in the selected rows.
        values: its values, in the unit of the metric.
        days: when each session started, in days since the first one.
    """

    group: tuple[Any, ...]
    metric: Metric
    rows: npt.NDArray[np.int64]
    values: Floats
    days: Floats


def select_rows(found: SessionValues, options: DriftOptions) -> pl.DataFrame:
    """The rows of the sessions that the options leave, by time.

    Raises:
        SourceError: they leave none, or none has a usable timestamp.
    """
    if found.sessions == 0:
        raise SourceError(
            f"none of {found.untimed} sessions has a usable timestamp, so there is no order to see drift in",
            hint="`clamp-analytics validate` says what is wrong with each file",
        )
    table = found.values
    since, until = as_utc(options.since), as_utc(options.until)
    if since is not None:
        table = table.filter(pl.col("started_at") >= since)
    if until is not None:
        table = table.filter(pl.col("started_at") < until)
    if options.last is not None:
        latest = table.select("started_at", "source").unique().sort("started_at", "source").tail(options.last)
        table = table.join(latest, on=["started_at", "source"], how="semi", maintain_order="left")
    if table.is_empty():
        raise SourceError(
            "no session lies in the time that was asked for",
            hint=f"they reach from {found.values['started_at'][0]} to {found.values['started_at'][-1]}",
        )
    return table


def all_series(table: pl.DataFrame, by: tuple[str, ...], metrics: tuple[str, ...]) -> Iterator[Series]:
    """Every series of a table, by group (nulls last) and metric."""
    if table.is_empty():
        return
    at = table["started_at"].dt.epoch("us").to_numpy()
    days = (at - at.min()) / MICROSECONDS_A_DAY
    columns = {name: table[name].cast(pl.Float64).fill_null(float("nan")).to_numpy() for name in metrics}
    for group, rows in _groups(table, by):
        for name in metrics:
            metric = METRICS[name]
            there = rows[~np.isnan(columns[name][rows])]
            values = columns[name][there]
            yield Series(group, metric, there, values, days[there])


def _groups(table: pl.DataFrame, by: tuple[str, ...]) -> Iterator[tuple[tuple[Any, ...], npt.NDArray[np.int64]]]:
    if not by:
        yield (), np.arange(table.height)
        return
    rows = table.select(by).with_row_index("row").group_by(by).agg("row").sort(by, nulls_last=True)
    for *group, indices in rows.iter_rows():
        yield tuple(group), np.array(indices, dtype=np.int64)
