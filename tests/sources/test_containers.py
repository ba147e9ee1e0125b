"""Honest containers: their members are read as if they lay in a folder."""

from __future__ import annotations

import gzip
import tarfile
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clamp_analytics.analysis.summary import artifact, summarize
from clamp_analytics.errors import SourceError
from clamp_analytics.reading import Counts, Reader, ReadingOptions, load
from clamp_analytics.sources import ContainerLimits, Member, Skipped, list_sources
from clamp_analytics.sources.containers.contents import read_container
from clamp_analytics.sources.files import file_digest
from tests.conftest import EXAMPLES, GOOD, SHARED, Raw, drain, names, numbered, record, session, statuses, write
from tests.sources.container_builders import KINDS, a_tar, a_zip, build, compressed, container, plain, zstd

SAMPLES = Path(__file__).parents[2] / "data" / "samples"

DOCUMENTS = [
    GOOD,
    numbered(8),
    session(record(seed=0), record(seed=-1), record(context=None)),
    session(Raw("5"), top={"a": [1, 2]}),
    GOOD[:-1],
    b"",
    b"[]",
    b"\xff\xfe{}",
]
"""Sessions and what is none."""

FOLDERS = st.lists(st.text("aB! é-", min_size=1, max_size=3), max_size=2)
FILES = st.builds("{}{}".format, st.text("aZ! ü~0", min_size=1, max_size=4), st.sampled_from([".json", ".txt"]))
PATHS = st.one_of(
    st.builds(lambda folders, name: "/".join([*folders, name]), FOLDERS, FILES),
    st.sampled_from([".hidden.json", "telemetry_summary.json", "a/rocm_snapshot.json"]),
)
MEMBERS = st.lists(st.tuples(PATHS, st.sampled_from(DOCUMENTS)), max_size=8, unique_by=lambda member: member[0])


@pytest.mark.parametrize("kind", KINDS)
@given(members=MEMBERS, kept=st.sampled_from([1, 10**9]))
@settings(max_examples=15 * EXAMPLES)
def test_any_members_read_the_same_as_the_folder_of_the_same_files(
    kind: str, members: list[tuple[str, bytes]], kept: int
) -> None:
    with tempfile.TemporaryDirectory() as home:
        folder = write(Path(home, "in"), dict(members))
        folder.mkdir(exist_ok=True)
        packed = container(Path(home, "out"), f"x.{kind}", build(kind, members))

        found = load(packed, jobs=1, limits=ContainerLimits(kept_bytes=kept))

        assert plain(found, f"{packed}!") == plain(load(folder, jobs=1), f"{folder}")


@pytest.mark.parametrize("kind", KINDS)
def test_the_artifact_of_a_container_is_that_of_its_folder(kind: str, interop: Path) -> None:
    files = {path.name: path.read_bytes() for path in interop.iterdir()}
    packed = container(interop, f"x.{kind}", build(kind, dict(reversed(files.items()))))

    def written(source: str) -> str:
        summary = summarize(source)
        return artifact(summary.total, summary.directory, None)

    assert written(str(packed)) == written(f"{interop}/*.json")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the producer's files are not beside the repository")
@pytest.mark.parametrize("kind", KINDS)
def test_the_producers_files_read_the_same_in_a_container(kind: str, tmp_path: Path) -> None:
    folder = SHARED / "interop" / "sessions"
    members = {path.name: path.read_bytes() for path in folder.glob("*.json")}
    packed = container(tmp_path, f"x.{kind}", build(kind, members))

    assert plain(load(packed), f"{packed}!/") == plain(load(f"{folder}/*.json"), f"{folder}/")


@pytest.mark.parametrize("kind", KINDS)
def test_faulty_files_have_the_same_violations_in_a_container(kind: str, tmp_path: Path) -> None:
    folder = SAMPLES / "faulty"
    members = {path.name: path.read_bytes() for path in folder.iterdir()}
    packed = container(tmp_path, f"x.{kind}", build(kind, members))

    assert plain(load(packed), f"{packed}!/") == plain(load(folder), f"{folder}/")


