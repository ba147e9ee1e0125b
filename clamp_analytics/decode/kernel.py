"""The native decoder, the distribution ``clamp-analytics-kernel``, where it is installed.

It decodes files in which nothing is wrong, without the interpreter's lock. Every other file is doubtful and is decoded
in Python, which names each fault. Both give the same tables, byte for byte.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from typing import Any, Protocol, cast

KERNEL_VARIABLE = "CLAMP_ANALYTICS_KERNEL"
"""The environment variable that turns the native decoder off where its value is ``off``."""

INTERFACE = 1
"""The version of the functions below; the module says which one it has."""


class PartSummary(Protocol):
    """What the records of a part of a large file have in common."""

    record_count: int
    in_flight_count: int
    first_acquired_us: int | None
    last_acquired_us: int | None
    score_total: int
    """The exact sum of the scores, in units of 2^-90."""
    printed_short: bool
    """Whether all scores have at most three significant digits."""
    deprecated_fields: tuple[str, int] | None
    """The names, and how often they occur."""
    unknown_fields: tuple[str, int] | None


class Kernel(Protocol):
    """The functions of the native decoder; their tables are taken through the Arrow C data interface."""

    INTERFACE: int
    __version__: str

    def decode_files(
        self, files: Sequence[str | bytes | None], columns: Sequence[str], session_ids: bool, in_flight_listed: int
    ) -> tuple[list[int], Any, Any, Any]:
        """Decode files: the indexes of doubtful ones; then sessions, records and records in flight of the others."""

    def decode_span(
        self, path: str, start: int, end: int, columns: Sequence[str], in_flight_listed: int
    ) -> tuple[PartSummary, Any, Any] | None:
        """Decode the records between two offsets: their summary, records and records in flight; None if doubtful."""


def load_kernel() -> Kernel | None:
    """The native decoder; None where it is turned off, not installed, or of another version than this package."""
    found = _installed() if os.environ.get(KERNEL_VARIABLE) != "off" else None
    return found if found is not None and found.INTERFACE == INTERFACE else None


def describe_decoder() -> str:
    """Which decoder is used, and why."""
    if os.environ.get(KERNEL_VARIABLE) == "off":
        return f"pure Python ({KERNEL_VARIABLE}=off)"
    found = _installed()
    if found is None:
        return "pure Python (clamp-analytics-kernel is not installed)"
    if found.INTERFACE != INTERFACE:
        return f"pure Python (clamp-analytics-kernel {found.__version__} does not fit this version)"
    return f"native (clamp-analytics-kernel {found.__version__})"


def _installed() -> Kernel | None:
    try:
        return cast("Kernel", importlib.import_module("clamp_analytics_kernel"))
    except ImportError:
        return None
