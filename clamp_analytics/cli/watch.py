"""``clamp-analytics watch``: a folder followed into an archive."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Annotated

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli.ingest import Archive, views
from clamp_analytics.cli.run import command, put, tell

if TYPE_CHECKING:
    import polars as pl

    from clamp_analytics.archive.ingest.run import Ingested

EXAMPLES = """\b
Examples:
  clamp-analytics watch build/telemetry --archive telemetry.duckdb
  clamp-analytics watch host-a host-b -a telemetry.duckdb > sessions.tsv
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("watch", epilog=EXAMPLES)(options.with_container_options(watch))


@command
def watch(
    folders: Annotated[
        list[str], typer.Argument(metavar="DIR", help="Folders to follow, with those below.", show_default=False)
    ],
    archive: Archive,
    settle: Annotated[
        float, typer.Option("--settle", min=0.01, metavar="SECONDS", help="How long a file must stay as it is.")
    ] = 0.5,
    wait: Annotated[
        float,
        typer.Option("--wait", min=0, metavar="SECONDS", help="How long to wait for another writer, and for readers."),
    ] = 60.0,
    no_recursive: options.NoRecursive = False,
    jobs: options.Jobs = None,
) -> None:
    """Follow folders, and add each session when it is complete.

    Adds what is there, then what comes. Prints a line a session: its status, records, mean stability and source, with
    tabs between. Ctrl-C and SIGTERM end it, with exit code 0.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    from clamp_analytics.archive.ingest.options import IngestOptions
    from clamp_analytics.archive.watch import Events, follow

    wanted = IngestOptions(recursive=not no_recursive, jobs=jobs, wait_seconds=wait, **options.container_settings())
    events = Events(_put_lines, _tell_counts, lambda: tell(f"watching {', '.join(folders)}; Ctrl-C ends"))
    follow(folders, archive, stop, wanted, views=views(), events=events, quiet_seconds=settle)
    tell("ended")


def _put_lines(sessions: pl.DataFrame) -> None:
    from clamp_analytics.render.escape import for_terminal

    for row in sessions.iter_rows(named=True):
        mean = "-" if row["mean_stability"] is None else f"{row['mean_stability']:.6f}"
        put(f"{row['status']}\t{row['record_count']}\t{mean}\t{for_terminal(row['source'])}\n")


def _tell_counts(done: Ingested) -> None:
    tell(str(done))
