"""Delta archives in object storage, on a real S3 server, and behind a proxy that breaks commits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

import clamp_analytics as clamp
from clamp_analytics.archive.check import check
from clamp_analytics.archive.compact import compact
from clamp_analytics.archive.copy import copy
from clamp_analytics.archive.delta.commits import Conflict, append_next
from clamp_analytics.archive.info import info
from clamp_analytics.archive.ingest.run import ingest
from clamp_analytics.database import connect
from clamp_analytics.errors import SourceError
from clamp_analytics.reading import load
from clamp_analytics.reading.delta_archive import delta_storage_options
from tests.conftest import numbered, write
from tests.object_storage import Proxy, dropped, environment, storage_options, unavailable


@pytest.fixture(autouse=True)
def service(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server, as the environment names it."""
    for name, value in environment(s3_url).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def heap(tmp_path: Path) -> Path:
    return write(tmp_path / "heap", {**{f"{seed}.json": numbered(seed) for seed in range(1, 6)}, "cut.json": b"{"})


def test_an_archive_in_a_bucket_is_a_source_and_is_maintained(heap: Path, tmp_path: Path) -> None:
    url = "s3://telemetry/lake/whole/"

    first, again = ingest(heap, url), ingest(heap, url)

    assert (first.new, again.new, again.known) == (5, 0, 5)
    assert_frame_equal(load(url).records, load(heap, session_ids=True).records)
    assert connect(url).execute("SELECT max(seed) FROM records").fetchall() == [(5,)]
    assert info(url).sessions == 5
    compact(url, retain_hours=0)
    assert check(url).rows() == []
    assert copy(url, tmp_path / "copy.duckdb").rows["records"] == 5


def test_an_archive_below_a_folder_of_a_bucket_is_skipped(heap: Path) -> None:
    ingest(heap, "s3://telemetry/lake/below/archive/")

    counts = load("s3://telemetry/lake/below/").counts

    assert (counts.loaded, counts.rejected, counts.skipped) == (0, 0, 1)


@pytest.mark.parametrize("unsafe", ["false", "true"])
def test_a_commit_that_another_one_preceded_fails(monkeypatch: pytest.MonkeyPatch, unsafe: str) -> None:
    monkeypatch.setenv("AWS_S3_ALLOW_UNSAFE_RENAME", unsafe)
    url = f"s3://telemetry/lake/stale-{unsafe}"
    options = delta_storage_options(url)
    row = pl.DataFrame({"session_id": ["a"], "forgotten_at": [None], "batch": ["b"]})
    row = row.with_columns(pl.lit(0).cast(pl.Datetime("us", "UTC")).alias("forgotten_at"))
    row.write_delta(f"{url}/forgotten", storage_options=options)
    stale = [DeltaTable(f"{url}/forgotten", storage_options=options) for _ in range(2)]
    append_next(stale[0], url, "forgotten", row)

    with pytest.raises(Conflict):
        append_next(stale[1], url, "forgotten", row)


def test_commits_that_break_are_made_once(s3_proxy: Proxy, heap: Path) -> None:
    log = "_delta_log/00000000000000000001.json"
    key = "/telemetry/lake/broken"
    # The server has made the commit, and the answer is lost; it is unavailable; the request is lost on its way.
    s3_proxy.faults[f"{key}/sessions/{log}"] = [dropped]
    s3_proxy.faults[f"{key}/files/{log}"] = [unavailable]
    s3_proxy.lost[f"{key}/records/{log}"] = 1

    # deltalake keeps Python's lock in some calls, and the proxy runs in this process.
    done = subprocess.run(
        [sys.executable, "-m", "clamp_analytics", "ingest", str(heap), "--archive", "s3://telemetry/lake/broken/"],
        env={**os.environ, "AWS_ENDPOINT_URL": s3_proxy.url},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert "6 seen = 5 new + 0 known + 1 rejected + 0 skipped" in done.stderr
    assert all(not faults for faults in s3_proxy.faults.values())
    assert not s3_proxy.lost.total()
    assert sorted(load("s3://telemetry/lake/broken/").records["seed"]) == [1, 2, 3, 4, 5]


def test_the_credentials_are_in_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-wrong-secret")

    with pytest.raises(SourceError) as caught:
        info("s3://telemetry/lake/none/")

    assert "secret" not in str(caught.value).replace("the secret key is wrong", "")
    assert str(caught.value).startswith("s3://telemetry/lake/none/: the archive cannot be opened: ")


def test_an_archive_in_a_missing_bucket_is_one_sentence(heap: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "clamp_analytics", "ingest", str(heap), "--archive", "s3://bucket-that-is-missing/x/"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 3
    assert done.stderr.splitlines() == [
        "error: s3://bucket-that-is-missing/x/: the archive cannot be opened: there is no such bucket",
        "  hint: check the name of the bucket, and the endpoint (AWS_ENDPOINT_URL)",
    ]


def test_python_passes_the_options_of_the_archive(heap: Path, s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in environment(s3_url):
        monkeypatch.delenv(name)
    options, url = storage_options(s3_url), "s3://telemetry/lake/options/"

    done = clamp.ingest(heap, url, storage_options=options)

    assert (done.new, done.rejected) == (5, 1)
    assert sorted(load(url, storage_options=options).records["seed"]) == [1, 2, 3, 4, 5]
