"""``clamp-analytics archive``: what an archive holds, and its upkeep."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli.ingest import Wait, views
from clamp_analytics.cli.run import CHECK_FAILED, command, put, screen, tell

if TYPE_CHECKING:
    from clamp_analytics.archive.info import Info


class InfoFormat(StrEnum):
    """Formats of what an archive says of itself."""

    TABLE = "table"
    JSON = "json"


Archive = Annotated[str, typer.Argument(metavar="ARCHIVE", help="The archive.", show_default=False)]
MEGABYTE = 1_000_000

group = typer.Typer(help="See what an archive holds, and keep it in order.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="archive")


@group.command("info")
@command
def info(
    archive: Archive,
    output_format: Annotated[InfoFormat, typer.Option("--format", "-f", help="How it is shown.")] = InfoFormat.TABLE,
) -> None:
    """Show what an archive holds.

    Sessions, records, violations, files, the time span, the size beside that of the JSON, versions, the last ingests.
    """
    from clamp_analytics.archive.info import info as look

    found = look(archive)
    put(_as_json(found) if output_format is InfoFormat.JSON else _as_table(found))


def _as_table(found: Info) -> str:
    share = f" ({found.archive_bytes / found.json_bytes:.1%} of the JSON)" if found.json_bytes else ""
    span = "-"
    if found.first_acquired_at is not None and found.last_acquired_at is not None:
        span = f"{found.first_acquired_at:%Y-%m-%d %H:%M:%S} to {found.last_acquired_at:%Y-%m-%d %H:%M:%S} UTC"
    lines = {
        "sessions": f"{found.sessions:,} ({found.rejected:,} rejected beside them, {found.forgotten:,} forgotten)",
        "records": f"{found.records:,}",
        "violations": f"{found.violations:,}",
        "files": f"{found.files:,}",
        "acquired": span,
        "size": f"{found.archive_bytes / MEGABYTE:,.1f} MB{share}",
        "JSON held": f"{found.json_bytes / MEGABYTE:,.1f} MB",
        "version": f"{found.version}, made by {found.created_by} on {found.created_at}",
    }
    text = "".join(f"{name:<12}{line}\n" for name, line in lines.items())
    return f"{text}\n{screen(found.ingests)}"


def _as_json(found: Info) -> str:
    import json

    from clamp_analytics import render

    plain = {field.name: getattr(found, field.name) for field in dataclasses.fields(found) if field.name != "ingests"}
    for name in ("first_acquired_at", "last_acquired_at"):
        plain[name] = plain[name].isoformat() if plain[name] else None
    rows = json.loads(render.FORMATS[render.Format.JSON](found.ingests))
    return json.dumps({**plain, "ingests": rows}, indent=2, ensure_ascii=False) + "\n"


@group.command("forget")
@command
def forget(
    archive: Archive,
    source: Annotated[
        str | None,
        typer.Option("--source", metavar="PATTERN", help="Sessions whose source matches; * matches slashes."),
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", metavar="DAYS|DATE", help="Sessions last acquired so many days ago, or before."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would go, and write nothing.")] = False,
    allow_return: Annotated[
        bool, typer.Option("--allow-return", help="Let a later ingest of the same bytes bring them back.")
    ] = False,
    limit: options.Limit = 50,
    wait: Wait = 10.0,
) -> None:
    """Remove sessions by source or age.

    A forgotten session stays forgotten: its hash is kept, so that an ingest of a heap that still holds its file does
    not bring it back. The room is used again; `archive compact` gives it back to the disk.
    """
    from clamp_analytics.archive.forget import Forget
    from clamp_analytics.archive.forget import forget as remove

    found = remove(archive, Forget(source, older_than, allow_return), dry_run=dry_run, wait_seconds=wait)
    if dry_run:
        put(screen(found.drop("session_id"), limit))
    records = int(found["record_count"].sum())
    tell(f"{archive}: {found.height:,} sessions with {records:,} records {'would go' if dry_run else 'forgotten'}")


@group.command("compact")
@command
def compact(archive: Archive, wait: Wait = 10.0) -> None:
    """Write an archive anew, without unused room."""
    from clamp_analytics.archive.compact import compact as rewrite

    done = rewrite(archive, views(), wait_seconds=wait)
    tell(f"{archive}: {done.before / MEGABYTE:,.1f} MB before, {done.after / MEGABYTE:,.1f} MB now")


@group.command("check")
@command
def check(
    archive: Archive,
    rehash: Annotated[
        bool, typer.Option("--rehash", help="Read the files that are still there, and compare their hashes.")
    ] = False,
    output_format: Annotated[
        options.Format, typer.Option("--format", "-f", help="How problems are shown.")
    ] = options.Format.TABLE,
    limit: options.Limit = 50,
) -> None:
    """Look for what is wrong in an archive.

    Counts, orphans, names, order, types and hashes. Ends with exit code 1 where something is wrong.
    """
    from clamp_analytics import render
    from clamp_analytics.archive.check import check as examine

    found = examine(archive, rehash=rehash)
    if output_format is not options.Format.TABLE:
        put(render.FORMATS[render.Format(output_format.value)](found))
    elif not found.is_empty():
        put(screen(found, limit))
    tell(f"{archive}: {f'{found.height:,} problems' if found.height else 'nothing is wrong'}")
    if found.height:
        raise typer.Exit(CHECK_FAILED)


@group.command("upgrade")
@command
def upgrade(archive: Archive, wait: Wait = 10.0) -> None:
    """Bring an archive of an older version up to date, with its views."""
    from clamp_analytics.archive.upgrade import upgrade as bring

    done = bring(archive, views(), wait_seconds=wait)
    tell(f"{archive}: version {done.before} before, version {done.after} now")
