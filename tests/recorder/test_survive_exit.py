"""What is on disk after a process ended, one way or another."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

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
def test_every_normal_end_writes_one_session(python, sessions, tmp_path, ending, status, stderr, options):
    done = python(textwrap.dedent(RECORD_THREE.format(options=options)) + ending)

    assert done.returncode == status
    assert stderr in done.stderr
    assert "Warning" not in done.stderr
    [session] = sessions(tmp_path / "out")
    assert _contexts(session) == ALL


def test_an_end_without_records_writes_nothing(python, tmp_path):
    done = python("""
        from clamp_analytics.recorder import EntropyTelemetry
        telemetry = EntropyTelemetry("out", write_on_exit=True, checkpoint=0.01, on_sigterm=True)
    """)

    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "out").exists()


def test_without_options_an_end_writes_nothing(python, tmp_path):
    python(RECORD_THREE.format(options=""))

    assert not (tmp_path / "out").exists()


def test_the_exit_writes_only_what_write_json_has_not_written(python, sessions, tmp_path):
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


def test_write_json_elsewhere_takes_the_place_of_the_checkpoint(python, sessions, tmp_path):
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


def test_a_hung_disk_does_not_hold_up_the_exit(python, tmp_path):
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


def test_a_failing_exit_hook_warns_and_the_status_stays(python):
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


def test_a_failing_exit_hook_only_prints_where_warnings_are_errors(python):
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


# -- os._exit and SIGKILL ---------------------------------------------------------------------------------

WAIT_FOR_CHECKPOINT = """
    import json, os, signal
    from pathlib import Path
    from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
    telemetry = EntropyTelemetry("out", checkpoint=0.05)
    for number in range(3):
        with ClampAnchor(f"done-{number}", telemetry):
            pass
    open_anchor = ClampAnchor("open", telemetry).lock()
    def on_disk():
        found = [json.loads(path.read_bytes()) for path in Path("out").glob("*.json")]
        return found and len(found[0]["records"])
    while on_disk() != 4:
        pass
"""


@pytest.mark.parametrize(
    ("ending", "status"), [("os._exit(5)", 5), ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL)]
)
def test_a_checkpoint_survives_a_sudden_end(python, sessions, tmp_path, ending, status):
    done = python(textwrap.dedent(WAIT_FOR_CHECKPOINT) + ending)

    assert (done.returncode, done.stderr) == (status, "")
    [session] = sessions(tmp_path / "out")
    assert _contexts(session) == ALL
    assert session["stability_score"] == 0.75


def test_a_process_killed_at_any_moment_leaves_one_valid_session(sessions, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        telemetry = EntropyTelemetry("out", checkpoint=0.001, max_records=20_000)
        anchor = ClampAnchor("x", telemetry)
        while True:
            with anchor:
                pass
    """)
    )
    out = tmp_path / "out"
    for killed in range(1, 4):
        process = subprocess.Popen([sys.executable, str(script)], cwd=tmp_path)
        files = 0
        while files < killed * 3:  # a few files of this process, whatever it is doing then
            files = len(list(out.glob("*.json"))) if out.exists() else 0
        process.kill()
        process.wait()

        for session in sessions(out):
            assert all(record["seed"] for record in session["records"])


