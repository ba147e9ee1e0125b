"""Changes of several series become incidents."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from clamp_analytics.analysis.incidents.grouping import SeriesChange, group_changes

TIMES = [datetime(2026, 9, 1, tzinfo=UTC) + timedelta(hours=number) for number in range(200)]


def change(context: str = "gemm", metric: str = "duration_p50_ms", at: int = 60, margin: int = 2) -> SeriesChange:
    return SeriesChange((context,), metric, "worse", "step", at, at - margin, at + margin, 1.0, 1.4, 0.4, "regressed")


def test_changes_that_may_have_begun_together_are_one_incident() -> None:
    changes = [change(metric=name, at=at) for name, at in [("p50", 60), ("p95", 61), ("score", 58)]]

    (found,) = group_changes(changes, TIMES)

    assert (found.metrics, found.groups) == (["p50", "p95", "score"], [("gemm",)])
    assert (found.earliest, found.latest) == (59, 60)


def test_changes_at_different_times_are_two_incidents_the_latest_first() -> None:
    incidents = group_changes([change(at=60), change(at=100)], TIMES)

    assert [found.first_bad for found in incidents] == [100, 60]


def test_the_clearest_change_gives_the_date() -> None:
    vague = replace(change(metric="p95", at=62, margin=5), p_value=0.03)
    clear = replace(change(at=60, margin=1), p_value=0.001)

    (found,) = group_changes([vague, clear], TIMES)

    assert (found.first_bad, found.last_good) == (60, 59)


def test_an_incident_with_one_change_for_the_worse_is_for_the_worse() -> None:
    better = replace(change(metric="in_flight"), direction="better")

    (found,) = group_changes([better, change()], TIMES)

    assert found.direction == "worse"
    assert [part.direction for part in found.changes] == ["worse", "better"]


def test_incidents_for_the_worse_come_first() -> None:
    better = replace(change(at=100), direction="better")

    incidents = group_changes([better, change(at=60)], TIMES)

    assert [found.direction for found in incidents] == ["worse", "better"]


def test_the_first_session_has_no_last_good_one() -> None:
    (found,) = group_changes([change(at=0, margin=0)], TIMES)

    assert found.last_good is None


@st.composite
def changes(draw: st.DrawFn) -> list[SeriesChange]:
    found = []
    for number in range(draw(st.integers(0, 12))):
        low, size = draw(st.integers(0, 150)), draw(st.integers(0, 20))
        at = draw(st.integers(low, low + size))
        found.append(replace(change(context=f"c{number}", at=at), earliest=low, latest=low + size))
    return found


@given(changes(), st.randoms())
def test_incidents_do_not_depend_on_the_order_of_changes(given_changes, random) -> None:
    shuffled = list(given_changes)
    random.shuffle(shuffled)

    assert group_changes(shuffled, TIMES) == group_changes(given_changes, TIMES)


@given(changes())
def test_every_change_is_in_one_incident_and_allows_its_session(given_changes) -> None:
    incidents = group_changes(given_changes, TIMES)

    assert sorted(part.group for found in incidents for part in found.changes) == sorted(
        part.group for part in given_changes
    )
    assert all(part.earliest <= found.first_bad <= part.latest for found in incidents for part in found.changes)


@given(changes())
def test_no_two_incidents_could_be_one(given_changes) -> None:
    incidents = sorted(group_changes(given_changes, TIMES), key=lambda found: found.latest)

    # The changes that end each incident share no session, so no grouping has fewer incidents.
    last = [min(found.changes, key=lambda part: part.latest) for found in incidents]
    assert all(one.latest < other.earliest for one, other in pairwise(last))
