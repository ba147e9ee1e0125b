"""Labels of sessions from ``--label`` and from ``pyproject.toml``."""

import duckdb
import pytest

from clamp_analytics.cli.settings import layer_labels, read_settings
from clamp_analytics.errors import UsageError
from clamp_analytics.reading import load
from tests.conftest import numbered, write

QUERY = "SELECT name, value FROM session_labels"


@pytest.fixture
def runs(tmp_path):
    """A session in the folder of a build."""
    return write(tmp_path / "runs", {"build-7/a.json": numbered(1)})


def project(folder, text):
    (folder / "pyproject.toml").write_text(f"[tool.clamp-analytics]\n{text}\n")
    return read_settings(folder)


def test_sql_shows_the_labels_of_rules(clamp, runs):
    done = clamp("sql", runs, QUERY, "--format", "csv", "--label", r"build=build-(\d+)", "--label", "branch=main")

    assert (done.code, done.out.splitlines()) == (0, ["name,value", "branch,main", "build,7"])


def test_ingest_stores_labels_and_sql_adds_others_to_those_of_the_archive(clamp, runs):
    clamp("ingest", runs, "--archive", "t.duckdb", "--label", r"build=build-(\d+)")

    done = clamp("sql", "t.duckdb", QUERY, "--format", "csv", "--label", "branch=main")

    assert (done.code, done.out.splitlines()) == (0, ["name,value", "branch,main", "build,7"])


def test_export_carries_labels(clamp, runs, tmp_path):
    clamp("export", runs, "-o", "out", "--label", "branch=main")

    assert load(tmp_path / "out").sessions["labels"].to_list() == ['{"branch": "main"}']


def test_commands_use_the_rules_of_the_project(clamp, runs, tmp_path):
    project(tmp_path, r"labels = ['build=build-(\d+)']")

    clamp("ingest", runs, "--archive", "t.duckdb")

    with duckdb.connect(str(tmp_path / "t.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT labels FROM sessions").fetchall() == [('{"build": "7"}',)]


def test_a_wrong_rule_is_a_usage_error(clamp, runs):
    done = clamp("summarize", runs, "--label", "build")

    assert (done.code, "NAME=RULE" in done.err) == (2, True)


def test_a_rule_of_the_command_line_replaces_that_of_the_project(tmp_path):
    settings = project(tmp_path, "labels = ['build=1', 'branch=main']")

    assert layer_labels(["build=2"], settings) == ("branch=main", "build=2")


def test_a_project_without_rules_adds_none(tmp_path):
    settings = project(tmp_path, "")

    assert layer_labels(["build=2"], settings) == ("build=2",)


@pytest.mark.parametrize("value", ["'build=1'", "[1]", "{build = '1'}", "['build']", "['a=1', 'a=2']"])
def test_a_wrong_value_of_the_project_is_reported_with_its_location(tmp_path, value):
    settings = project(tmp_path, f"labels = {value}")

    with pytest.raises(UsageError) as caught:
        layer_labels([], settings)

    assert caught.value.where.endswith("pyproject.toml [tool.clamp-analytics] labels")
