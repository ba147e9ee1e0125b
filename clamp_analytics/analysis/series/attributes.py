"""Attributes of sessions: what may explain why their values changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from clamp_analytics.analysis.needed_columns import ATTRIBUTES
from clamp_analytics.analysis.series.fold import SessionFold, SessionPart
from clamp_analytics.batch import Batch
from clamp_analytics.schema import Status


@dataclass(frozen=True)
class AttributeFold:
    """Reduces a batch to the values of its sessions and their attributes; it can be sent to another process.

    Attributes:
        values: the fold of the values.
    """

    values: SessionFold

    @property
    def columns(self) -> frozenset[str]:
        """The columns of ``records`` that it needs."""
        return self.values.columns | set(ATTRIBUTES)

    def __call__(self, batch: Batch) -> tuple[SessionPart, pl.DataFrame, pl.DataFrame]:
        """The values of a batch; the labels and unknown fields of its sessions; and what its records say of them."""
        loaded = batch.sessions.filter(pl.col("status") == Status.LOADED.value)
        return self.values(batch), loaded.select("source", "extra", "labels"), distinct_values(batch.records)


def distinct_values(records: pl.DataFrame) -> pl.DataFrame:
    """The distinct values of ``ATTRIBUTES`` in each session, as lists in alphabetical order without nulls."""
    distinct = (pl.col(name).drop_nulls().unique().sort() for name in ATTRIBUTES)
    return records.group_by("source", maintain_order=True).agg(distinct)


def merge_attributes(sessions: Iterable[pl.DataFrame], values: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The attributes of all sessions, from those of batches; the records of one session may be in several batches.

    Args:
        sessions: ``source``, ``extra`` and ``labels`` of sessions.
        values: what ``distinct_values`` returns.

    Returns:
        One row per session: ``source``, ``extra`` and ``labels`` (JSON objects or null), ``backend`` and
        ``device_name`` (the values joined by commas, null where there is none), and ``threads``, how many threads
        recorded, as a text.
    """
    parts = pl.concat(values)
    merged = parts.group_by("source", maintain_order=True).agg(
        pl.col(name).list.explode().drop_nulls().unique().sort() for name in ATTRIBUTES
    )
    texts = merged.select(
        "source",
        *(_joined(name) for name in ("backend", "device_name")),
        threads=pl.col("thread_id").list.len().cast(pl.String),
    )
    found = pl.concat(sessions).unique("source", keep="first", maintain_order=True)
    return found.join(texts, on="source", how="left", maintain_order="left")


def _joined(name: str) -> pl.Expr:
    return pl.when(pl.col(name).list.len() > 0).then(pl.col(name).list.join(", ")).alias(name)
