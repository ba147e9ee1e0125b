"""``ReadingOptions``: the sizes that decide how reading is divided into tasks and batches."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """How reading is divided into tasks and batches. It changes speed and memory, never the result.

    Attributes:
        batch_bytes: Files are read together up to this size. The default is about 40,000 records: enough that the
            fixed costs of a batch do not matter, and few enough to distribute evenly over workers.
        batch_files: The most files of a batch; limits batches of very small files.
        large_bytes: A file of this size or more is read window by window, where the native decoder is installed.
        window_bytes: How much of a large file is decoded at once; about one batch.
        workers_from_bytes: Sources smaller than this are read in this process, because decoding them takes less time
            than starting a worker.
        archive_batch_rows: Records of a batch from an archive; about one of DuckDB's row groups.
        archive_wait_seconds: How long to wait for a commit to end: DuckDB lets nobody read a file that is open for
            writing.
        shard_bytes: Files of about this size are read by one task of a cluster: enough that handing them out costs
            little, and few enough to distribute evenly over workers.
        shard_files: The most files of such a task.
        small_shards: So many tasks get files of these sizes where workers list the files; further ones get more, so
            that a billion files are not too many tasks for a scheduler.
        large_shard_bytes: Files of about this size are then read by one task.
        large_shard_files: The most files of such a task.
        listed_at_once: Objects that one task lists.
        concurrency: Objects that are fetched from object storage at once.
    """

    batch_bytes: int = 10_000_000
    batch_files: int = 4_000
    large_bytes: int = 16_000_000
    window_bytes: int = 10_000_000
    workers_from_bytes: int = 12_000_000
    archive_batch_rows: int = 120_000
    archive_wait_seconds: float = 30.0
    shard_bytes: int = 30_000_000
    shard_files: int = 8_000
    small_shards: int = 1_000
    large_shard_bytes: int = 500_000_000
    large_shard_files: int = 25_000
    listed_at_once: int = 500_000
    concurrency: int = 64


DEFAULT_OPTIONS = ReadingOptions()
