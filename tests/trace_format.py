"""Checks that a trace is valid in the Trace Event Format."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from decimal import Decimal
from typing import Any

from clamp_analytics.trace import DEPTH

ENDLESS = Decimal("Infinity")
REQUIRED = {
    "X": {"name": str, "cat": str, "ts": Decimal, "dur": Decimal, "pid": int, "tid": int, "args": dict},
    "B": {"name": str, "cat": str, "ts": Decimal, "pid": int, "tid": int, "args": dict},
    "M": {"name": str, "pid": int, "args": dict},
}
"""The required keys of each phase with their types; decimals, so that no number is rounded."""


def exactly(text: str) -> Decimal:
    return Decimal(text)


def refuse(name: str) -> Any:
    raise AssertionError(f"{name} is not JSON")


def no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def parsed(data: bytes) -> list[dict[str, Any]]:
    """The events of a trace, after a check of its envelope."""
    document = json.loads(data, parse_float=exactly, parse_constant=refuse, object_pairs_hook=no_key_twice)
    assert document["displayTimeUnit"] in ("ms", "ns")
    # Perfetto reads the unit only if it precedes the events.
    assert list(document) == ["displayTimeUnit", "traceEvents"]
    events: list[dict[str, Any]] = document["traceEvents"]
    assert isinstance(events, list)
    return events


def check_keys(event: dict[str, Any]) -> None:
    required = REQUIRED[event["ph"]]
    assert required.keys() - {"ts", "dur"} <= event.keys()
    for key, kind in required.items():
        kinds = (int, Decimal) if kind is Decimal else (kind,)
        assert isinstance(event[key], kinds), (key, event)
        assert not isinstance(event[key], bool)
    for key in ("ts", "dur"):
        assert math.isfinite(event.get(key, 0))
        assert event.get(key, 0) >= 0
    assert 0 <= event["pid"] < 2**32
    assert 0 <= event.get("tid", 0) < 2**32


def check_metadata(events: list[dict[str, Any]]) -> None:
    """Every process and every track has one name and one sort index, and all ids are distinct."""
    described: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for event in events:
        if event["ph"] == "M":
            track = (event["pid"], event["tid"]) if event["name"].startswith("thread_") else (event["pid"],)
            described[event["name"]].append(track)
            kind = "sort_index" if event["name"].endswith("sort_index") else "name"
            assert isinstance(event["args"][kind], int if kind == "sort_index" else str)
    assert set(described) <= {"process_name", "process_sort_index", "thread_name", "thread_sort_index"}
    for tracks in described.values():
        assert len(set(tracks)) == len(tracks)
    assert described["process_name"] == described["process_sort_index"]
    assert described["thread_name"] == described["thread_sort_index"]
    used = {(event["pid"], event["tid"]) for event in events if event["ph"] != "M"}
    assert used == set(described["thread_name"])
    assert {(pid,) for pid, _ in used} <= set(described["process_name"])
    numbers = [pid for (pid,) in described["process_name"]] + [tid for _, tid in described["thread_name"]]
    assert len(set(numbers)) == len(numbers)


def check_nesting(events: list[dict[str, Any]]) -> None:
    """Events of a track are sorted by start, and each one ends before the events that enclose it."""
    tracks: defaultdict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        if event["ph"] != "M":
            tracks[event["pid"], event["tid"]].append(event)
    for track in tracks.values():
        stack: list[Decimal] = []
        last = Decimal(0)
        for event in track:
            start = Decimal(event["ts"])
            end = start + event["dur"] if event["ph"] == "X" else ENDLESS
            assert start >= last
            last = start
            while stack and stack[-1] <= start:
                stack.pop()
            assert not stack or end <= stack[-1], event
            stack.append(end)
            assert len(stack) <= DEPTH


def checked(data: bytes) -> list[dict[str, Any]]:
    """The events of a trace, after all checks."""
    events = parsed(data)
    for event in events:
        check_keys(event)
    check_metadata(events)
    check_nesting(events)
    return events
