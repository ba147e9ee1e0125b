"""``clamp-analytics archive``: the content of an archive, and its maintenance."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli.archive_options import Wait
from clamp_analytics.cli.command import Command, add_command
from clamp_analytics.cli.exit_codes import ExitCode
from clamp_analytics.cli.messages import tell
from clamp_analytics.cli.options import Format, format_option
from clamp_analytics.cli.output import print_data
from clamp_analytics.cli.progress import step
from clamp_analytics.cli.terminal import as_table
from clamp_analytics.wording import percent, plural

if TYPE_CHECKING:
    from clamp_analytics.archive.info import Info


class InfoFormat(StrEnum):
    """Formats of the description of an archive."""

    TABLE = "table"
    JSON = "json"


Archive = Annotated[str, typer.Argument(metavar="ARCHIVE", help="The archive.", show_default=False)]
MEGABYTE = 1_000_000
OPTIONAL = {"finished_at": 0, "tool_version": 0, "skipped": 0, "known": 0, "directory": 20, "number": 0}
"""Columns of the ingests that a narrow terminal leaves out, the first one first, and how far each may wrap before."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Show and maintain an archive.", no_args_is_help=True, rich_markup_mode=None)
    add_command(group, "info", InfoCommand, "clamp-analytics archive info telemetry.duckdb")
    add_command(
        group,
        "forget",
        ForgetCommand,
        "clamp-analytics archive forget telemetry.duckdb --older-than 90 --dry-run\n"
        "clamp-analytics archive forget telemetry.duckdb --source '*/experiment/*'",
    )
    add_command(group, "compact", CompactCommand, "clamp-analytics archive compact telemetry.duckdb")
    add_command(group, "check", CheckCommand, "clamp-analytics archive check telemetry.duckdb --rehash")
    add_command(group, "copy", CopyCommand, "clamp-analytics archive copy telemetry.duckdb /shared/telemetry/")
    add_command(group, "upgrade", UpgradeCommand, "clamp-analytics archive upgrade telemetry.duckdb")
    app.add_typer(group, name="archive")


@dataclass(frozen=True, kw_only=True)
class InfoCommand(Command):
    """Show what an archive contains.

    Sessions, records, violations, files, the time span, the size compared with the JSON, versions, and the last
    ingests.
    """

    archive: Archive
    output_format: Annotated[InfoFormat, format_option("Format of the output.")] = InfoFormat.TABLE

    def run(self) -> ExitCode:
        """Show the description."""
        from clamp_analytics.archive.info import info

        found = info(self.archive)
        print_data(_info_json(found) if self.output_format is InfoFormat.JSON else _info_table(found))
        return ExitCode.FINE


def _info_table(found: Info) -> str:
    import polars as pl

    share = f" ({percent(found.archive_bytes / found.json_bytes)} of the JSON)" if found.json_bytes else ""
    span = "-"
    if found.first_acquired_at is not None and found.last_acquired_at is not None:
        span = f"{found.first_acquired_at:%Y-%m-%d %H:%M:%S} to {found.last_acquired_at:%Y-%m-%d %H:%M:%S} UTC"
    rejected = plural(found.rejected, "rejected file")
    lines = {
        "sessions": f"{found.sessions:,} (and {rejected}, {found.forgotten:,} forgotten)",
        "records": f"{found.records:,}",
        "violations": f"{found.violations:,}",
        "files": f"{found.files:,}",
        "acquired": span,
        "size": f"{found.archive_bytes / MEGABYTE:,.1f} MB{share}",
        "JSON size": f"{found.json_bytes / MEGABYTE:,.1f} MB",
        "version": f"{found.version}, created by {found.created_by} on {found.created_at}",
    }
    text = "".join(f"{name:<12}{line}\n" for name, line in lines.items())
    ingests = found.ingests.with_columns(pl.col("started_at", "finished_at").dt.truncate("1s"))
    return f"{text}\n{as_table(ingests, optional=OPTIONAL)}"


def _info_json(found: Info) -> str:
    from clamp_analytics import render

    fields = {field.name: getattr(found, field.name) for field in dataclasses.fields(found) if field.name != "ingests"}
    for name in ("first_acquired_at", "last_acquired_at"):
        fields[name] = fields[name].isoformat() if fields[name] else None
    rows = json.loads(render.as_json(found.ingests))
    return json.dumps({**fields, "ingests": rows}, indent=2, ensure_ascii=False) + "\n"


