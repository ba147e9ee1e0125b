"""The cost of recording, as ratios measured within one run.

The result of each contender is checked before it is measured. Two contenders alternate, A B A B, so that both
are affected if the machine slows down. A ratio is the median of the turns, its spread the quartiles. Cycles are
measured in processor time, including background threads, and writing in elapsed time. "Reused" means that one
anchor is locked many times, "new" that each cycle creates an anchor.
"""

from __future__ import annotations

import gc
import statistics
import tempfile
import threading
import tracemalloc
from functools import partial
from time import perf_counter, process_time, sleep
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry, set_default_telemetry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Work = Callable[[int], None]

_TURNS = 15
_CYCLES = 30_000
_SPANS = 2_000
_HELD = 200_000
_WRITTEN = 1_000_000
_WRITTEN_BESIDE = 50_000


class Row(NamedTuple):
    """One measurement: ``ratio`` is compared with ``target``; ``spread`` is its quartiles."""

    name: str
    ratio: float
    target: str
    spread: str
    met: bool


class _Empty:
    """The cheapest context manager written in Python."""

    __slots__ = ()

    def __enter__(self) -> _Empty:
        return self

    def __exit__(self, *exc: object) -> None:
        return None


def _reused(manager: Any) -> Work:
    """Enter one context manager repeatedly."""

    def work(times: int) -> None:
        for _ in range(times):
            with manager:
                pass

    return work


def _new(create: Callable[..., Any], *arguments: object) -> Work:
    """Create a context manager for each cycle."""

    def work(times: int) -> None:
        for _ in range(times):
            with create(*arguments):
                pass

    return work


def _seconds(work: Work, times: int) -> float:
    """Return the processor time per cycle, including background threads; other processes do not count."""
    begin = process_time()
    work(times)
    return (process_time() - begin) / times


def _ratios(ours: tuple[Work, int], theirs: tuple[Work, int], *, before: Callable[[], None]) -> list[float]:
    """Return our time divided by theirs, once per turn."""
    ratios = []
    for _ in range(_TURNS):
        before()
        gc.collect()
        own = _seconds(*ours)
        ratios.append(own / _seconds(*theirs))
    return ratios


def _row(name: str, ratios: list[float], target: str, met: Callable[[float], bool], digits: int = 2) -> Row:
    low, middle, high = statistics.quantiles(ratios, n=4)
    return Row(name, round(middle, digits), target, f"{low:.{digits}f} to {high:.{digits}f}", met(middle))


def _clear(telemetry: EntropyTelemetry) -> None:
    """Remove the records of earlier turns."""
    assert telemetry.buffer is not None
    telemetry.buffer.rows.clear()


def _check_cycles(telemetry: EntropyTelemetry, work: Work) -> None:
    _clear(telemetry)
    work(1000)
    records = telemetry.records()
    assert len(records) == len({record.seed for record in records}) == 1000
    assert all(record.released_at is not None and record.duration_ms > 0 for record in records)


def _against_locks(telemetry: EntropyTelemetry) -> list[Row]:
    lock = threading.Lock()
    reused, new = _reused(ClampAnchor("bench")), _new(ClampAnchor, "bench")
    rows = []
    for name, ours, theirs in [
        ("cycle / with threading.Lock(), each reused", reused, _reused(lock)),
        ("cycle / with threading.Lock(), each new", new, _new(threading.Lock)),
    ]:
        _check_cycles(telemetry, ours)
        ratios = _ratios((ours, _CYCLES), (theirs, _CYCLES), before=lambda: _clear(telemetry))
        rows.append(_row(name, ratios, "at most 6", lambda ratio: ratio <= 6))
    return rows


def _against_spans(telemetry: EntropyTelemetry) -> list[Row]:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    spans = _new(provider.get_tracer("bench").start_as_current_span, "bench")
    spans(1000)
    provider.force_flush()
    assert len(exporter.get_finished_spans()) == 1000

    def before() -> None:
        _clear(telemetry)
        provider.force_flush()
        exporter.clear()

    rows = []
    for name, cycles in [("new", _new(ClampAnchor, "bench")), ("reused", _reused(ClampAnchor("bench")))]:
        _check_cycles(telemetry, cycles)
        ratios = [1 / ratio for ratio in _ratios((cycles, _CYCLES), (spans, _SPANS), before=before)]
        label = f"OpenTelemetry span, batch processor / cycle, anchor {name}"
        rows.append(_row(label, ratios, "at least 20", lambda ratio: ratio >= 20, 1))
    provider.shutdown()
    return rows


