"""``Telemetry``: the three tables in memory, and ``Counts`` of the files that they come from."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from clamp_analytics.errors import SourceError
from clamp_analytics.wording import plural


@dataclass(frozen=True, slots=True)
class Counts:
    """The number of files by outcome: ``seen = loaded + rejected + skipped``.

    Attributes:
        loaded: files that were read as sessions.
        rejected: files that could not be read as sessions.
        skipped: entries that were not read, such as hidden files.
    """

    loaded: int
    rejected: int
    skipped: int

    @property
    def seen(self) -> int:
        """All entries found in the sources."""
        return self.loaded + self.rejected + self.skipped

    def __str__(self) -> str:
        return f"{self.seen} seen = {self.loaded} loaded + {self.rejected} rejected + {self.skipped} skipped"


@dataclass(frozen=True, slots=True, repr=False)
class Telemetry:
    """The three tables of all sources (see ``schema.py`` for their columns), and the counts of files.

    Attributes:
        sessions: one row per session file, ordered by name.
        records: one row per anchor event, ordered by file and index in the file.
        violations: one row per fault, ordered by file and index in the file.
        counts: files seen, loaded, rejected and skipped.
        directory: the absolute folder that all sources have in common.
    """

    sessions: pl.DataFrame
    records: pl.DataFrame
    violations: pl.DataFrame
    counts: Counts
    directory: str

    def __repr__(self) -> str:
        rows = (
            plural(self.sessions.height, "session"),
            plural(self.records.height, "record"),
            plural(self.violations.height, "violation"),
        )
        return f"Telemetry: {', '.join(rows)}\n  files: {self.counts}\n  directory: {self.directory!r}"


def require_sessions(counts: Counts, directory: str) -> None:
    """Check that at least one session was loaded.

    Raises:
        SourceError: no session was loaded.
    """
    if counts.loaded == 0:
        raise SourceError(
            f"no usable session among {counts}",
            where=directory,
            hint="`clamp-analytics validate` says what is wrong with each file",
        )
