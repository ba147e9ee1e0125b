"""``clamp-analytics ingest``: sources into an archive, every session once."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli.provenance import SNAPSHOT, beside
from clamp_analytics.cli.run import command, progress_bar, put, tell
from clamp_analytics.errors import SourceError

if TYPE_CHECKING:
    import polars as pl

    from clamp_analytics.archive.ingest.run import Ingested
    from clamp_analytics.archive.tables import View
    from clamp_analytics.sources import Listing

Archive = Annotated[str, typer.Option("--archive", "-a", metavar="PATH", help="The archive; made where it is missing.")]
Wait = Annotated[
    float,
    typer.Option("--wait", min=0, metavar="SECONDS", help="How long to wait for another writer, and for readers."),
]

EXAMPLES = """\b
Examples:
  clamp-analytics ingest build/telemetry --archive telemetry.duckdb
  clamp-analytics ingest 'artifacts/*' --archive telemetry.duckdb --dry-run
  clamp-analytics summarize telemetry.duckdb
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("ingest", epilog=EXAMPLES)(options.with_container_options(ingest))


@command
def ingest(
    sources: options.Sources,
    archive: Archive,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be new, and write nothing.")] = False,
    rehash: Annotated[
        bool, typer.Option("--rehash", help="Open files again whose name, size and time are known.")
    ] = False,
    wait: Wait = 10.0,
    snapshot: options.Snapshot = None,
    no_recursive: options.NoRecursive = False,
    jobs: options.Jobs = None,
) -> None:
    """Add new sessions to an archive.

    A session is known by the hash of its bytes: it is counted once, whatever its name, time or container. Files
    whose name, size and time are known are not opened. The archive is a DuckDB database, and a SOURCE.
    """
    from clamp_analytics.reading.executors import early_workers
    from clamp_analytics.sources import list_sources

    listing = list_sources(sources, recursive=not no_recursive)
    # Where the ledger says what is new, there may be nothing to read, and workers would start for nothing.
    workers = nullcontext() if Path(archive).exists() else early_workers(listing, jobs)
    with workers as executor, progress_bar(len(listing.files)) as progress:
        from clamp_analytics.archive.ingest.options import IngestOptions
        from clamp_analytics.archive.ingest.run import ingest as add

        wanted = IngestOptions(
            rehash=rehash,
            dry_run=dry_run,
            jobs=jobs,
            wait_seconds=wait,
            build_info=_build_info(snapshot, listing),
            **options.container_settings(),
        )
        done = add(
            listing,
            archive,
            wanted,
            views=views(),
            executor=executor,
            progress=progress,
            added=_list_new if dry_run else None,
        )
    for path, reason in done.rejections:
        tell(f"rejected: {path}: {reason}")
    if done.rejected > len(done.rejections):
        tell(f"… {done.rejected:,} rejected in all; the table `files` of the archive names them")
    tell(f"{archive}: {_outcome(done, dry_run=dry_run)}")
    if done.new + done.known == 0:
        hint = "`clamp-analytics validate` says what is wrong with each file"
        raise SourceError("there is no usable session", where=listing.directory, hint=hint)


def _outcome(done: Ingested, *, dry_run: bool) -> str:
    if dry_run:
        return f"{done} (dry run: nothing was written)"
    return str(done) if done.changed else f"{done}; nothing was written"


def _list_new(sessions: pl.DataFrame) -> None:
    from clamp_analytics.render.escape import for_terminal

    for source in sessions.filter(status="loaded")["source"]:
        put(f"{for_terminal(source)}\n")


def _build_info(snapshot: Path | None, listing: Listing) -> str | None:
    """The snapshot that was named, else the one beside the only folder, else none."""
    from clamp_analytics.analysis.summary import read_snapshot

    if snapshot is not None:
        return read_snapshot(snapshot)
    found = beside(listing.single_folder, SNAPSHOT) if listing.single_folder else None
    return read_snapshot(found) if found and found.is_file() else None


def views() -> list[View]:
    """The views of the SQL library, as an archive carries them."""
    from clamp_analytics.archive.tables import View
    from clamp_analytics.database.library import library

    return [
        View(query.name, query.sentence, query.columns, query.sql)
        for query in library().values()
        if query.kind == "view"
    ]
