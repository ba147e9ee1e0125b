"""Verdicts for a terminal, a pull request, GitHub's annotations and readers of JUnit XML."""

import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from clamp_analytics.analysis.series import BY, METRICS
from clamp_analytics.analysis.verdicts import Verdict
from clamp_analytics.render import table
from clamp_analytics.render.escape import for_terminal
from clamp_analytics.render.pull_request import markdown
from clamp_analytics.render.sparkline import ASCII
from clamp_analytics.render.verdicts import (
    COMPARE,
    DRIFT,
    changes_first,
    describe,
    figure,
    github,
    group_name,
    junit,
    p_value,
    screen_frame,
)

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = "</details><script>|`::error::x\x1b[31m"
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table"])
AT = datetime(2026, 10, 8, 6, tzinfo=UTC)

SHIFT = "1.864 to 2.931 ms, +57.2% (corrected p 0.0012)"
FEW = "6 and 0 sessions, and it takes 10 a side"
NOISE = "no shift beyond noise (corrected p 0.4, limit 0.01)"
# verdict, context, metric, reason, before, after, effect, relative, at, source, adjusted p, needed sessions
ROWS = [
    ("unchanged", "a|b", "mean_stability", NOISE, 0.99952, 0.99948, -4e-05, -4e-05, None, None, 0.4, 20),
    ("not enough data", "rare", "in_flight", FEW, 0.0, None, None, None, None, None, None, 24),
    ("improved", "queue", "unstable_share", "0.2 to 0.05", 0.2, 0.05, -0.15, -0.75, AT, "b.json", 1e-9, 20),
    ("regressed", "queue", "duration_p95_ms", SHIFT, 1.8644, 2.9312, 1.0668, 0.5722, AT, "b.json", 0.00123, 20),
    ("warning", None, "violations", "0 to 4", 0.0, 4.0, 4.0, None, AT, "b.json", 0.02, 20),
    ("regressed", HOSTILE, "hold_total_ms", "x%y", 1000.4, 123456.7, 122456.3, 122.4, AT, "b.json", 0.0004, 20),
]


def frame(rows=ROWS, layout=DRIFT):
    columns = {
        "verdict": pl.String,
        "context": pl.String,
        "metric": pl.String,
        "reason": pl.String,
        layout.before: pl.Float64,
        layout.after: pl.Float64,
        layout.difference: pl.Float64,
        layout.relative: pl.Float64,
        layout.when or "at": pl.Datetime("us", "UTC"),
        layout.source or "source": pl.String,
        "adjusted_p": pl.Float64,
        "needed_sessions": pl.Int64,
    }
    found = pl.DataFrame(rows, schema=columns, orient="row")
    if layout is COMPARE:
        # Half as much and half as much again.
        ends = {
            name: pl.col("difference") * share for name, share in (("difference_low", 0.5), ("difference_high", 1.5))
        }
        return found.with_columns(**ends)
    return found


def named(context, verdict="regressed"):
    return frame([(verdict, context, *ROWS[3][2:])])


def golden(name):
    return (GOLDEN / name).read_bytes().decode()


SERIES = pl.DataFrame(
    [("queue", "duration_p95_ms", float(value)) for value in (1, 1, 2, 1, 9, 8, 9)]
    + [("a|b", "mean_stability", 1.0), ("a|b", "mean_stability", 0.0)],
    schema={"context": pl.String, "metric": pl.String, "value": pl.Float64},
    orient="row",
)


@pytest.mark.parametrize(
    "value, shown",
    [
        (None, "-"),
        (float("nan"), "-"),
        (float("inf"), "-"),
        (0.0, "0"),
        (1.8644, "1.86"),
        (0.99952, "1"),
        (0.000123456, "0.000123"),
        (-12.345, "-12.3"),
        (999.6, "1000"),
        (123456.7, "123457"),
        (1e-7, "1e-07"),
    ],
)
def test_a_figure_has_three_digits_and_all_those_before_its_point(value, shown):
    assert figure(value) == shown


@pytest.mark.parametrize(
    "p, shown", [(None, "-"), (1.0, "1"), (0.0123, "0.012"), (0.0001, "0.0001"), (9e-5, "<0.0001")]
)
def test_a_probability_is_told_as_far_as_it_matters(p, shown):
    assert p_value(p) == shown


def test_changes_come_first_and_the_surest_of_them_before_others():
    order = changes_first(frame()).select("verdict", "context").rows()

    assert order == [
        ("regressed", HOSTILE),
        ("regressed", "queue"),
        ("warning", None),
        ("improved", "queue"),
        ("not enough data", "rare"),
        ("unchanged", "a|b"),
    ]


def test_the_table_for_a_person_has_what_one_looks_at():
    assert table(screen_frame(frame(), ["context"], DRIFT, series=SERIES)) == golden("drift_table.txt")


def test_a_comparison_has_no_moment_and_no_trend():
    shown = table(screen_frame(frame(layout=COMPARE), ["context"], COMPARE))

    assert shown == golden("compare_table.txt")


def test_the_table_can_do_without_blocks_and_arrows():
    shown = screen_frame(frame(), ["context"], DRIFT, series=SERIES, marks=ASCII, arrow="->")

    assert shown.filter(context="queue", verdict="regressed")["trend"].to_list() == ["..:.@@@"]
    assert shown.columns[4] == "before -> after"


def test_only_rows_that_are_shown_get_a_sparkline():
    shown = screen_frame(frame(), ["context"], DRIFT, series=SERIES, limit=2)

    assert shown["trend"].to_list() == [None, "▁▁▂▁███", None, None, None, None]


