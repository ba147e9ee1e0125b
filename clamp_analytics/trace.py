"""Convert sessions to the Trace Event Format, as a JSON object that Perfetto and chrome://tracing open.

A session becomes a process, a thread a track, and a held lock an event. The format requires complete events of one
track to nest: if two events of a thread overlap without nesting, the later one goes to an additional track of that
thread.

Format: "Trace Event Format", https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
"""

from __future__ import annotations

import json
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from heapq import heappop, heappush
from itertools import count, islice
from pathlib import PurePath
from typing import Any

import polars as pl

from clamp_analytics.reading import Telemetry
from clamp_analytics.schema import Status

COLUMNS = (
    "source",
    "record_index",
    "context",
    "seed",
    "thread_id",
    "acquired_at",
    "released_at",
    "duration_ms",
    "stability_score",
)
"""The columns of ``records`` that a trace needs."""

LAST_US = 2**53
"""Viewers store microseconds since 1970 as doubles, which are not exact beyond this time in the year 2255."""

DEPTH = 250
"""Maximal nesting on one track. Perfetto drops deeper events; the limit of its first versions was 255."""

NO_ACQUISITION = "no usable acquisition"
OUT_OF_RANGE = "a time outside of 1970 to 2255, which viewers cannot represent"

NO_CONTEXT, NO_THREAD = "(no context)", "(no thread id)"

_EVENTS_AT_ONCE = 4096
_NS = 1000
# Later than any possible end, and a whole microsecond.
_ENDLESS_NS = 2 * LAST_US * _NS


@dataclass(frozen=True, slots=True)
class Trace:
    """The events of a trace, to be written with ``chunks``.

    Attributes:
        events: number of records that are shown.
        in_flight: number of events without an end.
        negative: number of events with a negative duration, which are shown with a length of zero.
        left_out: the records that cannot be shown: ``source``, ``record_index`` and ``reason``.
    """

    events: int
    in_flight: int
    negative: int
    left_out: pl.DataFrame
    _names: list[str]
    _rows: pl.DataFrame

    def chunks(self) -> Iterator[bytes]:
        """Yield the content of the file in pieces, with one event per line."""
        # Perfetto ignores the unit unless it precedes the events.
        yield b'{"displayTimeUnit":"ms","traceEvents":['
        lines = _lines(self._names, self._rows)
        separator = "\n"
        while some := list(islice(lines, _EVENTS_AT_ONCE)):
            yield (separator + ",\n".join(some)).encode()
            separator = ",\n"
        yield b"\n]}\n"


def trace(telemetry: Telemetry) -> Trace:
    """Build a trace from the records of all sessions.

    Args:
        telemetry: sessions, and records with at least ``COLUMNS``.
    """
    loaded = telemetry.sessions.filter(pl.col("status") == Status.LOADED.value)
    sources = loaded["source"].unique(maintain_order=True)
    order = pl.DataFrame({"source": sources}).with_row_index("session")
    timed = telemetry.records.select(COLUMNS).with_columns(_time_columns()).with_columns(_length_column())
    reason = (
        pl.when(pl.col("start_us").is_null())
        .then(pl.lit(NO_ACQUISITION))
        .when(~pl.col("start_us").is_between(0, LAST_US) | (pl.col("start_us") + pl.col("length_ms") * 1000 > LAST_US))
        .then(pl.lit(OUT_OF_RANGE))
    )
    checked = timed.with_columns(reason.alias("reason"))
    shown = checked.filter(pl.col("reason").is_null())
    end_ns = pl.col("start_us") * _NS + (pl.col("length_ms") * 1e6).round().cast(pl.Int64)
    rows = (
        shown.with_columns(end_ns=end_ns)
        .join(order, on="source", how="inner")
        # Of events with one start the longest comes first, so that the others nest in it.
        .sort(
            "session",
            "thread_id",
            "start_us",
            "end_ns",
            "record_index",
            descending=[False, False, False, True, False],
            nulls_last=[True, True, True, False, True],
        )
        .select(
            "session",
            "thread_id",
            "start_us",
            "end_ns",
            "record_index",
            "context",
            "seed",
            "stability_score",
            pl.when(pl.col("duration_ms") < 0).then("duration_ms").alias("negative_ms"),
        )
    )
    return Trace(
        events=rows.height,
        in_flight=rows["end_ns"].null_count(),
        negative=rows["negative_ms"].count(),
        left_out=checked.filter(pl.col("reason").is_not_null()).select("source", "record_index", "reason"),
        _names=_process_names(sources.to_list()),
        _rows=rows,
    )


def _time_columns() -> list[pl.Expr]:
    acquired, released = pl.col("acquired_at").dt.epoch("us"), pl.col("released_at").dt.epoch("us")
    return [acquired.alias("start_us"), ((released - acquired) / 1000).alias("span_ms")]


def _length_column() -> pl.Expr:
    """Time in milliseconds that a lock was held, at least 0; null if the anchor is in flight."""
    in_flight = pl.col("released_at").is_null() & (pl.col("duration_ms").fill_null(0) <= 0)
    length = pl.coalesce("duration_ms", "span_ms").clip(lower_bound=0)
    return pl.when(~in_flight).then(length).alias("length_ms")


