"""SQL texts against the sandbox: no statement writes, reads anything but the telemetry, or ends with another error."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl

from clamp_analytics.database import connect, run_query
from clamp_analytics.errors import QueryError
from fuzz.target import DifferenceError
from tests.conftest import GOOD, write
from tests.database.attacks import FILE_ATTACKS, STATEMENT_ATTACKS

CANARY = "canary-5e1f9b"
"""A text in files and in the environment that no query may return."""

SECONDS = 2.0
UNCHANGED = (
    "SELECT (SELECT count(*) FROM records), (SELECT count(*) FROM sessions), (SELECT count(*) FROM duckdb_tables())"
)
LOCKS = "SELECT current_setting('enable_external_access'), current_setting('lock_configuration')"

WORDS = """
SELECT * FROM records sessions violations WHERE WITH x AS ( ) , ; ; ' " . :: = < > + - / % || [ ] { } : $1 ?
EXPLAIN ANALYZE DESCRIBE SUMMARIZE SHOW TABLES ALL PIVOT UNPIVOT VALUES TABLE LATERAL UNNEST ( UNION EXCEPT
COPY TO FROM ATTACH DETACH USE INSTALL LOAD SET RESET PRAGMA CALL CHECKPOINT EXPORT IMPORT DATABASE CREATE
TEMP VIEW MACRO SECRET DROP ALTER INSERT INTO UPDATE DELETE TRUNCATE MERGE USING COMMENT ON BEGIN COMMIT
PREPARE EXECUTE RETURNING RECURSIVE GROUP BY ORDER LIMIT HAVING QUALIFY JOIN CROSS NULL TRUE 1 0 -1 1e308
read_csv( read_text( read_blob( read_json( read_parquet( glob( sniff_csv( query( query_table( getenv(
duckdb_settings() duckdb_secrets() duckdb_tables() pragma_version() json_serialize_sql( count( sum( list(
json_execute_serialized_sql( current_setting( read_duckdb( parquet_metadata( enable_logging( which_secret(
range( generate_series( repeat( struct_pack( map( regexp_replace( printf( format( strptime( cast( try_cast(
seed context stability_score acquired_at source VARCHAR BLOB UBIGINT HUGEINT INTERVAL TIMESTAMPTZ JSON
'CANARY_FILE' 'CANARY_DIR/*' 'CANARY_DIR/out' 'CLAMP_CANARY' 'lock_configuration' '/proc/self/environ'
-- /* */ $$ 'a "records" memory.main. archive.
"""
TOKENS = (*WORDS.split(), "\n", "\0", "é", "\u202e", "9" * 40, *FILE_ATTACKS, *STATEMENT_ATTACKS)
"""Words of SQL and attacks; a byte of the input is one of them, because bytes at random are hardly ever SQL."""


class SqlTarget:
    """Runs the statement that an input spells, each byte one token."""

    max_bytes = 24
    batch = 1
    dictionary = ""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "readable"
        self._folder.mkdir()
        self._file = self._folder / "secret.csv"
        self._file.write_text(f"a,b\n{CANARY},2\n")
        os.environ["CLAMP_CANARY"] = CANARY
        os.chdir(self._folder)
        sessions = write(folder / "sessions", {"a.json": GOOD})
        self._connection = connect(sessions, jobs=1, memory_limit="200MB")
        self._state = self._read_state()
        self._runs = 0

    def run(self, data: bytes) -> None:
        sql = self.statement(data)
        try:
            found = run_query(self._connection, sql, timeout_seconds=SECONDS)
        except QueryError:
            found = pl.DataFrame()
        except Exception as error:
            raise DifferenceError(data, f"{type(error).__name__} of {sql!r}: {error}") from error
        if CANARY in str(found.head(100).rows()):
            raise DifferenceError(data, f"{sql!r} returns the secret")
        self._runs += 1
        # A statement that fails is rolled back, so its effects are searched for less often.
        if (not found.is_empty() or self._runs % 20 == 0) and (state := self._read_state()) != self._state:
            raise DifferenceError(data, f"{sql!r} changes {self._state} to {state}")

    def statement(self, data: bytes) -> str:
        """The SQL text of an input."""
        text = " ".join(TOKENS[byte % len(TOKENS)] for byte in data)
        return text.replace("CANARY_FILE", str(self._file)).replace("CANARY_DIR", str(self._folder))

    def _read_state(self) -> list[object]:
        names = sorted(path.name for path in self._folder.iterdir())
        rows = [run_query(self._connection, sql).rows() for sql in (UNCHANGED, LOCKS)]
        return [names, self._file.read_bytes(), *rows]

    def finish(self) -> None:
        """Nothing is kept."""


def target(folder: Path) -> SqlTarget:
    return SqlTarget(folder)
