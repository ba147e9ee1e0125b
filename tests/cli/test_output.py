"""Which files the commands replace, by their content."""

import os
import shutil
from pathlib import Path

import pytest

from clamp_analytics.cli.plot import _add_mark
from tests.conftest import GOOD

WRITERS = [
    ("summarize", "DIR"),
    *(("validate", "DIR", "--format", name) for name in ("table", "json", "jsonl", "csv", "markdown", "github")),
    *(("validate", "DIR", "--format", name) for name in ("junit", "sarif")),
    ("validate", "--rules"),
    *(("score", "DIR", "--format", name) for name in ("table", "json", "csv", "markdown")),
    *(("drift", "DIR", "--format", name) for name in ("table", "json", "csv", "markdown", "junit")),
    ("compare", "DIR", "DIR", "--format", "markdown"),
    *(("seeds", "DIR", "--format", name) for name in ("table", "json", "csv")),
    *(("sql", "DIR", "FROM sessions", "--format", name) for name in ("table", "jsonl", "parquet")),
    ("trace", "DIR"),
    *(("schema", "--format", name) for name in ("json", "ddl", "markdown")),
]
"""Commands that write a file; DIR stands for the sources."""


@pytest.mark.parametrize("arguments", WRITERS, ids=" ".join)
def test_a_second_run_replaces_the_output_of_the_first(clamp, clean, faulty, tmp_path, arguments):
    def run(folder):
        return clamp(*(folder if word == "DIR" else word for word in arguments), "-o", "out", "--fail-on", "never")

    def run_without_gate(folder):
        return clamp(*(folder if word == "DIR" else word for word in arguments), "-o", "out")

    has_gate = arguments[0] in {"summarize", "validate", "drift", "compare"}
    write = run if has_gate else run_without_gate

    codes = [write(folder).code for folder in (clean, faulty, clean)]

    assert codes == [0, 0, 0]
    assert (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("summarize", "DIR"),
        ("validate", "DIR", "--format", "json"),
        ("validate", "DIR", "--format", "csv"),
        ("score", "DIR"),
        ("sql", "DIR", "FROM sessions", "--format", "parquet"),
        ("trace", "DIR"),
        ("schema",),
    ],
    ids=" ".join,
)
def test_a_foreign_file_is_an_error_that_names_force(clamp, clean, tmp_path, arguments):
    (tmp_path / "out").write_text('[\n{"mine": 1}\n]\n')

    done = clamp(*(clean if word == "DIR" else word for word in arguments), "-o", "out")

    assert done.code == 3
    assert "error: out: it exists and is not recognized as a" in done.err
    assert "--force" in done.err
    assert (tmp_path / "out").read_text() == '[\n{"mine": 1}\n]\n'


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_no_command_replaces_another_session(clamp, clean, tmp_path, force):
    (tmp_path / "b.json").write_bytes(GOOD)

    done = clamp("summarize", clean, "-o", "b.json", *force)

    assert done.code == 3
    assert (tmp_path / "b.json").read_bytes() == GOOD
    assert "error: b.json: it is a session, which is never replaced" in done.err


def test_force_replaces_a_foreign_file(clamp, clean, tmp_path):
    (tmp_path / "out").write_text("mine")

    assert clamp("score", clean, "-o", "out", "--force").code == 0
    assert (tmp_path / "out").read_text().startswith("source")


def test_the_artifact_of_a_sibling_folder_is_not_replaced(clamp, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.json").write_bytes(GOOD)
    first = clamp("summarize", "a")
    artifact = (tmp_path / "telemetry_summary.json").read_bytes()

    second = clamp("summarize", "b")

    assert (first.code, second.code) == (0, 3)
    assert (tmp_path / "telemetry_summary.json").read_bytes() == artifact
    assert "--output PATH" in second.err
    assert second.out.startswith("sessions")


def test_the_artifact_of_the_same_folder_is_replaced(clamp, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.json").write_bytes(GOOD)
    clamp("summarize", "a")
    before = (tmp_path / "telemetry_summary.json").read_bytes()
    (tmp_path / "a" / "y.json").write_bytes(GOOD.replace(b'"seed":7', b'"seed":8'))

    done = clamp("summarize", "a")

    assert done.code == 0
    assert (tmp_path / "telemetry_summary.json").read_bytes() != before


def test_a_foreign_file_at_the_path_of_the_artifact_is_not_replaced(clamp, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.json").write_bytes(GOOD)
    (tmp_path / "telemetry_summary.json").write_text('{"mine": 1}')

    done = clamp("summarize", "a")

    assert done.code == 3
    assert (tmp_path / "telemetry_summary.json").read_text() == '{"mine": 1}'


def test_no_artifact_writes_none(clamp, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.json").write_bytes(GOOD)

    done = clamp("summarize", "a", "--no-artifact")

    assert (done.code, [path.name for path in tmp_path.iterdir()]) == (0, ["a"])


def test_merge_replaces_a_session_on_request_and_never_an_archive(clamp, clean, tmp_path):
    (tmp_path / "old.json").write_bytes(GOOD)
    clamp("ingest", clean, "-a", "t.duckdb")
    archive = (tmp_path / "t.duckdb").read_bytes()

    over_session = clamp("merge", clean, "-o", "old.json", "--overwrite")
    over_archive = clamp("merge", clean, "-o", "t.duckdb", "--overwrite")

    assert (over_session.code, over_archive.code) == (0, 3)
    assert (tmp_path / "t.duckdb").read_bytes() == archive


def test_a_picture_names_the_tool():
    png = b"\x89PNG\r\n\x1a\n" + b"\0" * 25 + b"rest"

    marked = _add_mark(png, "png")

    assert marked[:33] + marked[-4:] == png
    assert b"tEXtSoftware\0clamp-analytics" in marked
    assert _add_mark(b"<svg><g/></svg>", "svg") == b"<svg><!-- clamp-analytics --><g/></svg>"


def test_the_file_of_a_failed_write_leaves_what_was_there(clamp, clean, tmp_path):
    target = tmp_path / "summary.json"
    target.mkdir()

    done = clamp("summarize", clean, "-o", target)

    assert done.code == 3
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]


def test_a_new_file_has_the_rights_of_any_new_file(clamp, clean, tmp_path):
    (tmp_path / "plain").touch()

    clamp("summarize", clean, "-o", tmp_path / "summary.json")

    assert os.stat(tmp_path / "summary.json").st_mode == os.stat(tmp_path / "plain").st_mode
    assert Path(tmp_path / "summary.json").read_text().endswith("}\n")


@pytest.mark.parametrize("command", ["summarize", "validate", "score", "trace", "drift"])
def test_no_command_writes_over_a_session_that_it_reads(clamp, tmp_path, clean, command):
    folder = tmp_path / "telemetry"
    shutil.copytree(clean, folder)
    session = next(folder.glob("*.json"))
    before = session.read_bytes()

    done = clamp(command, folder, "-o", session)

    assert (done.code, done.err.splitlines()[-2:]) == (
        2,
        [f"error: {session}: it is one of the sources", "  hint: choose another path"],
    )
    assert session.read_bytes() == before
