"""``drift`` as a user runs it."""

import csv
import io
import json
import xml.etree.ElementTree as ET

import pytest

from clamp_analytics.analysis.series import BY, METRICS
from tests.cli.conftest import SAMPLES
from tests.cli.histories import history
from tests.conftest import record, session, write

DRIFTING = SAMPLES / "drifting"
SHIFT = "2026-10-08T18:00:00Z"
"""The sample has two sessions a day from 2026-10-01 06:00 on, and fifteen before the shift."""

HOSTILE = "</details><script>|::error::x\x1b[31m"


def verdicts(done):
    return {(row["context"], row["metric"]): row for row in json.loads(done.out)["verdicts"]}


def test_the_shift_of_the_sample_is_found_where_it_was_made(clamp):
    found = verdicts(clamp("drift", DRIFTING, "-f", "json"))

    row = found["upload-queue", "duration_p50_ms"]
    assert (row["verdict"], row["change_at"]) == ("regressed", SHIFT)
    assert {context for (context, _), row in found.items() if row["verdict"] != "unchanged"} == {"upload-queue"}


def test_the_table_has_changes_first_with_a_sparkline(clamp):
    out = clamp("drift", DRIFTING, "--metric", "duration_p50_ms", "--all").out

    lines = out.split("\n\n")[1].splitlines()
    assert lines[0].split() == ["verdict", "context", "metric", "trend", "before", "→", "after", "change", "since", "p"]
    assert lines[2].split()[:3] == ["regressed", "upload-queue", "duration_p50_ms"]
    assert "2026-10-08" in lines[2]
    assert set(lines[2].split()[3]) <= set("▁▂▃▄▅▆▇█│")
    assert len(lines) == 5


def test_incidents_come_first_and_unchanged_series_are_left_out(clamp):
    incident, table = clamp("drift", DRIFTING, "--metric", "duration_p50_ms").out.split("\n\n")

    assert " worse: step since 2026-10-08 18:00, last good 2026-10-08 06:00\n" in incident
    assert incident.endswith("  upload-queue duration_p50_ms: 1.467 → 2.304 ms (+57.1 %)")
    assert [line.split()[1] for line in table.splitlines()[2:-1]] == ["upload-queue"]
    assert table.splitlines()[-1] == "2 series unchanged (--all)"


def test_the_closing_line_counts_sessions_and_verdicts(clamp):
    done = clamp("drift", DRIFTING, "--metric", "duration_p50_ms")

    assert done.err == (
        "1 incident; 2 series unchanged; 30 sessions, 3 series tested. "
        "files: 30 seen = 30 loaded + 0 rejected + 0 skipped\n"
    )


def test_series_are_grouped_by_a_label(clamp, tmp_path):
    history(tmp_path / "machine-a", [1.0] * 20)
    history(tmp_path / "machine-b", [1.0] * 20, seed=2, first=20)
    options = ("--by", "label:machine", "--label", "machine=machine-([a-z])", "-m", "duration_p50_ms", "-f", "json")

    rows = json.loads(clamp("drift", "machine-*", *options).out)["verdicts"]

    assert {row["label:machine"]: row["sessions"] for row in rows} == {"a": 20, "b": 20}


def test_a_column_that_was_asked_for_is_there_although_all_sessions_have_one_value_of_it(clamp):
    rows = json.loads(clamp("drift", DRIFTING, "--by", "backend", "-m", "duration_p50_ms", "-f", "json").out)[
        "verdicts"
    ]

    assert [list(row)[:2] for row in rows] == [["backend", "metric"]]


@pytest.mark.parametrize("level, code", [("never", 0), ("regression", 1), ("suspect", 1)])
def test_the_check_fails_where_it_is_asked_to(clamp, level, code):
    assert clamp("drift", DRIFTING, "--fail-on", level).code == code


def test_without_a_regression_the_check_is_passed(clamp):
    assert clamp("drift", SAMPLES / "clean", "--fail-on", "suspect").code == 0


def test_csv_has_every_column_with_all_digits(clamp):
    done = clamp("drift", DRIFTING, "-f", "csv", "--metric", "mean_stability")

    rows = list(csv.DictReader(io.StringIO(done.out)))
    as_json = json.loads(clamp("drift", DRIFTING, "-f", "json", "--metric", "mean_stability").out)["verdicts"]
    assert [row["after"] for row in rows] == [repr(row["after"]) for row in as_json]
    assert list(rows[0]) == list(as_json[0])


def test_junit_has_a_case_a_series_and_a_failure_a_regression(clamp):
    root = ET.fromstring(clamp("drift", DRIFTING, "-f", "junit", "-m", "duration_p50_ms").out)

    failed = [case.get("name") for case in root.iter("testcase") if case.find("failure") is not None]
    assert (root.get("tests"), failed) == ("3", ["upload-queue: duration_p50_ms"])


