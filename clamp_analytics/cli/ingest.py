"""``clamp-analytics ingest``: sources into an archive, each session once."""

from __future__ import annotations

import os
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli.archive_options import Archive, Wait
from clamp_analytics.cli.command import add_command
from clamp_analytics.cli.exit_codes import ExitCode
from clamp_analytics.cli.messages import tell
from clamp_analytics.cli.options import ClusterOptions, ObjectStorageOptions, ReadingOptions
from clamp_analytics.cli.output import print_data
from clamp_analytics.cli.progress import step
from clamp_analytics.cli.provenance import snapshot_beside
from clamp_analytics.cli.reading import start_workers
from clamp_analytics.cli.settings import cluster_address
from clamp_analytics.errors import SourceError

if TYPE_CHECKING:
    import polars as pl

    from clamp_analytics.archive.ingest.run import Ingested

EXAMPLES = """
clamp-analytics ingest build/telemetry --archive telemetry.duckdb
clamp-analytics ingest 'artifacts/*' --archive telemetry.duckdb --dry-run
clamp-analytics ingest build/telemetry --archive /shared/telemetry/
clamp-analytics summarize telemetry.duckdb
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "ingest", IngestCommand, EXAMPLES)


@dataclass(frozen=True, kw_only=True)
class IngestCommand(ObjectStorageOptions, ReadingOptions, ClusterOptions):
    """Add new sessions to an archive.

    The archive is a DuckDB file, or a folder of Delta tables, to which many processes may write at once. It is a
    SOURCE of every command here. A session is identified by the hash of its bytes, so it is added once, whatever its
    name, time or container. Files whose name, size and time are known are not opened again, nor are objects whose
    name, size and ETag are known.
    """

    sources: options.Sources
    archive: Archive
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the new sessions, and write nothing.")] = False
    rehash: Annotated[bool, typer.Option("--rehash", help="Also open files and objects that are known.")] = False
    wait_seconds: Wait = 10.0
    snapshot: options.Snapshot = None

    def run(self) -> ExitCode:
        """Ingest the sources."""
        from clamp_analytics.sources import list_sources

        address = cluster_address(self.cluster)
        with step("listing the sources"):
            listing = list_sources(self.sources, recursive=not self.no_recursive)
        # An existing archive may know all files; workers of this machine would start for nothing.
        needs_none = os.path.exists(self.archive) and not address
        workers = nullcontext() if needs_none else start_workers(listing, self.jobs, address)
        with workers as executor, step("ingesting", then="committing") as progress:
            from clamp_analytics.api import library_views
            from clamp_analytics.archive.ingest.options import IngestOptions
            from clamp_analytics.archive.ingest.run import ingest
            from clamp_analytics.reading import options as reading

            chosen = IngestOptions(
                rehash=self.rehash,
                dry_run=self.dry_run,
                jobs=self.jobs,
                wait_seconds=self.wait_seconds,
                labels=self.label_rules(),
                reading=reading.ReadingOptions(concurrency=self.concurrency),
                build_info=snapshot_beside(self.snapshot, listing),
                **self.container_settings(),
            )
            done = ingest(
                listing,
                self.archive,
                chosen,
                views=library_views(),
                executor=executor,
                progress=progress,
                added=_print_new if self.dry_run else None,
            )
        for path, reason in done.rejections:
            tell(f"rejected: {path}: {reason}")
        if done.rejected > len(done.rejections):
            tell(f"… {done.rejected:,} rejected in total; the table `files` of the archive lists them")
        tell(f"{self.archive}: {self._outcome(done)}")
        if done.new + done.known == 0:
            hint = "`clamp-analytics validate` says what is wrong with each file"
            raise SourceError("there is no usable session", where=listing.directory, hint=hint)
        return ExitCode.FINE

    def _outcome(self, done: Ingested) -> str:
        if self.dry_run:
            return f"{done} (dry run: nothing was written)"
        return str(done) if done.changed else f"{done}; nothing was written"


def _print_new(sessions: pl.DataFrame) -> None:
    from clamp_analytics.render.escape import for_terminal

    for source in sessions.filter(status="loaded")["source"]:
        print_data(f"{for_terminal(source)}\n")
