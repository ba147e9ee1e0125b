"""What every command has: help pages in sections, usage lines, and flags in error messages."""

import signal
import subprocess
import sys

import duckdb
import pytest
import typer

from clamp_analytics.cli import COMMANDS
from clamp_analytics.cli.command import Command, execute, flags, signal_as_exception
from clamp_analytics.cli.export import ExportCommand
from clamp_analytics.cli.ingest import IngestCommand
from clamp_analytics.errors import SourceError


def help_page(clamp, *names):
    return clamp(*names, "--help", env={"COLUMNS": "80"}).out


def test_the_flag_of_an_option_is_the_declared_one_or_derived_from_its_name():
    found = flags(IngestCommand)

    assert (found["dry_run"], found["wait_seconds"], found["max_members"]) == ("--dry-run", "--wait", "--max-members")


@pytest.mark.parametrize(
    "error",
    [RuntimeError("Query interrupted"), duckdb.InvalidInputException("KeyboardInterrupt"), SourceError("damaged")],
)
def test_ctrl_c_that_becomes_another_error_ends_with_130(capsys, error):
    class Interrupted(Command):
        def run(self):
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                raise error from None

    with pytest.raises(typer.Exit) as ended:
        execute(Interrupted())

    assert (ended.value.exit_code, capsys.readouterr().err) == (130, "interrupted\n")


def test_a_signal_whose_exception_becomes_another_error_raises_the_exception():
    def run():
        try:
            signal.raise_signal(signal.SIGTERM)
        except SystemExit:
            raise duckdb.InvalidInputException("SystemExit: 143") from None

    with pytest.raises(SystemExit), signal_as_exception(signal.SIGTERM, SystemExit):
        run()


def test_an_error_of_the_library_names_the_flag_of_its_parameter(clamp, clean):
    clamp("export", clean, "-o", "out")

    again = clamp("export", clean, "-o", "out")

    assert flags(ExportCommand)["overwrite"] == "--overwrite"
    assert again.err.endswith("hint: name another folder, or replace it with --overwrite\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_page_fits_80_columns_and_has_examples(clamp, command):
    page = help_page(clamp, command)

    assert max(map(len, page.splitlines())) <= 80
    assert command == "archive" or f"  clamp-analytics {command}" in page


@pytest.mark.parametrize(
    ("command", "usage"),
    [
        ("summarize", "[OPTIONS] SOURCE..."),
        ("validate", "[OPTIONS] [SOURCE...]"),
        ("compare", "[OPTIONS] BASELINE CANDIDATE"),
        ("sql", "[OPTIONS] [SOURCE... SQL]"),
        ("watch", "[OPTIONS] DIR..."),
    ],
)
def test_the_usage_line_shows_that_several_sources_may_be_given(clamp, command, usage):
    assert help_page(clamp, command).splitlines()[0] == f"Usage: clamp-analytics {command} {usage}"


def test_the_help_of_sql_describes_the_sql_argument(clamp):
    assert "The sources, then the query in SQL." in help_page(clamp, "sql")


def test_the_limits_of_containers_have_a_section_of_their_own(clamp):
    sections = [line for line in help_page(clamp, "drift").splitlines() if line.endswith(":") and line[0] != " "]

    assert sections == [
        "Arguments:",
        "Options:",
        "Which changes count:",
        "Output:",
        "Reading sources:",
        "Limits of zip, tar and compressed sources:",
    ]


@pytest.mark.parametrize(
    "arguments",
    [("summarize", "nowhere"), ("validate", "nowhere/*.json"), ("score", "nowhere"), ("export", "nowhere", "-o", "x")],
)
def test_a_source_that_is_not_there_ends_with_three(clamp, arguments):
    done = clamp(*arguments)

    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("error: nowhere")


@pytest.mark.parametrize(
    "arguments",
    [(), ("summarize",), ("summarize", "x", "--by", "colour"), ("summarize", "x", "--jobs", "0"), ("sql", "x")],
)
def test_wrong_usage_ends_with_two(clamp, arguments):
    assert clamp(*arguments).code == 2


@pytest.mark.parametrize("module", ["polars", "duckdb", "pyarrow"])
def test_help_loads_no_engine(module):
    code = (
        "import sys\nfrom clamp_analytics.cli import make_app\n"
        f"try: make_app()(['summarize', '--help'])\nfinally: assert {module!r} not in sys.modules"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("arguments", [["--version", "--verbose"], ["--verbose", "-V"]])
def test_the_verbose_version_names_the_decoder(clamp, monkeypatch, arguments):
    monkeypatch.setenv("CLAMP_ANALYTICS_KERNEL", "off")

    assert clamp(*arguments).out == clamp("-V").out + "decoder: pure Python (CLAMP_ANALYTICS_KERNEL=off)\n"


def test_the_version_loads_no_command_line(clamp):
    code = (
        "import sys\nsys.argv[1:] = ['--version']\nfrom clamp_analytics.__main__ import main\n"
        "main()\nassert 'typer' not in sys.modules"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

    assert done.stdout == clamp("-V").out
    assert done.returncode == 0
