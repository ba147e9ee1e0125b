"""Labels of sessions, from their paths and their files."""

from __future__ import annotations

import json

import polars as pl
import pytest

from clamp_analytics.errors import UsageError
from clamp_analytics.reading.labels import parse_label_rule, parse_label_rules, session_labels


def labels(*rules: str, source: str = "x/build-1134/a.json", extra: object = None, held: str | None = None) -> object:
    sessions = pl.DataFrame(
        {"source": [source], "extra": [None if extra is None else json.dumps(extra)], "labels": [held]},
        schema={"source": pl.String, "extra": pl.String, "labels": pl.String},
    )
    text = session_labels(sessions, parse_label_rules(rules)).item()
    return None if text is None else json.loads(text)


def test_a_group_of_a_pattern_on_the_path_is_a_label() -> None:
    assert labels(r"build=build-(\d+)") == {"build": "1134"}


def test_a_path_that_does_not_match_has_no_label() -> None:
    assert labels(r"build=nightly-(\d+)") is None


def test_an_unknown_field_of_the_file_is_a_label() -> None:
    assert labels("commit=@extra.git_sha", extra={"git_sha": "0f3c"}) == {"commit": "0f3c"}


def test_a_field_that_is_not_a_text_is_its_json() -> None:
    assert labels("node=@extra.node", extra={"node": {"b": 1, "a": 2}}) == {"node": '{"a": 2, "b": 1}'}


def test_a_plain_text_is_the_label_of_all_sessions() -> None:
    assert labels("commit=0f3c") == {"commit": "0f3c"}


def test_a_file_brings_its_own_labels() -> None:
    assert labels(extra={"labels": {"commit": "0f3c", "branch": "main"}}) == {"branch": "main", "commit": "0f3c"}


def test_a_rule_goes_before_the_label_of_the_file() -> None:
    assert labels("commit=1111", extra={"labels": {"commit": "0f3c"}}) == {"commit": "1111"}


def test_labels_that_are_kept_in_an_archive_go_before_the_file_s_field() -> None:
    assert labels(extra={"labels": {"commit": "0f3c"}}, held='{"commit": "2222"}') == {"commit": "2222"}


@pytest.mark.parametrize("own", ["text", 7, ["a"], {"commit": 7}])
def test_a_field_of_another_shape_gives_no_label(own: object) -> None:
    assert labels(extra={"labels": own}) is None


@pytest.mark.parametrize("text", ["build", "=x", "a b=x", "build=", "build=(", r"build=(\d)(\d)"])
def test_a_text_that_is_not_a_rule_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_label_rule(text)


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="two rules for the label 'a'"):
        parse_label_rules(["a=1", "a=2"])
