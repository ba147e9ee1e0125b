"""The statistics of all sources, and the summary artifact."""

import csv
import io
import json
import shutil

import pytest

from tests.conftest import GOOD, run_python

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


@pytest.mark.parametrize("by", ["context", "thread_id", "backend", "device_name", "source", "day", "week", "hour"])
def test_summarize_gives_groups_as_json(clamp, clean, by):
    rows = json.loads(clamp("summarize", clean / "*", "--by", by, "--format", "json").out)["groups"]

    assert sum(row["records"] for row in rows) == 240
    assert rows[0].keys() >= {by, "sessions", "mean_stability", "duration_p50_ms", "duration_p95_ms", "duration_p99_ms"}


def test_groups_as_json_keep_the_totals_and_violations(clamp, faulty):
    grouped = json.loads(clamp("summarize", faulty / "*", "--by", "context", "--format", "json").out)

    (total,) = json.loads(clamp("summarize", faulty / "*", "--format", "json").out)
    assert grouped["total"] == total
    assert total["error_violations"] > 0


def test_groups_as_csv_end_with_a_row_of_totals_and_violations(clamp, faulty):
    *groups, total = csv.DictReader(io.StringIO(clamp("summarize", faulty / "*", "--by", "context", "-f", "csv").out))

    assert {row["row"] for row in groups} == {"group"}
    assert (total["row"], total["context"]) == ("total", "")
    assert int(total["records"]) == sum(int(row["records"]) for row in groups)
    assert int(total["error_violations"]) > 0


def test_summarize_groups_by_several_columns_and_by_labels(clamp, clean):
    options = ("--by", "context", "--by", "label:day", "--label", r"day=run_(\d{8})", "--format", "json")

    rows = json.loads(clamp("summarize", clean / "*", *options).out)["groups"]

    assert list(rows[0])[:2] == ["context", "label:day"]
    assert sum(row["records"] for row in rows) == 240
    assert all(len(row["label:day"]) == 8 for row in rows)


def test_an_unknown_grouping_is_a_usage_error(clamp, clean):
    done = clamp("summarize", clean / "*", "--by", "contexts")

    assert (done.code, "did you mean context?" in done.err) == (2, True)


def test_summarize_gives_csv_and_markdown(clamp, clean):
    as_csv = clamp("summarize", clean / "*", "--by", "context", "--format", "csv").out
    as_markdown = clamp("summarize", clean / "*", "--by", "context", "--format", "markdown").out

    assert [row["context"] for row in csv.DictReader(io.StringIO(as_csv)) if row["row"] == "group"] == [
        "kernel-cache",
        "reduction",
        "upload-queue",
    ]
    assert len(as_markdown.splitlines()) == 5


def test_the_bytes_are_the_same_for_any_number_of_workers(clamp, clean, faulty):
    outputs = {clamp("summarize", clean, faulty, "--by", "context", "-f", "json", "--jobs", n).out for n in (1, 2, 3)}

    assert len(outputs) == 1


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


def test_a_summary_of_files_imports_only_what_it_needs(tmp_path):
    (tmp_path / "a.json").write_bytes(GOOD)
    unneeded = ["duckdb", "numpy", "pyarrow", "clamp_analytics.reading.distributed", "clamp_analytics.reading.stores"]
    code = (
        "import sys\n"
        "from clamp_analytics.cli import make_app\n"
        "make_app('summarize')(['summarize', '--no-artifact', sys.argv[1]], standalone_mode=False)\n"
        f"print('unneeded:', [name for name in {unneeded} if name in sys.modules])"
    )

    done = run_python(code, str(tmp_path))

    assert done.stdout.splitlines()[-1] == b"unneeded: []"
