"""Parquet exports as sources: the manifest, and the batches that the files hold.

The files are plain Parquet. What makes a folder of them an export, and a complete one, is its manifest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import msgspec
import polars as pl

from clamp_analytics.decode.batch import Batch
from clamp_analytics.errors import SourceError
from clamp_analytics.schema import RECORDS, SESSIONS, VIOLATIONS, empty_frame
from clamp_analytics.sources import MANIFEST

FORMAT = "clamp-analytics-export"
VERSION = 1
"""The version of the layout; a reader refuses a newer one."""


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


def read_manifest(folder: str) -> Manifest:
    """The manifest of an export, checked against the files that are there.

    Raises:
        SourceError: it is damaged, newer than this package, or a file is missing or of another size.
    """
    path = Path(folder, MANIFEST)
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise SourceError(f"the export's manifest cannot be read: {error}", where=str(path)) from error
    if manifest.format != FORMAT or manifest.version > VERSION:
        raise SourceError(
            f"the export has version {manifest.version}, and this package reads up to {VERSION}",
            where=str(path),
            hint="upgrade clamp-analytics, or export again",
        )
    for file in manifest.files:
        part = Path(folder, file.path)
        if not part.is_file() or part.stat().st_size != file.size_bytes:
            raise SourceError(
                "a file of the export is missing or was changed",
                where=str(part),
                hint="export the sources again",
            )
    return manifest


def read_export(folder: str, manifest: Manifest, columns: Collection[str]) -> Iterator[Batch]:
    """The batches of an export: first the sessions and violations, then the records, file by file."""

    def parts(table: str) -> Iterator[Path]:
        return (Path(folder, file.path) for file in manifest.files if file.table == table)

    wanted = [name for name in RECORDS.names if name in columns]
    nothing = empty_frame(RECORDS).select(wanted)
    sessions = [pl.read_parquet(part, hive_partitioning=False) for part in parts(SESSIONS.name)]
    violations = [pl.read_parquet(part, hive_partitioning=False) for part in parts(VIOLATIONS.name)]
    yield _batch(
        pl.concat([empty_frame(SESSIONS), *sessions]),
        nothing,
        pl.concat([empty_frame(VIOLATIONS), *violations]),
    )
    for part in parts(RECORDS.name):
        frame = pl.read_parquet(part, columns=wanted, hive_partitioning=False)
        yield _batch(empty_frame(SESSIONS), frame.select(wanted), empty_frame(VIOLATIONS))


def _batch(sessions: pl.DataFrame, records: pl.DataFrame, violations: pl.DataFrame) -> Batch:
    return Batch(sessions, records, violations, pl.Series("seed_sum", [None] * sessions.height, dtype=pl.UInt64))
