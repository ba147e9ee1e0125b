"""The prompt of ``sql``: its keys and commands on a simulated terminal, and the whole command on a real one."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios

import polars as pl
import pytest
from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from clamp_analytics.cli.sql_prompt import NameCompleter, SqlPrompt, TerminalInput
from clamp_analytics.database import connect

ENTER, CTRL_C, CTRL_D, TAB, UP = "\r", "\x03", "\x04", "\t", "\x1b[A"


@pytest.fixture(scope="module")
def connection():
    path = os.path.join(os.path.dirname(__file__), "../../data/samples/clean")
    opened = connect(path, jobs=1)
    yield opened
    opened.close()


@pytest.fixture
def typed(connection):
    """``typed(keys)``: the results that the prompt writes for these keys."""

    def run(keys: str, history: InMemoryHistory | None = None) -> list[pl.DataFrame]:
        results: list[pl.DataFrame] = []
        with create_pipe_input() as keyboard:
            keyboard.send_text(keys)
            session: PromptSession[str] = PromptSession(
                input=keyboard, output=DummyOutput(), history=history or InMemoryHistory()
            )
            SqlPrompt(connection, timeout_seconds=60, write=results.append, session=session).run()
        return results

    return run


def test_a_query_runs_at_its_semicolon(typed):
    results = typed(f"SELECT count(*) AS n FROM records;{ENTER}{CTRL_D}")

    assert [frame.to_dicts() for frame in results] == [[{"n": 240}]]


def test_a_query_may_have_several_lines(typed):
    results = typed(f"SELECT 1 AS a,{ENTER}2 AS b;{ENTER}{CTRL_D}")

    assert [frame.row(0) for frame in results] == [(1, 2)]


def test_ctrl_c_discards_the_line(typed):
    results = typed(f"SELECT 1 AS wrong{CTRL_C}SELECT 2 AS right;{ENTER}{CTRL_D}")

    assert [frame.columns for frame in results] == [["right"]]


def test_ctrl_c_during_a_query_goes_on_with_the_prompt(connection):
    results = []

    def write(frame):
        results.append(frame)
        if len(results) == 1:
            raise KeyboardInterrupt

    with create_pipe_input() as keyboard:
        keyboard.send_text(f"SELECT 1 AS n;{ENTER}SELECT 2 AS n;{ENTER}{CTRL_D}")
        session = PromptSession(input=keyboard, output=DummyOutput(), history=InMemoryHistory())
        SqlPrompt(connection, timeout_seconds=60, write=write, session=session).run()

    assert [frame.row(0) for frame in results] == [(1,), (2,)]


def test_an_error_is_shown_and_the_prompt_goes_on(typed, capsys):
    results = typed(f"SELECT missing FROM records;{ENTER}SELECT 1 AS n;{ENTER}{CTRL_D}")

    assert [frame.columns for frame in results] == [["n"]]
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize(
    "query", ["SELECT * FROM '/etc/passwd'", "CREATE TABLE t (a INTEGER)", "SET memory_limit='1TB'"]
)
def test_the_prompt_is_as_locked_as_a_query(typed, capsys, query):
    assert typed(f"{query};{ENTER}{CTRL_D}") == []
    assert "error: " in capsys.readouterr().err


def test_quit_leaves(typed):
    assert typed(f".quit{ENTER}") == []


def test_an_empty_line_asks_again(typed):
    assert typed(f"{ENTER};{ENTER}.quit{ENTER}") == []


def test_the_history_has_earlier_queries(typed):
    results = typed(f"{UP}{ENTER}{CTRL_D}", InMemoryHistory(["SELECT 7 AS n;"]))

    assert [frame.row(0) for frame in results] == [(7,)]


def test_help_lists_the_commands(typed, capsys):
    typed(f".help{ENTER}.quit{ENTER}")

    assert ".columns TABLE" in capsys.readouterr().err


def test_tables_and_columns_are_listed(typed):
    tables, columns = typed(f".tables{ENTER}.columns records{ENTER}.quit{ENTER}")

    assert {"sessions", "records", "violations", "lock_durations"} <= set(tables["name"])
    assert "stability_score" in columns["column_name"].to_list()


def test_a_query_of_the_library_runs_with_a_parameter(typed):
    (result,) = typed(f".run longest_locks limit=2{ENTER}.quit{ENTER}")

    assert result.height == 2


@pytest.mark.parametrize("command", [".tabels", ".run", ".run longest_locks 2", ".columns 'records"])
def test_a_wrong_command_is_an_error(typed, capsys, command):
    assert typed(f"{command}{ENTER}.quit{ENTER}") == []
    assert "error: " in capsys.readouterr().err


def completions(text):
    completer = NameCompleter({"records": "One row per anchor event.", "stability_score": None})
    return [each.text for each in completer.get_completions(Document(text), CompleteEvent())]


@pytest.mark.parametrize(
    "text, names",
    [
        ("SELECT stab", ["stability_score"]),
        ("from REC", ["records"]),
        ("sel", ["SELECT"]),
        (".ta", [".tables"]),
        (".run longest", ["longest_locks"]),
        (".columns rec", ["records"]),
        ("SELECT ", []),
    ],
)
def test_names_are_completed_by_what_is_before_the_cursor(text, names):
    assert completions(text) == names


class Terminal:
    """A process on a terminal of its own; every wait ends with an event: output, or the end of the process."""

    def __init__(self, arguments, folder):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "1", "PROMPT_TOOLKIT_NO_CPR": "1"}
        environment["XDG_STATE_HOME"] = str(folder / "state")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "clamp_analytics", *map(str, arguments)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
        os.close(theirs)
        self.descriptor = ours
        self.shown = ""

    def read_until(self, pattern):
        """Read until the output since the last call has the pattern."""
        while not (match := re.search(pattern, self.shown, re.DOTALL)):
            ready, _, _ = select.select([self.descriptor], [], [], 120)
            assert ready, f"no output with {pattern!r} after: {self.shown!r}"
            self.shown += os.read(self.descriptor, 65536).decode()
        seen, self.shown = self.shown[: match.end()], self.shown[match.end() :]
        return seen

    def type(self, keys):
        os.write(self.descriptor, keys.encode())

    def hang_up(self):
        os.close(self.descriptor)
        self.descriptor = None

    def close(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(60)
        if self.descriptor is not None:
            os.close(self.descriptor)


@pytest.fixture
def terminal(tmp_path):
    opened = []

    def run(*arguments):
        opened.append(Terminal(arguments, tmp_path))
        return opened[-1]

    yield run
    for each in opened:
        each.close()


def test_sql_without_a_query_prompts_on_a_terminal_and_remembers_its_history(terminal, clean, tmp_path):
    shell = terminal("sql", clean, "-j", "1")
    shell.read_until(r"Ctrl-D leaves it.*sql>")
    shell.type(f"SELECT count(*) + 1000 AS n FROM records;{ENTER}")
    shell.read_until(r"1240.*sql>")
    shell.type(CTRL_D)

    assert shell.process.wait(120) == 0
    assert "+SELECT count(*) + 1000" in (tmp_path / "state/clamp-analytics/sql_history").read_text()


def test_the_prompt_ends_where_its_terminal_is_gone(terminal, clean):
    shell = terminal("sql", clean, "-j", "1")
    shell.read_until(r"Ctrl-D leaves it.*sql>")
    shell.hang_up()

    assert shell.process.wait(120) == 0


def test_a_terminal_that_is_gone_has_no_more_keys():
    ours, theirs = pty.openpty()
    with os.fdopen(theirs) as file:
        keyboard = TerminalInput(file)
        was_closed = keyboard.closed
        os.close(ours)

        assert (was_closed, keyboard.closed) == (False, True)


def test_sql_without_a_query_and_without_a_terminal_is_an_error(clamp, clean):
    done = clamp("sql", clean)

    assert done.code == 2
    assert "a source and a query are needed" in done.err
