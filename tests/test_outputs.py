"""The rule for output files: what is replaced, followed, streamed to, and refused."""

import gzip
import io
import os
import tarfile
import threading
import zipfile

import pytest

from clamp_analytics.errors import OutputError
from clamp_analytics.outputs import OutputKind, write_output
from clamp_analytics.sources import MANIFEST
from tests.conftest import GOOD

REPORT = OutputKind("a report", lambda content: content.startswith(b"report"))


def tar_file():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("x.json"))
    return out.getvalue()


def zip_file():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("x.json", GOOD)
    return out.getvalue()


def test_a_new_file_is_written(tmp_path):
    write_output(tmp_path / "r", [b"report ", b"1"], REPORT)

    assert (tmp_path / "r").read_bytes() == b"report 1"


@pytest.mark.parametrize("content", [b"report 1", b""])
def test_an_earlier_output_and_an_empty_file_are_replaced(tmp_path, content):
    (tmp_path / "r").write_bytes(content)

    write_output(tmp_path / "r", [b"report 2"], REPORT)

    assert (tmp_path / "r").read_bytes() == b"report 2"


def test_a_foreign_file_is_an_error_that_names_force(tmp_path):
    (tmp_path / "r").write_bytes(b"my notes")

    with pytest.raises(OutputError) as caught:
        write_output(tmp_path / "r", [b"report"], REPORT)

    assert (tmp_path / "r").read_bytes() == b"my notes"
    assert caught.value.what == "it exists and is not recognized as a report"
    assert "force=True" in caught.value.hint


def test_a_foreign_file_is_replaced_by_force(tmp_path):
    (tmp_path / "r").write_bytes(b"my notes")

    write_output(tmp_path / "r", [b"report"], REPORT, force=True)

    assert (tmp_path / "r").read_bytes() == b"report"


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        b'\xef\xbb\xbf \n{"records" : [',
        b"\0" * 8 + b"DUCK" + b"\0" * 100,
        gzip.compress(GOOD),
        zip_file(),
        tar_file(),
    ],
    ids=["session", "cut session", "database", "gzip", "zip", "tar"],
)
@pytest.mark.parametrize("force", [False, True])
def test_data_is_never_replaced(tmp_path, content, force):
    (tmp_path / "x").write_bytes(content)
    anything = OutputKind("anything", lambda content: True)

    with pytest.raises(OutputError, match="never replaced"):
        write_output(tmp_path / "x", [b"report"], anything, force=force)

    assert (tmp_path / "x").read_bytes() == content


@pytest.mark.parametrize("name", [MANIFEST, "records/day=2026-01-01/part-0.parquet"])
def test_a_file_of_an_export_is_never_replaced(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / MANIFEST).write_bytes(b"{}")
    path.write_bytes(b"content")

    with pytest.raises(OutputError, match="part of an export, which is never replaced"):
        write_output(path, [b"report"], REPORT, force=True)


def test_a_link_is_followed(tmp_path):
    (tmp_path / "target").write_bytes(b"report 1")
    (tmp_path / "link").symlink_to("target")

    write_output(tmp_path / "link", [b"report 2"], REPORT)

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"report 2"


def test_a_device_is_written_to_as_a_stream():
    write_output("/dev/null", [b"report"], REPORT)

    assert not os.path.isfile("/dev/null")


def test_a_full_device_is_an_error():
    with pytest.raises(OutputError, match="no space left on device"):
        write_output("/dev/full", [b"report"], REPORT)


def test_a_pipe_is_written_to_as_a_stream(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    received = []
    reader = threading.Thread(target=lambda: received.append((tmp_path / "pipe").read_bytes()))
    reader.start()

    write_output(tmp_path / "pipe", [b"report ", b"1"], REPORT)

    reader.join()
    assert received == [b"report 1"]
    assert (tmp_path / "pipe").is_fifo()
