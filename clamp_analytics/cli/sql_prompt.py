"""The prompt of ``clamp-analytics sql``: queries with history and completion, on a terminal."""

from __future__ import annotations

import os
import select
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import has_completions
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import ColorDepth

from clamp_analytics.cli.messages import tell
from clamp_analytics.cli.progress import step
from clamp_analytics.cli.sql_library import library_frame, with_meanings
from clamp_analytics.cli.terminal import wants_color
from clamp_analytics.database import library, named, run_query
from clamp_analytics.errors import ClampError, UsageError

if TYPE_CHECKING:
    import duckdb
    import polars as pl

PROMPT = "sql> "
CONTINUED = "...> "

HELP = """\
A query ends with a semicolon and may have several lines.
  .tables                    the tables and views
  .columns TABLE             the columns of a table or view
  .queries                   the queries of the library
  .run NAME [PARAM=VALUE …]  run a query of the library
  .help                      this text
  .quit                      leave, as Ctrl-D does
Tab completes names, the arrow keys and Ctrl-R search the history, Ctrl-C discards the line or stops the query.
"""

COMMANDS = (".tables", ".columns", ".queries", ".run", ".help", ".quit")

KEYWORDS = (
    *("SELECT", "DISTINCT", "FROM", "JOIN", "LEFT", "USING", "ON", "AS", "WHERE", "AND", "OR", "NOT", "NULL", "IS"),
    *("IN", "LIKE", "BETWEEN", "CASE", "WHEN", "THEN", "ELSE", "END", "GROUP", "BY", "ALL", "HAVING", "ORDER", "DESC"),
    *("LIMIT", "WITH", "UNION", "DESCRIBE", "SUMMARIZE", "EXPLAIN", "count", "sum", "avg", "min", "max"),
)
"""The words of SQL that Tab completes."""

_NAMES = """
SELECT DISTINCT name, meaning FROM (
    SELECT table_name AS name, comment AS meaning FROM duckdb_tables() WHERE NOT internal
    UNION ALL SELECT view_name, comment FROM duckdb_views() WHERE NOT internal
    UNION ALL SELECT column_name, comment FROM duckdb_columns() WHERE NOT internal
) ORDER BY ALL
"""

_TABLES = """
SELECT name, meaning FROM (
    SELECT table_name AS name, comment AS meaning FROM duckdb_tables() WHERE NOT internal
    UNION ALL SELECT view_name, comment FROM duckdb_views() WHERE NOT internal
) ORDER BY ALL
"""

Write = Callable[["pl.DataFrame"], None]


class SqlPrompt:
    """A prompt on a connection.

    Attributes:
        connection: the connection, which decides what a query may do.
        timeout_seconds: the time after which a query is stopped.
        write: writes the result of a query.
        session: reads the lines.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        *,
        timeout_seconds: float,
        write: Write,
        session: PromptSession[str] | None = None,
    ) -> None:
        self.connection = connection
        self.timeout_seconds = timeout_seconds
        self.write = write
        self.session = session or PromptSession(
            input=TerminalInput(sys.stdin),
            history=_history(),
            color_depth=None if wants_color() else ColorDepth.DEPTH_1_BIT,
        )

    def run(self) -> None:
        """Read and run queries until Ctrl-D or ``.quit``, or until the terminal is gone."""
        try:
            self._run()
        except OSError:
            # A prompt cannot be drawn on a terminal that is gone, and nobody is there to read an error.
            if not _is_gone(sys.stdin.fileno()):
                raise

    def _run(self) -> None:
        rows = run_query(self.connection, _NAMES)
        completer = NameCompleter(dict(rows.iter_rows()))
        while True:
            try:
                text = self.session.prompt(
                    PROMPT,
                    completer=completer,
                    complete_while_typing=False,
                    multiline=True,
                    key_bindings=_keys(),
                    prompt_continuation=CONTINUED,
                )
                if text.strip() == ".quit":
                    return
                self._answer(text.strip())
            except KeyboardInterrupt:
                tell("")
            except EOFError:
                return
            except ClampError as error:
                tell(f"error: {error}")

    def _answer(self, text: str) -> None:
        if text.startswith("."):
            self._command(text)
        elif text.rstrip("; \n"):
            self._query(text.rstrip("; \n"))

    def _query(self, sql: str, params: Mapping[str, Any] | None = None) -> None:
        with step("running the query", then="reading the result", in_percent=True) as progress:
            rows = run_query(self.connection, sql, params, timeout_seconds=self.timeout_seconds, progress=progress)
        self.write(rows)

    def _command(self, text: str) -> None:
        """Run one of the commands that begin with a dot.

        Raises:
            UsageError: there is no such command, or an argument is wrong.
        """
        try:
            name, *arguments = shlex.split(text)
        except ValueError as error:
            raise UsageError(f"the quotes are wrong: {error}") from error
        if name == ".help":
            tell(HELP.rstrip("\n"))
        elif name == ".tables":
            self._query(_TABLES)
        elif name == ".queries":
            self.write(with_meanings(library_frame()))
        elif name == ".columns" and len(arguments) == 1:
            table = arguments[0].replace('"', '""')
            self._query(f'SELECT column_name, column_type FROM (DESCRIBE "{table}")')
        elif name == ".run" and arguments:
            pairs = dict(_pair(argument) for argument in arguments[1:])
            self._query(*named(arguments[0], **pairs))
        else:
            raise UsageError.unknown("command", text, COMMANDS, otherwise=".help lists the commands")


class TerminalInput(Vt100Input):
    """The keys of a terminal, which end where the terminal is gone.

    Without this, the prompt would read nothing from such a terminal again and again, where no signal ends the process.
    """

    @property
    def closed(self) -> bool:
        """Whether no key will come any more."""
        return super().closed or _is_gone(self.fileno())


def _is_gone(descriptor: int) -> bool:
    """Whether the other end of a terminal is closed."""
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(events & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, events in poll.poll(0))


class NameCompleter(Completer):
    """Completes the names of tables, views, columns and queries, keywords, and the commands with a dot."""

    def __init__(self, names: Mapping[str, str | None]) -> None:
        self.names = {**dict.fromkeys(KEYWORDS, ""), **{name: meaning or "" for name, meaning in names.items()}}
        self.queries = {name: query.sentence for name, query in library().items()}

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """The names that begin with the word before the cursor; case does not matter."""
        before = document.text_before_cursor.lstrip()
        if before.startswith("."):
            known = dict.fromkeys(COMMANDS, "") if " " not in before else self.queries | self.names
            word = before.rpartition(" ")[2]
        else:
            known = self.names
            word = document.get_word_before_cursor(WORD=False)
        for name, meaning in known.items():
            if word.strip() and name.lower().startswith(word.lower()):
                yield Completion(name, start_position=-len(word), display_meta=meaning)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError("a parameter is written as NAME=VALUE", where=text)
    return name, value


def _keys() -> KeyBindings:
    """Enter ends a query after its semicolon, a command, and an empty line; otherwise it begins a new line."""
    keys = KeyBindings()

    @keys.add("enter", filter=~has_completions)
    def _enter(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        text = buffer.text.strip()
        if not text or text.endswith(";") or text.startswith("."):
            buffer.validate_and_handle()
        else:
            buffer.insert_text("\n")

    return keys


def _history() -> History:
    """The history of the user's earlier prompts; of this one alone where its file cannot be written."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    file = Path(state) / "clamp-analytics" / "sql_history"
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with file.open("ab"):
            pass
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(file))
