"""``clamp-analytics align``: session files shifted to a common start time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli.command import add_command
from clamp_analytics.cli.exit_codes import ExitCode
from clamp_analytics.cli.messages import tell, tell_each
from clamp_analytics.cli.options import ListingOptions, ObjectStorageOptions, output_option
from clamp_analytics.cli.progress import step
from clamp_analytics.errors import UsageError
from clamp_analytics.wording import plural

if TYPE_CHECKING:
    from clamp_analytics.rewrite import AlignResult

EXAMPLES = """
clamp-analytics align host-a/ host-b/ --to 2026-01-01T00:00:00Z -o aligned
clamp-analytics summarize aligned --by source
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "align", AlignCommand, EXAMPLES)


@dataclass(frozen=True, kw_only=True)
class AlignCommand(ObjectStorageOptions, ListingOptions):
    """Shift sessions to a common start time, to compare hosts.

    Writes a copy of each session file in which the earliest acquisition is at TIMESTAMP; all other bytes are
    unchanged. Ends with exit code 1 if a file could not be shifted.
    """

    sources: options.Sources
    to: Annotated[
        str,
        typer.Option("--to", metavar="TIMESTAMP", help="The start of each copy, in ISO 8601; UTC if it names no zone."),
    ]
    output: Annotated[
        str, output_option("The folder for the copies; created if missing. No file in it is replaced.", "DIR")
    ]

    def run(self) -> ExitCode:
        """Write the shifted copies."""
        from clamp_analytics.rewrite import align_files, parse_timestamp

        try:
            start = parse_timestamp(self.to)
        except UsageError as error:
            raise UsageError(error.what, where="--to", hint=error.hint) from error
        with step("aligning", then="writing the copies") as progress:
            aligned = align_files(
                self.sources,
                start,
                self.output,
                recursive=not self.no_recursive,
                concurrency=self.concurrency,
                progress=progress,
                **self.container_settings(),
            )
        _tell_exceptions(aligned)
        tell(f"wrote {plural(len(aligned.written), 'file')} to {self.output}; files: {aligned.counts}")
        return ExitCode.CHECK_FAILED if aligned.rejected else ExitCode.FINE


def _tell_exceptions(aligned: AlignResult) -> None:
    tell_each([f"not written: {source}: {why}" for source, why in aligned.rejected], "more not written")
    tell_each([f"renamed: the copy of {source} is {name}" for source, name in aligned.renamed], "more renamed")
    tell_each(
        [f"copied unchanged: {source} has no usable acquisition" for source in aligned.unaligned],
        "more copied unchanged",
    )
    tell_each(
        [f"rounded: {source} has fewer decimals than the timestamp of --to" for source in aligned.finer],
        "more rounded",
    )
