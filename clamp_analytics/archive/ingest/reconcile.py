"""Decide for each file that was read whether its session is new, known, rejected or forgotten."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import polars as pl

from clamp_analytics.archive.ingest.plan import DUPLICATE, FORGOTTEN, VERSION_COLUMNS
from clamp_analytics.path_names import unique_name
from clamp_analytics.schema import Status

LOADED, REJECTED = Status.LOADED.value, Status.REJECTED.value


@dataclass(frozen=True, slots=True)
class Decisions:
    """What to write to the archive for some files.

    Attributes:
        files: rows for the ledger: ``path``, ``container``, ``size_bytes``, ``mtime_ns``, ``etag``, ``session_id``,
            ``status``, ``reason`` and ``source``.
        added: the sessions to add: ``file_number``, ``session_id``, ``source`` as it was read, and ``name``, which no
            other session has.
        replaced: hashes of sessions that were rejected before and can be loaded now.
        new: files with a new session.
        known: files whose session is in the archive already.
        rejected: files that could not be read as a session.
    """

    files: pl.DataFrame
    added: pl.DataFrame
    replaced: list[str]
    new: int
    known: int
    rejected: int


def reconcile(incoming: pl.DataFrame, held: pl.DataFrame, taken: pl.DataFrame, forgotten: pl.DataFrame) -> Decisions:
    """Compare files that were read with the sessions of the archive.

    Args:
        incoming: one row per file, in order: ``file_number``, ``path``, ``container``, ``size_bytes``, ``mtime_ns``,
            ``etag``, ``source``, ``session_id``, ``status``, ``reason``, and the entry in the ledger as ``old_…``.
        held: sessions of the archive with one of these hashes: ``session_id``, ``held_status``, ``held_source``.
        taken: names of sessions of the archive that are those of incoming files, with or without a tag: ``source``.
        forgotten: hashes that were forgotten on request: ``session_id``.
    """
    hash_known, is_loaded = pl.col("session_id").is_not_null(), pl.col("status") == LOADED
    files = (
        incoming.join(held, on="session_id", how="left", maintain_order="left")
        .join(forgotten.with_columns(is_forgotten=True), on="session_id", how="left", maintain_order="left")
        .with_columns(
            # The first loaded file adds the session, even after a rejected file with the same bytes.
            first=~hash_known
            | (
                pl.struct("session_id", "status").is_first_distinct()
                & (is_loaded | ~is_loaded.any().over("session_id"))
            ),
            forgotten=pl.col("is_forgotten").fill_null(value=False),
        )
        .with_columns(held_loaded=pl.col("held_status") == LOADED)
    )
    absent = pl.col("held_status").is_null()
    adds = pl.col("first") & ~pl.col("forgotten") & (absent | (is_loaded & (pl.col("held_status") == REJECTED)))
    files = files.with_columns(adds=adds.fill_null(value=False))
    added = _with_unique_names(files.filter("adds"), taken)
    # A file is listed under its own session, one that is added now, or one that the archive holds.
    added_names = added.drop_nulls("session_id").select("session_id", added_name="name")
    files = (
        files.join(added_names, on="session_id", how="left", maintain_order="left")
        .join(added.select("file_number", own_name="name"), on="file_number", how="left", maintain_order="left")
        .with_columns(name=pl.coalesce("own_name", "added_name", "held_source"))
    )
    is_held = pl.col("held_loaded").fill_null(value=False)
    new_status = (
        pl.when("forgotten")
        .then(pl.lit(FORGOTTEN))
        .when(is_loaded & pl.col("adds"))
        .then(pl.lit(LOADED))
        .when(is_held & (pl.col("old_session_id") == pl.col("session_id")) & (pl.col("old_status") != REJECTED))
        .then(pl.col("old_status"))
        .when(is_loaded | is_held)
        .then(pl.lit(DUPLICATE))
        .otherwise(pl.lit(REJECTED))
    )
    files = files.with_columns(new_status=new_status)
    ledger = files.select(
        "path",
        "container",
        "size_bytes",
        "mtime_ns",
        "etag",
        "session_id",
        status="new_status",
        reason=pl.when(pl.col("new_status") == REJECTED).then("reason"),
        source=pl.when(pl.col("new_status") != FORGOTTEN).then("name"),
    )
    new = files.filter("adds", is_loaded).height
    rejected = files.filter(pl.col("new_status") == REJECTED).height
    return Decisions(
        files=ledger,
        added=added,
        replaced=files.filter("adds", pl.col("held_status") == REJECTED)["session_id"].to_list(),
        new=new,
        known=files.height - new - rejected,
        rejected=rejected,
    )


def is_unchanged(incoming: pl.DataFrame) -> pl.Series:
    """Whether each file that was read agrees with its entry in the ledger, which then need not be written."""
    names = (*VERSION_COLUMNS, "session_id")
    same = pl.all_horizontal(pl.col(f"old_{name}").eq_missing(pl.col(name)) for name in names)
    was_rejected = pl.col("old_status") == REJECTED
    same_status = (pl.col("status") == REJECTED) == was_rejected
    same_reason = ~was_rejected | pl.col("old_reason").eq_missing(pl.col("reason"))
    known = pl.col("old_status").is_not_null()
    return incoming.select(same=(known & same & same_status & same_reason).fill_null(value=False))["same"]


def _with_unique_names(adds: pl.DataFrame, taken: pl.DataFrame) -> pl.DataFrame:
    """Sessions with unique names: the name of the file, with a tag where another session has that name."""
    is_taken = adds.select(
        pl.col("source").is_in(taken["source"].implode()) | ~pl.col("source").is_first_distinct()
    ).to_series()
    names = set(taken["source"]) | set(adds["source"])
    unique = adds["source"].to_list()
    for row in is_taken.arg_true():
        session_id, path = adds["session_id"][row], adds["path"][row]
        # A file that could not be read has no hash; its path is its own.
        unique[row] = unique_name(unique[row], session_id or hashlib.sha256(path.encode()).hexdigest(), names)
        names.add(unique[row])
    return adds.select("file_number", "session_id", "source", name=pl.Series(unique, dtype=pl.String))
