"""Ways to hand the same session files to the package, and its tables without what depends on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl

from clamp_analytics.archive.ingest.run import ingest
from clamp_analytics.parquet import ExportOptions, export
from clamp_analytics.path_names import INSIDE
from clamp_analytics.reading import Reader, ReadingOptions, Telemetry, load
from tests.conftest import write
from tests.sources.container_builders import build, compressed

Files = Mapping[str, bytes]


def folder(files: Files, home: Path) -> Telemetry:
    return load(write(home / "plain", files), session_ids=True, jobs=1)


def packed(ending: str) -> Callable[[Files, Path], Telemetry]:
    """Each file compressed on its own."""

    def read(files: Files, home: Path) -> Telemetry:
        given = {f"{name}.{ending}": compressed(ending, data) for name, data in files.items()}
        return load(write(home / ending, given), session_ids=True, jobs=1)

    return read


def contained(kind: str) -> Callable[[Files, Path], Telemetry]:
    """All files in one container."""

    def read(files: Files, home: Path) -> Telemetry:
        path = home / f"all.{kind}"
        path.write_bytes(build(kind, files))
        return load(path, session_ids=True, jobs=1)

    return read


def in_windows(files: Files, home: Path) -> Telemetry:
    options = ReadingOptions(large_bytes=1, window_bytes=200)
    return load(write(home / "windows", files), session_ids=True, jobs=1, options=options)


def in_small_batches(files: Files, home: Path) -> Telemetry:
    return load(write(home / "batches", files), session_ids=True, jobs=1, options=ReadingOptions(batch_files=1))


def exported(files: Files, home: Path) -> Telemetry:
    reader = Reader(write(home / "to-export", files), session_ids=True, jobs=1)
    export(reader, home / "export", ExportOptions(rows_per_file=3, row_group_rows=2))
    return load(home / "export", session_ids=True, jobs=1)


def archived(files: Files, home: Path) -> Telemetry:
    ingest(write(home / "to-archive", files), home / "archive.duckdb")
    return load(home / "archive.duckdb", session_ids=True, jobs=1)


CARRIERS: Mapping[str, Callable[[Files, Path], Telemetry]] = {
    "json.gz": packed("gz"),
    "json.zst": packed("zst"),
    "zip": contained("zip"),
    "tar": contained("tar"),
    "tar.xz": contained("tar.xz"),
    "parts of large files": in_windows,
    "batches of one file": in_small_batches,
    "export": exported,
    "archive": archived,
}


def without_paths(found: Telemetry) -> dict[str, pl.DataFrame]:
    """The three tables with each source as the file's own name, in its order."""

    def own_name(source: str) -> str:
        name = Path(source.rpartition(INSIDE)[2] or source).name
        return name.removesuffix(".gz").removesuffix(".zst")

    tables = {}
    for name in ("sessions", "records", "violations"):
        table = getattr(found, name)
        named = table.with_columns(pl.col("source").map_elements(own_name, return_dtype=pl.String))
        tables[name] = named.sort("source", maintain_order=True)
    return tables
