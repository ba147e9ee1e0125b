"""The recorder: anchors, locks and the telemetry that collects what they do.

The names below are imported when they are first used: the pytest plugin lives in this package, and a test
run that does not ask for telemetry pays nothing for it. None of them loads the analytics side, asyncio or
multiprocessing. ``docs/recording.md`` says what the recorder guarantees.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clamp_analytics.recorder.anchor import AnchorState, ClampAnchor, anchored
    from clamp_analytics.recorder.locks import AnchoredAsyncLock, AnchoredLock, AnchoredRLock
    from clamp_analytics.recorder.store import Record
    from clamp_analytics.recorder.telemetry import EntropyTelemetry, default_telemetry, set_default_telemetry
    from clamp_analytics.recorder.warning import RecorderWarning

_HOME = {
    "AnchorState": "anchor",
    "AnchoredAsyncLock": "locks",
    "AnchoredLock": "locks",
    "AnchoredRLock": "locks",
    "ClampAnchor": "anchor",
    "EntropyTelemetry": "telemetry",
    "Record": "store",
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
        home = _HOME[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value  # found without this function from now on
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
