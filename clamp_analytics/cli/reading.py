"""Open the sources of a command: list them, start workers where there is much to read, and show the progress."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict

from clamp_analytics.cli.options import STDOUT, AnalysisSourceOptions
from clamp_analytics.cli.progress import step
from clamp_analytics.cli.settings import cluster_address
from clamp_analytics.reading.options import ReadingOptions

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from clamp_analytics.reading.workers import Workers
    from clamp_analytics.sources import ContainerLimits, Listing


class ReaderArguments(TypedDict):
    """The arguments of ``reading.Reader`` that every reading command passes."""

    sources: Listing
    jobs: int | None
    executor: Executor | Workers | None
    progress: Callable[[int, int], None] | None
    limits: ContainerLimits
    salvage: bool
    unique: bool
    labels: tuple[str, ...]
    options: ReadingOptions


@dataclass(slots=True)
class Inputs:
    """The sources that a command has read so far, which its output must not replace.

    Attributes:
        listed: per opening, the sources as they were named and the files found in them.
    """

    listed: list[tuple[Sequence[str], Sequence[str]]] = field(default_factory=list)

    def check_not_among(self, output: str) -> None:
        """Check that an output path is none of the inputs.

        Raises:
            UsageError: it is one of them.
        """
        from clamp_analytics.sources import check_no_source

        for named, files in self.listed:
            check_no_source(output, named, files)


@contextmanager
def open_sources(
    sources: Sequence[str],
    options: AnalysisSourceOptions,
    inputs: Inputs,
    *,
    columns: Collection[str] | None = None,
    session_ids: bool = False,
    then: str = "processing",
    leave_unlisted: bool = False,
) -> Iterator[ReaderArguments]:
    """List the sources and start workers; the arguments of a reader are valid within the ``with`` block.

    Args:
        sources: the sources as they were named.
        options: how they are read.
        inputs: collects what is read.
        columns: the columns of ``records`` that will be read, so that decoding can begin at once; None where they are
            not known yet.
        session_ids: whether each file will be hashed.
        then: what is done in the ``with`` block after the reading, as its progress names it; see ``progress.step``.
        leave_unlisted: whether a cluster may list folders of object storage.

    Raises:
        SourceError: a source does not exist, matches nothing, or cannot be listed.
        UsageError: ``pyproject.toml`` has a wrong rule for a label.
        WorkerError: the cluster cannot be used.
    """
    from clamp_analytics.sources import list_sources

    labels = options.label_rules()
    address = cluster_address(options.cluster)
    with step("listing the sources"):
        listing = list_sources(
            sources,
            recursive=not options.no_recursive,
            leave_unlisted=leave_unlisted and bool(address) and not options.unique,
        )
    inputs.listed.append(([source for source in sources if source != STDOUT], listing.files))
    workers = start_workers(listing, options.jobs, address, columns, session_ids=session_ids)
    with workers as executor, step("reading", then=then) as progress:
        yield {
            "sources": listing,
            "jobs": options.jobs,
            "executor": executor,
            "progress": progress,
            "unique": options.unique,
            "labels": labels,
            "options": ReadingOptions(concurrency=options.concurrency),
            **options.container_settings(),
        }


@contextmanager
def start_workers(
    listing: Listing,
    jobs: int | None,
    cluster: str,
    columns: Collection[str] | None = None,
    *,
    session_ids: bool = False,
) -> Iterator[Executor | Workers | None]:
    """Workers on this machine or a cluster, within a ``with`` block; None where none are needed.

    Args:
        listing: what is to be read.
        jobs: how many workers of this machine.
        cluster: the address of a Dask scheduler; empty for this machine.
        columns: see ``open_sources``.
        session_ids: see ``open_sources``.

    Raises:
        WorkerError: the cluster cannot be used.
    """
    if not cluster:
        from clamp_analytics.reading.executors import early_workers

        with early_workers(listing, jobs, columns, session_ids=session_ids) as executor:
            yield executor
        return
    from clamp_analytics.reading.cluster import connect_cluster

    # Dask logs every lost connection with a traceback, and warns of other versions of its own packages; the error of
    # this tool says what matters of that.
    logging.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with connect_cluster(cluster) as workers:
                yield workers
    finally:
        logging.disable(logging.NOTSET)
