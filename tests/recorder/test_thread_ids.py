"""Thread ids: no two threads or tasks of a process have the same."""

import asyncio
import threading

from clamp_analytics.recorder import ClampAnchor


def _record_in_thread(telemetry):
    def work():
        with ClampAnchor("x", telemetry):
            pass

    thread = threading.Thread(target=work, name="worker")
    thread.start()
    thread.join()
    return thread.ident


def test_threads_with_the_same_name_and_system_number_have_different_ids(telemetry):
    # The system usually gives the number of an ended thread to the next one.
    idents = [_record_in_thread(telemetry) for _ in range(20)]

    thread_ids = {record.thread_id for record in telemetry.records()}
    assert len(thread_ids) == 20 >= len(set(idents))
    assert all(thread_id.startswith("worker-") for thread_id in thread_ids)


def test_one_thread_keeps_its_id(telemetry):
    for _ in range(3):
        with ClampAnchor("x", telemetry):
            pass

    assert len({record.thread_id for record in telemetry.records()}) == 1


def test_tasks_of_asyncio_with_the_same_name_have_different_ids(telemetry):
    async def work():
        for _ in range(2):
            with ClampAnchor("plain", telemetry):
                await asyncio.sleep(0)
            async with ClampAnchor("async", telemetry):
                await asyncio.sleep(0)

    async def main():
        await asyncio.gather(*(asyncio.create_task(work(), name="job") for _ in range(5)))

    asyncio.run(main())

    by_task = {}
    for record in telemetry.records():
        by_task.setdefault(record.thread_id, []).append(record.context)
    assert len(by_task) == 5
    assert all(sorted(contexts) == ["async", "async", "plain", "plain"] for contexts in by_task.values())


def test_a_bare_callback_of_asyncio_has_the_id_of_its_thread(telemetry):
    def callback(done):
        with ClampAnchor("callback", telemetry):
            done.set_result(None)

    async def main():
        done = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(callback, done)
        await done

    asyncio.run(main())
    with ClampAnchor("plain", telemetry):
        pass

    assert len({record.thread_id for record in telemetry.records()}) == 1