@pytest.mark.parametrize("ending", ["gz", "zst"])
def test_a_compressed_session_keeps_its_own_name(tmp_path: Path, ending: str) -> None:
    path = container(tmp_path, f"a.json.{ending}", compressed(ending, GOOD))

    telemetry = load(path, session_ids=True)

    assert telemetry.sessions["source"].to_list() == [str(path)]
    assert telemetry.sessions["size_bytes"].to_list() == [len(GOOD)]
    assert telemetry.records.drop("source", "session_id").equals(
        load(write(tmp_path / "in", {"a.json": GOOD})).records.drop("source", "session_id")
    )


@pytest.mark.parametrize("kind", KINDS)
def test_compressed_sessions_in_a_container_are_read(tmp_path: Path, kind: str) -> None:
    members = {"a.json.gz": gzip.compress(GOOD), "b/c.json.zst": zstd(numbered(9))}
    packed = container(tmp_path, f"x.{kind}", build(kind, members))

    telemetry = load(packed)

    assert telemetry.records.rows() != []
    assert telemetry.sessions.select("source", "status").rows() == [
        (f"{packed}!/a.json.gz", "loaded"),
        (f"{packed}!/b/c.json.zst", "loaded"),
    ]


def test_containers_in_a_folder_are_read_among_its_files_by_name(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "a.json": numbered(1),
            "b.zip": build("zip", {"z.json": numbered(3), "y.json": numbered(2)}),
            "b.zip x.json": numbered(9),
            "c/d.tar.gz": build("tar.gz", {"z.json": numbered(5), "y.json": numbered(4)}),
            "e.json.gz": gzip.compress(numbered(6)),
            "f.gz": b"",
            "telemetry_summary.json.gz": b"",
        },
    )

    telemetry = load(tmp_path)

    found = [source.removeprefix(f"{tmp_path}/") for source in telemetry.sessions["source"]]
    assert found == [
        "a.json",
        "b.zip x.json",
        "b.zip!/y.json",
        "b.zip!/z.json",
        "c/d.tar.gz!/y.json",
        "c/d.tar.gz!/z.json",
        "e.json.gz",
    ]
    assert telemetry.records["seed"].to_list() == [1, 9, 2, 3, 4, 5, 6]
    assert telemetry.counts == Counts(7, 0, 2)


def test_a_glob_matches_containers(tmp_path: Path) -> None:
    write(tmp_path, {"a.zip": a_zip({"x.json": GOOD}), "b.tgz": build("tgz", {"y.json": numbered(2)}), "c.txt": b""})

    assert names(load(f"{tmp_path}/*.zip")) == ["x.json"]
    assert names(load(f"{tmp_path}/*")) == ["x.json", "y.json"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_can_be_named(tmp_path: Path, kind: str) -> None:
    members = {"t/x.json": GOOD, "t/y.json": numbered(2), "t/z.txt": numbered(3), "u.json": numbered(4)}
    packed = container(tmp_path, f"x.{kind}", build(kind, members))

    for member, seeds in {"t/x.json": [7], "t/z.txt": [3], "t": [7, 2], "u.json": [4]}.items():
        telemetry = load(f"{packed}!/{member}")

        assert telemetry.records["seed"].to_list() == seeds
        assert telemetry.directory == str(tmp_path)


def test_a_member_of_an_inner_container_can_be_named(tmp_path: Path) -> None:
    inner = build("tar.gz", {"x.json": GOOD, "y.json": numbered(2)})
    packed = container(tmp_path, "o.zip", a_zip({"i.tar.gz": inner, "z.json": numbered(3)}))

    assert load(f"{packed}!/i.tar.gz!/y.json").records["seed"].to_list() == [2]
    assert load(f"{packed}!/i.tar.gz").records["seed"].to_list() == [7, 2]


def test_a_member_that_is_not_there_is_unreadable(tmp_path: Path) -> None:
    packed = container(tmp_path, "x.zip", a_zip({"x.json": GOOD}))

    telemetry = load(f"{packed}!/y.json")

    assert statuses(telemetry) == ["rejected"]
    assert telemetry.violations["message"].to_list() == [
        "The file could not be read. (the container has no such member)"
    ]


def test_a_member_named_beside_its_container_is_read_once(tmp_path: Path) -> None:
    packed = container(tmp_path, "x.zip", a_zip({"x.json": GOOD, "y.json": numbered(2)}))

    assert names(load([f"{packed}!/x.json", packed])) == ["x.json", "y.json"]


def test_a_file_that_has_the_very_name_is_read_and_no_member(tmp_path: Path) -> None:
    write(tmp_path, {"a.zip!/x.json": GOOD, "a.zip": a_zip({"x.json": numbered(2)})})

    assert load(tmp_path / "a.zip!" / "x.json").records["seed"].to_list() == [7]
    assert load(tmp_path / "a.zip!").records["seed"].to_list() == [7]


def test_a_path_through_a_file_that_is_not_a_container_does_not_exist(tmp_path: Path) -> None:
    write(tmp_path, {"a.json": GOOD})

    with pytest.raises(SourceError, match="no such file"):
        load(f"{tmp_path}/a.json!/x.json")


def test_an_inner_container_is_read(tmp_path: Path) -> None:
    for outer in KINDS:
        for inner in KINDS:
            data = build(outer, {f"in.{inner}": build(inner, {"x.json": GOOD}), "y.json": numbered(2)})
            packed = container(tmp_path, f"out.{outer}", data)

            telemetry = load(packed, jobs=1)

            assert telemetry.sessions["source"].to_list() == [f"{packed}!/in.{inner}!/x.json", f"{packed}!/y.json"]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_names_of_any_length_are_read_from_every_form_of_tar(tmp_path: Path, form: int) -> None:
    long = "/".join(["a" * 40] * 5) + ".json"
    packed = container(tmp_path, "x.tar", a_tar({f"./{long}": GOOD, "é ü.json": numbered(2)}, form))

    assert load(packed).sessions["source"].to_list() == [f"{packed}!/{long}", f"{packed}!/é ü.json"]


def test_a_zip_with_64_bit_fields_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 10)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    data = a_zip({"x.json": GOOD, "y.json": numbered(2)})
    assert b"PK\x06\x06" in data

    assert names(load(container(tmp_path, "x.zip", data))) == ["x.json", "y.json"]


