"""``compare`` as a user runs it."""

import json
import re
import xml.etree.ElementTree as ET

import pytest

from tests.cli.histories import history


@pytest.fixture
def sides(tmp_path):
    """A baseline, and a candidate that takes half as long again."""
    history(tmp_path / "main", [1.0] * 15)
    history(tmp_path / "change", [1.5] * 15, seed=2, first=20)
    return "main", "change"


@pytest.fixture
def heap(tmp_path):
    """Sessions in which the backend HIP takes twice as long as the backend CPU."""
    history(tmp_path / "runs", [1.0] * 15, backends=("CPU", "HIP"))
    return "runs"


def rows(done):
    return {row["metric"]: row for row in json.loads(done.out)["verdicts"]}


def test_a_slower_candidate_is_a_regression(clamp, sides):
    row = rows(clamp("compare", *sides, "-f", "json"))["duration_p50_ms"]

    assert (row["verdict"], row["baseline_sessions"], row["candidate_sessions"]) == ("regressed", 15, 15)
    assert row["relative_difference"] == pytest.approx(0.5, abs=0.1)


def test_two_labels_of_the_same_sources_are_compared(clamp, sides):
    options = ("--across", "label:branch", "--baseline", "main", "--candidate", "change")

    done = clamp("compare", *sides, *options, "--label", "branch=(main|change)/", "-f", "json")

    row = rows(done)["duration_p50_ms"]
    assert (row["verdict"], row["baseline_sessions"], row["candidate_sessions"]) == ("regressed", 15, 15)


def test_a_faster_candidate_is_an_improvement(clamp, sides):
    main, change = sides

    assert rows(clamp("compare", change, main, "-f", "json"))["duration_p50_ms"]["verdict"] == "improved"


def test_the_table_has_both_values_and_the_interval_of_their_difference(clamp, sides):
    done = clamp("compare", *sides, "-m", "duration_p50_ms")

    _, table = done.out.split("\n\n")
    lines = table.splitlines()
    assert lines[0].split()[:3] == ["verdict", "context", "metric"]
    assert "interval" in lines[0]
    assert lines[2].startswith("regressed  queue    duration_p50_ms")
    assert done.err.startswith(
        "1 regression; 1 tested; 15 sessions of the candidate against 15 sessions of the baseline"
    )


def test_what_is_worse_comes_first_with_levels_and_interval(clamp, sides):
    title, change, end, *_ = clamp("compare", *sides, "-m", "duration_p50_ms").out.splitlines()

    between = "candidate since 2026-01-21 06:00, baseline until 2026-01-15 06:00"
    assert re.fullmatch(f"[0-9a-f]{{8}}  worse: {between}", title)
    levels, difference = r"[0-9.]+ → [0-9.]+ ms", r"\+[0-9.]+ %, \+[0-9.]+ to \+[0-9.]+ %"
    assert re.fullmatch(rf"  queue duration_p50_ms: {levels} \({difference}\)", change)
    assert end == ""


def test_a_comparison_without_enough_data_does_not_say_that_nothing_changed(clamp, tmp_path):
    history(tmp_path / "main", [1.0] * 3)
    history(tmp_path / "change", [1.0] * 3, seed=2, first=20)

    done = clamp("compare", "main", "change", "-m", "duration_p50_ms", "--floor", "duration_p50_ms=100%")

    assert done.out == "No series has enough data to be judged.\n1 series without enough data (--all)\n"


@pytest.mark.parametrize("level, code", [("never", 0), ("regression", 1)])
def test_the_check_fails_where_it_is_asked_to(clamp, sides, level, code):
    assert clamp("compare", *sides, "--fail-on", level).code == code


def test_the_comment_for_a_pull_request_has_a_headline_and_what_only_one_side_has(clamp, sides, tmp_path):
    history(tmp_path / "change", [1.0], context="</details>|x", seed=3, first=50)

    text = clamp("compare", *sides, "-f", "markdown").out

    assert text.startswith("### Comparison: 4 regressions\n")
    assert "Only in the candidate: <code>&#60;&#47;details&#62;&#124;x</code>\n" in text
    assert "Only in the baseline" not in text


