"""``Stores``: the exports and archives among the sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

from clamp_analytics.batch import Batch
from clamp_analytics.path_names import display_name
from clamp_analytics.reading.archive_connection import ArchiveState
from clamp_analytics.reading.export import Manifest, read_export, read_manifest
from clamp_analytics.reading.options import ReadingOptions
from clamp_analytics.reading.stored_archives import read_stored_archive, read_stored_state
from clamp_analytics.sources import Listing
from clamp_analytics.sources.object_storage import ObjectStorage, is_url


class Stores:
    """The exports and archives of a listing.

    Args:
        listing: names them.
        options: the size of a batch, and how long to wait for an archive that is written to.

    Attributes:
        only: what the only one records about its sources; None where there are several.
        skipped: how many entries were skipped when their sources were read, by reason.

    Raises:
        SourceError: an export or archive is damaged, has a newer version, or another process writes to it.
        UsageError: a package to read it is not installed.
    """

    def __init__(self, listing: Listing, options: ReadingOptions) -> None:
        self._storage = listing.storage
        self._options = options
        self._exports = [(folder, read_manifest(folder, self._storage_of(folder))) for folder in listing.exports]
        self._archives = [(path, read_stored_state(path, options, self._storage.options)) for path in listing.archives]
        manifests = [manifest for _, manifest in self._exports]
        states: list[Manifest | ArchiveState] = [*manifests, *(state for _, state in self._archives)]
        self.only = states[0] if len(states) == 1 else None
        self.skipped: Counter[str] = sum((Counter(state.skipped) for state in states), Counter())

    def read(self, columns: Collection[str]) -> Iterator[tuple[str, Iterator[Batch]]]:
        """Each export and archive by name, with its batches.

        Args:
            columns: the columns of ``records`` to read.
        """
        for folder, manifest in self._exports:
            yield display_name(folder), read_export(folder, manifest, columns, self._storage_of(folder))
        for path, _ in self._archives:
            yield display_name(path), read_stored_archive(path, columns, self._options, self._storage.options)

    def _storage_of(self, folder: str) -> ObjectStorage | None:
        return self._storage if is_url(folder) else None
