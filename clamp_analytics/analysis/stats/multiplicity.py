"""Corrections for the number of tests, where tests form groups."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from clamp_analytics.analysis.stats.arrays import Floats, np
from clamp_analytics.analysis.stats.ranks import benjamini_hochberg


def simes(p_values: Floats) -> float:
    """Return the p-value of the hypothesis that none of several effects exists; nan where nothing was tested.

    Source: Simes, An Improved Bonferroni Procedure for Multiple Tests of Significance, 1986,
    doi:10.1093/biomet/73.3.751. It is the smallest p-value adjusted as by Benjamini and Hochberg.
    """
    adjusted = benjamini_hochberg(p_values)
    return float(np.nanmin(adjusted)) if np.any(~np.isnan(adjusted)) else float("nan")


def adjust_in_groups(p_values: Floats, groups: Sequence[Hashable], alpha: float) -> Floats:
    """Return p-values adjusted for the number of groups first, and for the tests within a group second.

    A group is selected by its Simes p-value, adjusted for the number of groups. Within the R selected ones of G groups
    the tests are adjusted for their number, and for the selection by the factor G / R. Metrics of one context are
    nearly copies of each other: counted one by one, they would make all contexts pay for their number.

    Source: Benjamini and Bogomolov, Selective Inference on Multiple Families of Hypotheses, 2014,
    doi:10.1111/rssb.12028.

    Args:
        p_values: nan for a test that was not made; it stays nan and is not counted.
        groups: the group of each test.
        alpha: the false discovery rate at which groups are selected.

    Returns:
        Adjusted p-values: those at most ``alpha`` are discoveries.
    """
    members: dict[Hashable, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    rows = [np.array(indices) for indices in members.values()]
    of_groups = benjamini_hochberg(np.array([simes(p_values[indices]) for indices in rows]))
    selected = int(np.sum(of_groups <= alpha))
    factor = np.sum(~np.isnan(of_groups)) / max(selected, 1)
    adjusted = np.full(p_values.shape, np.nan)
    for indices, of_group in zip(rows, of_groups, strict=True):
        within = benjamini_hochberg(p_values[indices]) * factor
        adjusted[indices] = np.minimum(np.maximum(within, of_group), 1.0)
    return adjusted