def test_json_lists_what_appeared_and_vanished(clamp, sides, tmp_path):
    history(tmp_path / "change", [1.0], context="new", seed=3, first=50)
    history(tmp_path / "main", [1.0], context="old", seed=4, first=51)

    done = clamp("compare", *sides, "-f", "json")

    found = json.loads(done.out)
    assert [row["context"] for row in found["appeared"]] == ["new"]
    assert [row["context"] for row in found["vanished"]] == ["old"]
    assert [(one["direction"], one["shape"], one["contexts"]) for one in found["incidents"]] == [
        ("worse", "difference", ["queue"])
    ]
    assert "only in the candidate: new\nonly in the baseline: old\n" in done.err


def test_junit_fails_a_regression(clamp, sides):
    root = ET.fromstring(clamp("compare", *sides, "-f", "junit", "-m", "duration_p50_ms").out)

    assert root.find("testsuite").get("name") == "clamp-analytics compare"
    assert root.get("failures") == "1"


def test_github_gets_annotations_and_the_summary_of_the_job(clamp, sides, tmp_path):
    env = {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}

    done = clamp("compare", *sides, "-f", "github", "-m", "duration_p50_ms", env=env)

    assert re.match("::error title=Comparison%3A [0-9a-f]{8}  worse%3A .*::queue duration_p50_ms: ", done.out)
    assert (tmp_path / "summary.md").read_text().startswith("### Comparison: 1 regression\n")


def test_two_backends_of_one_heap_are_compared_and_the_host_is_the_baseline(clamp, heap):
    done = clamp("compare", heap, "--across", "backend", "-f", "json", "-m", "duration_p50_ms")

    row = rows(done)["duration_p50_ms"]
    assert row["verdict"] == "regressed"
    assert row["relative_difference"] == pytest.approx(1.0, abs=0.2)
    assert "baseline: CPU\ncandidate: HIP\n" in done.err


def test_either_backend_can_be_named_as_the_baseline(clamp, heap):
    named = clamp("compare", heap, "--across", "backend", "--baseline", "HIP", "-f", "json")
    both = clamp("compare", heap, "--across", "backend", "--baseline", "HIP", "--candidate", "CPU", "-f", "json")

    assert rows(named)["duration_p50_ms"]["verdict"] == "improved"
    assert named.out == both.out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["main"], "two sources can be compared, not 1"),
        (["main", "change", "main"], "put a glob in quotes"),
        (["main", "change", "--baseline", "CPU"], "add --across COLUMN"),
        (["main", "--across", "backend"], "two values of backend can be compared, and there are 1: 'CPU'"),
        (["main", "--across", "backned"], "did you mean backend?"),
        (["main", "--across", "backend", "--baseline", "CPI", "--candidate", "CPU"], "did you mean CPU?"),
    ],
)
def test_wrong_usage_is_explained(clamp, sides, arguments, message):
    done = clamp("compare", *arguments)

    assert done.code == 2
    assert message in done.err


def test_an_empty_side_is_an_error(clamp, sides, tmp_path):
    (tmp_path / "empty").mkdir()

    assert clamp("compare", "main", "empty").code == 3


def test_options_come_from_pyproject(clamp, sides, tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.clamp-analytics.compare]\nmin-sessions = 16\n")

    assert rows(clamp("compare", *sides, "-f", "json"))["duration_p50_ms"]["verdict"] == "suspect"


def test_a_suspect_for_the_better_fails_no_check(clamp, tmp_path):
    history(tmp_path / "main", [1.0] * 40)
    history(tmp_path / "change", [0.5], seed=2, first=50)

    done = clamp("compare", "main", "change", "--fail-on", "suspect", "-m", "duration_p50_ms", "-f", "json")

    assert (rows(done)["duration_p50_ms"]["verdict"], done.code) == ("suspect", 0)


def test_one_new_run_is_checked_against_its_history_with_the_rate_of_false_alarms(clamp, tmp_path):
    history(tmp_path / "main", [1.0] * 40)
    history(tmp_path / "change", [2.0], seed=2, first=50)

    done = clamp("compare", "main", "change", "--fail-on", "suspect", "-m", "duration_p50_ms")

    assert done.code == 1
    assert "the candidate is compared with the range of the baseline: no false alarm in 30 replayed runs" in done.err


def test_sides_without_a_context_in_common_are_an_error(clamp, tmp_path):
    history(tmp_path / "main", [1.0] * 3, context="a")
    history(tmp_path / "change", [1.0] * 3, context="b")

    done = clamp("compare", "main", "change")

    assert done.code == 3
    assert "no context in common" in done.err
