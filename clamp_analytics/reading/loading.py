"""``load`` reads sources into three tables in memory; ``iter_batches`` yields the tables batch by batch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import Executor

from clamp_analytics.batch import Batch
from clamp_analytics.reading.labels import LabelRule
from clamp_analytics.reading.options import DEFAULT_OPTIONS, ReadingOptions
from clamp_analytics.reading.reader import Progress, Reader, Sources, unchanged
from clamp_analytics.reading.telemetry import Telemetry
from clamp_analytics.reading.workers import Cluster
from clamp_analytics.sources import DEFAULT_LIMITS, ContainerLimits


def load(
    sources: Sources,
    *,
    columns: Collection[str] | None = None,
    session_ids: bool = False,
    recursive: bool = True,
    jobs: int | None = None,
    executor: Executor | None = None,
    cluster: Cluster | None = None,
    progress: Progress | None = None,
    limits: ContainerLimits = DEFAULT_LIMITS,
    salvage: bool = False,
    unique: bool = False,
    labels: Iterable[str | LabelRule] = (),
    options: ReadingOptions = DEFAULT_OPTIONS,
    storage_options: Mapping[str, str] | None = None,
) -> Telemetry:
    r"""Read sources into the three tables.

    A bad file never affects other files: it has a row in ``sessions`` with its status, and its violations.

    Args:
        sources: session files, containers, folders, globs, ``-``, exports or archives, by path, or all but archives by
            a URL such as ``s3://bucket/folder/``.
        columns: the columns of ``records`` to read; all by default.
        session_ids: whether to hash each file for its ``session_id``.
        recursive: whether subfolders are searched, too.
        jobs: how many batches are read at once; the usable cores by default.
        executor: where to read them; by default processes, where the sources are large enough.
        cluster: a Dask cluster to read them on: the address of its scheduler, or a client.
        progress: called after each batch with the number of files read and of all files.
        limits: how much one container may hold.
        salvage: whether to read the intact members of a damaged container, instead of rejecting all of them.
        unique: whether to read each session once: files with the same bytes as one that was read are skipped.
        labels: rules that give sessions labels, such as ``build=build-(\d+)``; see ``parse_label_rule``.
        options: sizes of tasks and batches.
        storage_options: configuration of the object storage, as Polars takes it; by default that of the environment.

    Returns:
        The tables ``sessions``, ``records`` and ``violations`` as Polars frames, and the counts of files.

    Raises:
        SourceError: a source does not exist, or an export or archive is damaged.
        UsageError: ``jobs`` is below 1, there is no such column, or a label is not given as NAME=RULE.
        WorkerError: a worker or the cluster failed.
    """
    reader = Reader(
        sources,
        columns=columns,
        session_ids=session_ids,
        recursive=recursive,
        jobs=jobs,
        executor=executor,
        cluster=cluster,
        progress=progress,
        limits=limits,
        salvage=salvage,
        unique=unique,
        labels=labels,
        options=options,
        storage_options=storage_options,
    )
    return reader.collect()


def iter_batches(
    sources: Sources,
    *,
    columns: Collection[str] | None = None,
    session_ids: bool = False,
    recursive: bool = True,
    jobs: int | None = None,
    executor: Executor | None = None,
    cluster: Cluster | None = None,
    limits: ContainerLimits = DEFAULT_LIMITS,
    salvage: bool = False,
    unique: bool = False,
    labels: Iterable[str | LabelRule] = (),
    options: ReadingOptions = DEFAULT_OPTIONS,
    storage_options: Mapping[str, str] | None = None,
) -> Iterator[Batch]:
    r"""Read sources in batches of about 40,000 records, for telemetry that does not fit in memory.

    The batches come in a fixed order. The last one holds no session, only the violations that show after all sessions
    are read.

    Args:
        sources: session files, containers, folders, globs, ``-``, exports or archives, by path, or all but archives by
            a URL such as ``s3://bucket/folder/``.
        columns: the columns of ``records`` to read; all by default.
        session_ids: whether to hash each file for its ``session_id``.
        recursive: whether subfolders are searched, too.
        jobs: how many batches are read at once; the usable cores by default.
        executor: where to read them; by default processes, where the sources are large enough.
        cluster: a Dask cluster to read them on: the address of its scheduler, or a client.
        limits: how much one container may hold.
        salvage: whether to read the intact members of a damaged container, instead of rejecting all of them.
        unique: whether to read each session once: files with the same bytes as one that was read are skipped.
        labels: rules that give sessions labels, such as ``build=build-(\d+)``; see ``parse_label_rule``.
        options: sizes of tasks and batches.
        storage_options: configuration of the object storage, as Polars takes it; by default that of the environment.

    Returns:
        An iterator over batches. Sources are listed at once, and read while the iterator advances.

    Raises:
        SourceError: a source does not exist, or an export or archive is damaged.
        UsageError: ``jobs`` is below 1, there is no such column, or a label is not given as NAME=RULE.
        WorkerError: a worker or the cluster failed, while the iterator advances.
    """
    reader = Reader(
        sources,
        columns=columns,
        session_ids=session_ids,
        recursive=recursive,
        jobs=jobs,
        executor=executor,
        cluster=cluster,
        limits=limits,
        salvage=salvage,
        unique=unique,
        labels=labels,
        options=options,
        storage_options=storage_options,
    )
    return reader.fold(unchanged)
