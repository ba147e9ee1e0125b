"""``clamp-analytics export``: the three tables as Parquet."""

from __future__ import annotations

from typing import Annotated

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli.provenance import provenance
from clamp_analytics.cli.run import command, reading, tell

EXAMPLES = """\b
Examples:
  clamp-analytics export build/telemetry -o telemetry-parquet
  clamp-analytics export 'runs/*' -o all-runs --partition-by context,day
  clamp-analytics summarize telemetry-parquet
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export", epilog=EXAMPLES)(export)


@command
def export(
    sources: options.Sources,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="DIR", help="The folder to make. It is complete or absent.")
    ],
    partition_by: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="day, none, or names out of context, thread_id, backend, device_name, source and day, with commas.",
        ),
    ] = "day",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an export that is there.")] = False,
    snapshot: options.Snapshot = None,
    no_recursive: options.NoRecursive = False,
    jobs: options.Jobs = None,
) -> None:
    """Write the tables as Parquet.

    The files open in any tool, and the folder is a SOURCE. Seeds are UINT64, timestamps UTC; the records are
    partitioned by day. Memory does not grow with the sources.
    """
    with reading(sources, jobs, recursive=not no_recursive) as given:
        from clamp_analytics.parquet import ExportOptions
        from clamp_analytics.parquet import export as write_export
        from clamp_analytics.reading import Reader

        reader = Reader(**given, session_ids=True)
        build_info = provenance(snapshot, reader)
        wanted = ExportOptions(partition_by=partition_by, overwrite=overwrite, build_info=build_info)
        manifest = write_export(reader, output, wanted)
    rows = dict.fromkeys(("sessions", "records", "violations"), 0)
    for file in manifest.files:
        rows[file.table] += file.rows
    figures = ", ".join(f"{count:,} {table}" for table, count in rows.items())
    tell(f"wrote {output}: {figures} in {len(manifest.files):,} files; files read: {reader.counts}")
