"""The recorder: anchors and locks, and the telemetry that collects their records and writes session files.

The names below are imported when they are first used. The pytest plugin is part of this package, and a test
run without telemetry must not pay for the rest. None of the names imports the analysis packages, asyncio or
multiprocessing. ``docs/explanations/recorder.md`` describes what the recorder guarantees.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clamp_analytics.recorder.anchor import AnchorState, ClampAnchor, anchored
    from clamp_analytics.recorder.buffer import Record
    from clamp_analytics.recorder.locks import AnchoredAsyncLock, AnchoredLock, AnchoredRLock
    from clamp_analytics.recorder.telemetry import EntropyTelemetry, default_telemetry, set_default_telemetry
    from clamp_analytics.recorder.warning import RecorderWarning

_MODULES = {
    "AnchorState": "anchor",
    "AnchoredAsyncLock": "locks",
    "AnchoredLock": "locks",
    "AnchoredRLock": "locks",
    "ClampAnchor": "anchor",
    "EntropyTelemetry": "telemetry",
    "Record": "buffer",
    "RecorderWarning": "warning",
    "anchored": "anchor",
    "default_telemetry": "telemetry",
    "set_default_telemetry": "telemetry",
}

__all__ = [
    "AnchorState",
    "AnchoredAsyncLock",
    "AnchoredLock",
    "AnchoredRLock",
    "ClampAnchor",
    "EntropyTelemetry",
    "Record",
    "RecorderWarning",
    "anchored",
    "default_telemetry",
    "set_default_telemetry",
]


def __getattr__(name: str) -> Any:
    try:
        module = _MODULES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    globals()[name] = value  # later lookups do not call this function
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
