"""Baselines of violations: their bytes, and what is new, known or no longer occurs."""

from pathlib import Path

import pytest

from clamp_analytics.analysis.violation_baseline import (
    BaselineEntry,
    baseline_lines,
    compare_with_baseline,
    parse_baseline,
    read_baseline,
)
from clamp_analytics.errors import UsageError
from tests.render.builders import violations

HERE = Path()


def fault(source, rule, field="seed", count=1, record=0):
    return (source, record, rule, "warning", field, None, count, "A sentence.", None)


def zero_seeds(source, records):
    return [fault(source=source, rule="seed-zero", record=record) for record in range(records)]


def read(rows):
    """The entries of the baseline that accepts these violations."""
    return parse_baseline(baseline_lines(violations(rows), HERE), "known.jsonl")


def test_a_baseline_has_a_sorted_line_per_source_rule_and_field():
    rows = [*zero_seeds("b.json", 2), fault(source="a.json", rule="truncated", field=None)]

    assert baseline_lines(violations(rows), HERE).decode().splitlines() == [
        '{"clamp_violations_baseline":1}',
        '{"source":"a.json","rule":"truncated","field":null,"count":1}',
        '{"source":"b.json","rule":"seed-zero","field":"seed","count":2}',
    ]


def test_the_bytes_of_a_baseline_do_not_depend_on_the_order_of_violations():
    rows = [*zero_seeds("b.json", 2), *zero_seeds("a.json", 1)]

    assert baseline_lines(violations(rows), HERE) == baseline_lines(violations(rows[::-1]), HERE)


def test_sources_are_relative_to_the_folder_of_the_baseline():
    relative = violations(zero_seeds("runs/a.json", 1))
    absolute = violations(zero_seeds("/work/runs/a.json", 1))

    assert baseline_lines(relative, HERE) == baseline_lines(absolute, Path("/work"))


def test_sources_of_object_storage_and_standard_input_stay_as_they_are():
    rows = [*zero_seeds("-", 1), *zero_seeds("s3://bucket/a.json", 1)]

    assert [entry.source for entry in read(rows)] == ["-", "s3://bucket/a.json"]


def test_a_rule_of_whole_files_counts_once_however_often_it_occurs():
    rows = [fault(source="a.json", rule="deprecated-field", field="backend", count=15)]

    assert read(rows) == [BaselineEntry("a.json", "deprecated-field", "backend", 1)]


def test_a_fault_that_occurs_more_often_than_accepted_is_new_as_a_whole():
    compared = compare_with_baseline(
        violations(zero_seeds("a.json", 3)), ["a.json"], read(zero_seeds("a.json", 2)), HERE
    )

    assert (compared.new.height, compared.known) == (3, 0)


def test_a_fault_that_occurs_less_often_is_known():
    compared = compare_with_baseline(
        violations(zero_seeds("a.json", 1)), ["a.json"], read(zero_seeds("a.json", 2)), HERE
    )

    assert (compared.new.height, compared.known, compared.resolved) == (0, 1, [])


def test_an_entry_without_a_field_accepts_a_violation_without_one():
    rows = [fault(source="a.json", rule="truncated", field=None)]

    assert compare_with_baseline(violations(rows), ["a.json"], read(rows), HERE).new.is_empty()


def test_entries_that_no_longer_occur_are_told_apart_from_files_that_were_not_read():
    baseline = read([*zero_seeds("fixed.json", 1), *zero_seeds("elsewhere.json", 1)])

    compared = compare_with_baseline(violations([]), ["fixed.json"], baseline, HERE)

    assert [str(entry) for entry in compared.resolved] == ["fixed.json: seed-zero seed"]
    assert compared.unread == 1


@pytest.mark.parametrize(
    "content",
    [b"notes", b'{"clamp_violations_baseline":1}\n{"source":1}\n', b'{"clamp_violations_baseline":1}\n\xff\n'],
)
def test_a_file_that_is_not_a_baseline_is_refused(tmp_path, content):
    (tmp_path / "known.jsonl").write_bytes(content)

    with pytest.raises(UsageError, match="is not a baseline of violations"):
        read_baseline(tmp_path / "known.jsonl")


def test_the_error_for_a_missing_baseline_says_how_to_write_one(tmp_path):
    with pytest.raises(UsageError, match="write_baseline=True"):
        read_baseline(tmp_path / "known.jsonl")
