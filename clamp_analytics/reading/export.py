"""Parquet exports as sources: the manifest, and the batches that the files hold.

The files are plain Parquet. What makes a folder of them an export, and a complete one, is its manifest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

import msgspec
import polars as pl

from clamp_analytics.batch import Batch
from clamp_analytics.errors import SourceError
from clamp_analytics.schema import RECORDS, SESSIONS, VIOLATIONS, Table, empty_frame, polars_schema
from clamp_analytics.sources import MANIFEST

FORMAT = "clamp-analytics-export"
ROWS_AT_ONCE = 262_144
"""Rows of a Parquet file that are in memory at once; about one row group."""

VERSION = 1
"""The version of the layout; a reader refuses a newer one."""

_AGAIN = "export the sources again"


class ExportedFile(msgspec.Struct, frozen=True):
    """One Parquet file of an export.

    Attributes:
        table: the table whose rows it holds.
        path: where it is, relative to the export.
        rows: its rows.
        size_bytes: its size.
        sha256: the hash of its bytes.
    """

    table: str
    path: str
    rows: int
    size_bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What an export consists of and where it came from.

    Attributes:
        format: marks the folder as an export.
        version: the version of its layout.
        package_version: the version that wrote it.
        source_directory: the folder that the session files were found in.
        skipped: entries passed over when they were read, by reason.
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
    """What a manifest of any version says of itself."""

    format: str
    version: int


def read_manifest(folder: str) -> Manifest:
    """The manifest of an export, checked against the files that are there.

    Raises:
        SourceError: it is damaged, of another version, or a file is missing or of another size.
    """
    path = Path(folder, MANIFEST)
    try:
        data = path.read_bytes()
        _check_header(msgspec.json.decode(data, type=_Header), path)
        manifest = msgspec.json.decode(data, type=Manifest)
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise SourceError(f"the export's manifest cannot be read: {error}", where=str(path), hint=_AGAIN) from error
    for file in manifest.files:
        inside = PurePosixPath(file.path)
        if inside.is_absolute() or ".." in inside.parts or "\0" in file.path:
            raise SourceError(f"the export names a file outside of itself: {file.path!r}", where=str(path))
        part = Path(folder, inside)
        if not part.is_file() or part.stat().st_size != file.size_bytes:
            raise SourceError("a file of the export is missing or was changed", where=str(part), hint=_AGAIN)
    return manifest


def _check_header(header: _Header, path: Path) -> None:
    if header.format != FORMAT:
        raise SourceError(f"it is no manifest of an export: its format is {header.format!r}", where=str(path))
    if header.version > VERSION:
        raise SourceError(
            f"the export has version {header.version}, and this package reads up to {VERSION}",
            where=str(path),
            hint="upgrade clamp-analytics, or export again",
        )
    if header.version < 1:
        raise SourceError(f"there is no version {header.version} of an export", where=str(path), hint=_AGAIN)


def read_export(folder: str, manifest: Manifest, columns: Collection[str]) -> Iterator[Batch]:
    """The batches of an export: first the sessions, then the violations, then the records, file by file.

    Raises:
        SourceError: a file is not what the manifest says, or does not hold its table.
    """
    wanted = [name for name in RECORDS.names if name in columns]
    no_sessions, no_violations = empty_frame(SESSIONS), empty_frame(VIOLATIONS)
    no_records = empty_frame(RECORDS).select(wanted)
    for frame in _slices(folder, manifest, SESSIONS, SESSIONS.names):
        yield _batch(frame, no_records, no_violations)
    for frame in _slices(folder, manifest, VIOLATIONS, VIOLATIONS.names):
        yield _batch(no_sessions, no_records, frame)
    for frame in _slices(folder, manifest, RECORDS, wanted):
        yield _batch(no_sessions, frame, no_violations)


def _slices(folder: str, manifest: Manifest, table: Table, columns: list[str]) -> Iterator[pl.DataFrame]:
    """The rows of a table, some at a time, so that a large file need not fit in memory."""
    for listed in manifest.files:
        if listed.table != table.name:
            continue
        path = Path(folder, listed.path)
        try:
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != listed.sha256:
                    raise SourceError("a file of the export was changed", where=str(path), hint=_AGAIN)
            rows = pl.scan_parquet(path, glob=False, hive_partitioning=False)
            if rows.collect_schema() != polars_schema(table):
                raise SourceError(
                    f"a file of the export does not hold the table {table.name}", where=str(path), hint=_AGAIN
                )
            for start in range(0, listed.rows, ROWS_AT_ONCE):
                yield rows.select(columns).slice(start, ROWS_AT_ONCE).collect()
        except (OSError, pl.exceptions.PolarsError) as error:
            raise SourceError(f"a file of the export cannot be read: {error}", where=str(path), hint=_AGAIN) from error


def _batch(sessions: pl.DataFrame, records: pl.DataFrame, violations: pl.DataFrame) -> Batch:
    return Batch(sessions, records, violations, pl.Series("seed_sum", [None] * sessions.height, dtype=pl.UInt64))
