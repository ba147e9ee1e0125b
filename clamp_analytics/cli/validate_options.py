"""The options of ``validate`` that can be set in ``pyproject.toml``."""

from __future__ import annotations

from dataclasses import dataclass

from clamp_analytics.cli.options import FailOn
from clamp_analytics.errors import UsageError


@dataclass(frozen=True)
class ValidateOptions:
    """Which rules are checked, and when the check fails.

    Attributes:
        select: the rules that are checked; all where there is none.
        ignore: the rules that are not checked.
        fail_on: the least severity of violations that fails the check: error, warning, info or never.
        baseline: the file of accepted violations, relative to the file with the settings; None for none.

    Raises:
        UsageError: there is no such rule.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    fail_on: FailOn = FailOn.ERROR
    baseline: str | None = None

    def __post_init__(self) -> None:
        for option, names in (("select", self.select), ("ignore", self.ignore)):
            for name in names:
                check_rule(name, where=f"{option}={name}")

    def rules(self) -> set[str]:
        """The rules that are checked."""
        from clamp_analytics.rules import BY_ID

        return {rule for rule in (self.select or BY_ID) if rule not in self.ignore}


def check_rule(name: str, *, where: str) -> None:
    """Check that there is a rule.

    Args:
        name: its id.
        where: what named it, for the error.

    Raises:
        UsageError: there is none.
    """
    from clamp_analytics.rules import BY_ID

    if name not in BY_ID:
        hint = "`clamp-analytics validate --rules` lists them"
        raise UsageError.unknown("rule", name, BY_ID, where=where, otherwise=hint)
