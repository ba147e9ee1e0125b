"""What each command prints, writes and ends with."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import polars as pl
import pytest

SUMMARY_KEYS = {"session_count", "mean_stability", "stability_variance", "drift_index", "source_directory"}


def test_summarize_shows_the_figures(clamp, clean):
    done = clamp("summarize", clean / "*.json")

    lines = dict(line.split(maxsplit=1) for line in done.out.splitlines() if line.startswith(("sessions", "records")))
    assert (done.code, lines) == (0, {"sessions": "10", "records": "240"})
    assert "files            10 seen = 10 loaded + 0 rejected + 0 skipped" in done.out


def test_summarize_writes_the_artifact_beside_the_folder(clamp, clean, tmp_path):
    shutil.copytree(clean, tmp_path / "build" / "telemetry")

    done = clamp("summarize", "build/telemetry")

    artifact = json.loads((tmp_path / "build" / "telemetry_summary.json").read_text())
    assert done.code == 0
    assert artifact["source_directory"] == str(tmp_path / "build" / "telemetry")
    assert artifact["session_count"] == 240


def test_summarize_takes_the_snapshot_beside_the_folder(clamp, clean, tmp_path):
    shutil.copytree(clean, tmp_path / "build" / "telemetry")
    (tmp_path / "build" / "rocm_snapshot.json").write_text('{"image": "rocm",\n "digest": 1.50}')

    clamp("summarize", "build/telemetry")

    text = (tmp_path / "build" / "telemetry_summary.json").read_text()
    assert '"build_info": {"image": "rocm",\n "digest": 1.50}' in text


def test_summarize_prints_the_artifact_alone(clamp, clean, tmp_path):
    done = clamp("summarize", clean, "-o", "-")

    assert json.loads(done.out).keys() >= SUMMARY_KEYS
    assert list(tmp_path.iterdir()) == []


def test_summarize_reads_one_session_from_standard_input(clamp, clean):
    data = next(clean.iterdir()).read_bytes()

    done = clamp("summarize", "-", "-o", "-", stdin=data)

    assert json.loads(done.out)["session_count"] == 24


def test_several_sources_share_their_common_folder(clamp, clean, faulty):
    done = clamp("summarize", clean, faulty, "-o", "-")

    assert json.loads(done.out)["source_directory"] == str(clean.parent)


def test_summarize_names_what_it_rejects(clamp, faulty):
    done = clamp("summarize", faulty / "*")

    assert done.code == 0
    assert f"rejected: {faulty}/cut.json: The file ends inside its JSON document." in done.err


@pytest.mark.parametrize("level, code", [("never", 0), ("warning", 1), ("error", 1)])
def test_summarize_fails_from_a_severity_on(clamp, faulty, level, code):
    assert clamp("summarize", faulty / "*", "--fail-on", level).code == code


@pytest.mark.parametrize("by", ["context", "thread_id", "backend", "device_name", "source", "day"])
def test_summarize_gives_groups_as_json(clamp, clean, by):
    rows = json.loads(clamp("summarize", clean / "*", "--by", by, "--format", "json").out)

    assert sum(row["records"] for row in rows) == 240
    assert rows[0].keys() >= {by, "sessions", "mean_stability", "duration_p50_ms", "duration_p95_ms", "duration_p99_ms"}


def test_summarize_gives_csv_and_markdown(clamp, clean):
    as_csv = clamp("summarize", clean / "*", "--by", "context", "--format", "csv").out
    as_markdown = clamp("summarize", clean / "*", "--by", "context", "--format", "markdown").out

    assert [row["context"] for row in csv.DictReader(io.StringIO(as_csv))] == [
        "kernel-cache",
        "reduction",
        "upload-queue",
    ]
    assert len(as_markdown.splitlines()) == 5


def test_the_bytes_are_the_same_for_any_number_of_workers(clamp, clean, faulty):
    outputs = {clamp("summarize", clean, faulty, "--by", "context", "-f", "json", "--jobs", n).out for n in (1, 2, 3)}

    assert len(outputs) == 1


def test_validate_ends_with_one_where_there_is_an_error(clamp, faulty):
    done = clamp("validate", faulty)

    assert done.code == 1
    assert "cut.json" in done.out


def test_validate_is_content_with_clean_files(clamp, clean):
    done = clamp("validate", clean)

    assert done.code == 0
    assert done.err.splitlines()[-1].startswith("0 error, 0 warning, 0 info; files: 10 seen")


def test_validate_gives_every_row_of_violations_as_json(clamp, faulty):
    rows = json.loads(clamp("validate", faulty, "--format", "json").out)

    assert {"source", "record_index", "rule", "severity", "field", "value", "count", "message", "byte_offset"} == set(
        rows[0]
    )
    assert next(row["value"] for row in rows if row["rule"] == "seed-range") == "18446744073709551616"


def test_validate_selects_and_ignores_rules(clamp, faulty):
    selected = json.loads(clamp("validate", faulty, "-f", "json", "--select", "seed-zero", "--select", "not-json").out)
    ignored = json.loads(clamp("validate", faulty, "-f", "json", "--ignore", "seed-zero").out)

    assert {row["rule"] for row in selected} == {"seed-zero", "not-json"}
    assert "seed-zero" not in {row["rule"] for row in ignored}


def test_validate_offers_the_near_name_of_a_wrong_rule(clamp, faulty):
    done = clamp("validate", faulty, "--select", "sed-zero")

    assert done.code == 2
    assert "did you mean seed-zero?" in done.err


def test_validate_lists_the_rules(clamp):
    rows = json.loads(clamp("validate", "--rules", "-f", "json").out)

    assert {"rule": "seed-zero", "severity": "warning", "sentence": "The seed is zero: the acquisition failed."} in rows


def test_validate_writes_junit_with_a_case_a_file(clamp, clean, faulty):
    suite = ET.fromstring(clamp("validate", clean, faulty, "-f", "junit").out).find("testsuite")

    assert suite is not None
    assert suite.attrib["tests"] == "26"
    assert int(suite.attrib["failures"]) == 7


def test_validate_writes_sarif_and_github_commands(clamp, faulty):
    sarif = json.loads(clamp("validate", faulty, "-f", "sarif").out)
    github = clamp("validate", faulty, "-f", "github").out

    assert sarif["version"] == "2.1.0"
    assert github.startswith("::error file=")


def test_validate_cuts_its_listing_with_the_number_of_what_follows(clamp, faulty):
    rows = json.loads(clamp("validate", faulty, "-f", "json").out)

    assert clamp("validate", faulty, "--limit", 4).out.splitlines()[-1] == f"… and {len(rows) - 4} more"


def test_score_gives_sessions_and_their_aggregate(clamp, clean):
    scores = json.loads(clamp("score", clean, "--format", "json").out)

    assert len(scores["sessions"]) == 10
    assert scores["aggregated"]["samples"] == 240


def test_an_export_gives_the_same_summary_byte_for_byte(clamp, clean, faulty, tmp_path):
    clamp("export", clean, faulty, "-o", "out")

    from_files = clamp("summarize", clean, faulty, "-o", "a.json", "--by", "day")
    from_export = clamp("summarize", "out", "-o", "b.json", "--by", "day")

    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert from_files.out == from_export.out


def test_an_export_gives_the_same_violations_and_scores(clamp, clean, faulty):
    clamp("export", clean, faulty, "-o", "out")

    for command in ("validate", "score"):
        assert clamp(command, clean, faulty, "-f", "json").out == clamp(command, "out", "-f", "json").out


def test_an_export_that_is_there_is_not_replaced_unasked(clamp, clean):
    clamp("export", clean, "-o", "out")

    again = clamp("export", clean, "-o", "out")

    assert again.code == 3
    assert "--overwrite" in again.err
    assert clamp("export", clean, "-o", "out", "--overwrite").code == 0


def test_sql_answers_as_json_with_exact_integers(clamp, clean):
    seeds = [record["seed"] for path in clean.iterdir() for record in json.loads(path.read_text())["records"]]

    done = clamp("sql", clean, "SELECT max(seed) AS top, min(acquired_at) AS since FROM records", "-f", "json")

    assert json.loads(done.out) == [{"top": max(seeds), "since": "2026-10-01T06:00:00Z"}]


def test_sql_runs_a_query_of_the_library(clamp, clean):
    done = clamp("sql", clean, "--name", "longest_locks", "--param", "limit=3", "-f", "jsonl")

    assert len(done.out.splitlines()) == 3


def test_sql_runs_a_file(clamp, clean, tmp_path):
    (tmp_path / "q.sql").write_text("SELECT count(*) AS n FROM sessions")

    assert clamp("sql", clean, "--file", "q.sql", "-f", "csv").out == "n\n10\n"


def test_sql_lists_its_queries(clamp):
    names = {row["name"] for row in json.loads(clamp("sql", "--list", "-f", "json").out)}

    assert names >= {"stability_by_context", "lock_durations", "seed_collisions", "drift_by_day"}


def test_sql_writes_parquet(clamp, clean, tmp_path):
    clamp("sql", clean, "SELECT seed FROM records", "-f", "parquet", "-o", "seeds.parquet")

    assert pl.read_parquet(tmp_path / "seeds.parquet").schema == {"seed": pl.UInt64}


def test_sql_shows_the_line_and_the_near_name(clamp, clean):
    done = clamp("sql", clean, "SELECT\n  contxt FROM records")

    assert done.code == 2
    assert "line 2" in done.err
    assert "did you mean context" in done.err


@pytest.mark.parametrize(
    "attack",
    ["COPY records TO 'x.csv'", "SELECT * FROM read_text('/etc/hostname')", "SET threads = 1", "DROP TABLE records"],
)
def test_sql_only_reads(clamp, clean, tmp_path, attack):
    done = clamp("sql", clean, attack)

    assert done.code == 2
    assert list(tmp_path.iterdir()) == []


def test_sql_reaches_files_where_that_is_allowed(clamp, clean, tmp_path):
    (tmp_path / "x.csv").write_text("a\n5\n")

    assert json.loads(clamp("sql", clean, "FROM 'x.csv'", "--allow-external", "-f", "json").out) == [{"a": 5}]


def test_schema_is_a_json_schema(clamp):
    assert json.loads(clamp("schema").out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_schema_gives_ddl_and_markdown(clamp):
    assert "CREATE TABLE records" in clamp("schema", "--format", "ddl").out
    assert "| `seed` | UBIGINT |" in clamp("schema", "--format", "markdown").out


@pytest.mark.parametrize(
    "arguments",
    [("summarize", "nowhere"), ("validate", "nowhere/*.json"), ("score", "nowhere"), ("export", "nowhere", "-o", "x")],
)
def test_a_source_that_is_not_there_ends_with_three(clamp, arguments):
    done = clamp(*arguments)

    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("error: nowhere")


@pytest.mark.parametrize(
    "arguments",
    [(), ("summarize",), ("summarize", "x", "--by", "colour"), ("summarize", "x", "--jobs", "0"), ("sql", "x")],
)
def test_wrong_usage_ends_with_two(clamp, arguments):
    assert clamp(*arguments).code == 2


def test_an_artifact_that_cannot_be_written_ends_with_three_and_the_figures_are_still_shown(clamp, clean):
    done = clamp("summarize", clean, "-o", "/proc/nowhere/x.json")

    assert done.code == 3
    assert done.out.startswith("sessions")
    assert "cannot be written" in done.err


def test_control_characters_of_telemetry_do_not_reach_the_terminal(clamp, tmp_path):
    record = {"context": "\x1b[31mred\u202e", "seed": 1, "thread_id": "t", "acquired_at": "2026-11-22T10:00:00Z"}
    record |= {"released_at": "2026-11-22T10:00:00Z", "duration_ms": 0, "stability_score": 1}
    (tmp_path / "x\x1b.json").write_text(json.dumps({"stability_score": 1, "records": [record]}))
    (tmp_path / "y\x1b.json").write_text("{")

    done = clamp("summarize", "*.json", "--by", "context")

    assert "\x1b" not in done.out + done.err
    assert "\u202e" not in done.out
    assert "\\x1b[31mred" in done.out


def test_a_reader_that_has_enough_ends_the_command_quietly(clean):
    command = f"{sys.executable} -m clamp_analytics sql {clean} 'FROM records, range(2000)' -f csv | head -1"

    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120, check=False)

    assert done.stdout.startswith("session_id,")
    assert "Traceback" not in done.stderr


def test_an_interrupt_ends_with_130(tmp_path):
    # The interrupt is sent by the process itself, at the moment when it has begun to read.
    script = (
        "import os, signal, sys\n"
        "import clamp_analytics.reading.task as work\n"
        "work.read_into = lambda buffer, path: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.argv = ['clamp-analytics', 'summarize', sys.argv[1]]\n"
        "from clamp_analytics.__main__ import main\n"
        "main()\n"
    )
    (tmp_path / "a.json").write_text("{}")

    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "a.json")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (done.returncode, done.stderr) == (130, "interrupted\n")


@pytest.mark.parametrize("module", ["polars", "duckdb", "pyarrow"])
def test_help_loads_no_engine(module):
    code = (
        "import sys\nfrom clamp_analytics.cli import make_app\n"
        f"try: make_app()(['summarize', '--help'])\nfinally: assert {module!r} not in sys.modules"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_the_version_loads_no_command_line(clamp):
    code = (
        "import sys\nsys.argv[1:] = ['--version']\nfrom clamp_analytics.__main__ import main\n"
        "main()\nassert 'typer' not in sys.modules"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

    assert done.stdout == clamp("-V").out
    assert done.returncode == 0


def test_every_option_has_a_sentence(clamp):
    for command in ("summarize", "validate", "score", "export", "sql", "schema"):
        page = clamp(command, "--help").out
        assert "Examples:" in page
        assert f"clamp-analytics {command}" in page


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
        [f"error: {session}: it is one of the sources", "  hint: choose another path with -o"],
    )
    assert session.read_bytes() == before