def test_a_context_that_is_null_has_its_sparkline():
    rows = [(None, "violations", 0.0), (None, "violations", 4.0)]
    series = pl.DataFrame(rows, schema=SERIES.schema, orient="row")

    assert screen_frame(frame(), ["context"], DRIFT, series=series)["trend"][2] == "▁█"


def test_a_table_without_verdicts_keeps_its_columns():
    assert screen_frame(frame([]), ["context"], DRIFT).columns == screen_frame(frame(), ["context"], DRIFT).columns


@pytest.mark.parametrize(
    "by, row, name",
    [
        (["context"], {"context": "a"}, "a"),
        (["context"], {"context": None}, "no context"),
        (["context", "backend"], {"context": "a", "backend": None}, "context a, no backend"),
        ([], {}, "all sessions"),
    ],
)
def test_a_group_is_named_by_its_values(by, row, name):
    assert group_name(row, by) == name


def test_a_verdict_in_one_line_says_what_why_and_since_when():
    row = frame().row(3, named=True)

    assert describe(row, ["context"], DRIFT) == (
        f"queue: duration_p95_ms regressed: {SHIFT}; since 2026-10-08T06:00:00Z (b.json)"
    )


def test_the_comment_shows_changes_and_folds_the_rest():
    text = markdown(
        frame(),
        ["context"],
        DRIFT,
        told="30 sessions, 6 series tested.",
        lists={"Appeared": ["new", HOSTILE], "Vanished": []},
    )

    assert text == golden("drift_comment.md")


def test_a_comment_without_a_change_says_so():
    text = markdown(frame(ROWS[:1]), ["context"], DRIFT)

    assert text.startswith("### Drift: no change\n\n<details>\n<summary>1 unchanged</summary>\n")


def test_a_comment_fits_the_host_however_many_contexts_there_are():
    rows = [(verdict, f"context {at} {HOSTILE * 20}", *row[2:]) for verdict, _, *row in ROWS for at in range(500)]

    text = markdown(frame([(row[0], row[1], *ROWS[3][2:]) for row in rows]), ["context"], DRIFT)

    assert len(text) < 65_536
    left = [int(number.replace(",", "")) for number in re.findall("… and ([0-9,]+) more", text)]
    shown = len(re.findall(r"^\| (?:\*\*)?(?:regressed|improved|warning|unchanged|not)", text, re.MULTILINE))
    assert sum(left) + shown == 3000


def inline_html(text):
    """The HTML that a page would show as its own, of blocks and within text."""
    found = []
    for token in MARKDOWN.parse(text):
        found += [token.content] if token.type == "html_block" else []
        found += [child.content for child in token.children or [] if child.type == "html_inline"]
    return "".join(found)


@settings(deadline=None)
@given(st.text(st.sampled_from("ab <>/|`&\\*_[]()!#@:\n\r\x1b") | st.characters(codec="utf-8")))
def test_any_context_stays_text_in_a_comment(context):
    plain, hostile = (markdown(named(text), ["context"], DRIFT, lists={"Appeared": [text]}) for text in ("a", context))

    html = re.sub("</?code>|<!-- -->", "", inline_html(hostile))
    assert html == inline_html(plain)
    assert hostile.count("\n") == plain.count("\n")


def test_annotations_are_an_error_a_regression_and_a_notice_an_improvement():
    assert github(frame(), ["context"], DRIFT) == golden("drift_annotations.txt")


def test_nothing_that_changed_is_no_annotation():
    assert github(frame(ROWS[:2]), ["context"], DRIFT) == ""


@pytest.mark.parametrize("improved, left", [(0, "2 regressions"), (10, "2 regressions, 1 improvement")])
def test_what_github_would_drop_is_counted(improved, left):
    rows = [(verdict, *ROWS[3][1:]) for verdict in ["regressed"] * 12 + ["improved"] * improved]

    lines = github(frame(rows), ["context"], DRIFT).splitlines()

    assert sum(line.startswith("::error ") for line in lines) == 10
    assert sum(line.startswith("::notice ") for line in lines) <= 10
    assert lines[-1].endswith(f"more: {left}")


@settings(deadline=None)
@given(st.text())
def test_any_context_stays_within_its_annotation(context):
    (line,) = github(named(context), ["context"], DRIFT).splitlines()

    found = re.fullmatch("::error title=Drift%3A duration_p95_ms regressed::(.*)", line)
    assert found[1].replace("%25", "%") == for_terminal(f"{context}: duration_p95_ms regressed: {SHIFT}; since ") + (
        "2026-10-08T06:00:00Z (b.json)"
    )


def test_junit_has_a_case_for_each_context_and_metric():
    assert junit(frame(), ["context"], DRIFT, properties={"sessions": 30}) == golden("drift_junit.xml")


def test_junit_fails_on_the_verdicts_that_are_asked_for():
    root = ET.fromstring(junit(frame(), ["context"], DRIFT, failing=[Verdict.REGRESSED, Verdict.WARNING]))

    assert (root.get("tests"), root.get("failures")) == ("6", "3")


@settings(deadline=None)
@given(st.text())
def test_any_context_is_valid_junit(context):
    root = ET.fromstring(junit(named(context), ["context"], DRIFT).encode())

    assert root.find("testsuite/testcase").get("name") == for_terminal(f"{context}: duration_p95_ms")


def test_every_metric_and_column_has_a_name_that_needs_no_escape():
    for name in (*METRICS, *BY):
        assert re.fullmatch("[a-z0-9_]+", name)
