"""Changes of mix: the share of backends or devices changed, and with it every figure over all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from clamp_analytics.analysis.incidents.changes import JudgedSeries
from clamp_analytics.analysis.incidents.grouping import SeriesChange
from clamp_analytics.analysis.judgement import JudgeOptions, judge_many

SHAPE = "mix"
NONE = "(none)"
"""The name of the stratum of records without a backend or device."""


def mix_changes(
    records: pl.DataFrame, by: Sequence[str], strata: Sequence[str], index_of: Mapping[str, int], options: JudgeOptions
) -> list[SeriesChange]:
    """Find the groups in which the share of a backend or device changed.

    Args:
        records: one row per session, group and stratum, by time: ``source``, the columns of ``by`` and of ``strata``,
            and ``records``, the number of records.
        by: the columns that tell groups apart.
        strata: the columns whose mix is judged: ``backend`` or ``device_name`` or both.
        index_of: the index of each session on the time line.
        options: thresholds.

    Returns:
        At most one change per group: of the stratum whose share rose most. Its levels are shares, its metric is
        ``share of STRATUM``, and its direction is ``neither``.
    """
    name = pl.concat_str([pl.col(column).fill_null(NONE) for column in strata], separator=", ")
    counts = records.group_by("source", *by, name.alias("stratum"), maintain_order=True).agg(pl.col("records").sum())
    series = list(_shares(counts, by, index_of))
    judgements = judge_many(
        [shares for *_, shares in series], groups=[group for group, *_ in series], scale="linear", options=options
    )
    found: dict[tuple[str | None, ...], SeriesChange] = {}
    for (group, stratum, sessions, _), judgement in zip(series, judgements, strict=True):
        for change in JudgedSeries(group, f"share of {stratum}", False, sessions, judgement).changes():
            rise = change.after - change.before
            best = found.get(group)
            # A suspect is not enough to say that the mix changed.
            if change.verdict == "suspect" or rise <= 0 or (best and rise <= best.after - best.before):
                continue
            found[group] = replace(change, shape=SHAPE, direction="neither", verdict=SHAPE)
    return list(found.values())


def _shares(
    counts: pl.DataFrame, by: Sequence[str], index_of: Mapping[str, int]
) -> Iterator[tuple[tuple[str | None, ...], str, list[int], np.ndarray[tuple[int], np.dtype[np.float64]]]]:
    """The share of each stratum in the records of its group, over the sessions that hold the group."""
    for part in counts.partition_by(by, maintain_order=True) if by else [counts]:
        group = tuple(part.select(by).row(0)) if by else ()
        strata = part["stratum"].unique(maintain_order=True).sort().to_list()
        if len(strata) < 2:
            continue
        wide = part.pivot("stratum", index="source", values="records", maintain_order=True).fill_null(0)
        total = wide.select(pl.sum_horizontal(strata)).to_series()
        sessions = [index_of[source] for source in wide["source"]]
        for stratum in strata:
            yield group, stratum, sessions, (wide[stratum] / total).to_numpy()
