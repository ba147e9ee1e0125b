"""Read Parquet exports: the manifest, and the batches of the Parquet files.

The files are plain Parquet. The manifest marks the folder as a complete export and lists its files.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

import msgspec
import polars as pl

from clamp_analytics.batch import Batch
from clamp_analytics.errors import SourceError
from clamp_analytics.path_names import display_name
from clamp_analytics.schema import RECORDS, SESSIONS, VIOLATIONS, Table, empty_frame, polars_schema
from clamp_analytics.sources import MANIFEST, UnreadableError
from clamp_analytics.sources.object_storage import Object, ObjectStorage, is_url

FORMAT = "clamp-analytics-export"
BATCH_ROWS = 262_144
"""Rows of a Parquet file that are in memory at once; about one row group."""

VERSION = 1
"""The version of the manifest; a reader refuses a newer one."""

_HINT = "export the sources again"


class ExportedFile(msgspec.Struct, frozen=True):
    """One Parquet file of an export.

    Attributes:
        table: the table that its rows belong to.
        path: its path, relative to the export.
        rows: the number of rows.
        size_bytes: its size.
        sha256: the hash of its bytes.
    """

    table: str
    path: str
    rows: int
    size_bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """The files of an export, and where its rows come from.

    Attributes:
        format: marks the folder as an export.
        version: the version of the manifest.
        package_version: the version of clamp-analytics that wrote it.
        source_directory: the folder of the session files.
        skipped: entries that were skipped when the files were read, by reason.
        partition_by: the columns that the records are partitioned by.
        build_info: the provenance snapshot's JSON text; None where there was none.
        files: the Parquet files.
    """

    format: str
    version: int
    package_version: str
    source_directory: str
    skipped: dict[str, int]
    partition_by: list[str]
    build_info: str | None
    files: list[ExportedFile]


class _Header(msgspec.Struct):
    """The fields that a manifest of any version has."""

    format: str
    version: int


def named_files(manifest: bytes) -> set[str] | None:
    """The files that a manifest names, and the manifest itself; None where it is not the manifest of an export."""
    try:
        decoded = msgspec.json.decode(manifest, type=Manifest)
    except msgspec.DecodeError:
        return None
    return {MANIFEST, *(file.path for file in decoded.files)} if decoded.format == FORMAT else None


def read_manifest(folder: str, storage: ObjectStorage | None = None) -> Manifest:
    """The manifest of an export, checked against the files that are there.

    Args:
        folder: the folder of the export, or its URL.
        storage: where it is, if it is in object storage. Its files are checked when they are read, which saves a
            request for each of them.

    Raises:
        SourceError: it is damaged or has another version, or a file is missing or has another size.
    """
    path = _path(folder, MANIFEST)
    try:
        data = _read(path, storage)
        _check_header(msgspec.json.decode(data, type=_Header), path)
        manifest = msgspec.json.decode(data, type=Manifest)
    except (OSError, UnreadableError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise SourceError(
            f"the export's manifest cannot be read: {error}", where=display_name(path), hint=_HINT
        ) from error
    for file in manifest.files:
        inside = PurePosixPath(file.path)
        if inside.is_absolute() or ".." in inside.parts or "\0" in file.path:
            raise SourceError(f"the export names a file outside of itself: {file.path!r}", where=display_name(path))
        if storage is not None:
            continue
        part = Path(folder, inside)
        if not part.is_file() or part.stat().st_size != file.size_bytes:
            raise SourceError("a file of the export is missing or was changed", where=display_name(part), hint=_HINT)
    return manifest


def _path(folder: str, name: str) -> str:
    return folder.rstrip("/") + "/" + name if is_url(folder) else str(Path(folder, name))


def _read(path: str, storage: ObjectStorage | None) -> bytes:
    return Path(path).read_bytes() if storage is None else storage.read(Object(path))


def _check_header(header: _Header, path: str) -> None:
    if header.format != FORMAT:
        raise SourceError(
            f"it is not the manifest of an export: its format is {header.format!r}", where=display_name(path)
        )
    if header.version > VERSION:
        raise SourceError(
            f"the export has version {header.version}, and this package reads up to {VERSION}",
            where=display_name(path),
            hint="upgrade clamp-analytics, or export again",
        )
    if header.version < 1:
        raise SourceError(f"there is no version {header.version} of an export", where=display_name(path), hint=_HINT)


def read_export(
    folder: str, manifest: Manifest, columns: Collection[str], storage: ObjectStorage | None = None
) -> Iterator[Batch]:
    """Read the batches of an export: first sessions, then violations, then records, file by file.

    Raises:
        SourceError: a file differs from the manifest, or has the columns of another table.
    """
    wanted = [name for name in RECORDS.names if name in columns]
    no_sessions, no_violations = empty_frame(SESSIONS), empty_frame(VIOLATIONS)
    no_records = empty_frame(RECORDS).select(wanted)
    for frame in _slices(folder, manifest, SESSIONS, SESSIONS.names, storage):
        yield _batch(frame, no_records, no_violations)
    for frame in _slices(folder, manifest, VIOLATIONS, VIOLATIONS.names, storage):
        yield _batch(no_sessions, no_records, frame)
    for frame in _slices(folder, manifest, RECORDS, wanted, storage):
        yield _batch(no_sessions, frame, no_violations)


def _slices(
    folder: str, manifest: Manifest, table: Table, columns: list[str], storage: ObjectStorage | None
) -> Iterator[pl.DataFrame]:
    """The rows of a table in slices, so that a large file need not fit in memory."""
    for exported in manifest.files:
        if exported.table != table.name:
            continue
        path = _path(folder, exported.path)
        try:
            file, sha256 = _checked(path, storage)
            if sha256 != exported.sha256:
                raise SourceError("a file of the export was changed", where=display_name(path), hint=_HINT)
            rows = pl.scan_parquet(file, glob=False, hive_partitioning=False)
            if "labels" in table.names and "labels" not in rows.collect_schema():
                # Exports of earlier versions do not have this column.
                rows = rows.with_columns(labels=pl.lit(None, pl.String))
            if rows.collect_schema() != polars_schema(table):
                raise SourceError(
                    f"a file of the export does not hold the table {table.name}", where=display_name(path), hint=_HINT
                )
            for start in range(0, exported.rows, BATCH_ROWS):
                yield rows.select(columns).slice(start, BATCH_ROWS).collect()
        except (OSError, UnreadableError, pl.exceptions.PolarsError) as error:
            raise SourceError(
                f"a file of the export cannot be read: {error}", where=display_name(path), hint=_HINT
            ) from error


def _checked(path: str, storage: ObjectStorage | None) -> tuple[str | io.BytesIO, str]:
    """A file as Polars can scan it, and its SHA-256: by its path, or by its content if it has no path in UTF-8."""
    if storage is None:
        with Path(path).open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        with suppress(UnicodeEncodeError):
            path.encode()
            return path, sha256
    data = _read(path, storage)
    return io.BytesIO(data), hashlib.sha256(data).hexdigest()


def _batch(sessions: pl.DataFrame, records: pl.DataFrame, violations: pl.DataFrame) -> Batch:
    return Batch(sessions, records, violations, pl.Series("seed_sum", [None] * sessions.height, dtype=pl.UInt64))
