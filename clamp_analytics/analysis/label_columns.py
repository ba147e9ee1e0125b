"""Labels of sessions as columns to group by."""

from __future__ import annotations

import json
from collections.abc import Sequence

import polars as pl

from clamp_analytics.analysis.groupings import LABEL_PREFIX


def label_columns(sessions: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Extract labels of sessions as columns.

    Args:
        sessions: one row per session: ``source`` and ``labels`` (JSON objects of texts, or null).
        columns: names such as ``label:build``.

    Returns:
        One row per session: ``source`` and the columns, null where a session does not have the label.
    """
    # Many sessions have equal labels, so each text is parsed once.
    texts = sessions["labels"].drop_nulls().unique(maintain_order=True)
    labels = [json.loads(text) for text in texts]
    values = {
        column: pl.Series([one.get(column.removeprefix(LABEL_PREFIX)) for one in labels], dtype=pl.String)
        for column in columns
    }
    parsed = pl.DataFrame({"labels": texts, **values})
    return (
        sessions.select("source", "labels").join(parsed, on="labels", how="left", maintain_order="left").drop("labels")
    )