def _process_names(sources: list[str]) -> list[str]:
    """The file name of each session, or its path if several sessions have the same file name."""
    names = [PurePath(source).name or source for source in sources]
    times = Counter(names)
    return [name if times[name] == 1 else source for name, source in zip(names, sources, strict=True)]


def _lines(names: list[str], rows: pl.DataFrame) -> Iterator[str]:
    """The events of all processes, after the metadata of their process and track."""
    # Processes and threads share one sequence of ids: viewers treat a thread whose id is that of its process as the
    # main thread.
    ids = count(1)
    processes = enumerate(names)
    session, pid, thread, tracks = -1, 0, None, _Tracks()
    tids: list[int] = []
    sort_index = count()
    for row in rows.iter_rows():
        if row[0] != session or row[1] != thread:
            while session < row[0]:
                session, name = next(processes)
                pid, sort_index = next(ids), count()
                yield from _process(pid, session, name)
            thread, tracks, tids = row[1], _Tracks(), []
        start_ns = row[2] * _NS
        number = tracks.assign(start_ns, _ENDLESS_NS if row[3] is None else row[3])
        if number == len(tids):
            tids.append(next(ids))
            yield from _track(pid, tids[-1], next(sort_index), _track_name(thread, number))
        yield _event(pid, tids[number], row)
    for session, name in processes:
        yield from _process(next(ids), session, name)


class _Tracks:
    """The tracks of one thread, with the events that are open on each at the current time.

    Tracks with open events are in ``_open``, or in ``_full`` at the maximal nesting, sorted by (end of the innermost
    event, number). All other tracks are in ``_free``.
    """

    def __init__(self) -> None:
        self._stacks: list[list[int]] = []
        self._free: list[int] = []
        self._open: list[tuple[int, int]] = []
        self._full: list[tuple[int, int]] = []

    def assign(self, start: int, end: int) -> int:
        """The number of the track for an event. Events are passed in order of their start, the longest first."""
        self._end_before(start)
        # A viewer may round the end of an event down by a nanosecond, so it must not touch the end of another one.
        at = bisect_left(self._open, (end if end % _NS == 0 else end + 1, -1))
        enclosing = self._open[at][1] if at < len(self._open) else len(self._stacks)
        free = self._free[0] if self._free else len(self._stacks)
        number = min(enclosing, free)
        if number == len(self._stacks):
            self._stacks.append([])
        elif number == free:
            heappop(self._free)
        else:
            del self._open[at]
        stack = self._stacks[number]
        stack.append(end)
        insort(self._full if len(stack) >= DEPTH else self._open, (end, number))
        return number

    def _end_before(self, start: int) -> None:
        for tops in (self._open, self._full):
            while tops and tops[0][0] <= start:
                _, number = tops.pop(0)
                stack = self._stacks[number]
                while stack and stack[-1] <= start:
                    stack.pop()
                if stack:
                    insort(self._open, (stack[-1], number))
                else:
                    heappush(self._free, number)


@lru_cache(maxsize=10_000)
def _quoted(text: str) -> str:
    return json.dumps(text)


def _track_name(thread: str | None, number: int) -> str:
    name = NO_THREAD if thread is None else thread
    return name if number == 0 else f"{name} ({number + 1})"


def _process(pid: int, sort_index: int, name: str) -> Iterator[str]:
    yield f'{{"name":"process_name","ph":"M","pid":{pid},"args":{{"name":{_quoted(name)}}}}}'
    yield f'{{"name":"process_sort_index","ph":"M","pid":{pid},"args":{{"sort_index":{sort_index}}}}}'


def _track(pid: int, tid: int, sort_index: int, name: str) -> Iterator[str]:
    yield f'{{"name":"thread_name","ph":"M","pid":{pid},"tid":{tid},"args":{{"name":{_quoted(name)}}}}}'
    yield f'{{"name":"thread_sort_index","ph":"M","pid":{pid},"tid":{tid},"args":{{"sort_index":{sort_index}}}}}'


def _event(pid: int, tid: int, row: tuple[Any, ...]) -> str:
    _, _, start_us, end_ns, index, context, seed, score, negative = row
    if end_ns is None:
        phase, length = "B", ""
    else:
        whole, rest = divmod(end_ns - start_us * _NS, _NS)
        phase, length = "X", f',"dur":{whole}.{rest:03d}' if rest else f',"dur":{whole}'
    name = _quoted(NO_CONTEXT if context is None else context)
    # Viewers parse numbers as doubles, which cannot represent most seeds.
    seed_text = "null" if seed is None else f'"{seed}"'
    score_text = "null" if score is None else repr(score)
    duration = "" if negative is None else f',"duration_ms":{negative!r}'
    return (
        f'{{"name":{name},"cat":"anchor","ph":"{phase}","ts":{start_us}{length},"pid":{pid},"tid":{tid},'
        f'"args":{{"record_index":{index},"seed":{seed_text},"stability_score":{score_text}{duration}}}}}'
    )
