"""The table for a person at a terminal."""

import datetime as dt
import re
import unicodedata
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from clamp_analytics.render import table
from clamp_analytics.render.escape import for_terminal

GOLDEN = Path(__file__).parent / "golden"
MOMENT = dt.datetime(2026, 11, 22, 17, 17, 56, tzinfo=dt.UTC)


def golden(name):
    return (GOLDEN / name).read_bytes().decode()


def wide_frame():
    """Twelve columns, among them a seed of twenty digits and two moments."""
    numbers = {f"number_{at}": [at * 1000, None] for at in range(6)}
    texts = {f"text_{at}": ["some words to fold " * 2, "x"] for at in range(3)}
    moments = {f"moment_{at}": pl.Series([MOMENT, None], dtype=pl.Datetime("us", "UTC")) for at in range(2)}
    return pl.DataFrame({**texts, **numbers, **moments, "seed": pl.Series([2**64 - 1, 1], dtype=pl.UInt64)})


def test_columns_align_by_kind_and_display_width_and_a_cut_tells_what_follows():
    frame = pl.DataFrame(
        {
            "context": ["plain", "a|b\x1b[31m\n", "データ😀", None],
            "seed": pl.Series([2**64 - 1, 0, None, 7], dtype=pl.UInt64),
            "acquired_at": pl.Series(
                [MOMENT, MOMENT + dt.timedelta(microseconds=1), None, MOMENT], dtype=pl.Datetime("us", "UTC")
            ),
            "score": [0.5, float("nan"), 1e-9, 12.25],
            "tags": [["x"], [], None, ["y", "z"]],
        }
    )

    assert table(frame, title="records", limit=3) == golden("table.txt")


def test_on_a_narrow_terminal_names_fold_first_then_text_and_numbers_never():
    frame = pl.DataFrame(
        {
            "source": ["a/long/folder/session-1.json", "b.json"],
            "message": ["the seed is zero, the acquisition failed", "ok"],
            "stability_score": [0.25, 1.0],
        }
    )

    assert table(frame, width=50) == golden("table_folded.txt")


def test_where_columns_do_not_fit_side_by_side_each_row_is_a_block():
    frame = pl.DataFrame(
        {
            "seed": pl.Series([2**64 - 1, 7], dtype=pl.UInt64),
            "acquired_at": pl.Series([MOMENT, None], dtype=pl.Datetime("us", "UTC")),
            "context": ["a context that is longer than the line", None],
        }
    )

    assert table(frame, width=33) == golden("table_blocks.txt")


@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_wide_frame_keeps_within_the_terminal_and_loses_no_digit(width):
    text = table(wide_frame(), width=width)

    assert max(map(cell_len, text.splitlines())) <= width
    assert "18446744073709551615" in text
    assert text.count("2026-11-22T17:17:56Z") == 2


def test_without_a_terminal_lines_are_as_long_as_they_are():
    text = table(pl.DataFrame({"a": ["word " * 200]}))

    assert len(text.splitlines()) == 3


def test_a_float_shows_all_its_digits_with_the_points_in_line():
    assert table(pl.DataFrame({"x": [0.1 + 0.2, 10.5, 3.0]})) == (
        "                   x\n────────────────────\n 0.30000000000000004\n10.5\n 3.0\n"
    )


def test_null_is_a_dash_and_a_text_without_a_mark_is_quoted():
    assert table(pl.DataFrame({"a": [None, "", " "]})) == 'a\n───\n-\n""\n" "\n'


def test_a_limit_that_cuts_nothing_adds_no_line():
    assert table(pl.DataFrame({"a": [1, 2]}), limit=2) == "a\n─\n1\n2\n"


def test_colour_adds_nothing_but_escapes_that_are_closed():
    frame = pl.DataFrame({"severity": ["error", "warning", None], "n": [1, None, 3]})

    painted = table(frame, title="t", color=True)
    assert "\x1b[31merror\x1b[0m" in painted
    assert re.sub(r"\x1b\[\d+m", "", painted).replace(" ", "") == table(frame, title="t").replace(" ", "")
    assert painted.count("\x1b[0m") * 2 == painted.count("\x1b[")


