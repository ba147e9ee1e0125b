"""Files beside the folder of sessions: the artifact, and the provenance snapshot."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clamp_analytics.reading import Reader

ARTIFACT = "telemetry_summary.json"
"""Name of the artifact beside the folder that it summarizes."""

SNAPSHOT = "rocm_snapshot.json"
"""Name of the provenance snapshot beside the folder."""


def beside(folder: str, name: str) -> Path:
    """A file of this name in the folder that holds ``folder``."""
    return Path(folder).resolve().parent / name


def provenance(snapshot: Path | None, reader: Reader) -> str | None:
    """The JSON text for build_info: the snapshot that was named, else the sources' own, else none.

    Raises:
        UsageError: the snapshot cannot be used.
    """
    from clamp_analytics.analysis.summary import read_snapshot

    if snapshot is not None:
        return read_snapshot(snapshot)
    if reader.build_info is not None:
        return reader.build_info
    found = beside(reader.single_folder, SNAPSHOT) if reader.single_folder else None
    return read_snapshot(found) if found and found.is_file() else None
