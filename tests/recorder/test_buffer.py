"""The buffer of records: order, open cycles, and snapshots."""

import math
import random

import pytest

from clamp_analytics.recorder.buffer import Snapshot, without_finished


def _row(number, acquired, score=1.0):
    return [f"x-{number}", "thread", number, acquired, acquired, acquired + 1, score]


def _snapshot(acquired, tokens=()):
    values = [value for number, time in enumerate(acquired) for value in _row(number, time, number / 100_000)]
    return Snapshot(values, tokens, b"", 0)


def test_rows_that_are_in_order_keep_it():
    rows = list(_snapshot(range(25_000)).rows())

    assert [row[2] for row in rows] == list(range(25_000))


def test_rows_of_any_order_are_sorted_by_acquisition_and_then_by_release():
    numbers = random.Random(1)
    acquired = [numbers.randrange(10_000) for _ in range(35_000)]
    rows = list(_snapshot(acquired).rows())

    assert [row[2] for row in rows] == sorted(range(35_000), key=acquired.__getitem__)


def test_sorting_many_rows_reports_progress():
    values = [value for number in range(35_000) for value in _row(number, -number)]
    steps = []

    Snapshot(values, [], b"", 0, lambda: steps.append(1))

    assert len(steps) >= 4


def test_long_cycles_among_many_short_ones_come_first():
    acquired = [time if time % 1000 else -time for time in range(35_000)]
    rows = list(_snapshot(acquired).rows())

    assert [row[3] for row in rows] == sorted(acquired)


def test_an_open_cycle_is_sorted_among_the_finished_ones():
    rows = list(_snapshot(range(0, 40_000, 2), [("open", "thread", 7, 20_001, 20_001)]).rows())

    assert [row[3] for row in rows] == [*range(0, 20_001, 2), 20_001, *range(20_002, 40_000, 2)]
    assert rows[10_001] == ("open", "thread", 7, 20_001, 20_001, None, 0.0)


def test_the_mean_is_that_of_all_rows():
    assert _snapshot(range(35_000)).mean_score() == math.fsum(number / 100_000 for number in range(35_000)) / 35_000


def test_a_finished_cycle_is_not_open():
    values = [value for number in range(25_000) for value in _row(number, 10**9 + number)]
    finished, opened = tuple(values[-7:-2]), ("open", "thread", 5, 10**9, 10**9 + 24_999)

    assert without_finished([finished, opened], values) == [opened]


def test_a_snapshot_does_not_change_with_the_telemetry(telemetry):
    telemetry.record_release(telemetry.record_acquire("first", 5))
    snapshot = telemetry._snapshot()
    telemetry.record_release(telemetry.record_acquire("second", 6))

    assert [row[0] for row in snapshot.rows()] == ["first"]


INTERRUPTED = """
    import itertools, signal
    from clamp_analytics.recorder import AnchoredLock, AnchoredRLock, AnchorState, ClampAnchor, EntropyTelemetry

    class Interrupt(Exception):
        pass

    interrupts = 0
    armed = False
    def interrupt(number, frame):
        global interrupts
        if armed:
            interrupts += 1
            raise Interrupt
    signal.signal(signal.SIGALRM, interrupt)

    telemetry = EntropyTelemetry("out", {options})
    {setup}
    attempts = 0
    for microseconds in itertools.cycle(range(1, 40)):
        attempts += 1
        anchor = ClampAnchor("x", telemetry)
        {before}
        signal.setitimer(signal.ITIMER_REAL, microseconds / 1e6)
        try:
            armed = True
            {use}
        except Interrupt:
            pass
        finally:
            armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)
        {after}
        if interrupts >= 500 or attempts >= 20_000:
            break
    assert [record for record in telemetry.records() if record.released_at is None] == []
    assert telemetry.buffer.opened == set()
    print("done", interrupts > 100)
"""
LOCK = "lock = {kind}('lock', telemetry)"
USES = {
    "block": ("", "", "with anchor: pass", "if anchor.status() is AnchorState.LOCKED: anchor.release()"),
    "release": ("", "anchor.lock()", "anchor.release()", "if anchor.status() is AnchorState.LOCKED: anchor.release()"),
    "lock": (LOCK.format(kind="AnchoredLock"), "lock.acquire()", "lock.release()", "if lock.locked(): lock.release()"),
    "rlock": (
        LOCK.format(kind="AnchoredRLock"),
        "lock.acquire()",
        "lock.release()",
        "if lock._is_owned(): lock.release()",
    ),
    "record": (
        "",
        "number = telemetry.record_acquire('x', 5)",
        "telemetry.record_release(number)",
        "if number in telemetry._held: telemetry.record_release(number)",
    ),
}


@pytest.mark.parametrize("options", ["", "max_records=100_000_000", "max_records=10, on_full='drop'"])
@pytest.mark.parametrize("use", USES)
def test_a_release_that_a_signal_handler_interrupts_ends_the_cycle(python, use, options):
    setup, before, action, after = USES[use]
    done = python(INTERRUPTED.format(options=options, setup=setup, before=before, use=action, after=after))

    assert (done.returncode, done.stdout) == (0, "done True\n"), done.stderr
