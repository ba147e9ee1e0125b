"""Read sources into batches of the three tables, in parallel and in a fixed order.

The names below are imported when they are first used, so that ``reading.executors`` can start workers before an
engine is imported.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clamp_analytics.reading.loading import iter_batches, load
    from clamp_analytics.reading.options import ReadingOptions
    from clamp_analytics.reading.reader import Reader
    from clamp_analytics.reading.telemetry import Counts, Telemetry

__all__ = ["Counts", "Reader", "ReadingOptions", "Telemetry", "iter_batches", "load"]

_MODULES = {
    "Counts": "telemetry",
    "Reader": "reader",
    "ReadingOptions": "options",
    "Telemetry": "telemetry",
    "iter_batches": "loading",
    "load": "loading",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
