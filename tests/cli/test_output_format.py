"""The format of an output by its file name."""

from enum import StrEnum

import pytest

from clamp_analytics.cli.output_format import choose_format
from clamp_analytics.errors import UsageError


class Formats(StrEnum):
    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    SARIF = "sarif"


@pytest.mark.parametrize(
    "output, chosen",
    [
        (None, Formats.TABLE),
        ("-", Formats.TABLE),
        ("out", Formats.TABLE),
        ("out.log", Formats.TABLE),
        ("out.txt", Formats.TABLE),
        ("out.csv", Formats.CSV),
        ("runs.v2/OUT.JSON", Formats.JSON),
        ("out.sarif", Formats.SARIF),
        ("out.sarif.json", Formats.SARIF),
    ],
)
def test_the_name_of_the_output_decides(output, chosen):
    assert choose_format(Formats, None, output) is chosen


def test_a_given_format_has_precedence_over_the_name():
    assert choose_format(Formats, Formats.JSON, "out.csv") is Formats.JSON


def test_the_format_of_the_name_must_be_one_of_the_command():
    with pytest.raises(UsageError, match="the format markdown is not one of this command"):
        choose_format(Formats, None, "out.md")
