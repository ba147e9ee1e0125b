"""Sources to batches of the three tables, in parallel and in a fixed order.

The names below are imported when they are first used: ``load.pool`` starts workers before an engine is imported.

The package can be called: ``clamp_analytics.load`` is both this package and, for its users, the function ``load``.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clamp_analytics.load.telemetry import Counts, Reader, Telemetry, collect, iter_batches, load

__all__ = ["Counts", "Reader", "Telemetry", "collect", "iter_batches", "load"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("clamp_analytics.load.telemetry"), name)


def __dir__() -> list[str]:
    return sorted(__all__)


class _Callable(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Telemetry:
        """See ``load``."""
        from clamp_analytics.load.telemetry import load

        return load(*args, **kwargs)


# Importing a package binds it in its parent under its own name, whatever stood there before.
sys.modules[__name__].__class__ = _Callable
