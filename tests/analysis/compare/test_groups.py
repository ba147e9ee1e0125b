"""Comparison by group, and of two groups within the same sessions."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from clamp_analytics.analysis.compare import VERDICT_COLUMNS, compare, compare_groups
from clamp_analytics.analysis.incidents.gate import FailOn
from clamp_analytics.errors import SourceError, UsageError
from tests.analysis.compare.conftest import noise, side, verdicts


def test_groups_on_one_side_only_are_listed():
    found = compare(side({"a": [1, 1], "gone": [1, 1]}), side({"a": [1, 1], "new": [1, 1, 1]}, name="t"))

    assert found.appeared.rows() == [("new", 3, 9)]
    assert found.vanished.rows() == [("gone", 2, 6)]
    assert found.verdicts["context"].to_list() == ["a"]


def test_a_group_without_a_name_is_a_group():
    found = compare(side({None: [1, 2], "a": [1, 2]}), side({None: [1, 2]}, name="t"))

    assert (found.verdicts["context"].to_list(), found.vanished["context"].to_list()) == ([None], ["a"])


def test_the_worst_verdict_comes_first_then_the_largest_effect():
    before = {"small": noise(20, 1), "large": noise(20, 2), "same": noise(20, 3), "better": noise(20, 4)}
    after = {"small": noise(20, 5, 1.5), "large": noise(20, 6, 3), "same": noise(20, 7), "better": noise(20, 8, 0.5)}

    found = compare(side({**before, "few": [1, 1]}), side({**after, "few": [1, 1]}, name="t"))

    assert verdicts(found) == [
        ("large", "regressed"),
        ("small", "regressed"),
        ("better", "improved"),
        ("few", "not enough data"),
        ("same", "unchanged"),
    ]
    assert found.worst == "regressed"


def test_sides_without_a_context_in_common_are_an_error_that_names_theirs():
    with pytest.raises(SourceError, match="no context in common") as error:
        compare(side({"a": [1, 2]}), side({"b": [1, 2]}, name="t"))

    assert error.value.hint == "the baseline has 'a'; the candidate has 'b'"


def test_a_check_fails_on_changes_for_the_worse_only():
    before = {"worse": noise(20, 1), "better": noise(20, 2), "same": noise(20, 3)}
    after = {"worse": noise(20, 4, 2), "better": noise(20, 5, 0.5), "same": noise(20, 6)}

    found = compare(side(before), side(after, name="t"))

    assert found.failing(FailOn.REGRESSION)["context"].to_list() == ["worse"]
    assert found.failing(FailOn.NEVER).is_empty()


def test_values_of_one_session_are_compared_in_pairs():
    generator = np.random.default_rng(1)
    session = generator.normal(0, 0.15, 12)
    groups = {
        ("CPU", "a"): np.exp(session + generator.normal(0, 0.03, 12)),
        ("HIP", "a"): np.exp(session + generator.normal(0, 0.03, 12)) * 1.08,
    }

    found = compare_groups(side(groups, by=("backend", "context")), split="backend", baseline="CPU", candidate="HIP")

    # Apart from each other, 8 % are lost in a noise of 15 %.
    assert found.verdicts.select("verdict", "paired", "baseline_sessions").rows() == [("regressed", True, 12)]


def test_the_columns_are_the_declared_ones():
    found = compare(side({"a": [1, 2]}), side({"a": [1, 2]}, name="t"))

    assert dict(found.verdicts.schema) == {
        "context": pl.String,
        **{name: kind for name, (kind, _) in VERDICT_COLUMNS.items()},
    }


def test_equal_input_gives_equal_verdicts():
    before, after = side({"a": noise(30, 1), "b": noise(30, 2)}), side({"a": noise(30, 3), "b": noise(30, 4)}, name="t")

    assert compare(before, after).verdicts.equals(compare(before, after).verdicts)


def test_backends_are_compared_within_the_same_sessions():
    groups = {
        ("CPU", "a"): noise(20, 1),
        ("HIP", "a"): noise(20, 2, 0.2),
        ("HIP", "b"): noise(20, 3),
        ("CUDA", "a"): noise(20, 4, 9),
    }

    found = compare_groups(side(groups, by=("backend", "context")), split="backend", baseline="CPU", candidate="HIP")

    assert verdicts(found) == [("a", "improved")]
    assert found.appeared["context"].to_list() == ["b"]
    assert (found.baseline_sessions, found.candidate_sessions, found.in_both) == (20, 20, 0)


def test_an_unknown_backend_is_an_error_that_names_the_nearest_one():
    values = side({("CPU", "a"): [1], ("HIP", "a"): [1]}, by=("backend", "context"))

    with pytest.raises(UsageError, match="did you mean CPU"):
        compare_groups(values, split="backend", baseline="cpu", candidate="HIP")


def test_a_backend_cannot_be_compared_with_itself():
    values = side({("CPU", "a"): [1]}, by=("backend", "context"))

    with pytest.raises(UsageError, match="both sides"):
        compare_groups(values, split="backend", baseline="CPU", candidate="CPU")
