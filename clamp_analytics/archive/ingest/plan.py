"""What an ingest has to read: the files and containers that are there, against those that the ledger knows."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from clamp_analytics.atomic_files import display_name
from clamp_analytics.reading.large_file import LARGE_BYTES
from clamp_analytics.schema import Status
from clamp_analytics.sources import (
    CONTAINER_ENDINGS,
    INSIDE,
    STDIN,
    UnreadableError,
    identity,
    is_container,
    read_bytes,
    split_member,
)

if TYPE_CHECKING:
    import duckdb

DUPLICATE, FORGOTTEN = "duplicate", "forgotten"
"""What becomes of a file besides the statuses of a session."""

_FILE = {
    "path": pl.String,
    "size_bytes": pl.UInt64,
    "mtime_ns": pl.Int64,
    "session_id": pl.String,
    "status": pl.String,
    "reason": pl.String,
}
_CONTAINER = {"path": pl.String, "size_bytes": pl.UInt64, "mtime_ns": pl.Int64, "sha256": pl.String}
_CONTAINER |= {"skipped_reasons": pl.String, "known": pl.UInt32, "rejected": pl.UInt32}
OLD = tuple(f"old_{name}" for name in _FILE if name != "path")
"""What the ledger says of a path, beside what is there now."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What an archive knows of files.

    Attributes:
        files: plain files.
        members: what is in containers.
        containers: the containers, with the number of known and rejected files in each.
    """

    files: pl.DataFrame
    members: pl.DataFrame
    containers: pl.DataFrame


def read_ledger(connection: duckdb.DuckDBPyConnection) -> Ledger:
    """The ledger of an open archive."""
    names = ", ".join(_FILE)
    return Ledger(
        connection.sql(f"SELECT {names} FROM files WHERE container IS NULL").pl(),
        connection.sql(f"SELECT {names} FROM files WHERE container IS NOT NULL").pl(),
        connection.sql(
            "SELECT c.path, c.size_bytes, c.mtime_ns, c.sha256, c.skipped_reasons, "
            "count(*) FILTER (WHERE f.status <> 'rejected')::UINTEGER AS known, "
            "count(*) FILTER (WHERE f.status = 'rejected')::UINTEGER AS rejected "
            "FROM containers c LEFT JOIN files f ON f.container = c.path GROUP BY ALL"
        ).pl(),
    )


def no_ledger() -> Ledger:
    """The ledger of an archive that is not there yet."""
    return Ledger(pl.DataFrame(schema=_FILE), pl.DataFrame(schema=_FILE), pl.DataFrame(schema=_CONTAINER))


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with what was found.

    Attributes:
        read: what to read, in order, a row each: ``place`` among what was found, ``name``, ``path``, ``size_bytes``,
            ``mtime_ns``, ``packed`` (whether it is a container or in one), ``container`` (the absolute path of that
            container), its ``sha256``, and, as ``old_…``, what the ledger says of a plain file.
        recognized: plain files of which only the name or the time is new, likewise, with their ``session_id``.
        touched: containers of which only the time is new, likewise.
        known: files that need no look, because their session is known.
        rejected: files that need no look, because they were rejected and have not changed.
        skipped: entries of containers that need no look, by reason.
    """

    read: pl.DataFrame
    recognized: pl.DataFrame
    touched: pl.DataFrame
    known: int
    rejected: int
    skipped: Counter[str] = field(default_factory=Counter)


def plan(names: Sequence[str], ledger: Ledger, *, rehash: bool = False) -> Plan:
    """Compare what was found with the ledger.

    Nothing is opened but what may be known under another name or time.

    Args:
        names: files and containers as they were found, in order.
        ledger: what is known.
        rehash: whether files are read although nothing about them has changed.
    """
    found = look_at(names)
    plain = found.filter(~pl.col("packed"))
    same = pl.col("old_size_bytes").eq_missing(pl.col("size_bytes")) & pl.col("old_mtime_ns").eq_missing(
        pl.col("mtime_ns")
    )
    # A file that could not be read may have become readable without a trace in its size and time; what has neither,
    # as standard input, may be anything.
    settled = same & pl.col("old_session_id").is_not_null() & pl.col("mtime_ns").is_not_null()
    old = ledger.files.rename({name: f"old_{name}" for name in _FILE if name != "path"})
    plain = plain.join(old, on="path", how="left", maintain_order="left").with_columns(settled=settled)
    known = plain.clear() if rehash else plain.filter("settled")
    read = plain if rehash else plain.filter(~pl.col("settled"))
    recognized = read.clear().with_columns(session_id=pl.lit(None, pl.String))
    if not (rehash or read.is_empty() or ledger.files.is_empty()):
        read, recognized = _recognize(names, read, ledger.files)
    packed = found.filter("packed")
    fresh, touched, at_rest = _containers(names, packed, ledger.containers, rehash=rehash)
    skipped: Counter[str] = Counter()
    for reasons in at_rest["skipped_reasons"]:
        skipped.update(json.loads(reasons))
    rejected = known.filter(pl.col("old_status") == Status.REJECTED.value).height
    return Plan(
        read=pl.concat([read.drop("settled"), fresh], how="diagonal").sort("place"),
        recognized=recognized.drop("settled"),
        touched=touched,
        known=known.height - rejected + int(at_rest["known"].sum()),
        rejected=rejected + int(at_rest["rejected"].sum()),
        skipped=skipped,
    )


