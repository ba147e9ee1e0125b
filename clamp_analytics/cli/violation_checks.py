"""Decide whether violations are severe enough to fail a command."""

from __future__ import annotations

from collections.abc import Mapping

from clamp_analytics.cli.options import FailOn


def has_failed(level: FailOn, severities: Mapping[str, int]) -> bool:
    """Whether there are violations of a severity, or of a worse one.

    Args:
        level: the least severity that fails.
        severities: the number of violations by severity.
    """
    if level is FailOn.NEVER:
        return False
    from clamp_analytics.rules import Severity

    ranked = [severity.value for severity in Severity]
    return any(severities.get(name, 0) for name in ranked[: ranked.index(level.value) + 1])
