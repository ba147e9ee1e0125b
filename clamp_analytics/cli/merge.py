"""``clamp-analytics merge``: the session files of one run as one session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli.command import OUTPUT_PANEL, add_command
from clamp_analytics.cli.exit_codes import ExitCode
from clamp_analytics.cli.messages import tell
from clamp_analytics.cli.options import STDOUT, ListingOptions, ObjectStorageOptions, output_option
from clamp_analytics.cli.output import print_data
from clamp_analytics.cli.progress import step
from clamp_analytics.wording import plural

EXAMPLES = """
clamp-analytics merge build/telemetry -o run.json
clamp-analytics merge worker-*.json -o - | jq .stability_score
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "merge", MergeCommand, EXAMPLES)


@dataclass(frozen=True, kw_only=True)
class MergeCommand(ObjectStorageOptions, ListingOptions):
    """Merge the session files of one run into one session.

    Records keep their text and are sorted by acquisition. Thread ids that occur in several files get a suffix per
    file, because they name different threads.
    """

    sources: options.Sources
    output: Annotated[str, output_option("The session file to write; - for standard output.", "FILE")]
    skip_rejected: Annotated[
        bool, typer.Option("--skip-rejected", help="Leave out files that are not sessions, and name them.")
    ] = False
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace an existing file, but none of the sources.", rich_help_panel=OUTPUT_PANEL
        ),
    ] = False

    def run(self) -> ExitCode:
        """Merge the files."""
        from clamp_analytics import rewrite
        from clamp_analytics.outputs import check_session_target, write_session
        from clamp_analytics.sources import list_sources

        to_stdout = self.output == STDOUT
        listing = list_sources(self.sources, recursive=not self.no_recursive)
        if not to_stdout:
            check_session_target(self.output, self.sources, listing.files, overwrite=self.overwrite)
        with step("reading", then="merging") as progress:
            merged = rewrite.merge(
                listing,
                skip_rejected=self.skip_rejected,
                concurrency=self.concurrency,
                progress=progress,
                **self.container_settings(),
            )
        if to_stdout:
            print_data(merged.data)
        else:
            write_session(self.output, merged.data, overwrite=self.overwrite)
        for source, why in merged.rejected:
            tell(f"left out: {source}: {why}")
        for note in merged.notes:
            tell(note)
        target = "standard output" if to_stdout else self.output
        tell(f"wrote {plural(merged.records, 'record')} to {target}; files: {merged.counts}")
        return ExitCode.FINE
