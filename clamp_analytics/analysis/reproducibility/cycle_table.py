"""Compare the cycles of the same seed and context between sessions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import polars as pl

from clamp_analytics.analysis.reproducibility.fold import SeedPart

CYCLE = ["seed", "context"]
"""The columns that identify a repeated seed; the same seed in another context is a coincidence."""

_PAIR = ["session", "reference"]
ROWS_AT_ONCE = 2_000_000
"""The number of cycles that are compared at once, so that memory stays bounded."""


def cycles(parts: Iterable[SeedPart], sessions: pl.DataFrame) -> pl.DataFrame:
    """The cycles of all sessions, with the rank of the session instead of the file."""
    frames = []
    for part in parts:
        ranks = pl.DataFrame({"source": part.files}).join(sessions, on="source", how="left", maintain_order="left")
        ranked = part.cycles.select(ranks["session"].gather(part.cycles["file"]), pl.exclude("file"))
        frames.append(ranked.drop_nulls("session"))
    return pl.concat(frames)


def repeated_cycles(cycles: pl.DataFrame, repeated: pl.DataFrame) -> pl.DataFrame:
    """The cycles of repeated seeds, in order of acquisition.

    ``position`` is the order within a session, ``cycle`` the number of the cycle, which is the same in every session,
    and ``reference`` the first session that holds it.
    """
    timed = pl.col("acquired_at").is_not_null().all().over("session")
    return (
        cycles.with_columns(pl.when(timed).then("acquired_at"))
        .join(repeated, on=CYCLE, how="semi", nulls_equal=True)
        .sort("session", "acquired_at", "record_index")
        .with_row_index("position")
        .with_columns(time=pl.int_range(pl.len(), dtype=pl.UInt32).over("session", *CYCLE))
        .with_columns(cycle=pl.struct(*CYCLE, "time").rank("dense"))
        .with_columns(reference=pl.col("session").min().over("cycle"))
        .select("session", "reference", "cycle", "position", *CYCLE, "score")
    )


def orders(repeated: pl.DataFrame, rows_at_once: int = ROWS_AT_ONCE) -> pl.DataFrame:
    """Whether each cycle has the same order in its session as in its reference.

    Args:
        repeated: see ``repeated_cycles``.
        rows_at_once: the number of cycles that are compared at once.

    Returns:
        One row per cycle and session that can be compared: ``session``, ``cycle``, ``ordered``.
    """
    later = repeated.filter(pl.col("session") != pl.col("reference"))
    pairs = later.select(_PAIR).unique().sort(_PAIR)
    held = repeated.select("session", "cycle", "position")
    first = held.select(reference="session", cycle="cycle", first_position="position")
    parts = [_compare_order(some, held, first) for some in _slices(pairs, held.group_by("session").len(), rows_at_once)]
    compared = (
        pl.concat(parts)
        if parts
        else pl.DataFrame(
            schema={"session": pl.UInt32, "reference": pl.UInt32, "cycle": pl.UInt32, "ordered": pl.Boolean}
        )
    )
    return later.select(*_PAIR, "cycle").join(compared, on=[*_PAIR, "cycle"]).select("session", "cycle", "ordered")


def _slices(pairs: pl.DataFrame, sizes: pl.DataFrame, rows_at_once: int) -> Iterator[pl.DataFrame]:
    """Slices of the pairs of sessions that have a bounded number of cycles together."""
    up_to = pairs.join(sizes, on="session", how="left", maintain_order="left")["len"].cast(pl.Int64).cum_sum()
    yield from pairs.with_columns(part=up_to // rows_at_once).partition_by("part", include_key=False)


def _compare_order(pairs: pl.DataFrame, held: pl.DataFrame, first: pl.DataFrame) -> pl.DataFrame:
    """Whether each cycle that a pair of sessions shares has the same cycles before and after it in both.

    That is so where, in the order of one session, the positions in the other have their maximum so far at the cycle,
    and no smaller one follows.
    """
    position = pl.col("position")
    return (
        held.join(pairs, on="session")
        .join(first, on=["reference", "cycle"])
        .sort(*_PAIR, "first_position")
        .with_columns(
            ordered=(position.cum_max().over(_PAIR) == position)
            & (position.cum_min(reverse=True).over(_PAIR) == position),
            shared=pl.len().over(_PAIR),
        )
        .filter(pl.col("shared") > 1)
        .select(*_PAIR, "cycle", "ordered")
    )


def seed_table(
    repeated: pl.DataFrame, orders: pl.DataFrame, known: pl.DataFrame, names: pl.Series, tolerance: float
) -> pl.DataFrame:
    """The table ``Reproducibility.seeds``: one row per repeated seed and context.

    Args:
        repeated: see ``repeated_cycles``.
        orders: see ``orders``.
        known: the number of ``sessions`` by seed and context.
        names: the names of the sessions by rank.
        tolerance: the largest difference between scores that count as the same.
    """
    # Decimal scores are not exact in binary; without a tolerance they are compared for equality.
    limit = tolerance and tolerance + 1e-12
    score = pl.col("score")
    compared = repeated.join(orders, on=["session", "cycle"], how="left", maintain_order="left").with_columns(
        other_score=(score - score.drop_nulls().first().over("cycle")).abs() > limit,
        other_order=~pl.col("ordered"),
        distinct=score.drop_nulls().n_unique().over("cycle"),
        scored=score.count().over("cycle"),
    )
    other = pl.col("other_score").fill_null(False) | pl.col("other_order").fill_null(False)
    rows = compared.group_by(CYCLE).agg(
        scores=pl.col("distinct").max(),
        same_score=~pl.col("other_score").filter(pl.col("scored") > 1).any(),
        can_differ=(pl.col("scored") > 1).any(),
        score_min=score.min(),
        score_max=score.max(),
        same_order=~pl.col("other_order").any(),
        has_order=pl.col("other_order").is_not_null().any(),
        first=pl.col("session").min(),
        differing=pl.col("session").filter(other).min(),
    )
    return (
        rows.join(known.select(*CYCLE, "sessions"), on=CYCLE, how="left", nulls_equal=True)
        .with_columns(
            pl.when("can_differ").then("same_score"),
            pl.when("has_order").then("same_order"),
            first_source=names.gather(rows["first"]),
            differing_source=names.gather(rows["differing"]),
        )
        .sort(
            pl.col("same_score").eq_missing(False),
            pl.col("same_order").eq_missing(False),
            "context",
            "seed",
            descending=[True, True, False, False],
        )
        .select(
            *CYCLE,
            "sessions",
            "scores",
            "same_score",
            "score_min",
            "score_max",
            "same_order",
            "first_source",
            "differing_source",
        )
    )


def context_table(known: pl.DataFrame, seeds: pl.DataFrame) -> pl.DataFrame:
    """The table ``Reproducibility.contexts``: one row per context.

    Args:
        known: whether each seed is ``repeated``, by seed and context.
        seeds: see ``seed_table``.
    """
    every = known.group_by("context").agg(seeds=pl.len(), not_repeated=(~pl.col("repeated")).sum())
    repeated = seeds.group_by("context").agg(
        repeated=pl.len(),
        same_score=pl.col("same_score").sum(),
        same_order=pl.col("same_order").sum(),
        same_score_share=pl.col("same_score").mean(),
        same_order_share=pl.col("same_order").mean(),
    )
    counts = ["repeated", "same_score", "same_order"]
    return (
        every.join(repeated, on="context", how="left", nulls_equal=True)
        .with_columns(pl.col(counts).fill_null(0))
        .sort("context", nulls_last=True)
    )