def test_a_line_of_a_table_is_not_a_command_to_a_runner():
    text = table(pl.DataFrame({"a": ["::add-mask::x", "  ::add-mask::x", "##[add-mask]x"]}))

    assert not any(line.lstrip().startswith("::") or "##[" in line for line in text.splitlines())


@settings(deadline=None)
@given(st.lists(st.text(), min_size=1, max_size=3), st.text(), st.none() | st.integers(1, 100), st.booleans())
def test_no_text_reaches_the_terminal_with_a_control_character(values, name, width, limited):
    text = table(pl.DataFrame({name: values}), title=name, width=width, limit=1 if limited else None)

    seen = {unicodedata.category(char) for char in text if char not in "\n\u200c\u200d"}
    assert not seen & {"Cc", "Cf", "Cs", "Zl", "Zp"}


@settings(deadline=None)
@given(
    st.lists(st.text(st.characters(categories=["L", "N", "S", "P"]), min_size=1, max_size=60), min_size=1, max_size=3)
)
def test_folding_loses_no_character(values):
    text = table(pl.DataFrame({"a": values}), width=14)

    assert "".join(text.split()[2:]) == "".join(map(for_terminal, values))


def test_a_verdict_is_coloured_by_its_direction():
    shown = table(pl.DataFrame({"verdict": ["regressed", "improved"]}), color=True)

    assert "\x1b[31mregressed\x1b[0m" in shown
    assert "\x1b[32mimproved\x1b[0m" in shown


def test_optional_columns_are_left_out_before_any_text_wraps():
    frame = pl.DataFrame({"name": ["a long name of a session"], "note": ["a long note on it"], "size": [12345]})

    assert table(frame, width=40, optional={"note": 17, "size": 0}).splitlines() == [
        "name                       size",
        "────────────────────────  ─────",
        "a long name of a session  12345",
        "left out for this width: note",
    ]


def test_an_optional_column_wraps_down_to_its_width_before_it_is_left_out():
    frame = pl.DataFrame({"name": ["a long name of a session"], "note": ["a long note on it"]})

    assert "left out" not in table(frame, width=38, optional={"note": 12})
    assert table(frame, width=37, optional={"note": 12}).splitlines()[-1] == "left out for this width: note"


def test_columns_on_the_right_go_where_nothing_else_fits():
    frame = pl.DataFrame({"a": [1], "bbbbbbbbbb": [2], "cccccccccc": [3]})

    assert table(frame, width=14, optional={}).splitlines()[-1] == "left out for this width: cccccccccc"


def test_a_column_that_is_kept_outlasts_those_on_its_left():
    frame = pl.DataFrame({"a": [1], "bbbbbbbbbb": [2], "since": ["2026-10-08"]})

    assert table(frame, width=13, optional={}, kept=["since"]).splitlines() == [
        "a  since",
        "─  ──────────",
        "1  2026-10-08",
        "left out for this width: bbbbbbbbbb",
    ]


def test_a_narrow_column_stays_where_a_more_important_one_does_not_fit():
    frame = pl.DataFrame({"name": ["some rule"], "count": [7], "example": ["folder/of/a/session.json"]})

    assert table(frame, width=20, optional={"count": 0, "example": 20}).splitlines() == [
        "name       count",
        "─────────  ─────",
        "some rule      7",
        "left out for this width: example",
    ]


def test_text_wraps_at_its_separators_before_a_column_is_left_out():
    frame = pl.DataFrame({"metric": ["duration_p50_ms"], "since": ["2026-10-08"]})

    assert table(frame, width=21, optional={}).splitlines() == [
        "metric     since",
        "─────────  ──────────",
        "duration_  2026-10-08",
        "p50_ms",
    ]


def test_a_table_that_needs_all_its_columns_becomes_blocks():
    frame = pl.DataFrame({"a": [1], "bbbbbbbbbb": [2], "cccccccccc": [3]})

    assert table(frame, width=14).startswith("─ row 1 ")


def test_decimals_give_a_column_the_same_digits_and_thousands_separators():
    frame = pl.DataFrame({"ms": [1234.5, 0.25, None]})

    assert table(frame, decimals={"ms": 3}).splitlines()[2:] == ["1,234.500", "    0.250", "        -"]
