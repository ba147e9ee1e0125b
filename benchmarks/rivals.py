"""The benchmark tasks, solved with other tools.

There are two tasks. ``load`` gets the nine columns of every record into memory, with timestamps parsed; it is timed
inside a process that has imported its tool. ``summarize`` is a short script as a user would write it, timed as a whole
process. Each tool is used in the fastest way that was found. None of them validates its input, which ours does.

``python -m benchmarks.rivals TASK NAME FOLDER`` runs one of them and prints its answer as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any

from clamp_analytics.wording import sql_string

if TYPE_CHECKING:
    import polars as pl

Answer = dict[str, Any]

COLUMNS = (
    "context", "seed", "thread_id", "acquired_at", "released_at", "duration_ms", "stability_score", "backend",
    "device_name",
)  # fmt: skip
"""The columns that every tool loads."""

FEW = ("acquired_at", "released_at", "stability_score")
"""The columns that the summary needs."""

STAMPS = ("acquired_at", "released_at")

DEFAULT_OBJECT_SIZE = 1 << 24
"""DuckDB's default of ``maximum_object_size``, in bytes."""


def _paths(folder: str) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.path for entry in entries if entry.name.endswith(".json"))


def _answer(scored: int, in_flight: int, mean: float, variance: float, drift_ms: float, **more: object) -> Answer:
    return {"scored": scored, "in_flight": in_flight, "mean": mean, "variance": variance, "drift_ms": drift_ms, **more}


def _span(first: str, last: str) -> float:
    from datetime import datetime

    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds() * 1000


def answer_of(frame: pl.DataFrame) -> Answer:
    """Figures of the loaded columns that together cover every value that matters."""
    import polars as pl

    score, acquired = frame["stability_score"], frame["acquired_at"]
    return _answer(
        scored=score.count(),
        in_flight=frame["released_at"].null_count(),
        mean=score.mean(),  # type: ignore[arg-type]  # a column of floats has a mean that is one
        variance=score.var(),  # type: ignore[arg-type]
        drift_ms=(acquired.max() - acquired.min()).total_seconds() * 1000,  # type: ignore[operator, union-attr]
        records=frame.height,
        seed_sum=int(frame["seed"].cast(pl.UInt64).sum()),
        duration_sum=frame["duration_ms"].sum(),
    )


# DuckDB


def _duckdb_source(folder: str, columns: tuple[str, ...]) -> str:
    types = {"seed": "UBIGINT", "duration_ms": "DOUBLE", "stability_score": "DOUBLE"} | dict.fromkeys(
        STAMPS, "TIMESTAMP"
    )
    struct = ", ".join(f"{name} {types.get(name, 'VARCHAR')}" for name in columns)
    largest = max(os.path.getsize(path) for path in _paths(folder))
    # DuckDB splits a line of exactly the allowed size, so half as much again is allowed.
    size = f", maximum_object_size={largest * 3 // 2}" if largest >= DEFAULT_OBJECT_SIZE else ""
    pattern = sql_string(folder + "/*.json")
    return f"read_json({pattern}, format='newline_delimited', columns={{'records': 'STRUCT({struct})[]'}}{size})"


def load_duckdb(folder: str) -> Any:
    import duckdb

    query = f"SELECT unnest(records, recursive := true) FROM {_duckdb_source(folder, COLUMNS)}"
    return duckdb.connect().sql(query).to_arrow_table()


def summarize_duckdb(folder: str) -> Answer:
    import duckdb

    row = duckdb.connect().execute(f"""
        SELECT count(r.stability_score), count(*) - count(r.released_at), avg(r.stability_score),
               var_samp(r.stability_score), date_diff('us', min(r.acquired_at), max(r.acquired_at)) / 1000
        FROM (SELECT unnest(records) AS r FROM {_duckdb_source(folder, FEW)})""").fetchone()  # fmt: skip
    assert row is not None
    return _answer(*row)


# chdb: ClickHouse as a library

_CHDB_TYPES = {"seed": "UInt64", "released_at": "Nullable(String)"} | dict.fromkeys(
    ("duration_ms", "stability_score"), "Float64"
)
_CHDB_SETTINGS = (
    "SETTINGS input_format_skip_unknown_fields=1, input_format_json_ignore_unknown_keys_in_named_tuple=1, "
    "input_format_json_defaults_for_missing_elements_in_named_tuple=1"
)


