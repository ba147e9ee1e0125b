"""Clamp telemetry: record it, read it, judge it, summarize it.

The names below are imported when they are first used, so that ``import clamp_analytics.recorder``
in a service loads none of the analytics side.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clamp_analytics.database import connect, run_query
    from clamp_analytics.errors import ClampError
    from clamp_analytics.reading import Counts, Reader, Telemetry, iter_batches, load

__version__ = "0.1.0"

_HOMES = {
    "clamp_analytics.database": ("connect", "run_query"),
    "clamp_analytics.errors": ("ClampError",),
    "clamp_analytics.reading": ("Counts", "Reader", "Telemetry", "iter_batches", "load"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "ClampError",
    "Counts",
    "Reader",
    "Telemetry",
    "__version__",
    "connect",
    "iter_batches",
    "load",
    "run_query",
]


def __getattr__(name: str) -> Any:
    try:
        home = _HOME[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
