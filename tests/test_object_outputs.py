"""Outputs in object storage: which objects are replaced, and which never."""

from __future__ import annotations

import obstore
import pytest

from clamp_analytics.analysis.drift import Drift
from clamp_analytics.errors import OutputError, UsageError
from clamp_analytics.html_report import Report
from clamp_analytics.outputs import OutputKind, check_session_target, write_output, write_session
from clamp_analytics.reading import Counts
from clamp_analytics.sources import check_no_source
from tests.conftest import GOOD
from tests.object_storage import Proxy, dropped, environment, open_bucket, storage_options, unavailable

NOTE = OutputKind("a note", lambda content: content.startswith(b"note"))


@pytest.fixture(autouse=True)
def service(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server, as the environment names it."""
    for name, value in environment(s3_url).items():
        monkeypatch.setenv(name, value)


def put(s3_url: str, key: str, content: bytes) -> str:
    obstore.put(open_bucket(s3_url), key, content)
    return f"s3://telemetry/{key}"


def read(s3_url: str, url: str) -> bytes:
    return bytes(obstore.get(open_bucket(s3_url), url.removeprefix("s3://telemetry/")).bytes())


def test_a_new_object_is_written_with_one_put(s3_proxy: Proxy, s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_proxy.url)

    write_output("s3://telemetry/out/new", [b"note ", b"1"], NOTE)

    assert read(s3_url, "s3://telemetry/out/new") == b"note 1"
    assert s3_proxy.requests == [("GET", "/telemetry/out/new"), ("PUT", "/telemetry/out/new")]


def test_an_object_of_the_same_kind_is_replaced(s3_url: str) -> None:
    url = put(s3_url, "out/same", b"note 1")

    write_output(url, [b"note 2"], NOTE)

    assert read(s3_url, url) == b"note 2"


def test_another_object_is_replaced_only_where_that_is_forced(s3_url: str) -> None:
    url = put(s3_url, "out/other", b"other")

    with pytest.raises(OutputError, match="it exists and is not recognized as a note"):
        write_output(url, [b"note"], NOTE)
    before = read(s3_url, url)
    write_output(url, [b"note"], NOTE, force=True)

    assert (before, read(s3_url, url)) == (b"other", b"note")


@pytest.mark.parametrize(
    ("key", "content", "what"),
    [
        ("out/a.json", GOOD, "a session"),
        ("out/a.zip", b"PK\x03\x04", "a compressed file or a tar"),
        ("out/export/records/day=1/a.parquet", b"PAR1", "part of an export"),
        ("out/export/clamp_export.json", b"{}", "part of an export"),
    ],
)
def test_data_is_never_replaced(s3_url: str, key: str, content: bytes, what: str) -> None:
    put(s3_url, "out/export/clamp_export.json", b"{}")
    url = put(s3_url, key, content)

    with pytest.raises(OutputError, match=f"it is {what}, which is never replaced"):
        write_output(url, [b"note"], NOTE, force=True)


@pytest.mark.parametrize("fault", [unavailable, dropped])
def test_a_put_that_fails_is_repeated(s3_proxy: Proxy, s3_url: str, monkeypatch: pytest.MonkeyPatch, fault) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_proxy.url)
    url = put(s3_url, f"out/{fault.__name__}", b"note 1")
    # The first request reads what is there.
    s3_proxy.faults[f"/telemetry/out/{fault.__name__}"] = [fault, fault]

    write_output(url, [b"note 2"], NOTE)

    assert read(s3_url, url) == b"note 2"


def test_a_refusal_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")

    with pytest.raises(OutputError, match="it cannot be read: the secret key is wrong"):
        write_output("s3://telemetry/out/refused", [b"note"], NOTE)


def test_a_session_is_written_where_there_is_none(s3_url: str) -> None:
    url = "s3://telemetry/out/session.json"

    check_session_target(url, [], [], overwrite=False)
    write_session(url, GOOD, overwrite=False)
    with pytest.raises(OutputError, match="it exists already"):
        check_session_target(url, [], [], overwrite=False)
    with pytest.raises(OutputError, match="it exists already"):
        write_session(url, b"other", overwrite=False)
    check_session_target(url, [], [], overwrite=True)

    assert read(s3_url, url) == GOOD


def test_a_source_is_not_replaced() -> None:
    url = "s3://telemetry/a.zip"

    check_no_source(url, ["s3://telemetry/"], ["s3://telemetry/b.json"])
    with pytest.raises(UsageError, match="it is one of the sources"):
        check_no_source(url, ["s3://telemetry/a.zip!/x.json"])
    with pytest.raises(UsageError, match="it is one of the sources"):
        check_no_source(url, ["s3://telemetry/"], [url])


def test_a_report_is_written_as_an_object_that_is_not_replaced_unasked(
    s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    options, url = storage_options(s3_url), "s3://telemetry/out/report.html"
    first, second = (Report(page, Drift.__new__(Drift), None, Counts(1, 0, 0)) for page in (b"first", b"second"))

    first.write(url, storage_options=options)
    with pytest.raises(OutputError, match="it exists already"):
        second.write(url, storage_options=options)
    before = read(s3_url, url)
    second.write(url, overwrite=True, storage_options=options)

    assert (before, read(s3_url, url)) == (b"first", b"second")
