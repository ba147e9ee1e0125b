"""Reading from a real S3 server, also through a proxy that breaks connections."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import obstore
import polars as pl
import pytest
from typer.testing import CliRunner

import clamp_analytics as clamp
from clamp_analytics.cli import make_app
from clamp_analytics.errors import SourceError
from clamp_analytics.reading import Reader, Telemetry, load
from tests.conftest import write
from tests.object_storage import Proxy, cut, environment, open_bucket, refused, storage_options, truncated, unavailable

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
FILES = {str(path.relative_to(SAMPLES)): path.read_bytes() for path in sorted(SAMPLES.glob("*/*.json"))}


@pytest.fixture(scope="module")
def server(s3_url: str) -> str:
    bucket = open_bucket(s3_url)
    for name, data in FILES.items():
        obstore.put(bucket, f"samples/{name}", data)
    return s3_url


@pytest.fixture
def proxy(server: str, s3_proxy: Proxy) -> Proxy:
    return s3_proxy


def without_folder(frame: pl.DataFrame, folder: str) -> pl.DataFrame:
    return frame.with_columns(pl.col(pl.String).str.replace_all(folder, "", literal=True))


def assert_same(found: Telemetry, folder: str, expected: Telemetry, expected_folder: str) -> None:
    assert found.counts == expected.counts
    for name in ("sessions", "records", "violations"):
        mine, theirs = getattr(found, name), getattr(expected, name)
        assert without_folder(mine, folder).equals(without_folder(theirs, expected_folder))


def test_a_folder_in_a_bucket_gives_what_the_folder_on_disk_gives(server: str) -> None:
    found = load("s3://telemetry/samples/", session_ids=True, storage_options=storage_options(server))

    on_disk = load(sorted(map(str, SAMPLES.glob("*/*.json"))), session_ids=True)
    assert_same(found, "s3://telemetry/samples/", on_disk, f"{SAMPLES}/")
    assert found.directory == "s3://telemetry/samples"


def test_containers_in_a_bucket_give_their_members(server: str, tmp_path: Path) -> None:
    zipped, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive, tarfile.open(fileobj=tarred, mode="w:gz") as tar:
        for name, data in FILES.items():
            archive.writestr(name, data)
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    contents = {"a.zip": zipped.getvalue(), "b.tar.gz": tarred.getvalue()}
    for name, data in contents.items():
        obstore.put(open_bucket(server), f"packed/{name}", data)
        (tmp_path / name).write_bytes(data)

    found = load("s3://telemetry/packed/", storage_options=storage_options(server))

    assert_same(found, "s3://telemetry/packed/", load(tmp_path), f"{tmp_path}/")


def test_one_member_of_a_container_in_a_bucket_is_a_source(server: str) -> None:
    zipped = io.BytesIO()
    name, data = next(iter(FILES.items()))
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("x/y.json", data)
        archive.writestr("x/z.json", b"")
    obstore.put(open_bucket(server), "one/a.zip", zipped.getvalue())

    found = load("s3://telemetry/one/a.zip!/x/y.json", storage_options=storage_options(server))

    assert found.sessions["source"].to_list() == ["s3://telemetry/one/a.zip!/x/y.json"]
    assert found.counts.loaded == 1, name


def test_an_export_in_a_bucket_gives_the_tables_that_were_exported(server: str, tmp_path: Path) -> None:
    clamp.export(SAMPLES / "drifting", tmp_path / "export")
    for path in (tmp_path / "export").rglob("*"):
        if path.is_file():
            obstore.put(open_bucket(server), f"export/{path.relative_to(tmp_path / 'export')}", path.read_bytes())

    found = load("s3://telemetry/export", storage_options=storage_options(server))

    assert_same(found, "", load(tmp_path / "export"), "")


def test_names_of_objects_are_taken_as_they_are(server: str) -> None:
    names = ["a b.json", "p%41q.json", "x#y?z.json", "ü\u202e.json", "a!/b.json"]
    for name in names:
        obstore.put(open_bucket(server), f"names/{name}", FILES["clean/clamp_run_20261001T060000Z.json"])

    found = load("s3://telemetry/names/", storage_options=storage_options(server))

    assert sorted(found.sessions["source"]) == sorted(
        f"s3://telemetry/names/{name.replace('!/', chr(92) + 'x21/')}" for name in names
    )
    assert found.counts.loaded == len(names)


def test_each_object_costs_one_get_and_the_listing_one_request(proxy: Proxy) -> None:
    load("s3://telemetry/samples/", storage_options=storage_options(proxy.url))

    paths = [path for method, path in proxy.requests if method == "GET"]
    assert len(proxy.requests) == len(paths)
    assert sorted(paths) == sorted(["/telemetry", *(f"/telemetry/samples/{name}" for name in FILES)])


@pytest.mark.parametrize("fault", [unavailable, cut])
def test_a_request_that_fails_is_repeated(proxy: Proxy, fault) -> None:
    path = "/telemetry/samples/clean/clamp_run_20261001T060000Z.json"
    proxy.faults[path] = [fault]

    found = load(f"s3:/{path}", storage_options=storage_options(proxy.url))

    assert found.counts.loaded == 1
    assert proxy.requests.count(("GET", path)) == 2


def test_a_body_that_is_shorter_than_listed_is_rejected(proxy: Proxy) -> None:
    path = "/telemetry/samples/clean/clamp_run_20261001T060000Z.json"
    proxy.faults[path] = [truncated]

    found = load("s3://telemetry/samples/clean/", storage_options=storage_options(proxy.url))

    rejected = found.sessions.filter(pl.col("status") == "rejected")["source"].to_list()
    assert rejected == [f"s3:/{path}"]
    assert found.violations["message"].to_list() == [
        "The file could not be read. (it is shorter or longer than the listing says)"
    ]
    assert found.counts.loaded == 9


def test_an_object_that_vanishes_after_the_listing_is_rejected_and_named(server: str) -> None:
    bucket = open_bucket(server)
    for name in ("a.json", "b.json"):
        obstore.put(bucket, f"vanishing/{name}", FILES["clean/clamp_run_20261001T060000Z.json"])
    reader = Reader("s3://telemetry/vanishing/", storage_options=storage_options(server))
    obstore.delete(bucket, "vanishing/a.json")

    found = reader.collect()

    assert found.violations.select("source", "rule", "message").rows() == [
        ("s3://telemetry/vanishing/a.json", "unreadable", "The file could not be read. (it vanished)")
    ]
    assert (found.counts.loaded, found.counts.rejected) == (1, 1)


def test_an_object_that_changes_after_the_listing_is_rejected_and_named(server: str) -> None:
    bucket = open_bucket(server)
    obstore.put(bucket, "changing/a.json", FILES["clean/clamp_run_20261001T060000Z.json"])
    reader = Reader("s3://telemetry/changing/", storage_options=storage_options(server))
    obstore.put(bucket, "changing/a.json", FILES["clean/clamp_run_20261002T060000Z.json"])

    found = reader.collect()

    assert found.violations["message"].to_list() == ["The file could not be read. (it changed after it was listed)"]


@pytest.mark.parametrize(
    ("url", "changed", "message", "hint"),
    [
        ("s3://nowhere/x/", {}, "there is no such bucket", "AWS_ENDPOINT_URL"),
        ("s3://telemetry/x/", {"aws_secret_access_key": "wrong"}, "the secret key is wrong", "credentials"),
        ("s3://telemetry/x/", {"aws_access_key_id": "wrong"}, "the access key is unknown", "credentials"),
    ],
)
def test_a_refusal_is_one_sentence_without_credentials(server: str, url, changed, message, hint) -> None:
    with pytest.raises(SourceError, match=message) as raised:
        load(url, storage_options={**storage_options(server), **changed})

    assert hint in (raised.value.hint or "")
    assert "not-a-secret" not in str(raised.value)
    assert "tester" not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "code", "sentence"),
    [
        (403, "AccessDenied", "access is denied"),
        (301, "PermanentRedirect", "the bucket is in another region"),
        (400, "AuthorizationHeaderMalformed", "the bucket is in another region"),
    ],
)
def test_a_refused_listing_is_one_sentence_and_exit_code_3(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, status: int, code: str, sentence: str
) -> None:
    for name, value in environment(proxy.url).items():
        monkeypatch.setenv(name, value)
    proxy.faults["/telemetry"] = [refused(status, code)]

    done = CliRunner().invoke(make_app("summarize"), ["summarize", "s3://telemetry/samples/"])

    assert done.exit_code == 3
    assert done.stderr.splitlines()[0] == f"error: s3://telemetry/samples/: it cannot be listed: {sentence}"
    assert "tester" not in done.output


def test_an_object_that_may_not_be_read_is_rejected_and_named(proxy: Proxy) -> None:
    path = "/telemetry/samples/clean/clamp_run_20261001T060000Z.json"
    proxy.faults[path] = [refused(403, "AccessDenied")]

    found = load(f"s3:/{path}", storage_options=storage_options(proxy.url))

    assert found.violations.select("source", "message").rows() == [
        (f"s3:/{path}", "The file could not be read. (access is denied)")
    ]


@pytest.mark.parametrize(
    "call", [["summarize", "s3://"], ["ingest", "data", "--archive", "s3://"]], ids=["source", "archive"]
)
def test_a_url_without_a_bucket_is_one_sentence(
    call: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "data", {"a.json": next(iter(FILES.values()))})
    monkeypatch.chdir(tmp_path)

    done = CliRunner().invoke(make_app(call[0]), call)

    assert done.exit_code == 2
    assert done.stderr.splitlines()[0] == "error: s3://: the URL names no bucket"


def test_the_command_reads_a_bucket_with_the_credentials_of_the_environment(server: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "clamp_analytics", "summarize", "s3://telemetry/samples/clean/"],
        env={"PATH": "/usr/bin", "HOME": str(tmp_path), **environment(server)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "files            10 seen = 10 loaded + 0 rejected + 0 skipped" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_profile_gives_the_credentials(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "credentials").write_text(
        "[ci]\naws_access_key_id = tester\naws_secret_access_key = not-a-secret\n", encoding="utf-8"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "ci")
    service = {"aws_endpoint_url": server, "aws_allow_http": "true", "aws_region": "us-east-1"}

    found = load("s3://telemetry/samples/clean/", storage_options=service)

    assert found.counts.loaded == 10
