"""Delta archives for the tests, and what is in them."""

from importlib.util import find_spec

import pytest
from typer.testing import CliRunner

from clamp_analytics.archive.delta.tables import open_delta_archive
from clamp_analytics.cli import make_app
from tests.archive.conftest import heap as heap  # the same folder of session files

collect_ignore_glob = [] if find_spec("deltalake") else ["test_*.py"]
"""The lowest versions are tested without the extra ``lake``."""

TABLES = {
    "sessions": "*",
    "records": "*",
    "violations": "*",
    "files": "* EXCLUDE (ingest)",
    "containers": "* EXCLUDE (ingest)",
    "forgotten": "* EXCLUDE (forgotten_at)",
}


@pytest.fixture
def lake(tmp_path):
    """The name of the Delta archive of a test; ingesting creates it."""
    return f"{tmp_path / 'lake'}/"


def clamp(*arguments):
    """The standard output of a command, which must succeed or fail its check."""
    done = CliRunner().invoke(make_app(arguments[0]), [str(argument) for argument in arguments])
    assert done.exit_code in (0, 1), done.output
    return done.stdout


def rows(archive, sql):
    """The result of a query on the views of a Delta archive."""
    connection, _ = open_delta_archive(str(archive))
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def tables(connection):
    """All rows of the tables of an archive as sorted texts; numbers and times of ingests aside."""
    found = {}
    for table, columns in TABLES.items():
        texts = connection.sql(f"SELECT COLUMNS({columns})::VARCHAR FROM {table}").fetchall()
        found[table] = sorted(tuple(map(repr, row)) for row in texts)
    return found
