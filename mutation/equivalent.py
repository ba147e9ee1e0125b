"""Mutants that behave as the original does, so that no test can notice them.

Each entry gives the module, the line of its source without the indentation, and the changes. An entry is void once
that line is written in another way.
"""

from __future__ import annotations

from mutation.equivalence import Equivalent
from mutation.equivalent_containers import CONTAINERS
from mutation.equivalent_decoding import DECODING
from mutation.mutants import Mutant

_RULES = "clamp_analytics/rules.py"
_PRECONDITION = "A precondition saves time; the expression decides."
_NULLS = "precondition=lambda field: pl.col(field).null_count() > 0,"

_STATS = "clamp_analytics/analysis/stats"
_TRANSACTION = "clamp_analytics/archive/ingest/transaction.py"
_REGISTERED = "A name that is registered again is replaced, and the connection ends with the transaction."

EQUIVALENT = (
    *DECODING,
    *CONTAINERS,
    *(
        Equivalent(
            _TRANSACTION,
            f'connection.unregister("{name}")',
            (f"connection.unregister('{name}') -> pass",),
            _REGISTERED,
        )
        for name in ("incoming", "members", "retried")
    ),
    Equivalent(
        _RULES,
        "precondition=lambda field: pl.col(field).drop_nulls().n_unique() < pl.col(field).count(),",
        (
            "pl.col(field).drop_nulls().n_unique() < pl.col(field).count()"
            " -> pl.col(field).drop_nulls().n_unique() <= pl.col(field).count()",
        ),
        _PRECONDITION,
    ),
    Equivalent(
        _RULES,
        _NULLS,
        ("pl.col(field).null_count() > 0 -> pl.col(field).null_count() >= 0",),
        _PRECONDITION,
    ),
    Equivalent(_RULES, "null_value=True,", ("True -> False",), "It saves reading a text that is null."),
    Equivalent(
        _RULES,
        "field for rule in RULES if rule.expression and not rule.over_sessions for field in rule.fields",
        ("rule.expression and (not rule.over_sessions) -> rule.expression or not rule.over_sessions",),
        "Faults of more fields are remembered than needed.",
    ),
    Equivalent(
        f"{_STATS}/step_scan.py",
        "while length <= n - MIN_BEFORE - MIN_AFTER:",
        (
            "n - MIN_BEFORE -> n + MIN_BEFORE",
            "n - MIN_BEFORE - MIN_AFTER -> n - MIN_BEFORE + MIN_AFTER",
        ),
        "A segment that is too long for the series has no index to start at.",
    ),
    Equivalent(
        f"{_STATS}/change_points.py",
        "better = evidence > best.evidence[active]",
        ("evidence > best.evidence[active] -> evidence >= best.evidence[active]",),
        "Evidence is exactly equal where nothing could be added, and then the segmentation is the same.",
    ),
    Equivalent(
        f"{_STATS}/brunner_munzel.py",
        "if math.comb(n, left) <= PERMUTATIONS:",
        ("math.comb(n, left) <= PERMUTATIONS -> math.comb(n, left) < PERMUTATIONS",),
        "No two sides of two or more values can be dealt in exactly 9,999 ways.",
    ),
    Equivalent(
        f"{_STATS}/change_points.py",
        "rows = np.flatnonzero(segment[:, -1] >= number)",
        ("1 -> 2",),
        "The last two sessions always have the same level.",
    ),
    Equivalent(
        f"{_STATS}/change_points.py",
        "break",
        ("break -> continue",),
        "The other stages have no series left.",
    ),
    Equivalent(
        f"{_STATS}/change_points.py",
        "better = total < lowest[scanned]",
        ("total < lowest[scanned] -> total <= lowest[scanned]",),
        "The loss is equal where both scans find the same change.",
    ),
    Equivalent(
        f"{_STATS}/change_points.py",
        "continue",
        ("continue -> break",),
        "The last of two scans is the only one that may have no series.",
    ),
    Equivalent(
        f"{_STATS}/change_points.py",
        "better = moved_fit.losses < fit.losses[rows]",
        ("moved_fit.losses < fit.losses[rows] -> moved_fit.losses <= fit.losses[rows]",),
        "The loss is equal where a change has not moved.",
    ),
    Equivalent(
        f"{_STATS}/change_points.py",
        "low, high = max(shift, 0), n + min(shift, 0)",
        ("0 -> 1",),
        "The first and the last index are never allowed.",
    ),
    Equivalent(
        f"{_STATS}/evidence.py",
        "event = (scores != np.median(scores)).astype(np.float64)",
        ("scores != np.median(scores) -> scores == np.median(scores)",),
        "Events and other sessions have the same part in the likelihood.",
    ),
    Equivalent(
        f"{_STATS}/mean_error.py",
        "if self.exceeded(middle) > 2 * (1 - share):",
        ("self.exceeded(middle) > 2 * (1 - share) -> self.exceeded(middle) >= 2 * (1 - share)",),
        "Both ends of the interval converge to the same number.",
    ),
    Equivalent(
        f"{_STATS}/mean_error.py",
        "BISECTIONS = 60",
        ("60 -> 61",),
        "The interval has no number between its ends any more.",
    ),
    Equivalent(
        f"{_STATS}/mean_error.py",
        "for _ in range(BISECTIONS if low < high else 0):",
        ("low < high -> low <= high", "0 -> 1"),
        "The middle of an interval without width is its end.",
    ),
    Equivalent(
        f"{_STATS}/noise_model.py",
        "for row, (phi, rho) in zip(density, CELLS, strict=True):",
        ("True -> False",),
        "Each model has one row.",
    ),
    Equivalent(
        f"{_STATS}/mean_error.py",
        "for side, scale in zip(noisy, scales, strict=True):",
        ("True -> False",),
        "Each side has one scale.",
    ),
    Equivalent(
        f"{_STATS}/multiplicity.py",
        "for indices, of_group in zip(rows, of_groups, strict=True):",
        ("True -> False",),
        "Each group has one p-value.",
    ),
    Equivalent(
        f"{_STATS}/ranks.py",
        "ways = np.zeros((size + 1, int(np.sort(ranks)[-size:].sum()) + 1))",
        ("1 -> 2",),
        "A row or a column more stays zero, or is not read.",
    ),
    Equivalent(
        f"{_STATS}/ranks.py",
        "ways[0, 0] = 1",
        ("1 -> 2",),
        "All numbers of choices are doubled, and only their shares are used.",
    ),
    Equivalent(
        f"{_STATS}/robust_scores.py",
        "unit = np.where(noise > 0, noise, 1.0)",
        ("1.0 -> 2.0",),
        "The scores of a series without noise are 0 in any unit.",
    ),
    Equivalent(
        f"{_STATS}/step_scan.py",
        "cosines = dct(np.concatenate([[0.0], weights, [0.0]]), type=1) / 2",
        ("0.0 -> 1.0",),
        "What the first and the last term add cancels in the differences of these sums.",
    ),
    Equivalent(
        f"{_STATS}/step_scan.py",
        "doubled = 2 * np.arange(n + 1)",
        ("1 -> 2",),
        "A value more is not read.",
    ),
    Equivalent(
        "clamp_analytics/moments.py",
        "parts = [part.cast(pl.Int64).alias(name) for part, name in zip((first, second, third), names, strict=True)]",
        ("True -> False",),
        "Three parts always meet three names.",
    ),
)


def is_equivalent(module: str, mutant: Mutant) -> bool:
    """Whether a mutant of a module is listed here."""
    return any(
        one.module == module and one.line == mutant.original and mutant.change in one.changes for one in EQUIVALENT
    )
