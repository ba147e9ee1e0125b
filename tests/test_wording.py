"""Text that several parts of the package share."""

from __future__ import annotations

import errno

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clamp_analytics import wording


@pytest.mark.parametrize(
    ("count", "expected"), [(0, "0 sessions"), (1, "1 session"), (2, "2 sessions"), (1200, "1,200 sessions")]
)
def test_a_noun_agrees_with_its_count(count: int, expected: str) -> None:
    assert wording.plural(count, "session") == expected


def test_an_irregular_plural_is_given_by_the_caller() -> None:
    assert wording.plural(2, "entry", "entries") == "2 entries"


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.47, "47.0 %"), (0.4918, "49.2 %"), (1.0, "100 %"), (12.5, "1,250 %"), (0, "0.0 %"), (-0.0001, "0.0 %")],
)
def test_a_percentage_has_one_decimal_below_a_hundred(share: float, expected: str) -> None:
    assert wording.percent(share) == expected


@pytest.mark.parametrize(
    ("share", "expected"), [(0.47, "+47.0 %"), (-0.125, "-12.5 %"), (2.0, "+200 %"), (0.0, "0.0 %"), (1e-9, "0.0 %")]
)
def test_a_difference_in_percent_has_a_sign(share: float, expected: str) -> None:
    assert wording.percent(share, signed=True) == expected


@pytest.mark.parametrize(
    ("p", "expected"),
    [(0.25, "0.25"), (0.0312, "0.031"), (0.0001, "0.0001"), (0.00009, "< 0.0001"), (None, "-"), (float("nan"), "-")],
)
def test_a_p_value_has_two_digits_or_a_bound(p: float | None, expected: str) -> None:
    assert wording.p_value(p) == expected


def test_the_reason_of_the_system_is_in_lower_case() -> None:
    assert wording.os_error_reason(OSError(errno.ENOSPC, "No space left on device")) == "no space left on device"


def test_an_error_without_a_text_of_the_system_gives_its_own() -> None:
    assert wording.os_error_reason(OSError("Disk gone")) == "disk gone"


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))))
def test_a_quoted_text_reads_back_in_sql(text: str) -> None:
    value = duckdb.sql(f"SELECT {wording.sql_string(text)} AS value").pl().item()

    assert value == text


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1))
def test_a_quoted_name_is_that_column(text: str) -> None:
    assert duckdb.sql(f"SELECT 1 AS {wording.sql_name(text)}").columns == [text]
