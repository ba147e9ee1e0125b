"""Plan an ingest: compare the files and containers that were found with the ledger, and choose what to read."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from clamp_analytics.path_names import EscapedName, is_its_own_name, path_of, source_name
from clamp_analytics.schema import Status
from clamp_analytics.sources import (
    CONTAINER_ENDINGS,
    INSIDE,
    STDIN,
    is_container,
    split_member,
)
from clamp_analytics.sources.object_storage import Object, is_url

if TYPE_CHECKING:
    import duckdb

DUPLICATE, FORGOTTEN = "duplicate", "forgotten"
"""The statuses of a file in the ledger besides those of a session."""

_FILE = {
    "path": pl.String,
    "size_bytes": pl.UInt64,
    "mtime_ns": pl.Int64,
    "etag": pl.String,
    "session_id": pl.String,
    "status": pl.String,
    "reason": pl.String,
}
_CONTAINER = {"path": pl.String, "size_bytes": pl.UInt64, "mtime_ns": pl.Int64, "etag": pl.String}
_CONTAINER |= {"sha256": pl.String, "skipped_reasons": pl.String, "known": pl.UInt32, "rejected": pl.UInt32}
VERSION_COLUMNS = ("size_bytes", "mtime_ns", "etag")
"""The columns that say whether a file has changed: of an object its size and ETag, else its size and time."""

OLD_COLUMNS = tuple(f"old_{name}" for name in _FILE if name != "path")
"""The columns of a file's entry in the ledger, next to those of the file as it is now."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """The files that an archive knows.

    Attributes:
        files: plain files.
        members: members of containers.
        containers: the containers, with the number of known and rejected members of each.
    """

    files: pl.DataFrame
    members: pl.DataFrame
    containers: pl.DataFrame


def read_ledger(connection: duckdb.DuckDBPyConnection) -> Ledger:
    """Read the ledger of an open archive."""
    names = ", ".join(_FILE)
    return Ledger(
        connection.sql(f"SELECT {names} FROM files WHERE container IS NULL").pl(),
        connection.sql(f"SELECT {names} FROM files WHERE container IS NOT NULL").pl(),
        connection.sql(
            "SELECT c.path, c.size_bytes, c.mtime_ns, c.etag, c.sha256, c.skipped_reasons, "
            "count(*) FILTER (WHERE f.status <> 'rejected')::UINTEGER AS known, "
            "count(*) FILTER (WHERE f.status = 'rejected')::UINTEGER AS rejected "
            "FROM containers c LEFT JOIN files f ON f.container = c.path GROUP BY ALL"
        ).pl(),
    )


def empty_ledger() -> Ledger:
    """The ledger of an archive that does not exist yet."""
    return Ledger(pl.DataFrame(schema=_FILE), pl.DataFrame(schema=_FILE), pl.DataFrame(schema=_CONTAINER))


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with the files that were found.

    Attributes:
        read: the files to read, in order: ``found_index`` among the files that were found, ``name``, ``path``,
            ``size_bytes``, ``mtime_ns``, ``etag``, ``packed`` (whether it is a container or a member of one),
            ``container`` (the absolute path or URL of that container) with its ``sha256``, and, as ``old_…``, the
            ledger's entry.
        recognized: plain files with a new name or time and known content, with their ``session_id``.
        touched: containers with a new time and known content.
        known: the number of files that need not be read because their session is known.
        rejected: the number of files that need not be read because they were rejected and have not changed.
        skipped: skipped entries of containers that need not be read, by reason.
    """

    read: pl.DataFrame
    recognized: pl.DataFrame
    touched: pl.DataFrame
    known: int
    rejected: int
    skipped: Counter[str] = field(default_factory=Counter)


HashFiles = Callable[[Sequence[str]], Iterable[bytes | None]]
"""Gives the SHA-256 of each file; None where it cannot be read."""


