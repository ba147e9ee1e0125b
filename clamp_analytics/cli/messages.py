"""Messages for the person at the terminal; they go to standard error, because standard output is for data."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from clamp_analytics.wording import plural

MOST_LISTED = 10
"""How many items of one kind are listed one by one."""


def tell(text: str) -> None:
    """Print a message; control characters and bytes of paths that are not UTF-8 are escaped."""
    from clamp_analytics.path_names import escape_surrogates
    from clamp_analytics.render.escape import for_terminal

    lines = (for_terminal(line) for line in escape_surrogates(text).split("\n"))
    sys.stderr.write("\n".join(lines) + "\n")


def tell_each(lines: Sequence[str], rest: str) -> None:
    """Print the first messages of many, and say how many are left out.

    Args:
        lines: the messages.
        rest: what is left out, such as ``more rejected; `validate` lists them all``.
    """
    for line in lines[:MOST_LISTED]:
        tell(line)
    if len(lines) > MOST_LISTED:
        tell(f"… and {len(lines) - MOST_LISTED:,} {rest}")


def severity_counts(counts: Iterable[tuple[str, int]]) -> str:
    """Numbers of violations by severity: ``1 error, 2 warnings, 0 info``."""
    return ", ".join(f"{count:,} info" if name == "info" else plural(count, name) for name, count in counts)
