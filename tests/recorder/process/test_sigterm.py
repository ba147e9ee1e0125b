"""What SIGTERM writes, and what it does afterwards."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest


def _contexts(session):
    return [(record["context"], record["released_at"] is not None) for record in session["records"]]


ALL = [("done-0", True), ("done-1", True), ("done-2", True), ("open", False)]


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
def test_sigterm_writes_and_then_calls_the_previous_handler(python, sessions, tmp_path, before, status, stdout):
    done = python(SIGTERM.format(before=before))

    assert (done.returncode, done.stdout, done.stderr) == (status, stdout, "")
    [session] = sessions(tmp_path / "out")
    assert _contexts(session) == ALL


def test_without_on_sigterm_no_handler_is_installed(python):
    done = python("""
        import signal
        from clamp_analytics.recorder import EntropyTelemetry
        EntropyTelemetry("out", write_on_exit=True, checkpoint=1)
        print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
    """)

    assert done.stdout == "True\n"


def test_close_restores_the_previous_handler(python):
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


def test_sigterm_during_write_json_loses_nothing(python, sessions, tmp_path):
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


def test_sigterm_ends_a_process_whose_main_thread_is_blocked(python, sessions, tmp_path):
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
        lock.acquire()  # blocks in the system until this very thread receives a signal
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


def test_without_a_free_descriptor_sigterm_is_refused_and_no_handler_remains(python):
    done = python("""
        import os, resource, signal
        from clamp_analytics.errors import UsageError
        from clamp_analytics.recorder import EntropyTelemetry
        before = signal.signal(signal.SIGTERM, lambda number, frame: None)
        handler = signal.getsignal(signal.SIGTERM)
        resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
        taken = []
        try:
            while True:
                taken.append(os.dup(0))
        except OSError:
            pass
        try:
            EntropyTelemetry("out", on_sigterm=True)
        except UsageError as error:
            print(error.what)
        print(signal.getsignal(signal.SIGTERM) is handler)
        for descriptor in taken:
            os.close(descriptor)
        EntropyTelemetry("out", on_sigterm=True).close()
        print(signal.getsignal(signal.SIGTERM) is handler)
    """)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "SIGTERM cannot be handled: too many open files\nTrue\nTrue\n"