def look_at(names: Sequence[str]) -> pl.DataFrame:
    """Files with their absolute path, size and modification time; null where those cannot be told."""
    # Plain files are by far the most, and there may be very many of them.
    maybe_packed = [name.endswith(CONTAINER_ENDINGS) or INSIDE in name for name in names]
    outers = [outer(name) if maybe else name for name, maybe in zip(names, maybe_packed, strict=True)]
    packed = [
        maybe and (is_container(name) or on_disk != name)
        for name, on_disk, maybe in zip(names, outers, maybe_packed, strict=True)
    ]
    sizes: list[int | None] = []
    times: list[int | None] = []
    for name, on_disk in zip(names, outers, strict=True):
        try:
            if name == STDIN:
                # Even where a file is called like that, standard input is read.
                raise FileNotFoundError
            status = os.stat(on_disk)
        except OSError:
            sizes.append(None)
            times.append(None)
        else:
            sizes.append(status.st_size)
            times.append(status.st_mtime_ns)
    schema = {"name": pl.String, "path": pl.String, "size_bytes": pl.UInt64, "mtime_ns": pl.Int64, "packed": pl.Boolean}
    columns = (displayed(names), absolute(names), sizes, times, packed)
    found = pl.DataFrame(dict(zip(schema, columns, strict=True)), schema=schema).with_row_index("place")
    containers = pl.Series(absolute(outers), dtype=pl.String) if any(packed) else pl.lit(None, pl.String)
    return found.with_columns(container=pl.when("packed").then(containers))


def outer(name: str) -> str:
    """The file on disk that a container or a member of one is in."""
    found = split_member(name)
    return found[0] if found else name


def displayed(names: Sequence[str]) -> Sequence[str]:
    """Names as text; nearly always they are."""
    try:
        "".join(names).encode()
    except UnicodeEncodeError:
        return [display_name(name) for name in names]
    return names


def absolute(names: Iterable[str]) -> list[str]:
    """The absolute path of each file, as text; links are not followed."""
    folders: dict[str, str] = {}
    paths = []
    for name in names:
        folder, slash, last = name.rpartition("/")
        if last in ("", ".", ".."):
            paths.append(os.path.abspath(name))
            continue
        start = folders.get(folder + slash)
        if start is None:
            start = folders[folder + slash] = os.path.join(os.path.abspath(folder + slash or "."), "")
        paths.append(name if name == STDIN else start + last)
    return list(displayed(paths))


def _recognize(names: Sequence[str], read: pl.DataFrame, ledger: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Files that are known by their hash, which is quicker to tell than to decode; only equal sizes can be equal."""
    sound = ledger.filter(pl.col("status") != Status.REJECTED.value).select("size_bytes", "session_id").unique()
    alike = read.filter(pl.col("size_bytes") < LARGE_BYTES).join(
        sound.select("size_bytes").unique(), on="size_bytes", how="semi", maintain_order="left"
    )
    hashed = alike.with_columns(
        session_id=pl.Series([_digest(names[place]) for place in alike["place"]], dtype=pl.String)
    )
    recognized = hashed.join(sound, on="session_id", how="semi", maintain_order="left")
    return read.join(recognized, on="place", how="anti", maintain_order="left"), recognized


def _digest(name: str) -> str | None:
    try:
        return hashlib.sha256(read_bytes(name)).hexdigest()
    except UnreadableError:
        return None


def _containers(
    names: Sequence[str], packed: pl.DataFrame, ledger: pl.DataFrame, *, rehash: bool
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Containers to read, containers whose time alone is new, and those that are not read, both kinds together."""
    looked_up = packed.join(ledger.rename({"sha256": "old_sha256"}), on="path", how="left", maintain_order="left")
    same = pl.all_horizontal(
        # What a container holds is known of it as a whole, and not of a member or folder in it that was named.
        pl.col("path") == pl.col("container"),
        pl.col("known").is_not_null(),
        *(pl.col(name).eq_missing(pl.col(f"{name}_right")) for name in ("size_bytes", "mtime_ns")),
    )
    looked_up = looked_up.with_columns(same=same)
    at_rest = looked_up.clear() if rehash else looked_up.filter("same")
    rest = looked_up if rehash else looked_up.filter(~pl.col("same"))
    rest = rest.with_columns(sha256=pl.Series([_identity(names[place]) for place in rest["place"]], dtype=pl.String))
    unchanged = pl.col("sha256") == pl.col("old_sha256")
    if rehash:
        # What was rejected may be allowed now.
        unchanged &= pl.col("rejected") == 0
    unchanged = unchanged.fill_null(value=False)
    touched, fresh = rest.filter(unchanged), rest.filter(~unchanged)
    renewed = touched.filter(~pl.col("same")).select(*packed.columns, "sha256", "skipped_reasons")
    return fresh.select(*packed.columns, "sha256"), renewed, pl.concat([at_rest, touched.drop("sha256")])


def _identity(name: str) -> str | None:
    try:
        return identity(outer(name))
    except UnreadableError:
        return None
