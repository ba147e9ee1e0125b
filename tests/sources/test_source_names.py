"""``source`` is unique: files whose names can be confused keep their own records and violations."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import polars as pl

from clamp_analytics.archive.check import check
from clamp_analytics.archive.ingest.run import ingest
from clamp_analytics.database import connect, run_query
from clamp_analytics.parquet import export
from clamp_analytics.reading import Reader, load
from tests.conftest import numbered, record, session, write
from tests.sources.container_builders import a_zip


def seeds_by_source(path: Path) -> dict[str, list[int]]:
    records = load(path).records.with_columns(records_of=load(path).records["source"])
    found: dict[str, list[int]] = {}
    for source, seed in records.select("source", "seed").iter_rows():
        found.setdefault(os.path.relpath(source, path), []).append(seed)
    return found


def test_a_byte_and_the_text_of_its_escape_are_two_files(tmp_path: Path) -> None:
    Path(os.fsdecode(bytes(tmp_path) + b"/a\xff.json")).write_bytes(numbered(1))
    write(tmp_path, {"a\\xff.json": numbered(2)})

    assert seeds_by_source(tmp_path) == {"a\\xff.json": [1], "a\\\\xff.json": [2]}


def test_a_folder_beside_a_container_of_nearly_its_name(tmp_path: Path) -> None:
    write(tmp_path, {"a.zip": a_zip({"x.json": numbered(1)}), "a.zip!/x.json": numbered(2)})

    assert seeds_by_source(tmp_path) == {"a.zip!/x.json": [1], "a.zip\\x21/x.json": [2]}


def test_a_folder_in_a_container_beside_an_inner_container(tmp_path: Path) -> None:
    inner = a_zip({"x.json": numbered(1)})
    write(tmp_path, {"a.zip": a_zip({"b.zip": inner, "b.zip!/x.json": numbered(2)})})

    assert seeds_by_source(tmp_path) == {"a.zip!/b.zip!/x.json": [1], "a.zip!/b.zip\\x21/x.json": [2]}


def test_members_of_a_container_whose_path_is_not_utf8(tmp_path: Path) -> None:
    path = os.fsdecode(bytes(tmp_path) + b"/a\xff.zip")
    Path(path).write_bytes(a_zip({"x.json": numbered(1)}))

    assert seeds_by_source(tmp_path) == {"a\\xff.zip!/x.json": [1]}
    assert load(f"{path}!/x.json").counts.loaded == 1


def test_an_export_keeps_names_that_look_alike_and_their_order(tmp_path: Path) -> None:
    files = {f"{name}/x.json": session(*[record(seed=n) for n in range(start, start + 3)])
             for name, start in (("a.zip!", 1), ("a\\xff", 11), ("a", 21))}  # fmt: skip
    folder = write(tmp_path / "files", {"a.zip": a_zip({"x.json": numbered(31)}), **files})
    os.makedirs(bytes(folder) + b"/a\xff")
    Path(os.fsdecode(bytes(folder) + b"/a\xff/x.json")).write_bytes(numbered(41))
    export(Reader(folder), tmp_path / "export")

    direct, exported = load(folder), load(tmp_path / "export")

    assert direct.sessions["source"].n_unique() == 5
    assert exported.records.select("source", "seed").equals(direct.records.select("source", "seed"))


def test_a_file_is_named_like_another_session_of_an_archive(tmp_path: Path) -> None:
    tag = hashlib.sha256(numbered(22)).hexdigest()[:12]
    folder = write(tmp_path / "heap", {"a.json": numbered(1), f"a.json#{tag}": numbered(3)})
    archive = tmp_path / "t.duckdb"
    ingest([folder / "a.json", folder / f"a.json#{tag}"], archive)
    write(folder, {"a.json": numbered(22)})

    done = ingest(folder / "a.json", archive)

    records = load(archive).records.with_columns(pl.col("source").str.strip_prefix(f"{folder}/"))
    assert done.new == 1
    assert records.select("source", "seed").rows() == [
        ("a.json", 1),
        (f"a.json#{tag}", 22),
        (f"a.json\\x23{tag}", 3),
    ]
    assert check(archive).is_empty()


def test_sessions_of_a_folder_and_of_a_store_have_different_names(tmp_path: Path) -> None:
    folder = write(tmp_path / "heap", {"a.json": numbered(1), "a\\xff.json": numbered(2)})
    export(Reader(folder, session_ids=True), tmp_path / "export")
    ingest(folder, tmp_path / "t.duckdb")
    write(folder, {"a.json": numbered(5), "a\\xff.json": numbered(6)})

    telemetry = load([folder, tmp_path / "export", tmp_path / "t.duckdb"])

    assert telemetry.sessions["source"].n_unique() == 6
    seeds = telemetry.records.group_by("source").agg("seed")["seed"].to_list()
    assert sorted(map(list, seeds)) == [[1], [1], [2], [2], [5], [6]]
    flagged = telemetry.violations.filter(rule="session-repeated")["source"]
    assert set(flagged) < set(telemetry.sessions["source"])


def test_sql_tells_sessions_of_two_exports_apart(tmp_path: Path) -> None:
    folder = write(tmp_path / "heap", {"a.json": numbered(1)})
    export(Reader(folder, session_ids=True), tmp_path / "first")
    write(folder, {"a.json": numbered(2)})
    export(Reader(folder, session_ids=True), tmp_path / "second")

    connection = connect([tmp_path / "first", tmp_path / "second"])

    joined = run_query(connection, "SELECT count(*) AS n FROM sessions JOIN records USING (source)")
    assert joined.rows() == [(2,)]