def plan(
    names: Sequence[str],
    ledger: Ledger,
    *,
    rehash: bool,
    large_bytes: int,
    objects: Mapping[str, Object],
    hash_files: HashFiles,
) -> Plan:
    """Compare the files that were found with the ledger.

    Only files on disk that may be known under another name or time are hashed.

    Args:
        names: paths of files and containers as they were found, in order.
        ledger: the files that the archive knows.
        rehash: whether to read files that have not changed.
        large_bytes: files from this size on are not hashed here, but by the workers that read them.
        objects: those of the files that are in object storage.
        hash_files: hashes files on disk, here or where they are read.
    """
    found = stat_files(names, objects)
    plain = found.filter(~pl.col("packed"))
    same = pl.all_horizontal(pl.col(f"old_{name}").eq_missing(pl.col(name)) for name in VERSION_COLUMNS)
    # A file that could not be read may be readable now although its size and time are the same. Standard input has
    # neither, nor has an object that was named instead of listed; both are always read.
    has_version = pl.col("mtime_ns").is_not_null() | pl.col("etag").is_not_null()
    is_current = same & pl.col("old_session_id").is_not_null() & has_version
    old = ledger.files.rename({name: f"old_{name}" for name in _FILE if name != "path"})
    plain = plain.join(old, on="path", how="left", maintain_order="left").with_columns(is_current=is_current)
    known = plain.clear() if rehash else plain.filter("is_current")
    read = plain if rehash else plain.filter(~pl.col("is_current"))
    recognized = read.clear().with_columns(session_id=pl.lit(None, pl.String))
    if not (rehash or read.is_empty() or ledger.files.is_empty()):
        read, recognized = _recognize(names, read, ledger.files, large_bytes, hash_files)
    packed = found.filter("packed")
    fresh, touched, unread = _compare_containers(names, packed, ledger.containers, hash_files, rehash=rehash)
    skipped: Counter[str] = Counter()
    for reasons in unread["skipped_reasons"]:
        skipped.update(json.loads(reasons))
    rejected = known.filter(pl.col("old_status") == Status.REJECTED.value).height
    return Plan(
        read=pl.concat([read.drop("is_current"), fresh], how="diagonal").sort("found_index"),
        recognized=recognized.drop("is_current"),
        touched=touched,
        known=known.height - rejected + int(unread["known"].sum()),
        rejected=rejected + int(unread["rejected"].sum()),
        skipped=skipped,
    )


def stat_files(names: Sequence[str], objects: Mapping[str, Object]) -> pl.DataFrame:
    """Files with their absolute path, size and modification time, objects with their URL, size and ETag.

    What the system or the listing does not say is null. ``container`` is the file or object that a container or a
    member of one is in.
    """
    # Nearly all files are plain session files, for which the ending is enough.
    maybe_packed = [name.endswith(CONTAINER_ENDINGS) or INSIDE in name for name in names]
    outers = [
        (objects[name].url if name in objects else file_on_disk(name)) if maybe else name
        for name, maybe in zip(names, maybe_packed, strict=True)
    ]
    packed = [
        maybe and (is_container(name) or on_disk != name)
        for name, on_disk, maybe in zip(names, outers, maybe_packed, strict=True)
    ]
    sizes: list[int | None] = []
    times: list[int | None] = []
    etags: list[str | None] = []
    for name, on_disk in zip(names, outers, strict=True):
        if name in objects:
            sizes.append(objects[name].size)
            times.append(None)
            etags.append(objects[name].etag)
            continue
        etags.append(None)
        try:
            if name == STDIN:
                # A file may have the name of standard input, which is read all the same.
                raise FileNotFoundError
            status = os.stat(on_disk)
        except OSError:
            sizes.append(None)
            times.append(None)
        else:
            sizes.append(status.st_size)
            times.append(status.st_mtime_ns)
    schema = {"name": pl.String, **{name: _FILE[name] for name in ("path", *VERSION_COLUMNS)}, "packed": pl.Boolean}
    columns = (source_names(names), absolute_paths(names), sizes, times, etags, packed)
    found = pl.DataFrame(dict(zip(schema, columns, strict=True)), schema=schema).with_row_index("found_index")
    containers = pl.Series(absolute_paths(outers), dtype=pl.String) if any(packed) else pl.lit(None, pl.String)
    return found.with_columns(container=pl.when("packed").then(containers))


def file_on_disk(name: str) -> str:
    """The file on disk that a container or a member of one is in."""
    found = split_member(name)
    return found[0] if found else name


