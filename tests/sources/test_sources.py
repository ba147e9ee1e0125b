"""What a source may be, in which order files come, and what is passed over."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from clamp_analytics.errors import SourceError, UsageError
from clamp_analytics.reading import Counts, Reader, load
from clamp_analytics.sources import list_sources
from tests.conftest import GOOD, drain, names, numbered, only, record, run_python, session, write


def test_a_file_is_a_source(tmp_path: Path) -> None:
    write(tmp_path, {"a.json": GOOD})

    telemetry = load(tmp_path / "a.json")

    assert telemetry.counts == Counts(1, 0, 0)
    assert telemetry.directory == str(tmp_path)


def test_a_file_that_is_named_is_read_whatever_its_ending(tmp_path: Path) -> None:
    write(tmp_path, {"a.txt": GOOD, ".hidden": numbered(8), "telemetry_summary.json": numbered(9)})

    telemetry = load([tmp_path / name for name in ("a.txt", ".hidden", "telemetry_summary.json")])

    assert telemetry.counts == Counts(3, 0, 0)


def test_a_folder_is_searched_below_in_the_order_of_names(tmp_path: Path) -> None:
    files = ["b.json", "a/z.json", "a/b/c.json", "a.json", "B.json", "a-1.json", "é.json", "10.json", "9.json"]
    write(tmp_path, {name: numbered(n) for n, name in enumerate(files, 1)})

    telemetry = load(tmp_path)

    found = [os.path.relpath(source, tmp_path) for source in telemetry.sessions["source"]]
    assert found == sorted(files)
    assert telemetry.records["source"].to_list() == telemetry.sessions["source"].to_list()


def test_a_folder_is_not_searched_below_where_that_is_not_wanted(tmp_path: Path) -> None:
    write(tmp_path, {"a.json": GOOD, "below/b.json": GOOD, "below.json/c.json": GOOD})

    reader = Reader(tmp_path, recursive=False)
    drain(reader)

    assert reader.counts == Counts(1, 0, 2)
    assert reader.skipped == {"folder below": 2}


def test_hidden_files_and_other_endings_are_skipped_and_counted(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "a.json": GOOD,
            ".b.json": GOOD,
            ".git/c.json": GOOD,
            "d.txt": GOOD,
            "e.JSON": GOOD,
            "f.json.bz2": GOOD,
            "json": GOOD,
            "g.json~": GOOD,
            "telemetry_summary.json": b"{}",
            "rocm_snapshot.json": b"{}",
        },
    )

    reader = Reader(tmp_path)
    drain(reader)

    assert reader.counts == Counts(loaded=1, rejected=0, skipped=9)
    assert reader.counts.seen == 10
    assert reader.skipped == {"hidden": 2, "other ending": 5, "not a session by its name": 2}


def test_a_folder_named_like_a_file_is_a_folder(tmp_path: Path) -> None:
    write(tmp_path, {"x.json/a.json": GOOD, "b.json": numbered(8)})

    telemetry = load(tmp_path)

    assert telemetry.counts == Counts(2, 0, 0)
    assert load(tmp_path / "x.json").counts == Counts(1, 0, 0)


def test_an_empty_folder_gives_tables_without_rows(tmp_path: Path) -> None:
    telemetry = load(tmp_path, columns=["seed", "context"])

    assert telemetry.counts == Counts(0, 0, 0)
    assert (telemetry.sessions.height, telemetry.violations.height) == (0, 0)
    assert telemetry.records.columns == ["context", "seed"]


def test_a_reader_that_met_no_session_says_so(tmp_path: Path) -> None:
    write(tmp_path, {"a.json": b"", "b.txt": b""})
    reader = Reader(tmp_path)
    drain(reader)

    with pytest.raises(SourceError, match="no usable session among 2 seen = 0 loaded \\+ 1 rejected \\+ 1 skipped"):
        reader.require_sessions()


@pytest.mark.parametrize("pattern", ["*.json", "r?n/*.json", "r[au]n/*.json", "**/*.json"])
def test_a_glob_is_a_source(tmp_path: Path, pattern: str) -> None:
    write(tmp_path, {"run/b.json": numbered(1), "run/a.json": numbered(2), "c.json": numbered(3)})

    telemetry = load(str(tmp_path / pattern))

    assert names(telemetry) == {"*.json": ["c.json"], "**/*.json": ["c.json", "a.json", "b.json"]}.get(
        pattern, ["a.json", "b.json"]
    )


def test_a_path_with_the_signs_of_a_pattern_is_taken_as_it_is(tmp_path: Path) -> None:
    write(tmp_path, {"run[1]/a.json": GOOD, "run1/b.json": numbered(8)})

    assert names(load(tmp_path / "run[1]")) == ["a.json"]


def test_two_stars_search_folders_with_the_signs_of_a_pattern(tmp_path: Path) -> None:
    write(tmp_path, {"run[1]/x/a.json": GOOD})

    assert names(load(str(tmp_path / "**/a.json"))) == ["a.json"]


def test_a_pattern_may_match_folders(tmp_path: Path) -> None:
    write(tmp_path, {"run1/a.json": GOOD, "run2/b.json": numbered(8), "run2/c.txt": b""})

    assert load(str(tmp_path / "run*")).counts == Counts(2, 0, 1)


@pytest.mark.parametrize("source", ["missing.json", "missing/", "*.nothing", "missing/*.json", "", "a\0b"])
def test_a_source_that_is_not_there_is_an_error_that_names_it(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(SourceError) as caught:
        load(source)

    assert caught.value.where == source


def test_no_source_at_all_is_an_error() -> None:
    with pytest.raises(SourceError, match="no source"):
        load([])


@pytest.mark.parametrize("jobs", [0, -1])
def test_fewer_than_one_job_is_a_usage_error(jobs: int, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        load(tmp_path, jobs=jobs)


def test_several_sources_are_read_as_one_in_the_order_of_names(tmp_path: Path) -> None:
    write(tmp_path, {"b/1.json": numbered(1), "a/2.json": numbered(2), "c.json": numbered(3)})

    telemetry = load([tmp_path / "c.json", tmp_path / "b", str(tmp_path / "a" / "*.json")])

    assert names(telemetry) == ["2.json", "1.json", "c.json"]
    assert telemetry.directory == str(tmp_path)


def test_the_same_path_named_twice_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, {"run/a.json": GOOD})

    named = [tmp_path / "run", f"{tmp_path}/run/", tmp_path / "run" / "a.json", str(tmp_path / "run" / "*.json")]

    assert load(named).counts.loaded == 1


def test_one_file_under_several_spellings_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"run/a.json": GOOD})
    monkeypatch.chdir(tmp_path)

    telemetry = load(["run", "./run/a.json", str(tmp_path / "run" / "a.json"), "run/../run/a.json"])

    assert telemetry.counts.loaded == 1


def test_the_same_bytes_under_two_names_are_flagged(tmp_path: Path) -> None:
    write(tmp_path, {"a.json": GOOD, "b.json": GOOD, "c.json": GOOD, "d.json": numbered(8)})

    violations = load(tmp_path).violations

    first = str(tmp_path / "a.json")
    assert violations.select("source", "rule", "value").rows() == [
        (str(tmp_path / name), "session-repeated", first) for name in ("b.json", "c.json")
    ]


def test_sessions_of_equal_size_and_seeds_are_not_taken_for_the_same(tmp_path: Path) -> None:
    write(tmp_path, {"a.json": session(record(context="x")), "b.json": session(record(context="y"))})

    assert load(tmp_path).violations.is_empty()


def test_one_bad_file_among_a_hundred_good_ones_harms_none(tmp_path: Path) -> None:
    write(tmp_path, {f"{n:03}.json": numbered(n) for n in range(1, 101)} | {"050b.json": GOOD[:-1]})

    telemetry = load(tmp_path)

    assert telemetry.counts == Counts(loaded=100, rejected=1, skipped=0)
    assert telemetry.records["seed"].to_list() == list(range(1, 101))
    row = only(telemetry.violations)
    assert (Path(row["source"]).name, row["rule"]) == ("050b.json", "truncated")


def test_standard_input_is_a_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(GOOD)))

    telemetry = load("-")

    assert telemetry.sessions["source"].to_list() == ["-"]
    assert telemetry.records["seed"].to_list() == [7]
    assert telemetry.directory == str(Path.cwd())


def test_standard_input_is_read_beside_files_by_several_workers(tmp_path: Path) -> None:
    write(tmp_path, {f"{n}.json": numbered(n) for n in range(1, 9)})
    code = (
        "import sys; from clamp_analytics.reading import ReadingOptions, load\n"
        "options = ReadingOptions(batch_bytes=300, workers_from_bytes=1)\n"
        "print(load(['-', sys.argv[1]], jobs=2, options=options).counts)"
    )

    done = run_python(code, str(tmp_path), data=session(record(seed=100)))

    assert (done.stdout.decode(), done.stderr.decode()) == ("9 seen = 9 loaded + 0 rejected + 0 skipped\n", "")


def test_a_name_that_is_not_unicode_is_read_and_shown_with_escapes(tmp_path: Path) -> None:
    write(tmp_path, {os.fsdecode(b"caf\xe9.json"): GOOD, "b.json": numbered(8)})

    telemetry = load(tmp_path)

    assert names(telemetry) == ["b.json", "caf\\xe9.json"]
    assert telemetry.records.height == 2


def test_the_same_session_under_a_name_that_is_not_unicode_is_flagged(tmp_path: Path) -> None:
    write(tmp_path, {os.fsdecode(b"\xff.json"): GOOD, "B.json": GOOD})

    rows = load(tmp_path).violations.select("source", "value").rows()

    assert rows == [(f"{tmp_path}/\\xff.json", f"{tmp_path}/B.json")]


@pytest.mark.parametrize("name", ["a b.json", "a\nb.json", "-.json", "\u202ea.json", "a'\".json", "%41.json"])
def test_an_odd_name_is_a_name(tmp_path: Path, name: str) -> None:
    write(tmp_path, {name: GOOD})

    assert names(load(tmp_path)) == [name]


def test_listing_tells_the_folder_that_sources_have_in_common(tmp_path: Path) -> None:
    write(tmp_path, {"a/b/1.json": GOOD, "a/c/2.json": GOOD})

    def common(*named: str) -> str:
        return os.path.relpath(list_sources([str(tmp_path / name) for name in named]).directory, tmp_path)

    assert common("a/b") == "a/b"
    assert common("a/b", "a/c") == "a"
    assert common("a/b/1.json") == "a/b"
    assert common("a/b/*.json") == "a/b"
    assert common("a/*/1.json", "a/c/2.json") == "a"


def test_a_single_folder_is_known_and_several_sources_have_none(tmp_path: Path) -> None:
    write(tmp_path, {"a/1.json": GOOD, "b/2.json": GOOD})

    assert list_sources(tmp_path / "a").single_folder == str(tmp_path / "a")
    assert list_sources([tmp_path / "a", tmp_path / "b"]).single_folder is None
    assert list_sources(tmp_path / "a" / "1.json").single_folder is None
