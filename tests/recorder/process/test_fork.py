"""Forked children: what they record, and that forking never hangs."""

import multiprocessing

import pytest


def test_a_forked_child_starts_without_records_and_writes_its_own_file(python, sessions, tmp_path):
    done = python("""
        import os, sys
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        telemetry = EntropyTelemetry("out", write_on_exit=True, checkpoint=0.01)
        with ClampAnchor("parent", telemetry):
            pass
        open_anchor = ClampAnchor("parent open", telemetry).lock()
        if os.fork() == 0:
            assert telemetry.records() == []
            open_anchor.release()
            assert telemetry.records() == []
            with ClampAnchor("child", telemetry):
                pass
            sys.exit(0)
        status = os.waitstatus_to_exitcode(os.wait()[1])
        open_anchor.release()
        sys.exit(status)
    """)

    assert (done.returncode, done.stderr) == (0, "")
    found = sorted([record["context"] for record in session["records"]] for session in sessions(tmp_path / "out"))
    assert found == [["child"], ["parent", "parent open"]]


def test_seeds_and_thread_ids_of_a_child_are_its_own(python, sessions, tmp_path):
    python("""
        import os
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        telemetry = EntropyTelemetry("out", write_on_exit=True)
        with ClampAnchor("x", telemetry):
            pass
        for _ in range(3):
            if os.fork() == 0:
                with ClampAnchor("x", telemetry):
                    raise SystemExit
            os.wait()
    """)

    records = [record for session in sessions(tmp_path / "out") for record in session["records"]]
    assert len(records) == len({record["seed"] for record in records}) == 4
    assert len({record["thread_id"] for record in records}) == 4


def test_a_child_that_records_nothing_writes_nothing(python, sessions, tmp_path):
    python("""
        import os
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        telemetry = EntropyTelemetry("out", write_on_exit=True, checkpoint=0.01)
        with ClampAnchor("x", telemetry):
            pass
        if os.fork() == 0:
            raise SystemExit
        os.wait()
    """)

    assert len(sessions(tmp_path / "out")) == 1


def test_a_child_that_is_killed_leaves_its_checkpoint(python, sessions, tmp_path):
    done = python("""
        import os
        from pathlib import Path
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        telemetry = EntropyTelemetry("out", checkpoint=0.01)
        with ClampAnchor("parent", telemetry):
            pass
        if os.fork() == 0:
            with ClampAnchor("child", telemetry):
                while not list(Path("out").glob(f"*-{os.getpid()}-*.json")):
                    pass
                os._exit(0)
        os.wait()
    """)

    assert (done.returncode, done.stderr) == (0, "")
    found = sorted(record["context"] for session in sessions(tmp_path / "out") for record in session["records"])
    assert found == ["child", "parent"]


def test_forking_under_load_never_hangs_and_loses_nothing(python, sessions, tmp_path):
    done = python("""
        import os, threading
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        telemetry = EntropyTelemetry("out", write_on_exit=True, checkpoint=0.001, max_records=500)
        stop = threading.Event()
        counts = []
        def work():
            count = 0
            while not stop.is_set():
                with ClampAnchor("parent", telemetry):
                    count += 1
            counts.append(count)
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(40):
            if os.fork() == 0:
                with ClampAnchor("child", telemetry):
                    pass
                telemetry.write_json()
                os._exit(0)
            os.wait()
        stop.set()
        for thread in threads:
            thread.join()
        print(sum(counts))
    """)

    assert (done.returncode, done.stderr) == (0, "")
    files = sessions(tmp_path / "out")
    seeds = [record["seed"] for session in files for record in session["records"] if record["context"] == "parent"]
    assert len(seeds) == len(set(seeds)) == int(done.stdout)
    assert sum(record["context"] == "child" for session in files for record in session["records"]) == 40


MULTIPROCESSING = """
    import multiprocessing, sys
    from concurrent.futures import ProcessPoolExecutor
    from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry

    telemetry = EntropyTelemetry("out", {options})

    def work(number):
        with ClampAnchor("child", telemetry):
            pass

    if __name__ == "__main__":
        context = multiprocessing.get_context("{method}")
        with ClampAnchor("parent", telemetry):
            {run}
"""

RUNS = {
    "process": """
            processes = [context.Process(target=work, args=(number,)) for number in range(4)]
            for process in processes:
                process.start()
            for process in processes:
                process.join()
    """,
    "executor": """
            with ProcessPoolExecutor(2, mp_context=context) as pool:
                list(pool.map(work, range(4)))
    """,
    "pool": """
            with context.Pool(2) as pool:
                pool.map(work, range(4))
                pool.close()
                pool.join()
    """,
}


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
@pytest.mark.parametrize("options", ["write_on_exit=True", "checkpoint=60"])
def test_every_child_of_multiprocessing_writes_its_own_session(python, sessions, tmp_path, run, method, options):
    done = python(MULTIPROCESSING.format(method=method, options=options, run=RUNS[run].strip()))

    assert (done.returncode, done.stderr) == (0, "")
    files = [[record["context"] for record in session["records"]] for session in sessions(tmp_path / "out")]
    assert sorted(context for contexts in files for context in contexts) == ["child"] * 4 + ["parent"]
    assert all(len(set(contexts)) == 1 for contexts in files)


def test_a_child_whose_target_raises_still_writes(python, sessions, tmp_path):
    python("""
        import multiprocessing
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        telemetry = EntropyTelemetry("out", write_on_exit=True)
        def work():
            with ClampAnchor("child", telemetry):
                raise ValueError
        multiprocessing.get_context("fork").Process(target=work).start()
    """)

    [session] = sessions(tmp_path / "out")
    assert [record["stability_score"] for record in session["records"]] == [0.0]


def test_a_terminated_pool_ends_and_its_workers_write_their_records(python, sessions, tmp_path):
    done = python("""
        import multiprocessing
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        telemetry = EntropyTelemetry("out", on_sigterm=True, write_on_exit=True)
        def work(number):
            with ClampAnchor("child", telemetry):
                pass
        if __name__ == "__main__":
            with multiprocessing.get_context("fork").Pool(2) as pool:
                pool.map(work, range(4))
    """)

    assert (done.returncode, done.stderr) == (0, "")
    assert sum(len(session["records"]) for session in sessions(tmp_path / "out")) == 4