def test_github_gets_annotations_and_the_summary_of_the_job(clamp, tmp_path):
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")

    done = clamp("drift", DRIFTING, "-f", "github", "-m", "duration_p50_ms", env={"GITHUB_STEP_SUMMARY": str(summary)})

    assert done.out.startswith("::error title=Drift%3A ")
    assert "::upload-queue duration_p50_ms: 1.467 → 2.304 ms (+57.1 %25)" in done.out
    assert len(done.out.splitlines()) == 1
    assert summary.read_text().startswith("before\n### Drift: 1 incident\n")


def test_without_a_job_there_is_no_summary(clamp, tmp_path):
    assert clamp("drift", DRIFTING, "-f", "github", env={"GITHUB_STEP_SUMMARY": ""}).code == 0
    assert list(tmp_path.iterdir()) == []


def test_a_summary_that_cannot_be_written_is_an_error(clamp, tmp_path):
    done = clamp("drift", DRIFTING, "-f", "github", env={"GITHUB_STEP_SUMMARY": str(tmp_path / "no" / "file")})

    assert done.code == 3
    assert "GITHUB_STEP_SUMMARY" in done.err


def test_the_result_can_go_to_a_file(clamp, tmp_path):
    done = clamp("drift", DRIFTING, "-f", "markdown", "-o", "drift.md")

    assert (done.out, (tmp_path / "drift.md").read_text()[:10]) == ("", "### Drift:")
    assert "wrote drift.md" in done.err


def test_a_terminal_without_blocks_gets_ascii(clamp):
    done = clamp("drift", DRIFTING, "-m", "duration_p50_ms", env={"PYTHONIOENCODING": "ascii"})

    assert done.out.isascii()
    assert "before -> after" in done.out


@pytest.mark.parametrize(
    "options, sessions",
    [
        (["--last", "7"], 7),
        (["--since", "2026-10-14"], 4),
        (["--since", "2026-10-14T06:00:01Z"], 3),
        (["--until", "2026-10-02"], 4),
        (["--until", "2026-10-02T18:00:00Z"], 3),
        (["--until", "2026-10-02T20:00:00+02:00"], 3),
        (["--until", "2026-10-02", "--last", "1"], 1),
    ],
)
def test_only_the_selected_sessions_are_examined(clamp, options, sessions):
    assert json.loads(clamp("drift", DRIFTING, "-f", "json", *options).out)["sessions"] == sessions


def test_a_time_span_without_a_session_is_an_error(clamp):
    done = clamp("drift", DRIFTING, "--since", "2030-01-01")

    assert (done.code, done.out) == (3, "")


def test_series_are_told_apart_by_what_is_asked_for(clamp, tmp_path):
    history(tmp_path / "runs", [1, 1, 1], backends=("CPU", "HIP"))

    by_both = json.loads(clamp("drift", "runs", "-f", "json", "--by", "context", "--by", "backend").out)["verdicts"]
    by_none = json.loads(clamp("drift", "runs", "-f", "json", "--by", "none", "--pooled").out)["verdicts"]

    assert {(row["context"], row["backend"]) for row in by_both} == {("queue", "CPU"), ("queue", "HIP")}
    assert len(by_none) == len(METRICS)


def test_sessions_without_a_timestamp_are_counted(clamp, tmp_path):
    untimed = session(record(acquired_at="", released_at="", seed=8))
    write(history(tmp_path / "runs", [1, 1, 1]), {"untimed.json": untimed})

    found = json.loads(clamp("drift", "runs", "-f", "json").out)

    assert (found["sessions"], found["untimed"]) == (3, 1)


@pytest.mark.parametrize("sessions", [1, 2])
def test_a_history_that_just_began_has_not_enough_data(clamp, tmp_path, sessions):
    history(tmp_path / "runs", [1] * sessions)

    done = clamp("drift", "runs", "--fail-on", "suspect", "-f", "json")

    assert done.code == 0
    assert {row["verdict"] for row in json.loads(done.out)["verdicts"]} == {"not enough data"}


@pytest.mark.parametrize("output_format", ["table", "markdown", "github", "junit"])
def test_a_hostile_context_stays_text(clamp, tmp_path, output_format):
    history(tmp_path / "runs", [1] * 12 + [3] * 12, context=HOSTILE)

    out = clamp("drift", "runs", "-f", output_format, env={"GITHUB_STEP_SUMMARY": ""}).out

    assert "\x1b" not in out
    assert not any(line.lstrip().startswith("::error::") for line in out.splitlines())
    if output_format in {"markdown", "junit"}:
        assert "<script>" not in out


def test_options_come_from_the_nearest_pyproject(clamp, tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.clamp-analytics.drift.floors]\nduration_p50_ms = 0.9\n")

    floored = verdicts(clamp("drift", DRIFTING, "-f", "json", "-m", "duration_p50_ms"))
    given = verdicts(clamp("drift", DRIFTING, "-f", "json", "-m", "duration_p50_ms", "--floor", "duration_p50_ms=0.1"))

    assert floored["upload-queue", "duration_p50_ms"]["verdict"] == "unchanged"
    assert given["upload-queue", "duration_p50_ms"]["verdict"] == "regressed"


