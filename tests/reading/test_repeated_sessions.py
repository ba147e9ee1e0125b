"""Sessions that are read more than once: from files, containers, exports and archives."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from clamp_analytics.archive.ingest.run import ingest
from clamp_analytics.parquet import ExportOptions, export
from clamp_analytics.reading import Reader, Telemetry, iter_batches, load
from tests.conftest import numbered, record, session, write

pytestmark = pytest.mark.usefixtures("decoder")

SEEDS = [1, 2, 3]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "heap", {f"{seed}.json": numbered(seed) for seed in SEEDS})


@pytest.fixture
def exported(folder: Path, tmp_path: Path) -> Path:
    export(Reader(folder, session_ids=True), tmp_path / "export", ExportOptions())
    return tmp_path / "export"


@pytest.fixture
def archive(folder: Path, tmp_path: Path) -> Path:
    ingest(folder, tmp_path / "t.duckdb")
    return tmp_path / "t.duckdb"


@pytest.fixture
def zipped(folder: Path, tmp_path: Path) -> Path:
    with zipfile.ZipFile(tmp_path / "run.zip", "w") as container:
        for path in sorted(folder.iterdir()):
            container.write(path, path.name)
    return tmp_path / "run.zip"


def repeated(telemetry: Telemetry) -> list[str]:
    """The names of the files that are flagged, without the tags of names that several sources have."""
    rows = telemetry.violations.filter(rule="session-repeated")
    assert set(rows["source"]) <= set(telemetry.sessions["source"])
    return [Path(source).name.partition("#")[0] for source in rows["source"]]


PAIRS = [("folder", "exported"), ("folder", "archive"), ("exported", "archive"), ("zipped", "exported")]
PAIRS += [("zipped", "archive"), ("folder", "zipped")]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_the_second_of_two_equal_sessions_is_flagged_in_every_kind_of_source(
    one: str, other: str, request: pytest.FixtureRequest
) -> None:
    telemetry = load([request.getfixturevalue(one), request.getfixturevalue(other)])

    assert telemetry.counts.loaded == 6
    assert sorted(name.rpartition("/")[2] for name in repeated(telemetry)) == ["1.json", "2.json", "3.json"]


@pytest.mark.parametrize(("one", "other"), PAIRS)
@pytest.mark.parametrize("columns", [None, ["seed"]])
def test_unique_reads_each_session_once(
    one: str, other: str, columns: list[str] | None, request: pytest.FixtureRequest
) -> None:
    sources = [request.getfixturevalue(one), request.getfixturevalue(other)]

    telemetry = load(sources, columns=columns, unique=True)

    assert str(telemetry.counts) == "6 seen = 3 loaded + 0 rejected + 3 skipped"
    assert sorted(telemetry.records["seed"]) == SEEDS
    assert telemetry.records.columns == (columns or load(sources[0]).records.columns)
    assert repeated(telemetry) == []


def test_two_exports_of_one_folder_are_flagged_once(folder: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        export(Reader(folder, session_ids=True), tmp_path / name, ExportOptions())

    both = load([tmp_path / "a", tmp_path / "b"])

    assert sorted(repeated(both)) == ["1.json", "2.json", "3.json"]


def test_an_export_is_not_flagged_again_for_its_own_repetitions(tmp_path: Path) -> None:
    folder = write(tmp_path / "heap", {"a.json": numbered(1), "b.json": numbered(1)})
    export(Reader(folder, session_ids=True), tmp_path / "export", ExportOptions())
    other = write(tmp_path / "other", {"c.json": numbered(2)})

    assert repeated(load([tmp_path / "export", other])) == ["b.json"]


def test_other_sessions_of_the_same_size_are_not_flagged(exported: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other", {"a.json": numbered(7)})

    telemetry = load([other, exported], unique=True)

    assert str(telemetry.counts) == "4 seen = 4 loaded + 0 rejected + 0 skipped"


def test_unique_keeps_the_first_of_equal_files(tmp_path: Path) -> None:
    files = {
        "a.json": numbered(1),
        "b.json": numbered(1),
        "c.json": numbered(2),
        "d.json": session(record(seed=1), x=1),
    }

    telemetry = load(write(tmp_path, files), unique=True)

    assert [Path(source).name for source in telemetry.sessions["source"]] == ["a.json", "c.json", "d.json"]
    assert telemetry.counts.skipped == 1


def test_unique_gives_the_same_batches_for_any_number_of_jobs(folder: Path, zipped: Path, archive: Path) -> None:
    sources = [folder, zipped, archive]
    one, two = (
        [batch.sessions["source"].to_list() for batch in iter_batches(sources, unique=True, jobs=jobs)]
        for jobs in (1, 2)
    )

    assert one == two
