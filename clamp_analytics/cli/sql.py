"""``clamp-analytics sql``: SQL queries, the user's own or those of the library."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli.command import add_command, signal_as_exception
from clamp_analytics.cli.completion import complete_queries
from clamp_analytics.cli.exit_codes import ExitCode
from clamp_analytics.cli.messages import tell
from clamp_analytics.cli.options import STDOUT, AnalysisSourceOptions, OutputOptions, format_option
from clamp_analytics.cli.output import kind_of_rows, write_result
from clamp_analytics.cli.output_format import choose_format
from clamp_analytics.cli.progress import step
from clamp_analytics.cli.reading import Inputs, open_sources
from clamp_analytics.cli.sql_library import library_frame, with_meanings
from clamp_analytics.cli.terminal import as_table
from clamp_analytics.errors import UsageError
from clamp_analytics.extras import require_extras
from clamp_analytics.schema import RECORDS

if TYPE_CHECKING:
    import polars as pl


class SqlFormat(StrEnum):
    """Formats of a result."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    MARKDOWN = "markdown"
    PARQUET = "parquet"


EXAMPLES = """
clamp-analytics sql build/telemetry
clamp-analytics sql build/telemetry "FROM records WHERE duration_ms > 100"
clamp-analytics sql build/telemetry --name lock_durations
clamp-analytics sql runs -n lock_duration_percentile -p percentile=0.999
clamp-analytics sql --list
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "sql", SqlCommand, EXAMPLES)


@dataclass(frozen=True, kw_only=True)
class SqlCommand(AnalysisSourceOptions, OutputOptions):
    """Run SQL queries.

    The tables are sessions, records and violations; --list shows the views and named queries that come with them.
    A query can read these tables and nothing else, unless --allow-external is given. Without a query, a terminal gets
    a prompt with history and completion.
    """

    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SOURCE... SQL]",
            help="The sources, then the query in SQL. With --name or --file there is no SQL argument. Sources are: "
            + options.SOURCE_HELP[0].lower()
            + options.SOURCE_HELP[1:],
            show_default=False,
        ),
    ] = None
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            "-n",
            metavar="NAME",
            help="Run the query of this name from the library.",
            autocompletion=complete_queries,
        ),
    ] = None
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param", "-p", metavar="NAME=VALUE", help="Set a parameter of the named query. Can be repeated."
        ),
    ] = None
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", "-F", metavar="FILE", help="Run the query in this file; - for standard input.", show_default=False
        ),
    ] = None
    listing: Annotated[bool, typer.Option("--list", help="List the views and queries of the library.")] = False
    output_format: Annotated[SqlFormat | None, format_option()] = None
    limit: options.Limit = 200
    allow_external: Annotated[
        bool,
        typer.Option("--allow-external", help="Let the query use files, the network, extensions and settings."),
    ] = False
    memory_limit: Annotated[
        str | None,
        typer.Option(
            "--memory-limit",
            metavar="SIZE",
            help="Memory that the query may use, for example 2GB. [default: half of the machine's memory]",
            show_default=False,
        ),
    ] = None
    timeout: Annotated[
        float,
        typer.Option("--timeout", min=0.001, max=1e9, metavar="SECONDS", help="Time after which the query is stopped."),
    ] = 600.0

    def run(self) -> ExitCode:
        """Run the query and write its result."""
        if self.listing:
            is_table = choose_format(SqlFormat, self.output_format, self.output) is SqlFormat.TABLE
            self._write(with_meanings(library_frame()) if is_table else library_frame(), Inputs(), optional={})
            return ExitCode.FINE
        with signal_as_exception(signal.SIGTERM, lambda: SystemExit(128 + signal.SIGTERM)):
            return self._run_queries()

    def _run_queries(self) -> ExitCode:
        """Read the sources, and run the query or those of the prompt."""
        from clamp_analytics.database import open_database, run_query
        from clamp_analytics.reading import Reader

        prompts = self._asks_for_prompt()
        if prompts:
            require_extras("prompt")
        sources, text, params = (list(self.arguments or []), "", {}) if prompts else self._query()
        output_format = choose_format(SqlFormat, self.output_format, self.output)
        if output_format is SqlFormat.PARQUET and self.output in (None, STDOUT) and sys.stdout.isatty():
            raise UsageError("Parquet cannot be shown on a terminal", hint="name a file with -o")
        inputs = Inputs()
        with open_sources(sources, self, inputs, columns=RECORDS.names, session_ids=True) as arguments:
            listing = arguments["sources"]
            # Exports alone, or one archive, are queried where they are, unless their sessions get further labels or
            # an export may repeat some; session files are read into memory.
            stores = [*listing.exports, *listing.archives]
            is_stored = not listing.files and (not listing.archives or len(stores) == 1)
            in_place = is_stored and not arguments["labels"] and not (self.unique and listing.exports)
            tables = stores if in_place else Reader(**arguments, session_ids=True).collect()
            database = open_database(
                tables,
                jobs=self.jobs,
                allow_external=self.allow_external,
                memory_limit=self.memory_limit,
                reports_progress=True,
            )
        if prompts:
            from clamp_analytics.cli.sql_prompt import SqlPrompt

            tell(f"files: {database.counts}; .help explains the prompt, Ctrl-D leaves it")
            SqlPrompt(
                database.connection,
                timeout_seconds=self.timeout,
                write=lambda rows: self._write(rows, inputs),
            ).run()
            return ExitCode.FINE
        with step("running the query", then="reading the result", in_percent=True) as progress:
            rows = run_query(database.connection, text, params, timeout_seconds=self.timeout, progress=progress)
        self._write(rows, inputs)
        tell(f"files: {database.counts}")
        return ExitCode.FINE

    def _asks_for_prompt(self) -> bool:
        """Whether there are sources and no query, on a terminal."""
        arguments = self.arguments or []
        has_query = self.name is not None or self.file is not None or self.output is not None
        on_terminal = sys.stdin.isatty() and sys.stdout.isatty()
        return on_terminal and not has_query and bool(arguments) and os.path.lexists(arguments[-1])

    def _query(self) -> tuple[list[str], str, dict[str, Any]]:
        """The sources, the SQL and its parameters.

        Raises:
            UsageError: there is no SQL or more than one, or no source.
        """
        from clamp_analytics.database import named

        arguments = list(self.arguments or [])
        params = _parse_params(self.param or [])
        if self.name is not None and self.file is not None:
            raise UsageError("--name and --file exclude each other")
        if self.name is None and self.file is None:
            if len(arguments) < 2:
                raise UsageError(
                    "a source and a query are needed",
                    hint='for example: clamp-analytics sql build/telemetry "SELECT * FROM sessions"',
                )
            return arguments[:-1], arguments[-1], params
        if not arguments:
            raise UsageError("no source is given", hint="name a session file, a folder or a glob")
        if self.name is not None:
            return arguments, *named(self.name, **params)
        assert self.file is not None
        from clamp_analytics.sources import STDIN, read_bytes

        try:
            if str(self.file) == STDIN:
                return arguments, read_bytes(STDIN).decode(), params
            return arguments, self.file.read_text("utf-8"), params
        except OSError as error:
            raise UsageError.from_os_error("the query cannot be read", error, where=str(self.file)) from error
        except UnicodeDecodeError as error:
            raise UsageError(f"the query cannot be read: {error}", where=str(self.file)) from error

    def _write(self, rows: pl.DataFrame, inputs: Inputs, *, optional: Mapping[str, int] | None = None) -> None:
        from clamp_analytics import render

        output_format = choose_format(SqlFormat, self.output_format, self.output)
        if output_format is SqlFormat.TABLE:
            data: str | bytes = as_table(rows, self.limit, optional=optional)
        else:
            data = render.FORMATS[render.Format(output_format.value)](rows)
        kind = kind_of_rows("a query result with these columns", rows, output_format.value, data)
        write_result(data, self.output, kind, force=self.force, inputs=inputs)


def _parse_params(given: Sequence[str]) -> dict[str, str]:
    params = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError("a parameter must be written as NAME=VALUE", where=f"--param {text}")
        params[name] = value
    return params