@pytest.mark.parametrize(
    "options, message",
    [
        (["--metric", "duration_p50"], "did you mean duration_p50_ms?"),
        (["--by", "contxt"], "did you mean context?"),
        (["--by", "none", "--by", "context"], "none cannot be combined with a column"),
        (["--since", "yesterday"], "for example 2026-10-01"),
        (["--floor", "duration_p50_ms"], "METRIC=SIZE"),
        (["--floor", "mean_stabilty=1"], "did you mean mean_stability?"),
        (["--alpha", "2"], "alpha must lie between 0 and 1"),
    ],
)
def test_wrong_usage_is_explained(clamp, options, message):
    done = clamp("drift", DRIFTING, *options)

    assert done.code == 2
    assert message in done.err


@pytest.mark.parametrize("missing", ["scipy", "numpy"])
def test_without_the_extra_the_error_says_what_to_install(clamp, tmp_path, missing):
    hook = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] == {missing!r}:\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
    )
    write(tmp_path / "hook", {"sitecustomize.py": hook.encode()})

    done = clamp("drift", DRIFTING, env={"PYTHONPATH": str(tmp_path / "hook")})

    assert (done.code, done.out) == (2, "")
    assert "pip install 'clamp-analytics[drift]'" in done.err


def test_help_names_every_metric_and_column_and_the_defaults(clamp):
    text = " ".join(clamp("drift", "--help").out.split())

    assert [name for name in (*METRICS, *BY) if name not in text] == []
    assert "False discovery rate over all series. [default: 0.05]" in text


def known_change(tmp_path, clamp):
    """The file of known changes with the incident of the sample."""
    found = json.loads(clamp("drift", DRIFTING, "-f", "json").out)
    (incident,) = found["incidents"]
    done = clamp(
        "drift", DRIFTING, "--acknowledge", incident["id"], "--reason", "bounds checks", "--known-changes", "known.toml"
    )
    assert (done.code, done.out) == (0, "")
    return tmp_path / "known.toml"


def test_an_acknowledged_incident_no_longer_fails_the_check(clamp, tmp_path):
    file = known_change(tmp_path, clamp)

    done = clamp("drift", DRIFTING, "--known-changes", file, "--fail-on", "suspect")

    assert done.code == 0
    assert "accepted: bounds checks" in done.out


def test_the_project_can_name_the_file_of_known_changes(clamp, tmp_path):
    known_change(tmp_path, clamp)
    (tmp_path / "pyproject.toml").write_text('[tool.clamp-analytics.drift]\nknown_changes = "known.toml"\n')

    assert clamp("drift", DRIFTING, "--fail-on", "suspect").code == 0


def test_an_entry_that_matches_nothing_is_named(clamp, tmp_path):
    file = known_change(tmp_path, clamp)
    file.write_text(file.read_text().replace("upload-queue", "gone"))

    done = clamp("drift", DRIFTING, "--known-changes", file)

    assert "known change that matches nothing: context gone duration_p50_ms (bounds checks)" in done.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--acknowledge", "00000000", "--reason", "x", "--known-changes", "k.toml"], "there is no such incident"),
        (["--acknowledge", "00000000", "--known-changes", "k.toml"], "--acknowledge needs a reason"),
        (["--acknowledge", "00000000", "--reason", "x"], "there is no file of known changes"),
        (["--known-changes", "missing.toml"], "missing.toml: cannot be read"),
        (["--since-label", "build"], "a label is given as NAME=VALUE"),
    ],
)
def test_wrong_options_of_known_changes_and_gates_are_explained(clamp, options, message):
    done = clamp("drift", DRIFTING, *options)

    assert (done.code, message in done.err) == (2, True)


@pytest.mark.parametrize(("within", "code"), [(10, 0), (20, 1)])
def test_the_gate_can_be_limited_to_the_latest_sessions(clamp, within, code):
    assert clamp("drift", DRIFTING, "--fail-on", "regression", "--changed-within", within).code == code


def test_the_gate_can_be_limited_to_sessions_since_a_label(clamp):
    labelled = ("drift", DRIFTING, "--label", r"day=clamp_run_(\d{8})", "--fail-on", "regression")

    assert clamp(*labelled, "--since-label", "day=20261001").code == 1
    assert clamp(*labelled, "--since-label", "day=20261012").code == 0


def test_a_floor_of_a_duration_may_be_given_in_percent(clamp):
    arguments = ("drift", DRIFTING, "--metric", "duration_p50_ms", "--since", "9999w")

    assert "upload-queue" in clamp(*arguments, "--floor", "duration_p50_ms=20%").out
    assert clamp(*arguments, "--floor", "duration_p50_ms=70%").out.startswith("No series changed.")


def test_a_floor_in_percent_is_refused_where_it_is_not_a_share(clamp):
    done = clamp("drift", DRIFTING, "--floor", "mean_stability=10%")

    assert done.code == 2
    assert "only floors of durations are shares" in done.err
