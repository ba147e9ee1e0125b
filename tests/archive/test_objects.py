"""Ingesting from object storage: the ledger knows an object by its size and ETag."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import obstore
import pytest

from clamp_analytics.api import ingest
from clamp_analytics.archive.check import check
from clamp_analytics.archive.forget import Forget, forget
from clamp_analytics.archive.ingest.run import Ingested
from clamp_analytics.archive.upgrade import upgrade
from clamp_analytics.sources import list_sources
from tests.archive.conftest import change, rows
from tests.conftest import numbered
from tests.object_storage import Proxy, environment, open_bucket, storage_options, truncated


@pytest.fixture
def folder(s3_url: str, request: pytest.FixtureRequest) -> str:
    """The name of a folder in the bucket with two sessions."""
    name = f"ingest/{request.node.name}"
    put(s3_url, f"{name}/a.json", numbered(1))
    put(s3_url, f"{name}/b.json", numbered(2))
    return name


def put(url: str, key: str, data: bytes) -> None:
    obstore.put(open_bucket(url), key, data)


def ingest_folder(url: str, folder: str, archive: Path) -> Ingested:
    return ingest(f"s3://telemetry/{folder}/", archive, storage_options=storage_options(url))


def zipped(**sessions: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as container:
        for name, content in sessions.items():
            container.writestr(f"{name}.json", content)
    return data.getvalue()


def test_the_ledger_has_the_url_the_size_and_the_etag_of_an_object(s3_url, folder, archive):
    done = ingest_folder(s3_url, folder, archive)

    etag = obstore.head(open_bucket(s3_url), f"{folder}/a.json")["e_tag"]
    url = f"s3://telemetry/{folder}/a.json"
    assert (done.new, done.seen) == (2, 2)
    assert rows(archive, "SELECT path, size_bytes, mtime_ns, etag, source FROM files ORDER BY path")[0] == (
        url,
        len(numbered(1)),
        None,
        etag,
        url,
    )


def test_known_objects_are_not_read_again(s3_url, s3_proxy: Proxy, folder, archive):
    put(s3_url, f"{folder}/c.zip", zipped(x=numbered(3), notes=b"[]"))
    first = ingest_folder(s3_proxy.url, folder, archive)
    s3_proxy.requests.clear()

    second = ingest_folder(s3_proxy.url, folder, archive)

    assert (first.new, first.rejected) == (3, 1)
    assert (second.known, second.rejected, second.changed) == (3, 1, False)
    assert s3_proxy.requests == [("GET", "/telemetry")]


def test_an_object_that_was_replaced_is_read_alone(s3_url, s3_proxy: Proxy, folder, archive):
    ingest_folder(s3_url, folder, archive)
    put(s3_url, f"{folder}/b.json", numbered(3))

    done = ingest_folder(s3_proxy.url, folder, archive)

    assert (done.new, done.known) == (1, 1)
    assert s3_proxy.requests == [("GET", "/telemetry"), ("GET", f"/telemetry/{folder}/b.json")]


def test_an_object_that_changes_after_the_listing_is_rejected_until_it_is_listed_again(s3_url, folder, archive):
    listing = list_sources(f"s3://telemetry/{folder}/", storage_options=storage_options(s3_url))
    put(s3_url, f"{folder}/b.json", numbered(3))

    first = ingest(listing, archive)
    second = ingest_folder(s3_url, folder, archive)

    reason = "The file could not be read. (it changed after it was listed)"
    assert first.rejections == ((f"s3://telemetry/{folder}/b.json", reason),)
    assert (second.new, second.known, second.rejected) == (1, 1, 0)


def test_an_object_that_arrives_truncated_is_read_by_the_next_ingest(s3_url, s3_proxy: Proxy, folder, archive):
    s3_proxy.faults[f"/telemetry/{folder}/b.json"] = [truncated]

    first = ingest_folder(s3_proxy.url, folder, archive)
    second = ingest_folder(s3_proxy.url, folder, archive)

    assert (first.new, first.rejected) == (1, 1)
    assert (second.new, second.known, second.rejected) == (1, 1, 0)


def test_a_session_that_is_known_from_disk_is_not_added_from_a_bucket(s3_url, folder, archive, heap):
    Path(heap, "x.json").write_bytes(numbered(1))
    ingest(heap, archive)

    done = ingest_folder(s3_url, folder, archive)

    assert (done.new, done.known) == (1, 1)


def test_a_check_reads_objects_again(s3_url, folder, archive, monkeypatch):
    for name, value in environment(s3_url).items():
        monkeypatch.setenv(name, value)
    ingest_folder(s3_url, folder, archive)
    obstore.delete(open_bucket(s3_url), f"{folder}/a.json")
    assert check(archive, rehash=True).is_empty()
    change(archive, "UPDATE files SET session_id = 'other' WHERE path LIKE '%/b.json'")

    found = check(archive, rehash=True).filter(check="hashes")

    assert found.select("subject", "problem").rows() == [
        (
            f"s3://telemetry/{folder}/b.json",
            "its bytes have changed since it was ingested, although its size and ETag have not",
        )
    ]


def test_sessions_of_a_bucket_are_forgotten_by_their_url(s3_url, folder, archive):
    ingest_folder(s3_url, folder, archive)

    forget(archive, Forget(source=f"s3://telemetry/{folder}/*"))
    done = ingest_folder(s3_url, folder, archive)

    assert rows(archive, "SELECT count(*) FROM sessions") == [(0,)]
    assert (done.new, done.known) == (0, 2)


def test_an_upgrade_from_version_4_adds_etags(heap, archive, s3_url, folder):
    Path(heap, "x.json").write_bytes(numbered(1))
    ingest(heap, archive)
    change(
        archive,
        "ALTER TABLE files DROP COLUMN etag",
        "ALTER TABLE containers DROP COLUMN etag",
        "UPDATE meta SET value = '4' WHERE name = 'schema_version'",
    )

    done = upgrade(archive)

    assert (done.before, done.after) == (4, 5)
    assert check(archive).is_empty()
    assert ingest_folder(s3_url, folder, archive).new == 1