def test_a_zip_may_have_a_comment_and_folders(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.mkdir("t")
        archive.writestr("t/x.json", GOOD)
        archive.comment = b"built by CI"

    telemetry = load(path)

    assert (names(telemetry), telemetry.counts) == (["x.json"], Counts(1, 0, 0))


def test_a_zip_that_was_written_to_a_pipe_is_read(tmp_path: Path) -> None:
    class Pipe:
        def __init__(self) -> None:
            self.data = b""

        def write(self, data: bytes) -> int:
            self.data += data
            return len(data)

        def flush(self) -> None:
            pass

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]
        archive.writestr("x.json", GOOD)

    assert names(load(container(tmp_path, "x.zip", pipe.data))) == ["x.json"]


@pytest.mark.parametrize("ending", ["tar.gz", "tar.xz", "tar.zst"])
def test_several_compressed_streams_in_a_row_are_one(tmp_path: Path, ending: str) -> None:
    tar = a_tar({"x.json": GOOD, "y.json": numbered(2)})
    data = b"".join(compressed(ending, tar[at : at + 700]) for at in range(0, len(tar), 700))

    assert names(load(container(tmp_path, f"x.{ending}", data))) == ["x.json", "y.json"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_container_holds_nothing(tmp_path: Path, kind: str) -> None:
    telemetry = load(container(tmp_path, f"x.{kind}", build(kind, {})))

    assert telemetry.counts == Counts(0, 0, 0)


def test_what_is_passed_over_in_a_container_is_counted_by_reason(tmp_path: Path) -> None:
    members = {"x.json": GOOD, ".git/y.json": GOOD, "z.txt": b"", "t/telemetry_summary.json": b"{}"}
    for kind in KINDS:
        reader = Reader(container(tmp_path, f"x.{kind}", build(kind, members)))
        drain(reader)

        assert reader.skipped == {"hidden": 1, "other ending": 1, "not a session by its name": 1}
        assert reader.counts == Counts(1, 0, 3)


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_same_session_in_two_containers_is_repeated(tmp_path: Path, jobs: int) -> None:
    write(
        tmp_path,
        {
            "a.json": GOOD,
            "b.zip": a_zip({"x.json": GOOD}),
            "c.tar.gz": build("tar.gz", {"x.json": GOOD, "y.json": numbered(2)}),
            "d.json.gz": gzip.compress(numbered(2)),
        },
    )

    found = load(tmp_path, jobs=jobs).violations

    assert found.select("rule", "source", "value").rows() == [
        ("session-repeated", f"{tmp_path}/b.zip!/x.json", f"{tmp_path}/a.json"),
        ("session-repeated", f"{tmp_path}/c.tar.gz!/x.json", f"{tmp_path}/a.json"),
        ("session-repeated", f"{tmp_path}/d.json.gz", f"{tmp_path}/c.tar.gz!/y.json"),
    ]


def test_a_session_in_a_container_has_the_hash_of_its_own_bytes(tmp_path: Path) -> None:
    write(tmp_path, {"a.json": GOOD, "b.zip": a_zip({"x.json": GOOD}), "c.tar": a_tar({"x.json": GOOD})})

    assert load(tmp_path, session_ids=True).sessions["session_id"].n_unique() == 1
    assert load(tmp_path).sessions["session_id"].null_count() == 3


@pytest.mark.parametrize("batch_bytes", [1, 3000, 10**9])
def test_any_number_of_workers_and_any_cut_give_the_same_tables(tmp_path: Path, batch_bytes: int) -> None:
    files = {f"{n:02}.json": session(*(record(seed=n * 50 + k) for k in range(n % 5))) for n in range(30)}
    files |= {f"b{n}.json": DOCUMENTS[n] for n in range(len(DOCUMENTS))}
    write(tmp_path, {f"x.{kind}": build(kind, files) for kind in KINDS})
    write(tmp_path, {"a.json": GOOD, "z.json": GOOD, "y.json.gz": gzip.compress(GOOD)})
    whole = load(tmp_path, jobs=1)
    options = ReadingOptions(batch_bytes=batch_bytes, large_bytes=max(batch_bytes, 500), workers_from_bytes=1)

    for jobs in (1, 2):
        assert plain(load(tmp_path, jobs=jobs, options=options)) == plain(whole)


def test_progress_counts_the_members_that_were_found(tmp_path: Path) -> None:
    write(tmp_path, {"a.json": GOOD, "b.zip": a_zip({"x.json": numbered(2), "y.json": numbered(3)})})
    calls: list[tuple[int, int]] = []

    load(tmp_path, progress=lambda done, files: calls.append((done, files)), jobs=1)

    assert calls == [(3, 3)]


def test_listing_opens_no_container(tmp_path: Path) -> None:
    write(tmp_path, {"b.zip": b"no zip", "a.tar": b"no tar"})

    listing = list_sources(tmp_path)

    assert listing.files == [f"{tmp_path}/a.tar", f"{tmp_path}/b.zip"]


def test_the_members_of_a_container_can_be_iterated(tmp_path: Path) -> None:
    for kind in KINDS:
        packed = container(tmp_path, f"x.{kind}", build(kind, {"t/x.json": GOOD, "y.txt": b""}))

        assert list(read_container(str(packed))) == [
            Member(f"{packed}!/t/x.json", GOOD),
            Skipped(Counter({"other ending": 1})),
        ]


def test_a_container_is_identified_by_its_bytes(tmp_path: Path) -> None:
    one = container(tmp_path, "x.zip", b"one")
    same = container(tmp_path / "below", "y.zip", b"one")
    other = container(tmp_path, "z.zip", b"two")

    # printf one | sha256sum
    expected = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
    assert (file_digest(str(one)).hex(), file_digest(str(same)).hex()) == (expected, expected)
    assert file_digest(str(other)).hex() != expected


def test_reading_containers_leaves_nothing_on_disk_and_no_file_open(tmp_path: Path) -> None:
    import os

    write(tmp_path, {f"x.{kind}": build(kind, {"x.json": GOOD})[:-3] for kind in KINDS})
    write(tmp_path, {f"y.{kind}": build(kind, {"x.json": GOOD}) for kind in KINDS})
    before, files = len(os.listdir("/proc/self/fd")), sorted(tmp_path.rglob("*"))

    load(tmp_path, jobs=1)

    assert (len(os.listdir("/proc/self/fd")), sorted(tmp_path.rglob("*"))) == (before, files)
