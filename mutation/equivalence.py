"""``Equivalent``: mutants of one line that behave as the original does."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Equivalent:
    """Mutants of one line for one reason.

    Attributes:
        module: path of the module.
        line: the line of the source.
        changes: the changes.
        reason: why the behaviour is the same.
    """

    module: str
    line: str
    changes: tuple[str, ...]
    reason: str
