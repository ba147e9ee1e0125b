"""``clamp-analytics export``: the three tables as Parquet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli.command import OUTPUT_PANEL, add_command
from clamp_analytics.cli.exit_codes import ExitCode
from clamp_analytics.cli.messages import tell
from clamp_analytics.cli.options import AnalysisSourceOptions, output_option
from clamp_analytics.cli.provenance import provenance
from clamp_analytics.cli.reading import Inputs, open_sources
from clamp_analytics.schema import RECORDS

EXAMPLES = """
clamp-analytics export build/telemetry -o telemetry-parquet
clamp-analytics export 'runs/*' -o all-runs --partition-by context,day
clamp-analytics summarize telemetry-parquet
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "export", ExportCommand, EXAMPLES)


@dataclass(frozen=True, kw_only=True)
class ExportCommand(AnalysisSourceOptions):
    """Write the tables as Parquet files.

    Any tool that reads Parquet opens them, and the folder is a SOURCE of every command here. Seeds are UINT64,
    timestamps are in UTC. Memory does not grow with the sources.
    """

    sources: options.Sources
    output: Annotated[
        str, output_option("The folder to create, or its URL in object storage; it is complete or absent.", "DIR")
    ]
    partition_by: Annotated[
        str,
        typer.Option(
            metavar="COLUMNS",
            help="Columns that the records are partitioned by, separated by commas: context, thread_id, backend, "
            "device_name, source, day; or none.",
        ),
    ] = "day"
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing export.", rich_help_panel=OUTPUT_PANEL)
    ] = False
    snapshot: options.Snapshot = None

    def run(self) -> ExitCode:
        """Export the sources."""
        with open_sources(
            self.sources,
            self,
            Inputs(),
            columns=RECORDS.names,
            session_ids=True,
            then="writing the last files",
        ) as arguments:
            from clamp_analytics.parquet import ExportOptions, export
            from clamp_analytics.reading import Reader

            reader = Reader(**arguments, session_ids=True)
            build_info = provenance(self.snapshot, reader)
            chosen = ExportOptions(partition_by=self.partition_by, overwrite=self.overwrite, build_info=build_info)
            manifest = export(reader, self.output, chosen)
        rows = dict.fromkeys(("sessions", "records", "violations"), 0)
        for file in manifest.files:
            rows[file.table] += file.rows
        figures = ", ".join(f"{count:,} {table}" for table, count in rows.items())
        tell(f"wrote {self.output}: {figures} in {len(manifest.files):,} files; files read: {reader.counts}")
        return ExitCode.FINE
