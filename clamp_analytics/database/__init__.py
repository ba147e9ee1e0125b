"""SQL over telemetry: a locked DuckDB connection, one way to run a query on it, and the library of queries."""

from clamp_analytics.database.connection import Database, connect, open_database
from clamp_analytics.database.library import NamedQuery, Param, library, named
from clamp_analytics.database.query import run_query

__all__ = ["Database", "NamedQuery", "Param", "connect", "library", "named", "open_database", "run_query"]
