"""Files beside a folder of sessions: the summary artifact, and the provenance snapshot."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clamp_analytics.reading import Reader
    from clamp_analytics.sources import Listing

ARTIFACT = "telemetry_summary.json"
"""The name of the artifact beside the folder that it summarizes."""

SNAPSHOT = "rocm_snapshot.json"
"""The name of the provenance snapshot beside the folder."""


def beside(folder: str, name: str) -> Path:
    """The path of a file in the folder that contains ``folder``."""
    return Path(folder).resolve().parent / name


def provenance(snapshot: Path | None, reader: Reader) -> str | None:
    """The JSON text for build_info: the given snapshot, else that of an export or archive, else the one beside.

    Raises:
        UsageError: the snapshot cannot be used.
    """
    if snapshot is None and reader.build_info is not None:
        return reader.build_info
    return snapshot_beside(snapshot, reader)


def snapshot_beside(snapshot: Path | None, sources: Reader | Listing) -> str | None:
    """The JSON text of the given snapshot, else of the one beside the only folder; None if there is none.

    Raises:
        UsageError: the snapshot cannot be used.
    """
    from clamp_analytics.analysis.summary import read_snapshot

    if snapshot is not None:
        return read_snapshot(snapshot)
    found = beside(sources.single_folder, SNAPSHOT) if sources.single_folder else None
    return read_snapshot(found) if found and found.is_file() else None