def _against_histogram(telemetry: EntropyTelemetry) -> Row:
    from prometheus_client import CollectorRegistry, Histogram

    registry = CollectorRegistry()
    histogram = Histogram("bench", "a cycle", registry=registry)
    timed = _new(histogram.time)
    timed(1000)
    assert registry.get_sample_value("bench_count") == 1000
    cycles = _new(ClampAnchor, "bench")
    _check_cycles(telemetry, cycles)
    ratios = _ratios((cycles, _CYCLES), (timed, _CYCLES), before=lambda: _clear(telemetry))
    return _row("cycle / prometheus_client Histogram.time()", ratios, "below 1", lambda ratio: ratio < 1)


def _disabled() -> Row:
    telemetry = EntropyTelemetry.disabled()
    anchor = ClampAnchor("bench", telemetry)
    ours, theirs = _reused(anchor), _reused(_Empty())
    ours(1000)
    assert telemetry.records() == []
    ratios = _ratios((ours, _CYCLES), (theirs, _CYCLES), before=lambda: None)
    return _row("disabled cycle / empty context manager", ratios, "at most 2", lambda ratio: ratio <= 2)


def _bytes_held() -> Row:
    telemetry = EntropyTelemetry()
    work = _new(ClampAnchor, "bench", telemetry)
    work(1000)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        work(_HELD)
        held = (tracemalloc.get_traced_memory()[0] - before) / _HELD
    finally:
        tracemalloc.stop()
    assert len(telemetry.records()) == _HELD + 1000
    return _row("bytes held per record", [held] * 2, "at most 300", lambda size: size <= 300, 0)


def _megabytes_per_second() -> Row:
    telemetry = EntropyTelemetry()
    _new(ClampAnchor, "bench", telemetry)(_WRITTEN)
    rates = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(5):
            gc.collect()
            begin = perf_counter()
            path = telemetry.write_json(folder)
            elapsed = perf_counter() - begin
            rates.append(path.stat().st_size / 1e6 / elapsed)
            _check_session(path)
            path.unlink()
    return _row("write_json of a million records, MB/s", rates, "at least 100", lambda rate: rate >= 100, 0)


def _check_session(path: Path) -> None:
    session = msgspec.json.decode(path.read_bytes())
    assert len({record["seed"] for record in session["records"]}) == _WRITTEN
    assert session["stability_score"] == 1.0


class _BusyThreads:
    """Threads that compute without a pause, and count how far they get."""

    def __init__(self, number: int) -> None:
        self._counts = [0] * number
        self._stopped = False
        self._threads = [threading.Thread(target=self._work, args=(index,)) for index in range(number)]

    def _work(self, index: int) -> None:
        while not self._stopped:
            sum(range(100))
            self._counts[index] += 1

    def __enter__(self) -> _BusyThreads:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopped = True
        for thread in self._threads:
            thread.join()

    def rate(self, action: Callable[[], object]) -> tuple[float, float]:
        """Return the seconds that an action takes, and the work of all threads per second meanwhile."""
        before, begin = sum(self._counts), perf_counter()
        action()
        elapsed = perf_counter() - begin
        return elapsed, (sum(self._counts) - before) / elapsed


def _beside_busy_threads() -> list[Row]:
    """Measure how ``write_json`` and busy threads share the interpreter; fair ratios are 4 and 0.75."""
    telemetry = EntropyTelemetry()
    _new(ClampAnchor, "bench", telemetry)(_WRITTEN_BESIDE)
    slower, shares = [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(5):
            begin = perf_counter()
            telemetry.write_json(folder)
            alone = perf_counter() - begin
            with _BusyThreads(3) as busy:
                _, undisturbed = busy.rate(partial(sleep, alone))
                beside, rate = busy.rate(partial(telemetry.write_json, folder))
            slower.append(beside / alone)
            shares.append(rate / undisturbed)
    return [
        _row("write_json beside 3 busy threads / alone", slower, "at most 8", lambda ratio: ratio <= 8, 1),
        _row("busy threads beside write_json / without it", shares, "at least 0.5", lambda share: share >= 0.5),
    ]


def rows() -> list[Row]:
    """Run all measurements."""
    telemetry = EntropyTelemetry()
    previous = set_default_telemetry(telemetry)
    try:
        return [
            *_against_locks(telemetry),
            *_against_spans(telemetry),
            _against_histogram(telemetry),
            _disabled(),
            _bytes_held(),
            _megabytes_per_second(),
            *_beside_busy_threads(),
        ]
    finally:
        set_default_telemetry(previous)


def main() -> list[Row]:
    """Run all measurements, print a table and return its rows."""
    measured = rows()
    width = max(len(row.name) for row in measured)
    print(f"{'measurement':<{width}}  {'ratio':>8}  {'target':<12}  {'quartiles':<18}  met")
    for row in measured:
        print(f"{row.name:<{width}}  {row.ratio:>8}  {row.target:<12}  {row.spread:<18}  {row.met}")
    return measured


if __name__ == "__main__":
    main()
