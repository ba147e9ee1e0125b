"""What is found in series that are judged together: significant changes, levels, noise and outliers."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from clamp_analytics.analysis.judgement.scales import ScaledSeries, robust_noise
from clamp_analytics.analysis.judgement.search import Searched, correct_p_values, indices_by_length, search_all
from clamp_analytics.analysis.options import JudgeOptions
from clamp_analytics.analysis.stats.arrays import Bools, Floats, np
from clamp_analytics.analysis.stats.change_points import (
    add_early_change,
    fit_segments,
    refine_changes,
    residuals,
    smallest_variances,
)
from clamp_analytics.analysis.stats.evidence import (
    change_intervals,
    change_p_values,
    detectable_shift,
    mostly_equal,
    rare_event_intervals,
    sessions_until_found,
)
from clamp_analytics.analysis.stats.noise_model import NoiseFit, low_frequency_density
from clamp_analytics.analysis.stats.prediction_band import newest_outside
from clamp_analytics.analysis.stats.ranks import mann_whitney
from clamp_analytics.analysis.stats.step_scan import MIN_AFTER
from clamp_analytics.analysis.stats.trend_fit import remove_trend, slope_of
from clamp_analytics.reading.reader import Progress


@dataclass(frozen=True, slots=True)
class Level:
    """The level of a series between two changes, on its scale.

    Attributes:
        start: the index of its first session.
        end: the index after its last session.
        value: the level.
        error: its standard error.
    """

    start: int
    end: int
    value: float
    error: float


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found in one series; levels and noise are on its scale.

    Attributes:
        series: the series on its scale.
        p_value: of a change or trend; nan where the series is too short.
        adjusted_p: corrected for everything that is judged together.
        adjusted_p_independent: of a single step if sessions were independent, corrected in the same way.
        independent_step: the index of that step, if it is a suspect.
        is_trend: whether a significant trend explains the series better than steps.
        slope: of the line through the series, per session.
        change_p_values: the p-value of each significant change, given the others.
        intervals: the smallest and largest plausible index of each significant change.
        levels: the levels between the significant changes; one where there are none.
        possible_levels: the levels between all changes of the segmentation with the most evidence, of which some may
            be noise; one where none is significant.
        noise: the standard deviation of a session.
        detectable: the smallest lasting step that would have been found; nan where none would have been.
        newest_outside: how many of the newest sessions are outside the range of the others: positive where they are
            above it, negative where they are below.
        outliers: the indices of single sessions far from their level.
        sessions_to_confirm: further sessions that would confirm the step that only independent noise rules out; None
            where it is unknown.
        names: the names of the sessions; None where they have none.
    """

    series: ScaledSeries
    p_value: float
    adjusted_p: float
    adjusted_p_independent: float
    independent_step: int
    is_trend: bool
    slope: float
    change_p_values: tuple[float, ...]
    intervals: tuple[tuple[int, int], ...]
    levels: tuple[Level, ...]
    possible_levels: tuple[Level, ...]
    noise: float
    detectable: float
    newest_outside: int
    outliers: tuple[int, ...]
    sessions_to_confirm: int | None
    names: Sequence[str] | None = None

    @property
    def sessions(self) -> int:
        """The number of values."""
        return int(self.series.values.size)


def find_all(
    series: Sequence[ScaledSeries],
    groups: Sequence[Hashable],
    families: Sequence[Hashable],
    options: JudgeOptions,
    progress: Progress | None = None,
) -> list[Finding | None]:
    """Find what is significant in series; p-values are corrected within each family.

    Returns:
        The findings in the order of the series; None for a series that is too short.
    """
    searched = search_all([one.values for one in series], progress)
    adjusted, independent, alphas = correct_p_values(searched, groups, families, options)
    models = [
        None if found is None else _model(found, options, significant=bool(p <= options.alpha))
        for found, p in zip(searched, adjusted, strict=True)
    ]
    detectable = np.full(len(series), np.nan)
    for indices in indices_by_length([one.values for one in series]).values():
        left = np.stack([model.left for index in indices if (model := models[index]) is not None])
        detectable[indices] = detectable_shift(left, alphas[indices])
    return [
        None
        if found is None or model is None
        else _finding(
            one,
            found,
            model,
            float(alphas[i]),
            options,
            adjusted_p=float(adjusted[i]),
            adjusted_p_independent=float(independent[i]),
            detectable=float(detectable[i]),
        )
        for i, (one, found, model) in enumerate(zip(series, searched, models, strict=True))
    ]


@dataclass(frozen=True, slots=True)
class _Model:
    """The model of a series: its significant changes or trend.

    Attributes:
        is_trend: whether it is a trend.
        is_change: whether a level begins at each index.
        clipped: the values in units of their noise, clipped about the levels.
        noise: the noise of what is left.
        left: the scores that are left.
        p_values: the p-value of each change.
    """

    is_trend: bool
    is_change: Bools
    clipped: Floats
    noise: NoiseFit
    left: Floats
    p_values: Floats


def _model(found: Searched, options: JudgeOptions, *, significant: bool) -> _Model:
    is_trend = significant and found.is_trend
    is_change = found.is_change if significant and not is_trend else np.zeros(found.is_change.shape, dtype=bool)
    is_change, p_values = _significant_changes(found.scores, is_change, options.further_alpha)
    is_change, clipped, noise = refine_changes(found.values, is_change)
    left = remove_trend(found.scores[None])[0] if is_trend else residuals(found.scores[None], is_change[None])[0]
    return _Model(is_trend, is_change, clipped, noise, left, p_values)


