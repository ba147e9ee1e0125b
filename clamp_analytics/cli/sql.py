"""``clamp-analytics sql``: questions in SQL, the user's own or one of the library."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli.run import STDOUT, command, put, reading, screen, tell
from clamp_analytics.errors import UsageError


class SqlFormat(StrEnum):
    """Formats of a result."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    MARKDOWN = "markdown"
    PARQUET = "parquet"


EXAMPLES = """\b
Examples:
  clamp-analytics sql build/telemetry "SELECT context, count(*) FROM records GROUP BY ALL"
  clamp-analytics sql build/telemetry --name lock_durations
  clamp-analytics sql build/telemetry --name lock_duration_percentile --param percentile=99.9
  clamp-analytics sql --list
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sql", epilog=EXAMPLES)(sql)


@command
def sql(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE",
            help="As for summarize; the last argument is the SQL, unless --name or --file gives it.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", "-n", metavar="NAME", help="Run this query of the library.")
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option("--param", "-p", metavar="K=V", help="Set a parameter; may be repeated.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-F", metavar="PATH", help="Run the SQL in this file.", show_default=False)
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="List the queries of the library, and end.")] = False,
    output_format: Annotated[
        SqlFormat, typer.Option("--format", "-f", help="How the result is written.")
    ] = SqlFormat.TABLE,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="PATH", help="Where it goes. [default: standard output]")
    ] = None,
    limit: options.Limit = 200,
    allow_external: Annotated[
        bool,
        typer.Option("--allow-external", help="Let the SQL reach files, network, extensions and settings."),
    ] = False,
    memory_limit: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Memory that the query may use, for example 2GB. [default: half of the machine's memory]",
            show_default=False,
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0.001, max=1e9, metavar="SECONDS", help="Time after which the query is stopped.")
    ] = 600.0,
    no_recursive: options.NoRecursive = False,
    jobs: options.Jobs = None,
) -> None:
    """Run SQL queries.

    The tables are sessions, records and violations; --list names the views and queries that come with them. The
    SQL can only read them, unless --allow-external is given.
    """
    if listing:
        put(_listing(output_format, limit), output)
        return
    # Ends the command as an exception does, so that temporary files are removed.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    from clamp_analytics.database import open_database, run_query
    from clamp_analytics.reading import Reader

    sources, text, params = _question(list(arguments or []), name, file, param or [])
    if output_format is SqlFormat.PARQUET and output in (None, STDOUT):
        _refuse_terminal()
    with reading(sources, jobs, recursive=not no_recursive) as given:
        found = given["sources"]
        # Exports alone, or one archive, stay where they are; session files are read into memory.
        stores = [*found.exports, *found.archives]
        stay = not found.files and (not found.archives or len(stores) == 1)
        tables = stores if stay else Reader(**given, session_ids=True).collect()
        database = open_database(tables, jobs=jobs, allow_external=allow_external, memory_limit=memory_limit)
    found_rows = run_query(database.connection, text, params, timeout_seconds=timeout)
    put(_rendered(found_rows, output_format, limit), output)
    tell(f"files: {database.counts}")


def _question(
    arguments: list[str], name: str | None, file: Path | None, given: Sequence[str]
) -> tuple[list[str], str, dict[str, Any]]:
    """The sources, the SQL and its parameters.

    Raises:
        UsageError: there is none or more than one SQL text, or no source.
    """
    from clamp_analytics.database import named

    values = dict(_split(text) for text in given)
    if name is not None and file is not None:
        raise UsageError("--name and --file exclude each other")
    if name is None and file is None:
        if len(arguments) < 2:
            raise UsageError(
                "a source and the SQL are needed",
                hint='for example: clamp-analytics sql build/telemetry "SELECT * FROM sessions"',
            )
        return arguments[:-1], arguments[-1], values
    if not arguments:
        raise UsageError("no source was given", hint="name a session file, a folder or a glob")
    if name is not None:
        return arguments, *named(name, **values)
    assert file is not None
    try:
        return arguments, file.read_text("utf-8"), values
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the SQL cannot be read: {error}", where=str(file)) from error


def _split(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UsageError("a parameter is written as name=value", where=f"--param {text}")
    return key, value


def _refuse_terminal() -> None:
    import sys

    if sys.stdout.isatty():
        raise UsageError("Parquet is no text for a terminal", hint="give a file with -o")


def _rendered(result: Any, output_format: SqlFormat, limit: int) -> str | bytes:
    from clamp_analytics import render

    if output_format is SqlFormat.TABLE:
        return screen(result, limit)
    return render.FORMATS[render.Format(output_format.value)](result)


def _listing(output_format: SqlFormat, limit: int) -> str | bytes:
    import polars as pl

    from clamp_analytics.database import library

    rows = [
        {
            "name": query.name,
            "kind": query.kind,
            "parameters": ", ".join(f"{param.name}={param.default}" for param in query.params.values()),
            "sentence": query.sentence,
        }
        for query in library().values()
    ]
    return _rendered(pl.DataFrame(rows), output_format, limit)
