"""Reproducibility by seed: whether the same seed and context gave the same result in every session that holds them.

Definitions:

- A *cycle* is identified by its seed, its context, and its number among the records of its session with that seed and
  context. The k-th cycle of one session is compared with the k-th cycle of another.
- The *score* of a cycle is the same where no session differs by more than the tolerance from its first usable score.
  An anchor that was in flight when its file was written has no outcome yet: its score is left out.
- The *order of acquisition* of a session is the order of ``acquired_at``, and among equal times (the C++ producer
  writes whole seconds) the order of the records in the file. A session in which a cycle has no usable ``acquired_at``
  is taken in the order of its file.
- A cycle is compared with the first session that holds it, the *first source*: sessions are ordered by their first
  acquisition, then by name, and those without an acquisition come last. The order of a cycle is the same where every
  other cycle that both sessions hold is on the same side of it, before or after. Cycles that only one of them holds
  do not count, so that a run that was cut short agrees with a complete one. A cycle that shares no other cycle with
  the first source has no order to compare: null.
- Seed 0 is a failed acquisition (specification, "Reproducibility Criteria"): it is counted and left out. So are
  records without a usable seed, and sessions that are copies of others, which would agree with themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from clamp_analytics.analysis.needed_columns import SEEDS
from clamp_analytics.analysis.options import SeedOptions
from clamp_analytics.analysis.proportions import bound_text
from clamp_analytics.analysis.reproducibility.cycle_table import (
    CYCLE,
    context_table,
    cycles,
    orders,
    repeated_cycles,
    seed_table,
)
from clamp_analytics.analysis.reproducibility.fold import SeedFold, SeedPart
from clamp_analytics.analysis.result import Result
from clamp_analytics.reading.open_source import Source, open_source
from clamp_analytics.wording import plural

__all__ = ["Reproducibility", "SeedFold", "SeedOptions", "reproducibility"]


@dataclass(frozen=True, slots=True, repr=False)
class Reproducibility(Result):
    """Which seeds are repeated, and whether they gave the same score and order.

    Attributes:
        seeds: one row per seed and context that several sessions hold, those that differ first: ``seed``, ``context``,
            ``sessions`` (that hold it), ``scores`` (the most distinct usable scores of one of its cycles),
            ``same_score`` (null where no cycle has two usable scores), ``score_min``, ``score_max``, ``same_order``
            (null where there is nothing to compare with), ``first_source``, and ``differing_source``: the first
            session in which score or order differ, null where none does.
        contexts: one row per context, by name: ``context``, ``seeds`` (distinct), ``not_repeated`` (in one session
            only), ``repeated``, ``same_score`` and ``same_order`` (how many of the repeated ones gave the same),
            ``same_score_share`` and ``same_order_share`` (of those that can be compared; null where none can).
        sessions: the number of sessions that were compared.
        copies: the number of sessions that were left out because they have the same bytes as another.
        zero_seeds: the number of records that were left out because their seed is 0.
        unusable_seeds: the number of records that were left out because they have no usable seed.
    """

    seeds: pl.DataFrame
    contexts: pl.DataFrame
    sessions: int
    copies: int
    zero_seeds: int
    unusable_seeds: int

    @property
    def comparable(self) -> int:
        """The number of repeated seeds whose scores or orders can be compared."""
        return int((self.seeds["same_score"].is_not_null() | self.seeds["same_order"].is_not_null()).sum())

    @property
    def differing(self) -> int:
        """The number of repeated seeds with another score or order in some session."""
        return int(self.seeds["differing_source"].is_not_null().sum())

    @property
    def outcome(self) -> str:
        """How many of the seeds that can be compared differ.

        Where none does, it has the upper bound of their share, if seeds differ independently of each other.
        """
        text = f"{self.differing:,} of {self.comparable:,} differ in score or order"
        return text if self.differing or not self.comparable else f"{text}: {bound_text(self.comparable)}"

    def describe(self) -> list[str]:
        """How many seeds were repeated, how many of those differ, and what was left out."""
        return [
            f"{plural(self.seeds.height, 'repeated seed')} in {plural(self.sessions, 'session')}; {self.outcome}",
            f"left out: {plural(self.copies, 'repeated session')}, {plural(self.zero_seeds, 'zero seed')}, "
            f"{plural(self.unusable_seeds, 'unusable seed')}",
        ]

    def to_polars(self) -> pl.DataFrame:
        """One row per repeated seed and context: ``seeds``."""
        return self.seeds


def reproducibility(
    source: Source,
    *,
    options: SeedOptions | None = None,
    jobs: int | None = None,
    recursive: bool = True,
    storage_options: Mapping[str, str] | None = None,
) -> Reproducibility:
    """Check whether the same seed and context gave the same score and order in every session that holds them.

    All cycles are held in memory, because any of them may be repeated.

    Args:
        source: paths, loaded telemetry, or a DuckDB connection; see ``open_source``.
        options: how cycles are compared.
        jobs: how many batches of files are read at once; the usable cores by default.
        recursive: whether folders are searched recursively.
        storage_options: configuration of the object storage, as Polars takes it; by default that of the environment.

    Raises:
        SourceError: there is no usable session.
        UsageError: the source was read without a column that is needed.
    """
    reader = open_source(source, columns=SEEDS, jobs=jobs, recursive=recursive, storage_options=storage_options)
    parts = list(reader.fold(SeedFold()))
    reader.require_sessions()
    return _compare_cycles(parts, options or SeedOptions())


def _compare_cycles(parts: Sequence[SeedPart], options: SeedOptions) -> Reproducibility:
    copies = sorted({name for part in parts for name in part.copies})
    sessions = (
        pl.concat([part.sessions for part in parts])
        .filter(~pl.col("source").is_in(copies))
        .unique("source")
        .sort("first_acquired_at", "source", nulls_last=True)
        .with_row_index("session")
    )
    every = cycles(parts, sessions)
    known = every.group_by(CYCLE).agg(
        repeated=pl.col("session").min() != pl.col("session").max(), sessions=pl.col("session").n_unique()
    )
    repeated = repeated_cycles(every, known.filter("repeated").select(CYCLE))
    seeds = seed_table(repeated, orders(repeated), known, sessions["source"], options.score_tolerance)
    return Reproducibility(
        seeds=seeds,
        contexts=context_table(known, seeds),
        sessions=sessions.height,
        copies=len(copies),
        zero_seeds=sum(part.zero_seeds for part in parts),
        unusable_seeds=sum(part.unusable_seeds for part in parts),
    )
