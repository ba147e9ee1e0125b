"""Labels of the sessions of every kind of source."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import duckdb
import pytest

from clamp_analytics.archive.ingest.run import ingest
from clamp_analytics.database import connect
from clamp_analytics.errors import UsageError
from clamp_analytics.reading import Reader, ReadingOptions, iter_batches, load
from clamp_analytics.reading.open_source import Source, open_source
from tests.conftest import Raw, itself, numbered, record, session, write

pytestmark = pytest.mark.usefixtures("decoder")

BUILD = r"build=build-(\d+)"


@pytest.fixture
def builds(tmp_path: Path) -> Path:
    """Two sessions in folders of builds, of which the second has a label of its own."""
    second = session(record(seed=2), labels={"commit": "0f3c"}, git_sha="1a2b")
    return write(tmp_path / "runs", {"build-1/a.json": numbered(1), "build-2/b.json": second})


def labels(source: Source, *rules: str) -> list[str | None]:
    batches = list(open_source(source, labels=rules).fold(itself))
    return [text for batch in batches for text in batch.sessions["labels"]]


def test_files_have_their_own_labels_and_those_of_rules(builds: Path) -> None:
    assert load(builds).sessions["labels"].to_list() == [None, '{"commit": "0f3c"}']
    assert load(builds, labels=[BUILD]).sessions["labels"].to_list() == [
        '{"build": "1"}',
        '{"build": "2", "commit": "0f3c"}',
    ]


def test_a_rule_goes_before_the_label_of_the_file(builds: Path) -> None:
    assert load(builds, labels=["commit=@extra.git_sha"]).sessions["labels"].to_list() == [None, '{"commit": "1a2b"}']


def test_batches_have_labels(builds: Path) -> None:
    batches = list(iter_batches(builds, labels=[BUILD]))

    assert [text for batch in batches for text in batch.sessions["labels"]] == [
        '{"build": "1"}',
        '{"build": "2", "commit": "0f3c"}',
    ]


def test_members_of_a_zip_file_have_labels_by_their_path(tmp_path: Path) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as container:
        container.writestr("build-7/a.json", session(record(), labels={"a": "1"}))
    write(tmp_path, {"artifact.zip": data.getvalue()})

    assert load(tmp_path, labels=[BUILD]).sessions["labels"].to_list() == ['{"a": "1", "build": "7"}']


def test_a_rejected_file_has_the_labels_of_rules(tmp_path: Path) -> None:
    write(tmp_path, {"build-7/a.json": b"{"})

    assert load(tmp_path, labels=[BUILD]).sessions.select("status", "labels").rows() == [("rejected", '{"build": "7"}')]


def test_a_large_file_that_is_read_in_windows_has_labels(tmp_path: Path) -> None:
    data = session(*(record(seed=seed) for seed in range(1, 100)), labels={"a": "1"})
    write(tmp_path, {"build-7/a.json": data})
    options = ReadingOptions(large_bytes=1, window_bytes=1000)

    whole, windows = (load(tmp_path, labels=[BUILD], options=each) for each in (ReadingOptions(), options))

    assert windows.sessions["labels"].to_list() == ['{"a": "1", "build": "7"}']
    assert windows.sessions.equals(whole.sessions)
    assert windows.violations.equals(whole.violations)


def test_loaded_telemetry_and_connections_get_the_labels_of_rules(builds: Path, tmp_path: Path) -> None:
    ingest(builds, tmp_path / "t.duckdb")
    expected = ['{"build": "1"}', '{"build": "2", "commit": "0f3c"}']

    assert labels(load(builds), BUILD) == expected
    assert labels(tmp_path / "t.duckdb", BUILD) == expected
    with connect(builds) as connection:
        assert labels(connection, BUILD) == expected
    with duckdb.connect(str(tmp_path / "t.duckdb"), read_only=True) as connection:
        assert labels(connection, BUILD) == expected


def test_a_reader_takes_no_further_rules(builds: Path) -> None:
    with pytest.raises(UsageError, match="rules for labels cannot be added to a reader"):
        open_source(Reader(builds), labels=[BUILD])


def test_a_wrong_rule_is_reported_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="NAME=RULE"):
        Reader(tmp_path, labels=["build"])


def test_a_field_that_is_not_valid_unicode_gives_no_label(tmp_path: Path) -> None:
    write(tmp_path, {"a.json": session(record(), node=Raw('"\\ud800"'))})

    assert load(tmp_path, labels=["node=@extra.node", "x=1"]).sessions["labels"].to_list() == ['{"x": "1"}']


def test_a_number_of_thousands_of_digits_is_a_label(tmp_path: Path) -> None:
    write(tmp_path, {"a.json": session(record(), node=Raw("1" * 5000))})

    assert load(tmp_path, labels=["node=@extra.node"]).sessions["labels"].to_list() == [f'{{"node": "{"1" * 5000}"}}']
