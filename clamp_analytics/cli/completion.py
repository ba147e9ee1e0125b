"""What the shell completes: the names of rules, metrics, columns and queries, each with its meaning."""

from __future__ import annotations


def complete_rules(incomplete: str) -> list[tuple[str, str]]:
    """The rules whose name begins with a text."""
    from clamp_analytics.rules import RULES

    return [(rule.id, rule.sentence) for rule in RULES if rule.id.startswith(incomplete)]


def complete_metrics(incomplete: str) -> list[tuple[str, str]]:
    """The metrics whose name begins with a text."""
    from clamp_analytics.analysis.metrics import METRICS

    return [(name, metric.sentence) for name, metric in METRICS.items() if name.startswith(incomplete)]


def complete_groups(incomplete: str) -> list[str]:
    """The columns whose name begins with a text, by which series can be grouped."""
    from clamp_analytics.analysis.groupings import BY

    return [name for name in (*BY, "none") if name.startswith(incomplete)]


def complete_split_columns(incomplete: str) -> list[str]:
    """The columns whose name begins with a text, two values of which can be compared."""
    from clamp_analytics.analysis.groupings import BY

    return [name for name in BY if name.startswith(incomplete)]


def complete_groupings(incomplete: str) -> list[str]:
    """The columns and periods whose name begins with a text, by which records can be grouped."""
    from clamp_analytics.analysis.groupings import GROUPINGS

    return [name for name in GROUPINGS if name.startswith(incomplete)]


def complete_floors(incomplete: str) -> list[tuple[str, str]]:
    """The metrics whose name begins with a text, each with the equals sign that a floor needs."""
    return [(f"{name}=", sentence) for name, sentence in complete_metrics(incomplete)]


def complete_queries(incomplete: str) -> list[tuple[str, str]]:
    """The queries of the SQL library whose name begins with a text."""
    from clamp_analytics.database import library

    return [(name, query.sentence) for name, query in library().items() if name.startswith(incomplete)]
