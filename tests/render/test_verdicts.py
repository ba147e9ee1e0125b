"""Verdicts as rows of a table and as lines."""

import re

import polars as pl

from clamp_analytics.analysis.groupings import BY
from clamp_analytics.analysis.metrics import METRICS
from clamp_analytics.render import table
from clamp_analytics.render.sparkline import ASCII
from clamp_analytics.render.verdicts import COMPARE, DRIFT, changes_first, describe, screen_frame
from tests.render.builders import HOSTILE, SERIES, SHIFT, golden, verdicts


def test_changes_come_first_and_the_surest_of_them_before_others():
    order = changes_first(verdicts()).select("verdict", "context").rows()

    assert order == [
        ("regressed", HOSTILE),
        ("regressed", "queue"),
        ("suspect", None),
        ("improved", "queue"),
        ("not enough data", "rare"),
        ("unchanged", "a|b"),
    ]


def test_the_table_for_a_person_has_the_main_columns():
    assert table(screen_frame(verdicts(), ["context"], DRIFT, series=SERIES)) == golden("drift_table.txt")


def test_a_comparison_has_no_moment_and_no_trend():
    shown = table(screen_frame(verdicts(columns=COMPARE), ["context"], COMPARE))

    assert shown == golden("compare_table.txt")


def test_the_table_can_do_without_blocks_and_arrows():
    shown = screen_frame(verdicts(), ["context"], DRIFT, series=SERIES, marks=ASCII, arrow="->")

    assert shown.filter(context="queue", verdict="regressed")["trend"].to_list() == ["..:.@@@"]
    assert shown.columns[4] == "before -> after"


def test_only_rows_that_are_shown_get_a_sparkline():
    shown = screen_frame(verdicts(), ["context"], DRIFT, series=SERIES, limit=2)

    assert shown["trend"].to_list() == [None, "▁▁▂▁███", None, None, None, None]


def test_a_context_that_is_null_has_its_sparkline():
    rows = [(None, "violations", 0.0), (None, "violations", 4.0)]
    series = pl.DataFrame(rows, schema=SERIES.schema, orient="row")

    assert screen_frame(verdicts(), ["context"], DRIFT, series=series)["trend"][2] == "▁█"


def test_a_table_without_verdicts_keeps_its_columns():
    assert (
        screen_frame(verdicts([]), ["context"], DRIFT).columns == screen_frame(verdicts(), ["context"], DRIFT).columns
    )


def test_a_verdict_in_one_line_says_what_why_and_since_when():
    row = verdicts().row(3, named=True)

    assert describe(row, ["context"], DRIFT) == (
        f"queue: duration_p95_ms regressed: {SHIFT}; since 2026-10-08T06:00:00Z (b.json)"
    )


def test_every_metric_and_column_has_a_name_that_needs_no_escape():
    for name in (*METRICS, *BY):
        assert re.fullmatch("[a-z0-9_]+", name)
