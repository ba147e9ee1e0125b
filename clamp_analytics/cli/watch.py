"""``clamp-analytics watch``: follow folders into an archive."""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from clamp_analytics.cli.archive_options import Archive, Wait
from clamp_analytics.cli.command import add_command
from clamp_analytics.cli.exit_codes import ExitCode
from clamp_analytics.cli.messages import tell
from clamp_analytics.cli.options import ReadingOptions
from clamp_analytics.cli.output import print_data

if TYPE_CHECKING:
    import polars as pl

EXAMPLES = """
clamp-analytics watch build/telemetry --archive telemetry.duckdb
clamp-analytics watch host-a host-b -a telemetry.duckdb > sessions.tsv
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "watch", WatchCommand, EXAMPLES)


@dataclass(frozen=True, kw_only=True)
class WatchCommand(ReadingOptions):
    """Follow folders and add each session when its file is complete.

    Adds the existing sessions first. Prints a line per session with its status, records, mean stability and source,
    separated by tabs. Ctrl-C and SIGTERM end it with exit code 0.
    """

    folders: Annotated[list[str], typer.Argument(metavar="DIR...", help="Folders to follow.", show_default=False)]
    archive: Archive
    unchanged_for: Annotated[
        float,
        typer.Option(
            "--unchanged-for", min=0.01, metavar="SECONDS", help="How long a file must be unchanged before it is read."
        ),
    ] = 0.5
    wait_seconds: Wait = 60.0

    def run(self) -> ExitCode:
        """Follow the folders until a signal arrives."""
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        from clamp_analytics.api import library_views
        from clamp_analytics.archive.ingest.options import IngestOptions
        from clamp_analytics.archive.watch import Events, follow

        chosen = IngestOptions(
            recursive=not self.no_recursive,
            jobs=self.jobs,
            wait_seconds=self.wait_seconds,
            labels=self.label_rules(),
            **self.container_settings(),
        )
        events = Events(
            _print_sessions,
            lambda done: tell(str(done)),
            lambda: tell(f"watching {', '.join(self.folders)}; Ctrl-C ends"),
        )
        follow(
            self.folders,
            self.archive,
            stop,
            chosen,
            views=library_views(),
            events=events,
            quiet_seconds=self.unchanged_for,
        )
        tell("ended")
        return ExitCode.FINE


def _print_sessions(sessions: pl.DataFrame) -> None:
    from clamp_analytics.render.escape import for_terminal

    for row in sessions.iter_rows(named=True):
        mean = "-" if row["mean_stability"] is None else f"{row['mean_stability']:.6f}"
        print_data(f"{row['status']}\t{row['record_count']}\t{mean}\t{for_terminal(row['source'])}\n")
