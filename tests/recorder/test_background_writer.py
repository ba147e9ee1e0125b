"""Checkpoints, and what remains of them when a process is killed."""

import signal
import subprocess
import sys
import textwrap

import pytest


def _contexts(session):
    return [(record["context"], record["released_at"] is not None) for record in session["records"]]


ALL = [("done-0", True), ("done-1", True), ("done-2", True), ("open", False)]


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
def test_a_checkpoint_survives_a_killed_process(python, sessions, tmp_path, ending, status):
    done = python(textwrap.dedent(WAIT_FOR_CHECKPOINT) + ending)

    assert (done.returncode, done.stderr) == (status, "")
    [session] = sessions(tmp_path / "out")
    assert _contexts(session) == ALL
    assert session["stability_score"] == 0.75


def test_a_process_that_is_killed_at_any_moment_leaves_valid_sessions(sessions, tmp_path):
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
        while files < killed * 3:  # a few files of this process
            files = len(list(out.glob("*.json"))) if out.exists() else 0
        process.kill()
        process.wait()

        for session in sessions(out):
            assert all(record["seed"] for record in session["records"])


def test_a_checkpoint_is_always_valid_and_never_loses_records(sessions, tmp_path):
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