def source_names(names: Sequence[str]) -> Sequence[str]:
    """The values of ``source`` for paths."""
    if is_its_own_name("".join(names)):
        return names
    return [source_name(name) for name in names]


def absolute_paths(names: Iterable[str]) -> list[str]:
    """The absolute path of each file, as valid Unicode, or its URL; links are not resolved."""
    folders: dict[str, str] = {}
    paths: list[str] = []
    for name in names:
        if is_url(name):
            paths.append(name)
            continue
        if isinstance(name, EscapedName):
            container, inside, member = name.partition(INSIDE)
            start = folders.get(container)
            if start is None:
                start = folders[container] = source_name(os.path.abspath(path_of(container)))
            paths.append(EscapedName(start + inside + member))
            continue
        folder, slash, last = name.rpartition("/")
        if last in ("", ".", ".."):
            paths.append(os.path.abspath(name))
            continue
        start = folders.get(folder + slash)
        if start is None:
            start = folders[folder + slash] = os.path.join(os.path.abspath(folder + slash or "."), "")
        paths.append(name if name == STDIN else start + last)
    return list(source_names(paths))


def _recognize(
    names: Sequence[str], read: pl.DataFrame, ledger: pl.DataFrame, large_bytes: int, hash_files: HashFiles
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Separate the files whose hash is known from those to read; hashing is faster than decoding.

    Only files on disk whose size is known are hashed.
    """
    loaded = ledger.filter(pl.col("status") != Status.REJECTED.value).select("size_bytes", "session_id").unique()
    alike = read.filter(pl.col("size_bytes") < large_bytes, pl.col("mtime_ns").is_not_null()).join(
        loaded.select("size_bytes").unique(), on="size_bytes", how="semi", maintain_order="left"
    )
    hashed = alike.with_columns(session_id=_hashes([names[index] for index in alike["found_index"]], hash_files))
    recognized = hashed.join(loaded, on="session_id", how="semi", maintain_order="left")
    return read.join(recognized, on="found_index", how="anti", maintain_order="left"), recognized


def _hashes(paths: Sequence[str], hash_files: HashFiles) -> pl.Series:
    """The SHA-256 of each file in hexadecimal; null where it cannot be read."""
    return pl.Series([digest and digest.hex() for digest in hash_files(paths)], dtype=pl.String)


def _compare_containers(
    names: Sequence[str], packed: pl.DataFrame, ledger: pl.DataFrame, hash_files: HashFiles, *, rehash: bool
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Separate the containers to read from those that are known.

    Returns:
        The containers to read, those of which only the time is new, and all that are not read.
    """
    compared = packed.join(ledger.rename({"sha256": "old_sha256"}), on="path", how="left", maintain_order="left")
    same = pl.all_horizontal(
        # The ledger knows the content of a container as a whole, and not that of a member or folder in it.
        pl.col("path") == pl.col("container"),
        pl.col("known").is_not_null(),
        *(pl.col(name).eq_missing(pl.col(f"{name}_right")) for name in VERSION_COLUMNS),
    )
    compared = compared.with_columns(same=same)
    unread = compared.clear() if rehash else compared.filter("same")
    others = compared if rehash else compared.filter(~pl.col("same"))
    # An object is not fetched before it is read.
    on_disk = others.filter(pl.col("mtime_ns").is_not_null()).select("found_index")
    paths = [file_on_disk(names[index]) for index in on_disk["found_index"]]
    hashes = on_disk.with_columns(sha256=_hashes(paths, hash_files))
    others = others.join(hashes, on="found_index", how="left", maintain_order="left")
    unchanged = pl.col("sha256") == pl.col("old_sha256")
    if rehash:
        # Members that were rejected may be accepted now.
        unchanged &= pl.col("rejected") == 0
    unchanged = unchanged.fill_null(value=False)
    touched, fresh = others.filter(unchanged), others.filter(~unchanged)
    renewed = touched.filter(~pl.col("same")).select(*packed.columns, "sha256", "skipped_reasons")
    return fresh.select(*packed.columns, "sha256"), renewed, pl.concat([unread, touched.drop("sha256")])
