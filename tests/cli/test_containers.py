"""Containers as sources of every command, as a user names them."""

import gzip
import io
import json
import tarfile
import zipfile

import pytest

from tests.conftest import GOOD, numbered

LIMITS = ("--max-member-bytes", "--max-total-bytes", "--max-ratio", "--max-members", "--salvage")
READING = ("summarize", "validate", "score", "export", "sql", "trace")


def zipped(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def tarred(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


@pytest.fixture
def build(tmp_path):
    """A zip with a session and a summary, as CI leaves it."""
    (tmp_path / "build.zip").write_bytes(zipped({"t/x.json": GOOD, "t/telemetry_summary.json": b"{}"}))
    return tmp_path


def test_summarize_reads_a_zip_and_writes_nothing_that_was_not_asked_for(clamp, build):
    done = clamp("summarize", "build.zip")

    assert (done.code, done.err) == (0, "")
    assert "files            2 seen = 1 loaded + 0 rejected + 1 skipped" in done.out
    assert [path.name for path in build.iterdir()] == ["build.zip"]


def test_the_artifact_of_a_zip_names_the_folder_that_it_lies_in(clamp, build):
    artifact = json.loads(clamp("summarize", "build.zip", "-o", "-").out)

    assert (artifact["session_count"], artifact["source_directory"]) == (1, str(build))


@pytest.mark.parametrize("kept", ["tar.gz", "zip"])
def test_a_source_that_a_message_printed_can_be_given_again(clamp, tmp_path, kept):
    bad = {"t/a.json": GOOD, "t/b.json": b"[1]"}
    (tmp_path / f"build.{kept}").write_bytes(zipped(bad) if kept == "zip" else tarred(bad))
    first = clamp("validate", f"build.{kept}", "--format", "jsonl")
    source = json.loads(first.out)["source"]

    again = clamp("validate", source, "--format", "jsonl")

    assert source == f"build.{kept}!/t/b.json"
    assert (again.code, again.out) == (1, first.out)


def test_a_missing_member_is_an_error(clamp, build):
    done = clamp("validate", "build.zip!/t/y.json")

    assert done.code == 1
    assert "0 loaded + 1 rejected" in done.err
    assert "unreadable" in done.out


def test_a_container_that_is_refused_is_named_and_its_neighbours_are_read(clamp, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.json").write_bytes(numbered(2))
    (tmp_path / "in" / "evil.zip").write_bytes(zipped({"../../x.json": GOOD}))

    done = clamp("summarize", "in")

    assert done.code == 0
    assert "1 loaded + 1 rejected" in done.out
    assert "rejected: in/evil.zip: The container, or this member of it, has a structure that is refused." in done.err
    assert not (tmp_path.parent / "x.json").exists()


def test_nothing_but_a_damaged_container_is_nothing_usable(clamp, tmp_path):
    (tmp_path / "x.tgz").write_bytes(tarred({"x.json": GOOD})[:-4])

    done = clamp("summarize", "x.tgz")

    assert done.code == 3
    assert "no usable session among 1 seen = 0 loaded + 1 rejected + 0 skipped" in done.err


@pytest.mark.parametrize("command", READING)
def test_every_command_that_reads_has_the_options_on_containers(clamp, command):
    help_page = clamp(command, "--help").out

    assert [option for option in LIMITS if option not in help_page] == []


@pytest.mark.parametrize(
    ("option", "value"),
    [("--max-member-bytes", len(GOOD) - 1), ("--max-total-bytes", len(GOOD) - 1), ("--max-members", 1)],
)
def test_a_limit_is_an_option(clamp, build, option, value):
    done = clamp("validate", "build.zip", option, value, "--format", "jsonl")

    assert done.code == 1
    assert json.loads(done.out)["rule"] == "container-limit"
    assert option.removeprefix("--").replace("-", "_") in json.loads(done.out)["message"]


def test_a_ratio_is_an_option(clamp, tmp_path):
    # 17 times 16 MiB of zeros in a member that is passed over, each a gzip stream of its own.
    other = tarfile.TarInfo("core")
    other.size = 17 << 24
    zeros = gzip.compress(bytes(1 << 24)) * 17
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(other.tobuf()) + zeros + tarred({"x.json": GOOD}))

    assert clamp("validate", "x.tar.gz", "--max-ratio", 2000).code == 0
    done = clamp("validate", "x.tar.gz", "--max-ratio", 100, "--format", "jsonl")

    assert "max_ratio" in json.loads(done.out)["message"]


def test_a_limit_below_one_is_wrong_usage(clamp, build):
    assert clamp("summarize", "build.zip", "--max-members", 0).code == 2


def test_salvage_keeps_what_is_whole(clamp, tmp_path):
    whole = zipped({"a.json": GOOD, "b.json": numbered(2), "c.json": numbered(3)})
    (tmp_path / "x.zip").write_bytes(whole[: whole.index(b"PK\1\2")])

    assert clamp("summarize", "x.zip").code == 3
    done = clamp("summarize", "x.zip", "--salvage")

    assert done.code == 0
    assert "4 seen = 3 loaded + 1 rejected + 0 skipped" in done.out
    assert "rejected: x.zip: The container, or this member of it, is cut or damaged." in done.err


def test_all_commands_read_a_container(clamp, build):
    sql = clamp("sql", "build.zip", "SELECT source, size_bytes FROM sessions", "--format", "csv")
    score = clamp("score", "build.zip", "--format", "json")
    trace = clamp("trace", "build.zip", "-o", "-")
    export = clamp("export", "build.zip", "-o", "out")

    assert sql.out.splitlines() == ["source,size_bytes", f"build.zip!/t/x.json,{len(GOOD)}"]
    assert json.loads(score.out)["sessions"][0]["source"] == "build.zip!/t/x.json"
    assert trace.out.count('"process_name"') == 1
    assert (export.code, clamp("summarize", "out").out) == (0, clamp("summarize", "build.zip").out)
