"""Each function of the public API on each kind of source: paths, loaded telemetry, connections."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import clamp_analytics as clamp
from clamp_analytics.database import library

SAMPLES = Path(__file__).parent.parent / "data" / "samples"
DRIFTING, CLEAN, FAULTY = SAMPLES / "drifting", SAMPLES / "clean", SAMPLES / "faulty"
QUICK = clamp.DriftOptions(replays=3)
KINDS = ("path", "listing", "telemetry", "connection", "archive", "duckdb connection", "export")

Open = Callable[[Path], Any]


@pytest.fixture(scope="module", params=KINDS)
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    """A function that gives a folder of sessions as one kind of source."""
    connections = []

    def archive(folder: Path) -> Path:
        path = tmp_path_factory.mktemp("archive") / "telemetry.duckdb"
        clamp.ingest(folder, path)
        return path

    def connection(folder: Path) -> duckdb.DuckDBPyConnection:
        connections.append(clamp.connect(folder))
        return connections[-1]

    def duckdb_connection(folder: Path) -> duckdb.DuckDBPyConnection:
        connections.append(duckdb.connect(archive(folder), read_only=True))
        return connections[-1]

    def export(folder: Path) -> str:
        return clamp.export(folder, tmp_path_factory.mktemp("export") / "parquet").directory

    kinds: dict[str, Open] = {
        "path": str,
        "listing": lambda folder: sorted(folder.glob("*.json")),
        "telemetry": clamp.load,
        "connection": connection,
        "archive": archive,
        "duckdb connection": duckdb_connection,
        "export": export,
    }
    yield kinds[request.param]
    for each in connections:
        each.close()


def test_summarize(opened: Open) -> None:
    expected = clamp.summarize(DRIFTING, by="context")

    found = clamp.summarize(opened(DRIFTING), by="context")

    assert found.total == expected.total
    assert_frame_equal(found.to_polars(), expected.to_polars(), check_exact=True)


def test_score(opened: Open) -> None:
    assert_frame_equal(clamp.score(opened(CLEAN)).sessions, clamp.score(CLEAN).sessions, check_exact=True)


def test_validate(opened: Open) -> None:
    expected = clamp.validate(FAULTY)

    found = clamp.validate(opened(FAULTY))

    assert found.severities == expected.severities
    key = ["source", "rule", "record_index", "field"]
    assert_frame_equal(found.violations.sort(key), expected.violations.sort(key))


def test_drift(opened: Open) -> None:
    found = clamp.drift(opened(DRIFTING), metrics="duration_p95_ms")

    assert_frame_equal(found.verdicts, clamp.drift(DRIFTING, metrics="duration_p95_ms").verdicts, check_exact=True)


def test_compare(opened: Open) -> None:
    found = clamp.compare(opened(CLEAN), opened(DRIFTING), metrics="in_flight")

    expected = clamp.compare(CLEAN, DRIFTING, metrics="in_flight")
    assert_frame_equal(found.verdicts, expected.verdicts, check_exact=True)


def test_reproducibility(opened: Open) -> None:
    found = clamp.reproducibility(opened(CLEAN))

    assert_frame_equal(found.contexts, clamp.reproducibility(CLEAN).contexts, check_exact=True)


def test_calibrate(opened: Open) -> None:
    found = clamp.calibrate(opened(DRIFTING), metrics="in_flight", options=QUICK)

    expected = clamp.calibrate(DRIFTING, metrics="in_flight", options=QUICK)
    assert_frame_equal(found.figures, expected.figures, check_exact=True)


def test_export(opened: Open, tmp_path: Path) -> None:
    written = clamp.export(opened(CLEAN), tmp_path / "out")

    assert written.rows["sessions"] == written.to_dict()["rows"]["sessions"] == 10
    assert written.to_polars()["rows"].sum() == sum(written.rows.values())
    records = clamp.load(tmp_path / "out").records
    assert_frame_equal(records.drop("session_id"), clamp.load(CLEAN).records.drop("session_id"), check_exact=True)


def test_query(opened: Open) -> None:
    found = clamp.query(opened(CLEAN), "SELECT count(*) AS sessions FROM sessions")

    assert found.item() == 10


def test_report(opened: Open) -> None:
    pytest.importorskip("altair")
    options = clamp.ReportOptions(metrics=("in_flight",))

    found = clamp.report(opened(DRIFTING), options=options)

    assert found.html.startswith(b"<!DOCTYPE html>")
    assert found.drift.sessions == clamp.drift(DRIFTING, metrics="in_flight").sessions


def test_plot(opened: Open) -> None:
    pytest.importorskip("altair")

    found = clamp.plot(opened(DRIFTING), metrics="duration_p95_ms", limit=2)

    assert found.drawn == 2


def test_an_archive_from_python_has_the_views_of_the_library(tmp_path: Path) -> None:
    clamp.ingest(CLEAN, tmp_path / "telemetry.duckdb")

    with duckdb.connect(tmp_path / "telemetry.duckdb", read_only=True) as connection:
        rows = connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
    assert {name for (name,) in rows} == {query.name for query in library().values() if query.kind == "view"}


def test_loaded_telemetry_cannot_be_ingested(tmp_path: Path) -> None:
    with pytest.raises(clamp.UsageError, match="a Telemetry cannot be ingested"):
        clamp.ingest(clamp.load(CLEAN), tmp_path / "telemetry.duckdb")  # type: ignore[arg-type]


@pytest.mark.parametrize("source", [None, 7])
def test_a_value_of_another_type_is_not_a_source(source: Any) -> None:
    with pytest.raises(clamp.UsageError, match=f"a {type(source).__name__} cannot be read"):
        clamp.summarize(source)


def test_telemetry_without_a_column_is_refused() -> None:
    telemetry = clamp.load(CLEAN, columns=["source", "seed"])

    with pytest.raises(clamp.UsageError, match="read without acquired_at, duration_ms"):
        clamp.score(telemetry)


def test_a_connection_without_the_tables_is_refused() -> None:
    with duckdb.connect() as connection, pytest.raises(clamp.SourceError, match="the table sessions"):
        clamp.summarize(connection)


def test_a_connection_to_an_archive_has_the_counts_and_the_folder_of_its_sources(tmp_path: Path) -> None:
    clamp.ingest(FAULTY, tmp_path / "telemetry.duckdb")

    with duckdb.connect(tmp_path / "telemetry.duckdb", read_only=True) as connection:
        found = clamp.summarize(connection)
    assert (found.counts, found.directory) == (clamp.load(FAULTY).counts, str(FAULTY))


BUILD = [r"build=_(\d{8})T"]
"""The date in the file names of the samples, as a label."""


def test_an_export_has_the_labels_of_its_rules(tmp_path: Path) -> None:
    clamp.export(CLEAN, tmp_path / "out", labels=BUILD)

    assert clamp.load(tmp_path / "out").sessions["labels"][0] == '{"build": "20261001"}'


def test_a_query_sees_the_labels_of_its_rules() -> None:
    found = clamp.query(CLEAN, "SELECT min(value) FROM session_labels WHERE name = 'build'", labels=BUILD)

    assert found.item() == "20261001"


def test_a_connection_takes_no_further_labels() -> None:
    with clamp.connect(CLEAN) as connection, pytest.raises(clamp.UsageError, match="cannot be added to a connection"):
        clamp.query(connection, "SELECT 1", labels=BUILD)


def test_a_report_names_sessions_by_the_labels_of_its_rules() -> None:
    pytest.importorskip("altair")

    found = clamp.report(DRIFTING, options=clamp.ReportOptions(metrics=("duration_p50_ms",)), labels=BUILD)

    assert found.drift.timeline.labels[0] == {"build": "20261001"}


def test_a_named_query_takes_its_parameters() -> None:
    found = clamp.query(DRIFTING, named="longest_locks", params={"limit": 3})

    assert found.height == 3


@pytest.mark.parametrize("arguments", [{}, {"sql": "SELECT 1", "named": "overlap"}])
def test_a_query_is_given_either_as_sql_or_by_name(arguments: dict[str, str]) -> None:
    with pytest.raises(clamp.UsageError, match="either sql or named"):
        clamp.query(CLEAN, **arguments)


def test_a_plot_is_written_to_a_new_file_of_a_known_format(tmp_path: Path) -> None:
    pytest.importorskip("altair")
    plot = clamp.plot(DRIFTING, metrics="duration_p95_ms", limit=1)

    plot.write(tmp_path / "drift.svg")

    assert (tmp_path / "drift.svg").read_bytes().startswith(b"<svg")
    with pytest.raises(clamp.OutputError):
        plot.write(tmp_path / "drift.svg")
    with pytest.raises(clamp.UsageError, match=r"\.png, \.svg or \.pdf"):
        plot.write(tmp_path / "drift.gif")


def results() -> dict[str, Any]:
    return {
        "summarize": clamp.summarize(FAULTY, by="context"),
        "score": clamp.score(CLEAN),
        "validate": clamp.validate(FAULTY),
        "drift": clamp.drift(DRIFTING, metrics="duration_p95_ms"),
        "compare": clamp.compare(CLEAN, DRIFTING, metrics="in_flight"),
        "reproducibility": clamp.reproducibility(CLEAN),
        "calibrate": clamp.calibrate(DRIFTING, metrics="in_flight", options=QUICK),
        "session_values": clamp.session_values(CLEAN),
        "judge_series": clamp.judge_series([1.0] * 10 + [3.0] * 10),
    }


def test_loaded_telemetry_has_a_short_repr() -> None:
    assert repr(clamp.load(CLEAN)).splitlines() == [
        "Telemetry: 10 sessions, 240 records, 0 violations",
        "  files: 10 seen = 10 loaded + 0 rejected + 0 skipped",
        f"  directory: {str(CLEAN)!r}",
    ]


def test_the_judgement_of_a_series_has_one_row_per_change() -> None:
    values = [12.0, 12.4, 11.9, 12.2, 12.1, 12.3, 12.0, 11.8, 12.2, 12.1, 12.0, 14.9, 15.2, 15.0, 14.8]

    found = clamp.judge_series(values)

    assert repr(found).splitlines()[0] == "SeriesJudgement: regressed, 15 sessions"
    assert found.to_polars().select("index", "before", "after", "direction").rows() == [
        (11, pytest.approx(12.1, abs=0.05), pytest.approx(15, abs=0.05), "worse")
    ]


def test_every_result_has_a_short_repr_a_frame_a_dict_and_a_table_for_notebooks() -> None:
    for name, result in results().items():
        lines = repr(result).splitlines()
        assert lines[0].startswith(f"{type(result).__name__}: "), name
        assert 2 <= len(lines) <= 9, name
        assert isinstance(result.to_polars(), pl.DataFrame), name
        assert isinstance(result.to_dict(), dict), name
        assert "<table>" in result._repr_html_(), name


def test_a_plot_can_be_grouped_by_a_label() -> None:
    pytest.importorskip("altair")

    found = clamp.plot(CLEAN, by="label:build", metrics="in_flight", labels=[r"build=_202610(\d)"], limit=9)

    assert found.drift.verdicts["label:build"].to_list() == ["0", "1"]