@dataclass(frozen=True, kw_only=True)
class ForgetCommand(Command):
    """Remove sessions by source or age.

    The hash of a removed session is kept, so that a later ingest of the same file does not add it again. The space
    in the archive is reused; `archive compact` returns it to the disk.
    """

    archive: Archive
    source: Annotated[
        str | None,
        typer.Option("--source", metavar="PATTERN", help="Sessions whose source matches; * also matches slashes."),
    ] = None
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than", metavar="DAYS|DATE", help="Sessions last acquired that many days ago, or before the date."
        ),
    ] = None
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the sessions that would be removed, and write nothing.")
    ] = False
    allow_return: Annotated[
        bool, typer.Option("--allow-return", help="Let a later ingest of the same bytes add them again.")
    ] = False
    limit: options.Limit = 50
    wait_seconds: Wait = 10.0

    def run(self) -> ExitCode:
        """Remove the sessions."""
        from clamp_analytics.archive.forget import Forget, forget

        chosen = Forget(self.source, self.older_than, self.allow_return)
        # One transaction removes them all, and does not say how far it is.
        with step("removing sessions"):
            found = forget(self.archive, chosen, dry_run=self.dry_run, wait_seconds=self.wait_seconds)
        if self.dry_run:
            print_data(as_table(found.drop("session_id"), self.limit, optional={}))
        records = plural(int(found["record_count"].sum()), "record")
        outcome = "would be removed" if self.dry_run else "removed"
        tell(f"{self.archive}: {plural(found.height, 'session')} with {records} {outcome}")
        return ExitCode.FINE


@dataclass(frozen=True, kw_only=True)
class CompactCommand(Command):
    """Rewrite an archive to reclaim free space.

    In a Delta archive, merge small files, and delete rows and files that have not been needed for a week. Other
    processes may read and write meanwhile.
    """

    archive: Archive
    retain_hours: Annotated[
        int | None,
        typer.Option(
            "--retain-hours",
            min=0,
            metavar="HOURS",
            help="How long a Delta archive keeps rows and files that are not needed, instead of a week. With 0, no "
            "other process may use it.",
            show_default=False,
        ),
    ] = None
    wait_seconds: Wait = 10.0

    def run(self) -> ExitCode:
        """Rewrite the archive."""
        from clamp_analytics.api import library_views
        from clamp_analytics.archive.compact import compact

        with step("rewriting the archive", then="finishing the archive") as progress:
            done = compact(
                self.archive,
                library_views(),
                wait_seconds=self.wait_seconds,
                retain_hours=self.retain_hours,
                progress=progress,
            )
        tell(f"{self.archive}: {done.before / MEGABYTE:,.1f} MB before, {done.after / MEGABYTE:,.1f} MB now")
        return ExitCode.FINE


@dataclass(frozen=True, kw_only=True)
class CheckCommand(Command):
    """Check an archive for errors.

    Compares counts, references, names, order, types and hashes. Ends with exit code 1 if something is wrong.
    """

    archive: Archive
    rehash: Annotated[
        bool, typer.Option("--rehash", help="Also read the files that still exist, and compare their hashes.")
    ] = False
    output_format: Annotated[Format, format_option("Format of the output.")] = Format.TABLE
    limit: options.Limit = 50

    def run(self) -> ExitCode:
        """Check the archive and show the problems."""
        from clamp_analytics import render
        from clamp_analytics.archive.check import check

        with step("checking the archive") as progress:
            found = check(self.archive, rehash=self.rehash, progress=progress)
        if self.output_format is not Format.TABLE:
            print_data(render.FORMATS[render.Format(self.output_format.value)](found))
        elif not found.is_empty():
            print_data(as_table(found, self.limit, optional={}))
        tell(f"{self.archive}: {plural(found.height, 'problem') if found.height else 'nothing is wrong'}")
        return ExitCode.CHECK_FAILED if found.height else ExitCode.FINE


@dataclass(frozen=True, kw_only=True)
class CopyCommand(Command):
    """Copy an archive into a new one: a DuckDB file or, if the name ends with /, a folder of Delta tables.

    Afterwards, the rows of each table are compared with those of the source by their hash.
    """

    archive: Archive
    target: Annotated[str, typer.Argument(metavar="TARGET", help="The copy, which must not exist.", show_default=False)]

    def run(self) -> ExitCode:
        """Copy the archive."""
        from clamp_analytics.api import library_views
        from clamp_analytics.archive.copy import copy

        with step("copying the archive", then="comparing the copy") as progress:
            done = copy(self.archive, self.target, library_views(), progress=progress)
        rows = ", ".join(f"{count:,} {table}" for table, count in done.rows.items())
        tell(f"{self.target}: {rows}")
        return ExitCode.FINE


@dataclass(frozen=True, kw_only=True)
class UpgradeCommand(Command):
    """Bring an archive of an older version up to date, with its views."""

    archive: Archive
    wait_seconds: Wait = 10.0

    def run(self) -> ExitCode:
        """Upgrade the archive."""
        from clamp_analytics.api import library_views
        from clamp_analytics.archive.upgrade import upgrade

        # Each statement changes a whole table, and does not say how far it is.
        with step("upgrading the archive"):
            done = upgrade(self.archive, library_views(), wait_seconds=self.wait_seconds)
        tell(f"{self.archive}: version {done.before} before, version {done.after} now")
        return ExitCode.FINE
