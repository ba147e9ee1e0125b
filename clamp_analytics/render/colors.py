"""Colours of a terminal. They repeat what the text says, so that nothing is lost without them."""

from __future__ import annotations

BOLD, DIM = "\x1b[1m", "\x1b[2m"
RED, GREEN, YELLOW = "\x1b[31m", "\x1b[32m", "\x1b[33m"
_RESET = "\x1b[0m"


def paint(text: str, style: str) -> str:
    """A text in a style; the text itself where it or the style is empty."""
    return f"{style}{text}{_RESET}" if style and text else text
