"""Open the sources of a command: list them, start workers where there is much to read, and show the progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict

from clamp_analytics.cli.options import STDOUT, AnalysisSourceOptions
from clamp_analytics.cli.progress import step
from clamp_analytics.reading.options import ReadingOptions

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from clamp_analytics.sources import ContainerLimits, Listing


class ReaderArguments(TypedDict):
    """The arguments of ``reading.Reader`` that every reading command passes."""

    sources: Listing
    jobs: int | None
    executor: Executor | None
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
def open_sources(sources: Sequence[str], options: AnalysisSourceOptions, inputs: Inputs) -> Iterator[ReaderArguments]:
    """List the sources and start workers; the arguments of a reader are valid within the ``with`` block.

    Raises:
        SourceError: a source does not exist, matches nothing, or cannot be listed.
        UsageError: ``pyproject.toml`` has a wrong rule for a label.
    """
    from clamp_analytics.reading.executors import early_workers
    from clamp_analytics.sources import list_sources

    labels = options.label_rules()
    with step("listing the sources"):
        listing = list_sources(sources, recursive=not options.no_recursive)
    inputs.listed.append(([source for source in sources if source != STDOUT], listing.files))
    with early_workers(listing, options.jobs) as executor, step("reading") as progress:
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
