"""Reduce batches to cycles: what the reproducibility check needs of each record."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from clamp_analytics.analysis.needed_columns import SEEDS
from clamp_analytics.batch import Batch
from clamp_analytics.rules import BY_ID
from clamp_analytics.schema import Status

_COPIES = BY_ID["session-repeated"].id


@dataclass(frozen=True, slots=True)
class SeedPart:
    """The contribution of one batch.

    Attributes:
        cycles: the records with a usable seed; ``file`` is an index into ``files``.
        files: the names of their files.
        sessions: ``source`` and ``first_acquired_at`` of each loaded session.
        copies: the names of files that are copies of others.
        zero_seeds: the number of records with seed 0.
        unusable_seeds: the number of records without a usable seed.
    """

    cycles: pl.DataFrame
    files: pl.Series
    sessions: pl.DataFrame
    copies: list[str]
    zero_seeds: int
    unusable_seeds: int


@dataclass(frozen=True, slots=True)
class SeedFold:
    """Reduces a batch to its cycles, about 50 bytes each; it can be pickled."""

    @property
    def columns(self) -> frozenset[str]:
        """The columns of ``records`` that the fold needs."""
        return SEEDS

    def __call__(self, batch: Batch) -> SeedPart:
        """Reduce a batch."""
        seed = batch.records["seed"]
        usable = batch.records.filter(pl.col("seed") != 0)
        files = usable["source"].unique(maintain_order=True)
        numbers = pl.DataFrame({"source": files}).with_row_index("file")
        cycles = usable.join(numbers, on="source", how="left", maintain_order="left").select(
            "file",
            "seed",
            "context",
            "record_index",
            "acquired_at",
            score=pl.when(pl.col("released_at").is_not_null()).then("stability_score"),
        )
        loaded = batch.sessions.filter(pl.col("status") == Status.LOADED.value)
        return SeedPart(
            cycles=cycles,
            files=files,
            sessions=loaded.select("source", "first_acquired_at"),
            copies=batch.violations.filter(pl.col("rule") == _COPIES)["source"].to_list(),
            zero_seeds=int((seed == 0).sum()),
            unusable_seeds=seed.null_count(),
        )
