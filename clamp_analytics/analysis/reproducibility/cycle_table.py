"""Cycles of the same seed and context side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import polars as pl

from clamp_analytics.analysis.reproducibility.fold import SeedPartial

CYCLE = ["seed", "context"]
"""What tells seeds apart: 64 bits may come again in another context without meaning anything."""

_PAIR = ["session", "reference"]
_ROWS_AT_ONCE = 2_000_000


def cycles(partials: Iterable[SeedPartial], sessions: pl.DataFrame) -> pl.DataFrame:
    """All cycles of the sessions, each with its session's rank instead of its file's name."""
    frames = []
    for partial in partials:
        ranks = pl.DataFrame({"source": partial.files}).join(sessions, on="source", how="left", maintain_order="left")
        frames.append(
            partial.cycles.select(ranks["session"].gather(partial.cycles["file"]), pl.exclude("file")).drop_nulls(
                "session"
            )
        )
    return pl.concat(frames)


def placed(cycles: pl.DataFrame, repeated: pl.DataFrame) -> pl.DataFrame:
    """The repeated cycles in order of acquisition.

    ``place`` tells the order within a session, ``cycle`` is one number for the same cycle in every session,
    ``reference`` is the first session that holds it.
    """
    timed = pl.col("acquired_at").is_not_null().all().over("session")
    return (
        cycles.with_columns(pl.when(timed).then("acquired_at"))
        .join(repeated, on=CYCLE, how="semi", nulls_equal=True)
        .sort("session", "acquired_at", "record_index")
        .with_row_index("place")
        .with_columns(time=pl.int_range(pl.len(), dtype=pl.UInt32).over("session", *CYCLE))
        .with_columns(cycle=pl.struct(*CYCLE, "time").rank("dense"))
        .with_columns(reference=pl.col("session").min().over("cycle"))
        .select("session", "reference", "cycle", "place", *CYCLE, "score")
    )


def orders(again: pl.DataFrame) -> pl.DataFrame:
    """One row a cycle and session that could be compared with its reference: ``session``, ``cycle``, ``ordered``."""
    later = again.filter(pl.col("session") != pl.col("reference"))
    pairs = later.select(_PAIR).unique().sort(_PAIR)
    held = again.select("session", "cycle", "place")
    first = held.select(reference="session", cycle="cycle", first_place="place")
    parts = [_compared(some, held, first) for some in _slices(pairs, held.group_by("session").len())]
    compared = (
        pl.concat(parts)
        if parts
        else pl.DataFrame(
            schema={"session": pl.UInt32, "reference": pl.UInt32, "cycle": pl.UInt32, "ordered": pl.Boolean}
        )
    )
    return later.select(*_PAIR, "cycle").join(compared, on=[*_PAIR, "cycle"]).select("session", "cycle", "ordered")


def _slices(pairs: pl.DataFrame, sizes: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Pairs in portions that come to a bounded number of cycles, in order."""
    upto = pairs.join(sizes, on="session", how="left", maintain_order="left")["len"].cast(pl.Int64).cum_sum()
    yield from pairs.with_columns(portion=upto // _ROWS_AT_ONCE).partition_by("portion", include_key=False)


def _compared(pairs: pl.DataFrame, held: pl.DataFrame, first: pl.DataFrame) -> pl.DataFrame:
    """Whether each cycle that a pair of sessions shares has the same others before it and after it in both.

    In the order of the one session, that is where the places in the other rise to it and do not fall below it later.
    """
    place = pl.col("place")
    return (
        held.join(pairs, on="session")
        .join(first, on=["reference", "cycle"])
        .sort(*_PAIR, "first_place")
        .with_columns(
            ordered=(place.cum_max().over(_PAIR) == place) & (place.cum_min(reverse=True).over(_PAIR) == place),
            shared=pl.len().over(_PAIR),
        )
        .filter(pl.col("shared") > 1)
        .select(*_PAIR, "cycle", "ordered")
    )


def table(
    again: pl.DataFrame, orders: pl.DataFrame, known: pl.DataFrame, names: pl.Series, tolerance: float
) -> pl.DataFrame:
    """One row a repeated seed and context."""
    # Decimal scores are not exact in binary; without a tolerance they are compared as they are.
    limit = tolerance and tolerance + 1e-12
    score = pl.col("score")
    judged = again.join(orders, on=["session", "cycle"], how="left", maintain_order="left").with_columns(
        other_score=(score - score.drop_nulls().first().over("cycle")).abs() > limit,
        other_order=~pl.col("ordered"),
        distinct=score.drop_nulls().n_unique().over("cycle"),
        scored=score.count().over("cycle"),
    )
    other = pl.col("other_score").fill_null(False) | pl.col("other_order").fill_null(False)
    rows = judged.group_by(CYCLE).agg(
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


def contexts(known: pl.DataFrame, seeds: pl.DataFrame) -> pl.DataFrame:
    """One row a context."""
    every = known.group_by("context").agg(seeds=pl.len(), not_repeated=(~pl.col("repeated")).sum())
    judged = seeds.group_by("context").agg(
        repeated=pl.len(),
        same_score=pl.col("same_score").sum(),
        same_order=pl.col("same_order").sum(),
        same_score_share=pl.col("same_score").mean(),
        same_order_share=pl.col("same_order").mean(),
    )
    counts = ["repeated", "same_score", "same_order"]
    return (
        every.join(judged, on="context", how="left", nulls_equal=True)
        .with_columns(pl.col(counts).fill_null(0))
        .sort("context", nulls_last=True)
    )