def _chdb_source(folder: str, columns: tuple[str, ...]) -> str:
    fields = ", ".join(f"{name} {_CHDB_TYPES.get(name, 'String')}" for name in columns)
    path = folder.replace("\\", "\\\\").replace("'", "\\'")
    return (
        f"(SELECT arrayJoin(records) AS r FROM file('{path}/*.json', 'JSONEachRow', 'records Array(Tuple({fields}))'))"
    )


def load_chdb(folder: str) -> Any:
    import chdb

    fields = ", ".join(
        f"parseDateTime64BestEffortOrNull(r.{name}, 6, 'UTC') AS {name}" if name in STAMPS else f"r.{name} AS {name}"
        for name in COLUMNS
    )
    query: Callable[..., Any] = chdb.query
    return query(f"SELECT {fields} FROM {_chdb_source(folder, COLUMNS)} {_CHDB_SETTINGS}", "ArrowTable")


def summarize_chdb(folder: str) -> Answer:
    import chdb

    # Timestamps of one format sort like their texts, which saves parsing them.
    query: Callable[..., Any] = chdb.query
    result = query(
        "SELECT count(r.stability_score), countIf(r.released_at IS NULL), avg(r.stability_score), "
        "varSamp(r.stability_score), min(r.acquired_at), max(r.acquired_at) "
        f"FROM {_chdb_source(folder, FEW)} {_CHDB_SETTINGS}",
        "JSONCompactEachRow",
    )
    scored, in_flight, mean, variance, first, last = json.loads(result.bytes())
    return _answer(int(scored), int(in_flight), mean, variance, _span(first, last))


# Readers of NDJSON: the records are cut out of the files and joined


def _join_records(folder: str) -> bytes:
    """The records of all files as NDJSON, assuming that no string contains the separator of two records."""
    parts = []
    for path in _paths(folder):
        with open(path, "rb", buffering=0) as file:
            data = file.read()
        start, end = data.index(b'"records": [') + len(b'"records": ['), data.rindex(b"]")
        parts.append(data[start:end].replace(b"}, {", b"}\n{"))
    return b"\n".join(parts)


