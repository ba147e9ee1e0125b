"""Many threads and tasks at once, and signal handlers that record while other code is recording."""


def test_every_cycle_of_32_threads_is_recorded_once_and_completely(python):
    done = python("""
        import collections, sys, threading
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        sys.setswitchinterval(1e-5)
        telemetry = EntropyTelemetry("out")
        start = threading.Barrier(32)
        def work(number):
            anchor = ClampAnchor(f"thread-{number}", telemetry)
            start.wait()
            for cycle in range(1000):
                anchor.lock()
                anchor.release(number / 32)
        threads = [threading.Thread(target=work, args=(n,)) for n in range(32)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        records = telemetry.records()
        assert len(records) == len({r.seed for r in records}) == 32_000
        assert collections.Counter(r.context for r in records) == {f"thread-{n}": 1000 for n in range(32)}
        assert len({(r.context, r.thread_id, r.stability_score) for r in records}) == 32
        assert all(r.released_at is not None for r in records)
    """)

    assert (done.returncode, done.stderr) == (0, "")


def test_every_cycle_of_10000_tasks_is_recorded_once_and_completely(python):
    done = python("""
        import asyncio
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        telemetry = EntropyTelemetry("out", max_records=100_000)
        async def work(number, gate):
            async with ClampAnchor(f"task-{number}", telemetry):
                await gate.wait()
            with ClampAnchor(f"task-{number}", telemetry):
                await asyncio.sleep(0)
        async def main():
            gate = asyncio.Event()
            tasks = [asyncio.create_task(work(n, gate)) for n in range(10_000)]
            await asyncio.sleep(0)
            assert sum(r.released_at is None for r in telemetry.records()) == 10_000
            gate.set()
            await asyncio.gather(*tasks)
        asyncio.run(main())
        records = telemetry.records()
        assert len(records) == len({r.seed for r in records}) == 20_000
        assert len({r.thread_id for r in records}) == len({r.context for r in records}) == 10_000
        assert len({(r.thread_id, r.context) for r in records}) == 10_000
        assert all(r.stability_score == 1.0 for r in records)
    """)

    assert (done.returncode, done.stderr) == (0, "")


def test_files_written_under_load_contain_every_cycle_once(python, sessions, tmp_path):
    done = python("""
        import sys, threading
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        sys.setswitchinterval(1e-5)
        telemetry = EntropyTelemetry("out", checkpoint=0.001, max_records=1000)
        def work():
            for _ in range(2000):
                with ClampAnchor("x", telemetry):
                    pass
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        assert telemetry.dropped == 0
    """)

    assert (done.returncode, done.stderr) == (0, "")
    seeds = [record["seed"] for session in sessions(tmp_path / "out") for record in session["records"]]
    assert len(seeds) == len(set(seeds)) == 16_000


def test_snapshots_taken_under_load_neither_lose_nor_duplicate_records(python):
    done = python("""
        import sys, threading
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        sys.setswitchinterval(1e-6)
        telemetry = EntropyTelemetry("out")
        held = ClampAnchor("held", telemetry).lock()
        def work():
            anchor = ClampAnchor("x", telemetry)
            for _ in range(3000):
                with anchor:
                    pass
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads: thread.start()
        last = set()
        while any(thread.is_alive() for thread in threads):
            seeds = [r.seed for r in telemetry.records()]
            assert len(seeds) == len(set(seeds))
            assert last <= set(seeds)
            last = set(seeds)
        assert len(telemetry.records()) == 12_001
    """)

    assert (done.returncode, done.stderr) == (0, "")


def test_signal_handlers_may_record_and_write_in_the_middle_of_recording(python, sessions, tmp_path):
    done = python("""
        import signal
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        telemetry = EntropyTelemetry("out", max_records=50, checkpoint=0.001)
        handled = 0
        def handler(number, frame):
            global handled
            handled += 1
            with ClampAnchor("signal", telemetry):
                pass
            telemetry.records()
            signal.setitimer(signal.ITIMER_REAL, 0.0005)
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.0005)
        cycles = 0
        while handled < 300:
            with ClampAnchor("main", telemetry):
                cycles += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(cycles + handled, telemetry.dropped)
    """)

    assert (done.returncode, done.stderr) == (0, "")
    seeds = [record["seed"] for session in sessions(tmp_path / "out") for record in session["records"]]
    assert len(seeds) == len(set(seeds))
    assert done.stdout == f"{len(seeds)} 0\n"