def test_a_checkpoint_is_valid_at_all_times_and_never_lacks_what_it_once_held(sessions, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        telemetry = EntropyTelemetry("out", checkpoint=0.001)
        outer = ClampAnchor("outer", telemetry).lock()
        anchor = ClampAnchor("x", telemetry)
        for _ in range(30_000):
            with anchor:
                pass
    """)
    )
    out = tmp_path / "out"
    counts = []
    process = subprocess.Popen([sys.executable, str(script)], cwd=tmp_path)
    while process.poll() is None:
        counts += [len(session["records"]) for session in sessions(out)]

    assert counts == sorted(counts)
    [session] = sessions(out)
    assert len(session["records"]) == 30_001
    assert len({record["seed"] for record in session["records"]}) == 30_001


# -- SIGTERM ----------------------------------------------------------------------------------------------

SIGTERM = """
    import os, signal, sys
    from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
    {before}
    telemetry = EntropyTelemetry("out", on_sigterm=True)
    for number in range(3):
        with ClampAnchor(f"done-{{number}}", telemetry):
            pass
    open_anchor = ClampAnchor("open", telemetry).lock()
    os.kill(os.getpid(), signal.SIGTERM)
    print("went on")
"""


@pytest.mark.parametrize(
    ("before", "status", "stdout"),
    [
        ("", -signal.SIGTERM, ""),
        ("signal.signal(signal.SIGTERM, signal.SIG_IGN)", 0, "went on\n"),
        ("signal.signal(signal.SIGTERM, lambda n, f: print('mine', n, f is not None))", 0, "mine 15 True\nwent on\n"),
        ("signal.signal(signal.SIGTERM, lambda n, f: sys.exit(9))", 9, ""),
        ("first = EntropyTelemetry('first', on_sigterm=True)", -signal.SIGTERM, ""),
    ],
)
def test_sigterm_writes_and_then_does_what_it_did_before(python, sessions, tmp_path, before, status, stdout):
    done = python(SIGTERM.format(before=before))

    assert (done.returncode, done.stdout, done.stderr) == (status, stdout, "")
    [session] = sessions(tmp_path / "out")
    assert _contexts(session) == ALL


def test_without_on_sigterm_the_signal_is_left_alone(python):
    done = python("""
        import signal
        from clamp_analytics.recorder import EntropyTelemetry
        EntropyTelemetry("out", write_on_exit=True, checkpoint=1)
        print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
    """)

    assert done.stdout == "True\n"


def test_close_gives_sigterm_back(python):
    done = python("""
        import signal
        from clamp_analytics.recorder import EntropyTelemetry
        handler = lambda n, f: None
        signal.signal(signal.SIGTERM, handler)
        telemetry = EntropyTelemetry("out", on_sigterm=True)
        telemetry.close()
        print(signal.getsignal(signal.SIGTERM) is handler)
    """)

    assert done.stdout == "True\n"


def test_sigterm_in_the_middle_of_write_json_loses_nothing(python, sessions, tmp_path):
    done = python("""
        import os, signal
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        telemetry = EntropyTelemetry("out", on_sigterm=True)
        with ClampAnchor("x", telemetry):
            pass
        fsync = os.fsync
        def interrupted(descriptor):
            os.kill(os.getpid(), signal.SIGTERM)
            fsync(descriptor)
        os.fsync = interrupted
        telemetry.write_json()
        print("not reached")
    """)

    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGTERM, "", "")
    [session] = sessions(tmp_path / "out")
    assert _contexts(session) == [("x", True)]


def test_sigterm_with_a_hung_disk_still_ends_the_process(python):
    done = python("""
        import os, signal, threading
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        os.fsync = lambda descriptor: threading.Event().wait()
        telemetry = EntropyTelemetry("out", on_sigterm=True, exit_timeout=0.2)
        with ClampAnchor("x", telemetry):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
    """)

    assert done.returncode == -signal.SIGTERM
    assert "not written within 0.2 s" in done.stderr


def test_sigterm_ends_a_process_whose_main_thread_it_does_not_wake(python, sessions, tmp_path):
    done = python("""
        import multiprocessing, signal, threading
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        telemetry = EntropyTelemetry("out", on_sigterm=True)
        with ClampAnchor("x", telemetry):
            pass
        lock = multiprocessing.Lock()
        lock.acquire()
        send = lambda: signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
        threading.Thread(target=send).start()
        lock.acquire()  # in the system's hands until a signal comes to this very thread
    """)

    assert (done.returncode, done.stderr) == (-signal.SIGTERM, "")
    [session] = sessions(tmp_path / "out")
    assert _contexts(session) == [("x", True)]


def test_each_sigterm_calls_the_previous_handler_once(python):
    done = python("""
        import os, signal, threading
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        called = threading.Semaphore(0)
        signal.signal(signal.SIGTERM, lambda number, frame: (print("called", flush=True), called.release()))
        telemetry = EntropyTelemetry("out", on_sigterm=True)
        for _ in range(3):
            with ClampAnchor("x", telemetry):
                pass
            os.kill(os.getpid(), signal.SIGTERM)
            called.acquire()
        while called.acquire(timeout=0.3):  # nothing comes after it
            pass
    """)

    assert (done.returncode, done.stdout, done.stderr) == (0, "called\n" * 3, "")


def test_sigterm_under_load_writes_every_finished_cycle(sessions, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        import threading
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        telemetry = EntropyTelemetry("out", on_sigterm=True, max_records=1000)
        def work():
            while True:
                with ClampAnchor("x", telemetry):
                    pass
        for _ in range(4):
            threading.Thread(target=work, daemon=True).start()
        work()
    """)
    )
    process = subprocess.Popen([sys.executable, str(script)], cwd=tmp_path, stderr=subprocess.PIPE)
    out: Path = tmp_path / "out"
    while not out.exists() or len(list(out.glob("*.json"))) < 3:
        os.sched_yield()
    process.terminate()
    _, stderr = process.communicate()

    assert (process.returncode, stderr) == (-signal.SIGTERM, b"")
    seeds = [record["seed"] for session in sessions(out) for record in session["records"]]
    assert len(seeds) == len(set(seeds)) > 3000
    assert not [path for path in out.iterdir() if path.suffix != ".json"]
