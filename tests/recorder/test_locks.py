"""Recorded locks: they behave as the standard ones and record each hold."""

import asyncio
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from clamp_analytics.errors import AnchorError
from clamp_analytics.recorder import AnchoredAsyncLock, AnchoredLock, AnchoredRLock, EntropyTelemetry


def _scores(telemetry):
    return [record.stability_score for record in telemetry.records()]


@pytest.mark.parametrize("kind", [AnchoredLock, AnchoredRLock])
def test_a_lock_excludes_others_and_records_each_hold(telemetry, kind):
    lock = kind("counter", telemetry)
    count = 0

    def work(_):
        nonlocal count
        for _ in range(200):
            with lock:
                before = count
                count = before + 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))

    assert count == 1600
    assert _scores(telemetry) == [1.0] * 1600


def test_holds_of_a_lock_do_not_overlap(telemetry):
    lock = AnchoredLock("x", telemetry)

    def work(_):
        for _ in range(100):
            with lock:
                pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))

    snapshot = telemetry._snapshot()
    holds = sorted((start, stop) for _, _, _, _, start, stop, _ in snapshot.rows())
    assert all(earlier[1] <= later[0] for earlier, later in itertools.pairwise(holds))


@pytest.mark.parametrize("kind", [AnchoredLock, AnchoredRLock])
def test_a_hold_that_ends_with_an_exception_scores_zero(telemetry, kind):
    with pytest.raises(KeyError), kind("x", telemetry):
        raise KeyError

    assert _scores(telemetry) == [0.0]


def test_a_lock_has_the_interface_of_threading_lock(telemetry):
    lock = AnchoredLock("x", telemetry)
    taken = [lock.acquire(), lock.acquire(False), lock.acquire(blocking=False), lock.acquire(timeout=0.001)]
    locked = lock.locked()
    lock.release()

    assert taken == [True, False, False, False]
    assert (locked, lock.locked()) == (True, False)
    assert _scores(telemetry) == [1.0]
    with pytest.raises(RuntimeError):
        lock.release()


def test_the_hold_of_a_lock_is_in_flight_while_it_lasts(telemetry):
    with AnchoredLock("x", telemetry):
        assert telemetry.records()[0].released_at is None


def test_a_lock_may_be_released_by_another_thread(telemetry):
    lock = AnchoredLock("x", telemetry)
    lock.acquire()
    thread = threading.Thread(target=lock.release)
    thread.start()
    thread.join()

    assert _scores(telemetry) == [1.0]


def test_an_rlock_records_one_hold_from_the_first_acquisition_to_the_last_release(telemetry):
    lock = AnchoredRLock("x", telemetry)
    with lock:
        with lock:
            lock.acquire()
            lock.release()
        assert telemetry.records()[0].released_at is None

    assert _scores(telemetry) == [1.0]


def test_an_rlock_is_released_only_by_its_owner(telemetry):
    lock = AnchoredRLock("x", telemetry)
    errors = []

    def work():
        for action in (lock.release, lock._release_save):
            try:
                action()
            except RuntimeError as error:
                errors.append(str(error))

    with lock:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    assert errors == ["cannot release un-acquired lock"] * 2
    assert _scores(telemetry) == [1.0]


@pytest.mark.parametrize("kind", [AnchoredLock, AnchoredRLock])
def test_waiting_in_a_condition_ends_one_hold_and_begins_another(telemetry, kind):
    condition = threading.Condition(kind("x", telemetry))
    ready = []

    def work():
        with condition:
            ready.append(True)
            condition.notify()

    with condition:
        thread = threading.Thread(target=work)
        thread.start()
        assert condition.wait_for(lambda: ready, timeout=60)
    thread.join()

    assert _scores(telemetry) == [1.0, 1.0, 1.0]


def test_an_rlock_held_several_times_can_wait_in_a_condition(telemetry):
    lock = AnchoredRLock("x", telemetry)
    condition = threading.Condition(lock)

    def work():
        with condition:
            condition.notify()

    with lock, lock, condition:
        thread = threading.Thread(target=work)
        thread.start()
        assert condition.wait(60)
        assert lock._is_owned()
    thread.join()

    assert not lock._is_owned()
    assert len(telemetry.records()) == 3


def test_an_async_lock_excludes_others_and_records_each_hold(telemetry):
    async def main():
        lock = AnchoredAsyncLock("x", telemetry)
        inside = 0

        async def work():
            nonlocal inside
            async with lock:
                inside += 1
                await asyncio.sleep(0)
                assert inside == 1
                inside -= 1

        await asyncio.gather(*(work() for _ in range(50)))
        assert not lock.locked()
        assert await lock.acquire() is True
        assert lock.locked()
        lock.release()
        with pytest.raises(RuntimeError):
            lock.release()

    asyncio.run(main())

    assert _scores(telemetry) == [1.0] * 51


def test_a_task_that_is_cancelled_while_waiting_for_a_lock_records_nothing(telemetry):
    async def main():
        lock = AnchoredAsyncLock("x", telemetry)
        async with lock:
            task = asyncio.create_task(lock.acquire())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())

    assert _scores(telemetry) == [1.0]


def test_an_async_lock_works_in_a_condition_of_asyncio(telemetry):
    async def main():
        condition = asyncio.Condition(AnchoredAsyncLock("x", telemetry))

        async def work():
            async with condition:
                condition.notify()

        async with condition:
            task = asyncio.create_task(work())
            await condition.wait()
        await task

    asyncio.run(main())

    assert _scores(telemetry) == [1.0, 1.0, 1.0]


def test_a_seed_source_is_called_before_the_lock_is_acquired(tmp_path):
    inner = []

    def source():
        inner.append(lock.locked())
        return 5

    telemetry = EntropyTelemetry(tmp_path, seed_source=source)
    lock = AnchoredLock("x", telemetry)
    with lock:
        pass

    assert inner == [False]


def test_a_seed_source_that_fails_leaves_the_lock_unlocked(tmp_path):
    lock = AnchoredLock("x", EntropyTelemetry(tmp_path, seed_source=lambda: 0))
    with pytest.raises(AnchorError):
        lock.acquire()

    assert not lock.locked()


@pytest.mark.parametrize("kind", [AnchoredLock, AnchoredRLock])
def test_locks_of_a_disabled_telemetry_still_lock(kind):
    lock = kind("x", EntropyTelemetry.disabled())
    with lock:
        assert not ThreadPoolExecutor(1).submit(lock.acquire, False).result()


@pytest.mark.parametrize("kind", [AnchoredLock, AnchoredRLock])
def test_a_lock_that_is_reinitialized_in_a_forked_child_is_unlocked(telemetry, kind):
    lock = kind("x", telemetry)
    lock.acquire()
    lock._at_fork_reinit()

    assert lock.acquire(False)
