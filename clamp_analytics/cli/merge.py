"""``clamp-analytics merge``: the files of a run's processes as one session."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli.run import STDOUT, command, put, tell

EXAMPLES = """\b
Examples:
  clamp-analytics merge build/telemetry -o run.json
  clamp-analytics merge worker-*.json -o - | jq .stability_score
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("merge", epilog=EXAMPLES)(merge)


@command
def merge(
    sources: options.Sources,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="The session file to write; - for standard output.")
    ],
    skip_rejected: Annotated[
        bool, typer.Option("--skip-rejected", help="Leave out files that are no session, and name them.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
    no_recursive: options.NoRecursive = False,
) -> None:
    """Merge session files of one run into one session.

    Records keep their text and stand in order of acquisition. Thread ids that several files have get a suffix for
    their file, because they name different threads.
    """
    from clamp_analytics import rewrite
    from clamp_analytics.atomic_files import check_absent, check_no_source, publish
    from clamp_analytics.sources import list_sources

    target = None if output == STDOUT else Path(output)
    listing = list_sources(sources, recursive=not no_recursive)
    if target is not None and overwrite:
        check_no_source(target, sources, listing.files)
    elif target is not None:
        check_absent(target, "name another file, or replace it with --overwrite")
    merged = rewrite.merge(listing, skip_rejected=skip_rejected, **options.container_settings())
    if target is None:
        put(merged.data)
    else:
        publish(target, [merged.data], overwrite=overwrite)
    for source, why in merged.rejected:
        tell(f"left out: {source}: {why}")
    for note in merged.notes:
        tell(note)
    place = "standard output" if target is None else output
    tell(f"wrote {merged.records:,} records to {place}; files: {merged.counts}")
