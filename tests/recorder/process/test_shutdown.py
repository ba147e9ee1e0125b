"""Recording while the interpreter shuts down prints nothing."""

import pytest


@pytest.mark.parametrize("options", ["", "write_on_exit=True", "checkpoint=0.001"])
def test_generators_that_are_closed_during_shutdown_print_nothing(python, options):
    done = python(f"""
        import gc
        from clamp_analytics.recorder import AnchoredLock, ClampAnchor, EntropyTelemetry, anchored
        telemetry = EntropyTelemetry("out", {options})

        def held():
            with ClampAnchor("generator", telemetry):
                yield

        @anchored("decorated", telemetry)
        def decorated():
            yield

        lock = AnchoredLock("lock", telemetry)
        def locked():
            with lock:
                yield

        kept = [held(), decorated(), locked()]
        for generator in kept:
            next(generator)
        cycle = [held()]
        next(cycle[0])
        cycle.append(cycle)
        del cycle

        class Late:
            def __del__(self):
                with ClampAnchor("late", telemetry):
                    pass
        late = Late()
        late.itself = late
        import builtins
        builtins.kept_alive = (Late(), held())
        next(builtins.kept_alive[1])
    """)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_exception_passes_through_an_anchor_unchanged(python):
    done = python("""
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        telemetry = EntropyTelemetry("out", write_on_exit=True)
        class Bad:
            def __enter__(self): return self
            def __exit__(self, *exc): raise KeyError("from exit")
        try:
            with ClampAnchor("x", telemetry), Bad():
                raise ValueError("from body")
        except KeyError as error:
            print(type(error.__context__).__name__, telemetry.records()[0].stability_score)
    """)

    assert (done.returncode, done.stdout, done.stderr) == (0, "ValueError 0.0\n", "")


def test_daemon_threads_that_record_to_the_end_print_nothing(python):
    done = python("""
        import threading
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        telemetry = EntropyTelemetry("out", checkpoint=0.001, max_records=1000)
        running = threading.Semaphore(0)
        def work():
            while True:
                with ClampAnchor("x", telemetry):
                    running.release()
        for _ in range(4):
            threading.Thread(target=work, daemon=True).start()
        for _ in range(5000):
            running.acquire()
    """)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_unused_telemetry_is_garbage_collected(python):
    done = python("""
        import gc, weakref
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        telemetry = EntropyTelemetry("out")
        with ClampAnchor("x", telemetry):
            pass
        dropped = weakref.ref(telemetry)
        del telemetry
        gc.collect()
        print(dropped())
    """)

    assert (done.stdout, done.stderr) == ("None\n", "")


def test_a_record_adds_no_object_for_the_garbage_collector(python):
    done = python("""
        import gc
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        telemetry = EntropyTelemetry("out")
        with ClampAnchor("x", telemetry):
            pass
        gc.collect()
        before = len(gc.get_objects())
        for _ in range(1000):
            with ClampAnchor("x", telemetry):
                pass
        print(len(gc.get_objects()) - before < 10)
    """)

    assert done.stdout == "True\n"
