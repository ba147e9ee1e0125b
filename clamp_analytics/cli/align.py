"""``clamp-analytics align``: session files shifted to one reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli.run import CHECK_FAILED, command, tell

if TYPE_CHECKING:
    from clamp_analytics.rewrite import AlignResult

NAMED = 10
"""Files that a note lists one by one."""

EXAMPLES = """\b
Examples:
  clamp-analytics align host-a/ host-b/ --to 2026-01-01T00:00:00Z -o aligned
  clamp-analytics summarize aligned --by source
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("align", epilog=EXAMPLES)(align)


@command
def align(
    sources: options.Sources,
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="TIMESTAMP", help="When each session begins then: ISO 8601; UTC where it names no zone."
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="The folder for the new files; made where it is missing. No file in it is replaced.",
        ),
    ],
    no_recursive: options.NoRecursive = False,
) -> None:
    """Shift sessions to one beginning, to compare hosts.

    Writes a copy of each session file in which the earliest acquisition is TIMESTAMP. All other bytes stay as they
    were. Exit code 1 where a file had to be left out.
    """
    from clamp_analytics.rewrite import align_files, parse_timestamp

    aligned = align_files(
        sources, parse_timestamp(to), output, recursive=not no_recursive, **options.container_settings()
    )
    _report(aligned)
    tell(f"wrote {len(aligned.written):,} files to {output}; files: {aligned.counts}")
    if aligned.rejected:
        raise typer.Exit(CHECK_FAILED)


def _report(aligned: AlignResult) -> None:
    lines = [
        [f"not written: {source}: {why}" for source, why in aligned.rejected],
        [f"renamed: {source} is {name} there" for source, name in aligned.renamed],
        [f"copied as it is: {source} has no usable acquisition" for source in aligned.unaligned],
        [f"finer than measured: {source} has fewer decimals than --to asks for" for source in aligned.finer],
    ]
    for some in lines:
        for line in some[:NAMED]:
            tell(line)
        if len(some) > NAMED:
            tell(f"… and {len(some) - NAMED:,} more {some[0].partition(':')[0]}")
