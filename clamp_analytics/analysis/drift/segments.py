"""All change points of a series: splits of splits, as long as each one is beyond noise."""

from __future__ import annotations

from dataclasses import dataclass, replace

from clamp_analytics.analysis.drift.shift import Shift, find_shift
from clamp_analytics.analysis.stats import Floats


@dataclass(frozen=True, slots=True)
class Change:
    """A change point.

    Attributes:
        start: the first position of the level before it.
        end: the position behind the level after it.
        shift: the shift between the two; its place is counted from the series' first position.
    """

    start: int
    end: int
    shift: Shift

    @property
    def place(self) -> int:
        """The first position after the change."""
        return self.shift.place


def change_points(values: Floats, margin: int, limit: float, level: float, first: Shift) -> list[Change]:
    """The change points of a series, in order.

    Binary segmentation (Vostrikova, Detecting Disorder in Multidimensional Random Processes, 1981): the series is split
    at its best place, then its parts are. Each place is then looked for anew between its neighbours, because the first
    split saw the later ones as noise, and what is not significant there goes.

    Args:
        values: the series on its scale.
        margin: the least number of sessions a side.
        limit: the autocorrelation up to which sessions are tested as they are.
        level: the p-value that a change may have at most.
        first: the best shift of the whole series.

    Returns:
        The changes; none where the first shift is above the level.
    """
    places: list[int] = []
    waiting = [(0, values.size, first)]
    while waiting:
        start, end, shift = waiting.pop()
        if shift.p > level:
            continue
        places.append(start + shift.place)
        for part in ((start, start + shift.place), (start + shift.place, end)):
            inner = find_shift(values[part[0] : part[1]], margin, limit)
            if inner is not None:
                waiting.append((*part, inner))
    return _settled(values, margin, limit, level, sorted(places))


def _settled(values: Floats, margin: int, limit: float, level: float, places: list[int]) -> list[Change]:
    """The places looked for anew between their neighbours, without those that are not significant there."""
    while places:
        edges = [0, *places, values.size]
        shifts = []
        # One after the other, so that each keeps its distance from where the one before it moved to.
        for number in range(1, len(edges) - 1):
            start, end = edges[number - 1], edges[number + 1]
            found = find_shift(values[start:end], margin, limit)
            assert found is not None
            edges[number] = start + found.place
            shifts.append(replace(found, place=edges[number]))
        weakest = max(shifts, key=lambda shift: shift.p)
        if weakest.p <= level:
            return [Change(edges[number], edges[number + 2], shift) for number, shift in enumerate(shifts)]
        places = [shift.place for shift in shifts if shift is not weakest]
    return []
