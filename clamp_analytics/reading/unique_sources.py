"""Give sessions of exports and archives a ``source`` of their own where several sources have one of that name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping

import polars as pl

from clamp_analytics.batch import Batch
from clamp_analytics.path_names import source_name, unique_name


class UniqueSources:
    """The values of ``source`` that were read from several sources, none of them twice."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def add_files(self, paths: Iterable[str]) -> None:
        """Add session files, whose names are unique."""
        self._taken.update(map(source_name, paths))

    def rename(self, store: str, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The batches of one export or archive, with new names for sessions whose names are taken.

        Args:
            store: the name of the export or archive.
            batches: its batches; records and violations of a session may be in later ones than the session.
        """
        renamed: dict[str, str] = {}
        for batch in batches:
            for source, session_id in batch.sessions.select("source", "session_id").iter_rows():
                digest = session_id or hashlib.sha256(f"{store}\n{source}".encode()).hexdigest()
                unique = unique_name(source, digest, self._taken)
                self._taken.add(unique)
                if unique != source:
                    renamed[source] = unique
            yield _renamed(batch, renamed) if renamed else batch


def _renamed(batch: Batch, names: Mapping[str, str]) -> Batch:
    """The batch with new values of ``source``, by the old ones."""

    def rename(rows: pl.DataFrame) -> pl.DataFrame:
        return rows.with_columns(pl.col("source").replace(names)) if "source" in rows.columns else rows

    return Batch(rename(batch.sessions), rename(batch.records), rename(batch.violations), batch.seed_sums)
