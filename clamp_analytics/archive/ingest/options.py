"""``IngestOptions``: what an ingest reads, and how it divides the work."""

from __future__ import annotations

from dataclasses import dataclass

from clamp_analytics.reading.labels import LabelRule
from clamp_analytics.reading.options import DEFAULT_OPTIONS, ReadingOptions
from clamp_analytics.sources import DEFAULT_LIMITS, ContainerLimits


@dataclass(frozen=True, slots=True)
class IngestOptions:
    r"""What an ingest reads, and how it divides the work.

    Attributes:
        rehash: whether to read files whose name, size and time, or ETag, are known.
        dry_run: whether to count what would be new without writing it.
        recursive: whether subfolders are searched, too.
        jobs: how many batches are read at once; the number of usable cores by default.
        wait_seconds: how long to wait for another writer, and for readers before each commit.
        build_info: the provenance snapshot of the sources, as JSON text.
        limits: how much one container may hold.
        salvage: whether to read the intact members of a damaged container, instead of rejecting all of them.
        labels: rules that give new sessions labels, such as ``build=build-(\d+)``; see ``parse_label_rule``.
        reading: sizes of tasks and batches.
        commit_records: Records after which a transaction is committed; about two seconds of decoding.
        commit_files: Files after which a transaction is committed.
        memory_records: Records that wait for a commit in memory. Those of a larger file wait on disk, because the
            records of a file are committed together.
    """

    rehash: bool = False
    dry_run: bool = False
    recursive: bool = True
    jobs: int | None = None
    wait_seconds: float = 10.0
    build_info: str | None = None
    limits: ContainerLimits = DEFAULT_LIMITS
    salvage: bool = False
    labels: tuple[str | LabelRule, ...] = ()
    reading: ReadingOptions = DEFAULT_OPTIONS
    commit_records: int = 500_000
    commit_files: int = 20_000
    memory_records: int = 1_000_000


DEFAULT_INGEST_OPTIONS = IngestOptions()
