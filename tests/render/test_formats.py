"""A frame in every format: the bytes are a contract, and exact formats read back as what they were."""

import csv
import datetime as dt
import io
import json
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clamp_analytics.errors import OutputError
from clamp_analytics.render import FORMATS, Format, as_csv, as_json, as_jsonl, as_markdown, as_parquet

GOLDEN = Path(__file__).parent / "golden"
MOMENT = dt.datetime(2026, 11, 22, 17, 17, 56, tzinfo=dt.UTC)
# A plain row; hostile text, a microsecond and NaN; wide characters and nulls; a null text before values.
ROWS = pl.DataFrame(
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
TEXT_FORMATS = [each for each in Format if each is not Format.PARQUET]


def golden(name):
    return (GOLDEN / name).read_bytes().decode()


def one(value, kind):
    return pl.DataFrame({"x": pl.Series([value], dtype=kind)})


def json_text(frame):
    """What stands for the only value of a frame."""
    return re.fullmatch(r'\[\n\{"x":(.*)\}\n\]\n', as_json(frame))[1]


def test_json_is_an_array_with_a_row_a_line_exact_seeds_and_iso_timestamps():
    assert as_json(ROWS) == golden("rows.json")


def test_jsonl_is_the_same_objects_without_the_array():
    assert as_jsonl(ROWS) == golden("rows.jsonl")


def test_csv_quotes_what_must_be_and_alters_nothing():
    assert as_csv(ROWS) == golden("rows.csv")


def test_markdown_escapes_text_leaves_null_empty_and_tells_what_follows():
    assert as_markdown(ROWS, limit=3) == golden("rows.md")


def test_markdown_without_a_limit_has_every_row():
    assert len(as_markdown(ROWS).splitlines()) == 2 + ROWS.height


@pytest.mark.parametrize(
    "value, kind, text",
    [
        (2**64 - 1, pl.UInt64, "18446744073709551615"),
        (-(2**63), pl.Int64, "-9223372036854775808"),
        (2**127 - 1, pl.Int128, "170141183460469231731687303715884105727"),
        ([2**100], pl.List(pl.Int128), "[1267650600228229401496703205376]"),
        (Decimal("1.50"), pl.Decimal(10, 2), "1.50"),
        (Decimal(0), pl.Decimal(20, 10), "0.0000000000"),
        ({"d": Decimal("-0.10")}, pl.Struct({"d": pl.Decimal(5, 2)}), '{"d":-0.10}'),
        (0.1, pl.Float64, "0.1"),
        (0.1, pl.Float32, "0.1"),
        (float("inf"), pl.Float64, "null"),
        (True, pl.Boolean, "true"),
        (dt.date(2024, 2, 29), pl.Date, '"2024-02-29"'),
        (dt.time(1, 2, 3), pl.Time, '"01:02:03"'),
        (dt.timedelta(milliseconds=1.5), pl.Duration("us"), '"PT0.0015S"'),
        (dt.timedelta(days=-1, seconds=-1), pl.Duration("us"), '"-P1DT1S"'),
        (b"a\xff", pl.Binary, '"61ff"'),
        ("x", pl.Enum(["x"]), '"x"'),
        (dt.datetime(2026, 1, 2), pl.Datetime("us"), '"2026-01-02T00:00:00"'),
        (dt.datetime(2026, 1, 2, tzinfo=dt.UTC), pl.Datetime("ms", "Europe/Paris"), '"2026-01-02T00:00:00Z"'),
        (1_000_000_001, pl.Datetime("ns", "UTC"), '"1970-01-01T00:00:01.000000001Z"'),
        ([MOMENT, None], pl.List(pl.Datetime("us", "UTC")), '["2026-11-22T17:17:56Z",null]'),
        ([[1, 2]], pl.List(pl.Array(pl.Int8, 2)), "[[1,2]]"),
        ({"^a$": dt.date(2026, 1, 2)}, pl.Struct({"^a$": pl.Date}), '{"^a$":"2026-01-02"}'),
        (None, pl.Struct({"a": pl.Date}), "null"),
        (None, pl.Null, "null"),
    ],
)
def test_every_type_has_its_exact_json(value, kind, text):
    assert json_text(one(value, kind)) == text


@pytest.mark.parametrize("kind, bits", [(pl.Datetime("us", "UTC"), 64), (pl.Date, 32)])
def test_a_moment_beyond_the_calendar_is_infinite(kind, bits):
    counts = pl.Series([2 ** (bits - 1) - 1, -(2 ** (bits - 1))], dtype=pl.Int64 if bits == 64 else pl.Int32)
    frame = pl.DataFrame({"x": counts.cast(kind)})

    assert as_jsonl(frame) == '{"x":"infinity"}\n{"x":"-infinity"}\n'


def test_a_map_of_duckdb_is_its_entries():
    duckdb = pytest.importorskip("duckdb")
    frame = duckdb.sql("SELECT map {'a': DATE '2026-01-02'} AS x").pl()

    assert json_text(frame) == '[{"key":"a","value":"2026-01-02"}]'


def test_the_widest_integer_of_duckdb_keeps_its_last_digit():
    duckdb = pytest.importorskip("duckdb")
    frame = duckdb.sql("SELECT 170141183460469231731687303715884105727::HUGEINT AS x").pl()

    assert as_csv(frame) == "x\n170141183460469231731687303715884105727\n"


def test_a_value_that_has_no_text_is_refused_by_its_column():
    frame = pl.DataFrame({"good": [1], "bad": [object()]})

    with pytest.raises(OutputError, match="bad"):
        as_json(frame)


def test_a_column_name_that_looks_like_a_pattern_is_a_name():
    assert as_csv(pl.DataFrame({"^a.*$": [1], "ab": [2]})) == "^a.*$,ab\n1,2\n"


def test_csv_tells_null_from_an_empty_text():
    assert as_csv(pl.DataFrame({"a": [None, ""], "b": ["x", "x"]})) == 'a,b\n,x\n"",x\n'


def test_csv_of_one_column_loses_no_row_of_null():
    assert as_csv(pl.DataFrame({"a": [None, "x"]})) == 'a\n""\nx\n'


def test_csv_leaves_a_formula_as_the_data_that_it_is():
    assert as_csv(pl.DataFrame({"a": ["=1+1", "@x"]})) == "a\n=1+1\n@x\n"


def test_parquet_keeps_types_and_values():
    assert pl.read_parquet(as_parquet(ROWS)).equals(ROWS)


@pytest.mark.parametrize(
    "name, text",
    [
        (Format.TABLE, "a\n─\nno rows\n"),
        (Format.JSON, "[]\n"),
        (Format.JSONL, ""),
        (Format.CSV, "a\n"),
        (Format.MARKDOWN, "| a |\n| --- |\n"),
    ],
)
def test_a_frame_without_rows_is_valid_in_every_format(name, text):
    assert FORMATS[name](pl.DataFrame({"a": []}, schema={"a": pl.String})) == text


def test_every_format_has_a_function():
    assert set(FORMATS) == set(Format)


def test_the_names_of_formats_cost_no_engine():
    code = "import sys, clamp_analytics.render; sys.exit(bool({'polars', 'pyarrow', 'rich'} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@settings(deadline=None)
@given(st.lists(st.text(), min_size=1, max_size=4))
def test_any_text_reads_back_from_json(values):
    text = as_json(pl.DataFrame({"a": values, "b": values}))

    assert json.loads(text) == [{"a": value, "b": value} for value in values]
    assert text.count("\n") == len(values) + 2


@settings(deadline=None)
@given(st.lists(st.text(), min_size=1, max_size=4), st.text())
def test_any_text_and_any_name_reads_back_from_csv(values, name):
    text = as_csv(pl.DataFrame({name: values}))

    assert list(csv.reader(io.StringIO(text, newline=""), strict=True)) == [[name], *([value] for value in values)]


@settings(deadline=None)
@given(st.integers(-(2**127), 2**127 - 1))
def test_any_integer_of_128_bits_reads_back(value):
    frame = one(value, pl.Int128)

    assert json.loads(json_text(frame)) == value
    assert as_csv(frame) == f"x\n{value}\n"


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_float_reads_back(value):
    frame = one(value, pl.Float64)

    assert json.loads(json_text(frame)) == value
    assert float(as_csv(frame).splitlines()[1]) == value


@settings(deadline=None)
@given(st.datetimes(min_value=dt.datetime(1, 1, 1), timezones=st.just(dt.UTC)))
def test_any_timestamp_reads_back(value):
    assert dt.datetime.fromisoformat(json.loads(json_text(one(value, pl.Datetime("us", "UTC"))))) == value


@settings(deadline=None)
@given(st.lists(st.text(), min_size=1, max_size=3), st.text())
def test_any_text_stays_in_its_markdown_cell(values, name):
    frame = pl.DataFrame({name: values, name + "2": values})

    lines = as_markdown(frame).splitlines()
    assert len(lines) == len(values) + 2
    assert {len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in lines} == {3}


@settings(deadline=None)
@given(st.text(), st.sampled_from(TEXT_FORMATS))
def test_every_text_format_is_valid_utf8_and_ends_with_one_line_end(value, name):
    text = FORMATS[name](pl.DataFrame({"a": [value]}))

    assert text.encode().decode() == text
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
