"""Exports for the tests, and what they hold."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from polars.testing import assert_frame_equal

from clamp_analytics.parquet import ExportOptions, export
from clamp_analytics.reading import Reader, Telemetry
from clamp_analytics.schema import TABLES

MAX = 2**64 - 1
TINY = {"row_group_rows": 3, "rows_per_file": 5, "buffer_bytes": 1}
"""Bounds that a handful of records exceeds."""

HOSTILE = [
    *("", ".", "..", "../../x", "/etc/x", "a/b", "a\\b", "\n\r\t", "%2F", "a=b", "~", "é\u202e\U0001f600"),
    *("7", "007", "null", "__HIVE_DEFAULT_PARTITION__", "'; --", "*?[a]", "x" * 300, "é" * 100, "x" * 299 + "y"),
]


def exported(source: Path, target: Path, **options: Any) -> Path:
    export(Reader(source, session_ids=True, jobs=1), target, ExportOptions(**options))
    return target


def assert_equal(found: Telemetry, expected: Telemetry) -> None:
    for table in TABLES:
        assert_frame_equal(getattr(found, table), getattr(expected, table), check_exact=True)
    assert (found.counts, found.directory) == (expected.counts, expected.directory)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


@contextmanager
def limit(kind: int, value: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (value, hard))
    try:
        yield
    finally:
        resource.setrlimit(kind, (soft, hard))
