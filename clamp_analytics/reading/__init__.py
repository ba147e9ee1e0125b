"""Read sources into batches of the three tables, in parallel and in a fixed order.

The names below are imported when they are first used, so that ``reading.executors`` can start workers before an
engine is imported.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clamp_analytics.reading.reader import Counts, Reader, Telemetry, collect, iter_batches, load

__all__ = ["Counts", "Reader", "Telemetry", "collect", "iter_batches", "load"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("clamp_analytics.reading.reader"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
