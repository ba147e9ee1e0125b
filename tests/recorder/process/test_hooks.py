"""What is on disk after a process ended normally."""

import textwrap

import pytest

RECORD_THREE = """
    from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
    telemetry = EntropyTelemetry("out", {options})
    for number in range(3):
        with ClampAnchor(f"done-{{number}}", telemetry):
            pass
    open_anchor = ClampAnchor("open", telemetry).lock()
"""


def _contexts(session):
    return [(record["context"], record["released_at"] is not None) for record in session["records"]]


ALL = [("done-0", True), ("done-1", True), ("done-2", True), ("open", False)]


@pytest.mark.parametrize(
    ("ending", "status", "stderr"),
    [
        ("pass", 0, ""),
        ("import sys; sys.exit(7)", 7, ""),
        ("raise RuntimeError('mine')", 1, "RuntimeError: mine"),
    ],
)
@pytest.mark.parametrize("options", ["write_on_exit=True", "checkpoint=60", "write_on_exit=True, checkpoint=60"])
def test_every_normal_exit_writes_one_session(python, sessions, tmp_path, ending, status, stderr, options):
    done = python(textwrap.dedent(RECORD_THREE.format(options=options)) + ending)

    assert done.returncode == status
    assert stderr in done.stderr
    assert "Warning" not in done.stderr
    [session] = sessions(tmp_path / "out")
    assert _contexts(session) == ALL


def test_an_exit_without_records_writes_nothing(python, tmp_path):
    done = python("""
        from clamp_analytics.recorder import EntropyTelemetry
        telemetry = EntropyTelemetry("out", write_on_exit=True, checkpoint=0.01, on_sigterm=True)
    """)

    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "out").exists()


def test_without_options_an_exit_writes_nothing(python, tmp_path):
    python(RECORD_THREE.format(options=""))

    assert not (tmp_path / "out").exists()


def test_the_exit_writes_only_records_that_write_json_has_not_written(python, sessions, tmp_path):
    python("""
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        telemetry = EntropyTelemetry("out", write_on_exit=True, checkpoint=0.01)
        for context in ["first", "second"]:
            with ClampAnchor(context, telemetry):
                pass
            if context == "first":
                telemetry.write_json()
    """)

    found = [context for session in sessions(tmp_path / "out") for context, _ in _contexts(session)]
    assert sorted(found) == ["first", "second"]


def test_write_json_into_another_folder_removes_the_checkpoint(python, sessions, tmp_path):
    done = python("""
        from pathlib import Path
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        telemetry = EntropyTelemetry("out", checkpoint=0.01)
        with ClampAnchor("x", telemetry):
            while not list(Path("out").glob("*.json")):
                pass
        telemetry.write_json("elsewhere")
    """)

    assert (done.returncode, done.stderr) == (0, "")
    assert sessions(tmp_path / "out") == []
    assert len(sessions(tmp_path / "elsewhere")) == 1


def test_records_of_threads_that_outlive_the_main_thread_are_written(python, sessions, tmp_path):
    python("""
        import threading
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        telemetry = EntropyTelemetry("out", write_on_exit=True)
        def work():
            threading.main_thread().join()
            with ClampAnchor("late", telemetry):
                pass
        threading.Thread(target=work).start()
    """)

    [session] = sessions(tmp_path / "out")
    assert _contexts(session) == [("late", True)]


def test_a_hung_disk_does_not_block_the_exit(python, tmp_path):
    done = python("""
        import os, threading
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        os.fsync = lambda descriptor: threading.Event().wait()
        telemetry = EntropyTelemetry("out", write_on_exit=True, exit_timeout=0.2)
        with ClampAnchor("x", telemetry):
            pass
        print("end")
    """)

    assert (done.returncode, done.stdout) == (0, "end\n")
    assert "not written within 0.2 s" in done.stderr
    assert not list((tmp_path / "out").glob("*.json"))


def test_a_failing_exit_hook_warns_and_the_exit_code_stays(python):
    done = python("""
        import sys
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        open("file", "w").close()
        telemetry = EntropyTelemetry("file/out", write_on_exit=True)
        with ClampAnchor("x", telemetry):
            pass
        sys.exit(3)
    """)

    assert done.returncode == 3
    assert "RecorderWarning: telemetry was not written" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_failing_exit_hook_only_prints_if_warnings_are_errors(python):
    done = python(
        """
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        open("file", "w").close()
        telemetry = EntropyTelemetry("file/out", write_on_exit=True)
        with ClampAnchor("x", telemetry):
            pass
        """,
        "-Werror",
    )

    assert done.returncode == 0
    assert "RecorderWarning: telemetry was not written" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_exit_writes_the_records_of_daemon_threads_that_never_stop(python, sessions, tmp_path):
    done = python("""
        import threading
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        telemetry = EntropyTelemetry("out", write_on_exit=True)
        enough = threading.Semaphore(0)
        def work():
            anchor = ClampAnchor("x", telemetry)
            while True:
                for _ in range(1000):
                    with anchor:
                        pass
                enough.release()
        for _ in range(4):
            threading.Thread(target=work, daemon=True).start()
        for _ in range(200):
            enough.acquire()
    """)

    assert (done.returncode, done.stderr) == (0, "")
    [session] = sessions(tmp_path / "out")
    assert len(session["records"]) >= 200_000


def test_the_exit_leaves_no_file_of_a_write_in_progress_and_no_record_twice(python, sessions, tmp_path):
    done = python("""
        import threading
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        telemetry = EntropyTelemetry("out", write_on_exit=True, max_records=500)
        enough = threading.Semaphore(0)
        def work():
            anchor = ClampAnchor("x", telemetry)
            while True:
                for _ in range(1000):
                    with anchor:
                        pass
                enough.release()
        for _ in range(4):
            threading.Thread(target=work, daemon=True).start()
        for _ in range(8):
            enough.acquire()
    """)

    assert (done.returncode, done.stderr) == (0, "")
    seeds = [record["seed"] for session in sessions(tmp_path / "out") for record in session["records"]]
    assert len(seeds) == len(set(seeds)) >= 8000
    assert not [path for path in (tmp_path / "out").iterdir() if path.suffix != ".json"]


def test_recording_while_another_thread_imports_multiprocessing_raises_nothing(python, sessions, tmp_path):
    done = python("""
        import sys, types
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        telemetry = EntropyTelemetry("out", write_on_exit=True)
        sys.modules["multiprocessing.util"] = types.ModuleType("multiprocessing.util")
        with ClampAnchor("x", telemetry):
            pass
    """)

    assert (done.returncode, done.stderr) == (0, "")
    assert [len(session["records"]) for session in sessions(tmp_path / "out")] == [1]
