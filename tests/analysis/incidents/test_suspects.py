"""What else changed with an incident."""

from __future__ import annotations

from clamp_analytics.analysis.incidents.suspects import Suspect, find_differences, find_suspects


def test_an_attribute_that_changed_once_and_then_is_the_first_suspect() -> None:
    attributes = {"backend": ["CPU"] * 30 + ["HIP"] * 30}

    assert find_suspects(attributes, 30) == [Suspect("backend", "CPU", "HIP", 1.0)]


def test_an_attribute_that_changed_elsewhere_is_not_a_suspect() -> None:
    attributes = {"backend": ["CPU"] * 20 + ["HIP"] * 40}

    assert find_suspects(attributes, 30) == []


def test_an_attribute_that_changes_with_every_session_comes_last() -> None:
    attributes = {"commit": [str(number) for number in range(60)], "device": ["a"] * 30 + ["b"] * 30}

    found = find_suspects(attributes, 30)

    assert [suspect.attribute for suspect in found] == ["device", "commit"]
    assert found[1] == Suspect("commit", "29", "30", 0.0)


def test_an_attribute_that_appears_is_a_suspect() -> None:
    attributes = {"label driver": [None] * 10 + ["6.2"] * 10}

    assert find_suspects(attributes, 10) == [Suspect("label driver", None, "6.2", 1.0)]


def test_a_value_that_was_there_before_makes_a_weaker_suspect() -> None:
    clear = ["1"] * 10 + ["2"] * 10
    mixed = ["1", "2"] * 4 + ["1"] * 2 + ["2"] * 10

    found = find_suspects({"mixed": mixed, "clear": clear}, 10)

    assert [suspect.attribute for suspect in found] == ["clear", "mixed"]


def test_the_first_session_has_no_suspects() -> None:
    assert find_suspects({"backend": ["CPU", "HIP"]}, 0) == []


def test_sides_differ_in_what_most_sessions_of_each_have() -> None:
    attributes = {"backend": ["CPU"] * 9 + ["HIP"] + ["HIP"] * 10, "device": ["a"] * 20}

    assert find_differences(attributes, 10) == [Suspect("backend", "CPU", "HIP", 0.0)]


def test_an_attribute_without_a_typical_value_is_not_a_difference() -> None:
    attributes = {"commit": [str(number) for number in range(20)]}

    assert find_differences(attributes, 10) == []
