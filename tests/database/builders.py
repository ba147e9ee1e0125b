"""Session files and an export of them, for the tests of connections and queries."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pyarrow.parquet

from clamp_analytics.reading import Telemetry
from clamp_analytics.schema import TABLES, arrow_schema

SEEDS = (2**64 - 1, 2**64 - 2, 2**53 + 1)


def session(seeds: tuple[int, ...] = SEEDS) -> str:
    records = [
        {
            "context": f"lock-{index}",
            "seed": seed,
            "thread_id": "7",
            "acquired_at": f"2026-03-01T12:00:0{index}Z",
            "released_at": f"2026-03-01T12:00:0{index}.500Z",
            "duration_ms": 500.0,
            "stability_score": 1,
        }
        for index, seed in enumerate(seeds)
    ]
    return json.dumps({"stability_score": 1.0, "records": records})


def export(tables: Telemetry, to: Path) -> Path:
    """Write an export with its records in two files."""
    files = []
    (to / "records").mkdir(parents=True)
    records = tables.records
    parts = {
        "sessions.parquet": ("sessions", tables.sessions),
        "violations.parquet": ("violations", tables.violations),
        "records/0.parquet": ("records", records.head(1)),
        "records/1.parquet": ("records", records.tail(-1)),
    }
    for name, (table, frame) in parts.items():
        pyarrow.parquet.write_table(frame.to_arrow().cast(arrow_schema(TABLES[table])), to / name)
        data = (to / name).read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        files.append({"table": table, "path": name, "rows": frame.height, "size_bytes": len(data), "sha256": digest})
    manifest = {
        "format": "clamp-analytics-export",
        "version": 1,
        "package_version": "0",
        "source_directory": "/somewhere",
        "skipped": {"hidden": 2},
        "partition_by": [],
        "build_info": None,
        "files": files,
    }
    (to / "clamp_export.json").write_text(json.dumps(manifest))
    return to
