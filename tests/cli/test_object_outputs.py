"""Commands that write into object storage."""

import obstore
import pytest

from tests.object_storage import environment, open_bucket


@pytest.fixture
def service(s3_url, monkeypatch):
    for name, value in environment(s3_url).items():
        monkeypatch.setenv(name, value)
    return s3_url


def test_the_artifact_in_a_bucket_is_the_artifact_on_disk(clamp, clean, service, tmp_path):
    clamp("summarize", clean, "-o", "summary.json")

    done = clamp("summarize", clean, "-o", "s3://telemetry/cli/summary.json")

    written = bytes(obstore.get(open_bucket(service), "cli/summary.json").bytes())
    assert (done.code, done.err) == (0, "wrote s3://telemetry/cli/summary.json\n")
    assert written == (tmp_path / "summary.json").read_bytes()


def test_a_report_does_not_replace_another_object(clamp, clean, service):
    obstore.put(open_bucket(service), "cli/notes.html", b"notes")

    done = clamp("report", clean, "-o", "s3://telemetry/cli/notes.html")

    assert done.code == 3
    assert "s3://telemetry/cli/notes.html: it exists and is not recognized as a report" in done.err


def test_an_export_into_a_bucket_is_a_source(clamp, clean, service):
    done = clamp("export", clean, "-o", "s3://telemetry/cli/export")
    again = clamp("export", clean, "-o", "s3://telemetry/cli/export")

    assert (done.code, again.code) == (0, 3)
    assert "an export exists already" in again.err
    assert clamp("summarize", "s3://telemetry/cli/export").out == clamp("summarize", clean, "--no-artifact").out