def _significant_changes(scores: Floats, is_change: Bools, alpha: float) -> tuple[Bools, Floats]:
    """Return the changes that remain when the least significant one is removed as long as it is not significant.

    The segmentation as a whole is significant, but one of its changes may still be noise beside the others.
    """
    is_change = is_change.copy()
    p_values = _p_values_of_changes(scores, is_change)
    while p_values.size > 1 and p_values.max() > alpha:
        is_change[np.flatnonzero(is_change)[p_values.argmax()]] = False
        p_values = _p_values_of_changes(scores, is_change)
    return is_change, p_values


def _p_values_of_changes(scores: Floats, is_change: Bools) -> Floats:
    p_values = change_p_values(scores, is_change)
    if not mostly_equal(scores[None])[0]:
        return p_values
    # A Gaussian likelihood overrates rare events among equal values; the ranks of the two levels do not.
    spans = list(pairwise([0, *np.flatnonzero(is_change).tolist(), scores.size]))
    by_rank = [mann_whitney(scores[slice(*one)], scores[slice(*other)]) for one, other in pairwise(spans)]
    return np.maximum(p_values, by_rank)


def _finding(
    series: ScaledSeries,
    found: Searched,
    model: _Model,
    alpha: float,
    options: JudgeOptions,
    *,
    adjusted_p: float,
    adjusted_p_independent: float,
    detectable: float,
) -> Finding:
    slope = float(slope_of(found.scores[None])[0]) * found.unit
    flat = series.values
    if model.is_trend:
        flat = flat - slope * (np.arange(flat.size) - (flat.size - 1) / 2)
    levels, residual, noise = _levels(replace(series, values=flat), found, model.is_change, model.noise)
    is_suspect = adjusted_p > options.alpha and adjusted_p_independent <= options.suspect_alpha
    step = _refined_step(found) if is_suspect else 0
    return Finding(
        series=series,
        p_value=found.p_value,
        adjusted_p=adjusted_p,
        adjusted_p_independent=adjusted_p_independent,
        independent_step=step,
        is_trend=model.is_trend,
        slope=slope,
        change_p_values=tuple(model.p_values.tolist()),
        intervals=tuple(_intervals(found, model)),
        levels=levels,
        possible_levels=_possible_levels(series, found) if len(levels) > 1 else levels,
        noise=noise,
        detectable=detectable * found.unit,
        newest_outside=newest_outside(residual),
        outliers=_outliers(residual, options.outlier_sds),
        sessions_to_confirm=sessions_until_found(found.scores, step, alpha) if is_suspect else None,
    )


def _intervals(found: Searched, model: _Model) -> list[tuple[int, int]]:
    intervals = change_intervals(model.clipped, model.is_change, model.noise)
    if not mostly_equal(found.scores[None])[0]:
        return intervals
    wider = rare_event_intervals(found.values, model.is_change)
    return [(min(one[0], other[0]), max(one[1], other[1])) for one, other in zip(intervals, wider, strict=True)]


def _refined_step(found: Searched) -> int:
    is_change = np.zeros(found.is_change.shape, dtype=bool)
    is_change[found.independent_step] = True
    return int(refine_changes(found.values, is_change)[0].argmax())


def _possible_levels(series: ScaledSeries, found: Searched) -> tuple[Level, ...]:
    is_change = add_early_change(found.scores, found.is_change)
    scores = found.scores[None]
    noise = fit_segments(scores, is_change[None], smallest_variances(scores))
    return _levels(series, found, is_change, noise)[0]


def _levels(
    series: ScaledSeries, found: Searched, is_change: Bools, noise_fit: NoiseFit
) -> tuple[tuple[Level, ...], Floats, float]:
    """Return the levels, the values less them, and the noise of a session."""
    values = series.values
    spans = list(pairwise([0, *np.flatnonzero(is_change).tolist(), values.size]))
    noise = robust_noise(np.concatenate([values[a:b] - np.median(values[a:b]) for a, b in spans]))
    variance = float(noise_fit.variances[0]) * found.unit**2
    of_mean = variance * low_frequency_density(int(noise_fit.cells[0]))
    levels, residual = [], values.copy()
    for a, b in spans:
        level = series.level(a, b, noise)
        levels.append(Level(a, b, level, float(np.sqrt(min(of_mean / (b - a), variance)))))
        residual[a:b] -= level
    return tuple(levels), residual, noise


def _outliers(residual: Floats, sds: float) -> tuple[int, ...]:
    """Return the indices of at most two sessions in a row that are far from their level.

    Where more than a tenth of the sessions are far from it, the distribution has heavy tails, and none is an outlier.
    """
    sd = robust_noise(residual) or float(residual.std())
    far = np.flatnonzero(np.abs(residual) > sds * sd) if sd > 0 else np.zeros(0, dtype=np.int64)
    if far.size > max(residual.size // 10, 1):
        return ()
    runs = np.split(far, np.flatnonzero(np.diff(far) > 1) + 1)
    return tuple(int(index) for run in runs if run.size < MIN_AFTER for index in run)
