"""Exports into object storage: complete or absent, also when the service fails or two exports race."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import obstore
import pytest
from obstore.store import MemoryStore

import clamp_analytics as clamp
from clamp_analytics.batch import Batch
from clamp_analytics.errors import OutputError
from clamp_analytics.parquet import ExportOptions, export
from clamp_analytics.parquet.object_target import object_target
from clamp_analytics.reading import Reader
from clamp_analytics.reading.export import FORMAT, ExportedFile, Manifest
from clamp_analytics.sources.object_storage import ObjectStorage
from tests.conftest import numbered, write
from tests.object_storage import Proxy, dropped, keys, open_bucket, storage_options, unavailable

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
OVERWRITE = ExportOptions(overwrite=True)


def export_seed(seed: int, folder: Path, url: str, target: str, options: ExportOptions = OVERWRITE) -> None:
    write(folder, {f"{seed}.json": numbered(seed)})
    reader = Reader(folder / f"{seed}.json", session_ids=True)
    export(reader, f"s3://telemetry/exports/{target}", options, storage_options=storage_options(url))


def seeds(url: str, target: str) -> list[int]:
    found = clamp.load(f"s3://telemetry/exports/{target}", storage_options=storage_options(url))
    return found.records["seed"].to_list()


def test_an_export_in_a_bucket_gives_the_artifact_of_the_sources(s3_url: str) -> None:
    settings = storage_options(s3_url)
    clamp.export(SAMPLES / "drifting", "s3://telemetry/exports/same", storage_options=settings)

    found = clamp.summarize("s3://telemetry/exports/same", storage_options=settings)

    expected = clamp.summarize(SAMPLES / "drifting")
    assert clamp.artifact(found.total, found.directory) == clamp.artifact(expected.total, expected.directory)


def test_the_rows_of_an_export_in_a_bucket_have_the_order_of_one_on_disk(s3_url: str, tmp_path: Path) -> None:
    settings = storage_options(s3_url)
    clamp.export(SAMPLES / "drifting", "s3://telemetry/exports/order", storage_options=settings)
    clamp.export(SAMPLES / "drifting", tmp_path / "order")

    found = clamp.load("s3://telemetry/exports/order", storage_options=settings)

    assert found.records.equals(clamp.load(tmp_path / "order").records)


def test_files_have_the_hash_of_their_content_as_name(s3_url: str, tmp_path: Path) -> None:
    export_seed(1, tmp_path, s3_url, "names")

    found = clamp.load("s3://telemetry/exports/names", storage_options=storage_options(s3_url))
    day = "records/day=2026-01-01"
    assert [re.sub("[0-9a-f]{64}", "HASH", key) for key in keys(s3_url, "exports/names")] == [
        "clamp_export.json",
        f"{day}/HASH.parquet",
        "sessions/HASH.parquet",
        "violations/HASH.parquet",
    ]
    assert found.counts.loaded == 1


def test_an_export_that_exists_is_not_replaced_unless_asked(s3_url: str, tmp_path: Path) -> None:
    export_seed(1, tmp_path, s3_url, "exists")

    with pytest.raises(OutputError, match="an export exists already"):
        export_seed(2, tmp_path, s3_url, "exists", ExportOptions())
    before = seeds(s3_url, "exists")
    export_seed(2, tmp_path, s3_url, "exists")

    assert (before, seeds(s3_url, "exists")) == ([1], [2])


def test_a_folder_with_other_objects_is_refused(s3_url: str, tmp_path: Path) -> None:
    obstore.put(open_bucket(s3_url), "exports/other/notes.txt", b"x")

    with pytest.raises(OutputError, match=r"s3://telemetry/exports/other/notes.txt: .* not part of an export"):
        export_seed(1, tmp_path, s3_url, "other")

    assert keys(s3_url, "exports/other") == ["notes.txt"]


class FoldAround(Reader):
    """A reader that calls a function before its last batch."""

    def __init__(self, source: Path, call: Callable[[], None]) -> None:
        super().__init__(source, session_ids=True)
        self._call = call

    def fold(self, reduce: Callable[[Batch], Any]) -> Iterator[Any]:
        yield from super().fold(reduce)
        self._call()


@pytest.mark.parametrize("options", [ExportOptions(), OVERWRITE])
def test_of_two_exports_at_once_one_wins_and_the_other_says_so(
    s3_url: str, tmp_path: Path, options: ExportOptions
) -> None:
    target = f"race-{options.overwrite}"
    if options.overwrite:
        export_seed(0, tmp_path, s3_url, target)
    slow = FoldAround(
        write(tmp_path / "slow", {"1.json": numbered(1)}),
        lambda: export_seed(2, tmp_path, s3_url, target, options),
    )

    with pytest.raises(OutputError, match="another export was written there meanwhile"):
        export(slow, f"s3://telemetry/exports/{target}", options, storage_options=storage_options(s3_url))

    assert seeds(s3_url, target) == [2]


def test_an_export_that_fails_leaves_no_manifest(s3_url: str, tmp_path: Path) -> None:
    def fail() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(
            FoldAround(write(tmp_path / "x", {"1.json": numbered(1)}), fail),
            "s3://telemetry/exports/failed",
            storage_options=storage_options(s3_url),
        )

    assert "clamp_export.json" not in keys(s3_url, "exports/failed")


def break_once(proxy: Proxy, path: str, fault: str) -> None:
    if fault == "lost request":
        proxy.lost[path] = 1
    else:
        proxy.faults[path] = [unavailable if fault == "503" else dropped]


@pytest.mark.parametrize("fault", ["503", "lost answer", "lost request"])
def test_a_manifest_whose_request_breaks_is_written_once(
    s3_url: str, s3_proxy: Proxy, tmp_path: Path, fault: str
) -> None:
    target = f"broken-{fault.replace(' ', '-')}"
    # The first request of the manifest asks whether there is one.
    path = f"/telemetry/exports/{target}/clamp_export.json"
    write(tmp_path, {"1.json": numbered(1)})
    reader = FoldAround(tmp_path / "1.json", lambda: break_once(s3_proxy, path, fault))

    export(reader, f"s3://telemetry/exports/{target}", storage_options=storage_options(s3_proxy.url))

    assert seeds(s3_url, target) == [1]
    assert s3_proxy.faults.get(path, []) == []
    assert s3_proxy.lost[path] == 0


@pytest.mark.parametrize("fault", ["503", "lost answer", "lost request"])
def test_a_file_whose_request_breaks_is_sent_again(s3_url: str, s3_proxy: Proxy, tmp_path: Path, fault: str) -> None:
    target = f"resent-{fault.replace(' ', '-')}"
    export_seed(1, tmp_path, s3_url, target)
    (name,) = (key for key in keys(s3_url, f"exports/{target}") if key.startswith("sessions/"))
    break_once(s3_proxy, f"/telemetry/exports/{target}/{name}", fault)

    export_seed(1, tmp_path, s3_proxy.url, target)

    assert seeds(s3_url, target) == [1]
    assert Counter(s3_proxy.requests)["PUT", f"/telemetry/exports/{target}/{name}"] == 2


def test_a_refusal_is_one_sentence_without_credentials(s3_url: str, tmp_path: Path) -> None:
    write(tmp_path, {"1.json": numbered(1)})
    wrong = {**storage_options(s3_url), "aws_secret_access_key": "wrong"}

    with pytest.raises(OutputError, match="it cannot be read: the secret key is wrong") as raised:
        clamp.export(tmp_path, "s3://telemetry/exports/refused", storage_options=wrong)

    assert "tester" not in str(raised.value)


def publish(storage: ObjectStorage, sha256: str, kept_for: timedelta) -> None:
    with object_target("s3://b/x", storage, overwrite=True, kept_for=kept_for) as target:
        file = Path(target.new, "sessions/part-000000.parquet")
        file.parent.mkdir()
        file.write_bytes(b"PAR1")
        named = target.add(ExportedFile("sessions", "sessions/part-000000.parquet", 1, 4, sha256))
        target.publish(msgspec.json.encode(Manifest(FORMAT, 1, "1.0", "/", {}, [], None, [named])))


def test_files_that_no_manifest_names_are_deleted_once_they_are_old() -> None:
    store = MemoryStore()
    storage = ObjectStorage(_stores={"s3://b": store})  # type: ignore[dict-item]
    one, two = "1" * 64, "2" * 64

    publish(storage, one, timedelta(days=1))
    publish(storage, two, timedelta(days=1))
    young = sorted(item["path"] for chunk in obstore.list(store) for item in chunk)
    publish(storage, two, timedelta(0))
    old = sorted(item["path"] for chunk in obstore.list(store) for item in chunk)

    manifest, files = "x/clamp_export.json", [f"x/sessions/{name}.parquet" for name in (one, two)]
    assert (young, old) == ([manifest, *files], [manifest, files[1]])