def _polars_frame(folder: str, columns: tuple[str, ...]) -> pl.DataFrame:
    import polars as pl

    types: dict[str, Any] = {"seed": pl.UInt64, "duration_ms": pl.Float64, "stability_score": pl.Float64}
    schema = {name: types.get(name, pl.String) for name in columns}
    frame = pl.read_ndjson(_join_records(folder), schema=schema)
    return frame.with_columns(pl.col(STAMPS).str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us", time_zone="UTC"))


def load_polars(folder: str) -> Any:
    return _polars_frame(folder, COLUMNS)


def summarize_polars(folder: str) -> Answer:
    frame = _polars_frame(folder, FEW)
    score, acquired = frame["stability_score"], frame["acquired_at"]
    span: Any = acquired.max() - acquired.min()  # type: ignore[operator]
    return _answer(
        score.count(),
        frame["released_at"].null_count(),
        score.mean(),  # type: ignore[arg-type]
        score.var(),  # type: ignore[arg-type]
        span.total_seconds() * 1000,
    )


def _arrow_table(folder: str, columns: tuple[str, ...]) -> Any:
    import pyarrow as pa
    from pyarrow import json as arrow_json

    types = {"seed": pa.uint64(), "duration_ms": pa.float64(), "stability_score": pa.float64()}
    types |= dict.fromkeys(STAMPS, pa.timestamp("us", tz="UTC"))
    schema = pa.schema([(name, types.get(name, pa.string())) for name in columns])
    return arrow_json.read_json(
        pa.BufferReader(_join_records(folder)),
        read_options=arrow_json.ReadOptions(block_size=1 << 23),
        parse_options=arrow_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
    )


def load_pyarrow(folder: str) -> Any:
    return _arrow_table(folder, COLUMNS)


def summarize_pyarrow(folder: str) -> Answer:
    import pyarrow.compute as pc

    table = _arrow_table(folder, FEW)
    score, span = table["stability_score"], pc.min_max(table["acquired_at"]).as_py()
    return _answer(
        len(score) - score.null_count,
        table["released_at"].null_count,
        pc.mean(score).as_py(),
        pc.variance(score, ddof=1).as_py(),
        (span["max"] - span["min"]).total_seconds() * 1000,
    )


# json of the standard library


def load_json(folder: str) -> Any:
    import polars as pl

    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    for path in _paths(folder):
        with open(path, "rb") as file:
            records = json.load(file)["records"]
        for name, values in columns.items():
            values += [record.get(name) for record in records]
    types: dict[str, Any] = {"seed": pl.UInt64, "duration_ms": pl.Float64, "stability_score": pl.Float64}
    frame = pl.DataFrame(columns, schema={name: types.get(name, pl.String) for name in COLUMNS})
    return frame.with_columns(pl.col(STAMPS).str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us", time_zone="UTC"))


def summarize_json(folder: str) -> Answer:
    import math

    scores: list[float] = []
    in_flight = 0
    # Timestamps of one format sort like their texts, which saves parsing them.
    firsts, lasts = [], []
    for path in _paths(folder):
        with open(path, "rb") as file:
            records = json.load(file)["records"]
        scores += [record["stability_score"] for record in records]
        in_flight += sum(record["released_at"] is None for record in records)
        stamps = [record["acquired_at"] for record in records]
        firsts.append(min(stamps))
        lasts.append(max(stamps))
    mean = math.fsum(scores) / len(scores)
    variance = math.fsum((score - mean) ** 2 for score in scores) / (len(scores) - 1)
    return _answer(len(scores), in_flight, mean, variance, _span(min(firsts), max(lasts)))


# clamp_analytics


def load_clamp_analytics(folder: str) -> Any:
    from clamp_analytics.reading import load

    return load(folder).records


LOADS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "clamp_analytics": ("clamp_analytics.reading", load_clamp_analytics),
    "duckdb": ("duckdb pyarrow", load_duckdb),
    "chdb": ("chdb pyarrow", load_chdb),
    "polars": ("polars", load_polars),
    "pyarrow": ("pyarrow pyarrow.json", load_pyarrow),
    "json": ("polars", load_json),
}
"""Loaders by name, ours first: the modules to import before the clock starts, and the function."""

SUMMARIES: dict[str, tuple[str, Callable[[str], Answer]]] = {
    "duckdb": ("duckdb", summarize_duckdb),
    "chdb": ("chdb", summarize_chdb),
    "polars": ("polars", summarize_polars),
    "pyarrow": ("pyarrow", summarize_pyarrow),
    "json": ("json", summarize_json),
}
"""Summaries by name: the modules that they need, and the function."""

JQ = """def ms: (sub("[.][0-9]+Z$"; "Z") | fromdate) * 1000
    + ((capture("[.](?<f>[0-9]+)Z$").f // "0") | "0." + . | tonumber * 1000);
reduce (inputs | .records[]) as $r ({n: 0, s: 0, q: 0, f: 0, a: "~", z: ""};
  .n += 1 | .s += $r.stability_score | .q += $r.stability_score * $r.stability_score
  | if $r.released_at == null then .f += 1 else . end
  | if $r.acquired_at < .a then .a = $r.acquired_at else . end
  | if $r.acquired_at > .z then .z = $r.acquired_at else . end)
| {scored: .n, in_flight: .f, mean: (.s / .n), variance: ((.q - .s * .s / .n) / (.n - 1)),
   drift_ms: ((.z | ms) - (.a | ms))}"""
"""The summary as a jq program that reads one session at a time."""


def _timed_rows(name: str, folder: str) -> Answer:
    from importlib import import_module

    modules, load = LOADS[name]
    for module in modules.split():
        import_module(module)
    begin = perf_counter()
    table = load(folder)
    seconds = perf_counter() - begin
    # Sampling of memory stops at this line: computing the answer must not count.
    print(json.dumps({"seconds": seconds}), flush=True)
    import polars as pl

    frame = table if isinstance(table, pl.DataFrame) else pl.DataFrame(table)
    assert set(COLUMNS) <= set(frame.columns)
    return {"answer": answer_of(frame)}


def main(task: str, name: str, folder: str) -> None:
    """Run one tool and print its answer."""
    print(json.dumps(_timed_rows(name, folder) if task == "load" else {"answer": SUMMARIES[name][1](folder)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
