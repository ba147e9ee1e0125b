"""What becomes of files that were read, as decisions on whole columns: new, known, rejected or forgotten."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import polars as pl

from clamp_analytics.archive.ingest.plan import DUPLICATE, FORGOTTEN
from clamp_analytics.schema import Status

LOADED, REJECTED = Status.LOADED.value, Status.REJECTED.value
TAG_DIGITS = 12
"""Digits of the hash that make a name unlike one that is taken."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The decisions.

    Attributes:
        files: rows of the ledger: ``path``, ``container``, ``size_bytes``, ``mtime_ns``, ``session_id``, ``status``,
            ``reason`` and ``source``.
        added: what is added to the sessions: ``place`` of the file, ``session_id``, ``source`` as it was read, and
            ``name``, which no other session has.
        replaced: hashes that were rejected, and are sound for the present decoder.
        new: files that bring a session.
        known: files whose session is known.
        rejected: files that are no sessions.
    """

    files: pl.DataFrame
    added: pl.DataFrame
    replaced: list[str]
    new: int
    known: int
    rejected: int


def settle(incoming: pl.DataFrame, held: pl.DataFrame, taken: pl.DataFrame, forgotten: pl.DataFrame) -> Settled:
    """Decide on files.

    Args:
        incoming: one row a file, in order: ``place``, ``path``, ``container``, ``size_bytes``, ``mtime_ns``,
            ``source``, ``session_id``, ``status``, ``reason``, and what the ledger says as ``old_…``.
        held: the sessions with one of these hashes: ``session_id``, ``held_status``, ``held_source``.
        taken: names that sessions have already: ``source``.
        forgotten: hashes that were forgotten on request: ``session_id``.
    """
    hash_known = pl.col("session_id").is_not_null()
    files = (
        incoming.join(held, on="session_id", how="left", maintain_order="left")
        .join(forgotten.with_columns(is_forgotten=True), on="session_id", how="left", maintain_order="left")
        .with_columns(
            # The first file that is sound brings the session, whatever stands before it.
            first=~hash_known | pl.struct("session_id", "status").is_first_distinct(),
            gone=pl.col("is_forgotten").fill_null(value=False),
        )
        .with_columns(sound_held=pl.col("held_status") == LOADED)
    )
    is_loaded = pl.col("status") == LOADED
    absent = pl.col("held_status").is_null()
    adds = pl.col("first") & ~pl.col("gone") & (absent | (is_loaded & (pl.col("held_status") == REJECTED)))
    files = files.with_columns(adds=adds.fill_null(value=False))
    added = _named(files.filter("adds"), taken)
    # The names of sessions, by hash: those that were there, and those that come now.
    named = added.drop_nulls("session_id").select("session_id", given="name")
    files = (
        files.join(named, on="session_id", how="left", maintain_order="left")
        .join(added.select("place", own="name"), on="place", how="left", maintain_order="left")
        .with_columns(name=pl.coalesce("own", "given", "held_source"))
    )
    knows = pl.col("sound_held").fill_null(value=False)
    verdict = (
        pl.when("gone")
        .then(pl.lit(FORGOTTEN))
        .when(is_loaded & pl.col("adds"))
        .then(pl.lit(LOADED))
        .when(knows & (pl.col("old_session_id") == pl.col("session_id")) & (pl.col("old_status") != REJECTED))
        .then(pl.col("old_status"))
        .when(is_loaded | knows)
        .then(pl.lit(DUPLICATE))
        .otherwise(pl.lit(REJECTED))
    )
    files = files.with_columns(verdict=verdict)
    ledger = files.select(
        "path",
        "container",
        "size_bytes",
        "mtime_ns",
        "session_id",
        status="verdict",
        reason=pl.when(pl.col("verdict") == REJECTED).then("reason"),
        source=pl.when(pl.col("verdict") != FORGOTTEN).then("name"),
    )
    new = files.filter("adds", is_loaded).height
    rejected = files.filter(pl.col("verdict") == REJECTED).height
    return Settled(
        files=ledger,
        added=added,
        replaced=files.filter("adds", pl.col("held_status") == REJECTED)["session_id"].to_list(),
        new=new,
        known=files.height - new - rejected,
        rejected=rejected,
    )


def without_change(incoming: pl.DataFrame) -> pl.Series:
    """Which files are as the ledger has them, though they were read: for what was asked, or in hope of a change."""
    names = ("size_bytes", "mtime_ns", "session_id")
    same = pl.all_horizontal(pl.col(f"old_{name}").eq_missing(pl.col(name)) for name in names)
    was_rejected = pl.col("old_status") == REJECTED
    as_before = (pl.col("status") == REJECTED) == was_rejected
    reason = ~was_rejected | pl.col("old_reason").eq_missing(pl.col("reason"))
    known = pl.col("old_status").is_not_null()
    return incoming.select(same=(known & same & as_before & reason).fill_null(value=False))["same"]


def _named(adds: pl.DataFrame, taken: pl.DataFrame) -> pl.DataFrame:
    """What is added, each under a name of its own: that of its file, or the same with a part of its hash."""
    is_taken = pl.col("source").is_in(taken["source"].implode()) | ~pl.col("source").is_first_distinct()
    # Without a hash, because it could not be read, the path tells one file from another.
    ids = zip(adds["session_id"], adds["path"], strict=True)
    tags = pl.Series([(known or hashlib.sha256(path.encode()).hexdigest())[:TAG_DIGITS] for known, path in ids])
    name = pl.when(is_taken).then(pl.col("source") + "#" + tags.cast(pl.String)).otherwise("source")
    return adds.select("place", "session_id", "source", name=name)
