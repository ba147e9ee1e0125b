"""Suspects: what else changed with the first session of an incident, or differs between two sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WINDOW = 20
"""Sessions before and after the incident whose attributes are compared."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """An attribute of sessions that changed together with an incident.

    Attributes:
        attribute: its name, for example ``backend`` or ``label commit``.
        before: its value in most sessions before the incident; None where they have none.
        after: its value in most sessions from the incident on; None where they have none.
        score: from 0 to 1. 1 means: all sessions after have another value than all sessions before, and the attribute
            changes nowhere else. An attribute that changes with every session, such as a commit, is close to 0.
    """

    attribute: str
    before: str | None
    after: str | None
    score: float


def find_suspects(
    attributes: Mapping[str, Sequence[str | None]], first_bad: int, *, window: int = WINDOW
) -> list[Suspect]:
    """Rank the attributes that changed with a session.

    Args:
        attributes: for each attribute its value in every session, in the order of time; None where it has none.
        first_bad: index of the first session of the incident.
        window: how many sessions on each side are compared.

    Returns:
        The suspects, the highest score first; attributes that did not change at ``first_bad`` are not among them.
    """
    suspects = []
    for name, values in attributes.items():
        before, after = values[max(first_bad - window, 0) : first_bad], values[first_bad : first_bad + window]
        if not before or not after or before[-1] == after[0]:
            continue
        score = _separation(before, after) * _rareness(values, first_bad)
        suspects.append(Suspect(name, before[-1], after[0], round(score, 4)))
    return sorted(suspects, key=lambda suspect: (-suspect.score, suspect.attribute))


def find_differences(attributes: Mapping[str, Sequence[str | None]], first: int) -> list[Suspect]:
    """Rank the attributes in which the sessions of two sides differ.

    An attribute without a value that more than half of the sessions of a side have, such as a commit of many, is not
    among them.

    Args:
        attributes: for each attribute its value in every session, those of the baseline first.
        first: index of the first session of the candidate.

    Returns:
        The suspects, the highest score first: 1 means that no session of a side has a value of the other side.
    """
    suspects = []
    for name, values in attributes.items():
        before, after = values[:first], values[first:]
        (old, old_count), (new, new_count) = (Counter(side).most_common(1)[0] for side in (before, after))
        if old != new and 2 * old_count > len(before) and 2 * new_count > len(after):
            suspects.append(Suspect(name, old, new, round(_separation(before, after), 4)))
    return sorted(suspects, key=lambda suspect: (-suspect.score, suspect.attribute))


def _separation(before: Sequence[str | None], after: Sequence[str | None]) -> float:
    """The share of sessions whose value is not found on the other side."""
    left, right = set(before), set(after)
    apart = sum(value not in right for value in before) / len(before) * sum(value not in left for value in after)
    return apart / len(after)


def _rareness(values: Sequence[str | None], first_bad: int) -> float:
    """How seldom the attribute changes elsewhere: 1 if never, 0 if with every session."""
    others = [index for index in range(1, len(values)) if index != first_bad]
    if not others:
        return 1.0
    return 1.0 - sum(values[index] != values[index - 1] for index in others) / len(others)
