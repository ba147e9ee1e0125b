"""Full disks, read-only folders and removed folders."""

import subprocess

import pytest

FILL = """
    import sys
    from pathlib import Path
    from clamp_analytics.errors import OutputError
    from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
    telemetry = EntropyTelemetry("{folder}")
    for _ in range(2000):
        with ClampAnchor("x", telemetry):
            pass
    {before}
    try:
        telemetry.write_json()
    except OutputError as error:
        print(error.what, "|", error.where)
    left = [path for path in Path("{folder}").rglob("*") if path.name != "old.json"]
    print(left, len(telemetry.records()), telemetry.write_json("good").name[:9])
"""


@pytest.fixture
def mounts():
    """The beginning of a command that can mount file systems in its own namespace."""
    if subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this user may not mount anything")
    return ["unshare", "-m", "sh", "-ec"]


def test_a_limit_on_file_sizes_is_an_error_that_leaves_no_partial_file(python, tmp_path):
    before = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))"
    after = "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)"
    script = FILL.format(folder="out", before=before).replace("    left =", f"    {after}\n    left =")
    done = python(script)

    assert done.stderr == ""
    assert done.stdout == (f"the session was not written: file too large | {tmp_path}/out\n[] 2000 clamp_run\n")


def test_a_full_disk_is_an_error_that_leaves_no_partial_file(python, mounts, tmp_path):
    (tmp_path / "out").mkdir()
    before = [*mounts, 'mount -t tmpfs -o size=64k tmpfs out && touch out/old.json && exec "$0" "$@"']
    done = python(FILL.format(folder="out", before=""), before=before)

    assert done.stderr == ""
    assert done.stdout == (
        f"the session was not written: no space left on device | {tmp_path}/out\n[] 2000 clamp_run\n"
    )


def test_a_read_only_folder_is_an_error(python, mounts, tmp_path):
    (tmp_path / "out").mkdir()
    before = [*mounts, 'mount -t tmpfs -o ro tmpfs out && exec "$0" "$@"']
    done = python(FILL.format(folder="out", before=""), before=before)

    assert done.stderr == ""
    assert done.stdout == (f"the session was not written: read-only file system | {tmp_path}/out\n[] 2000 clamp_run\n")


def test_a_folder_that_is_removed_is_an_error(python, tmp_path):
    (tmp_path / "out").mkdir()
    done = python(FILL.format(folder="out", before="Path('out').rmdir()"))

    assert done.stderr == ""
    assert done.stdout == (f"the session was not written: the folder was removed | {tmp_path}/out\n[] 2000 clamp_run\n")


def test_a_failing_checkpoint_warns_once_and_succeeds_when_the_disk_works_again(python, sessions, tmp_path):
    done = python("""
        import os, threading
        from pathlib import Path
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        tries = threading.Semaphore(0)
        fsync = os.fsync
        def full(descriptor):
            tries.release()
            raise OSError(28, "No space left on device")
        os.fsync = full
        telemetry = EntropyTelemetry("out", checkpoint=0.01)
        with ClampAnchor("x", telemetry):
            for _ in range(3):
                tries.acquire()
            assert not list(Path("out").iterdir()) or all(p.suffix == ".tmp" for p in Path("out").iterdir())
            os.fsync = fsync
            while not list(Path("out").glob("*.json")):
                pass
    """)

    assert done.returncode == 0
    assert done.stderr.count("RecorderWarning: telemetry was not written") == 1
    assert "no space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert [len(session["records"]) for session in sessions(tmp_path / "out")] == [1]


def test_a_rolled_session_is_written_when_the_disk_works_again(python, sessions, tmp_path):
    done = python("""
        import os, threading
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        tried = threading.Event()
        fsync = os.fsync
        def full(descriptor):
            tried.set()
            raise OSError(28, "No space left on device")
        os.fsync = full
        telemetry = EntropyTelemetry("out", max_records=10, write_on_exit=True, exit_timeout=0.5)
        for number in range(25):
            with ClampAnchor("x", telemetry):
                pass
            if number == 15:
                tried.wait()
        print(len(telemetry.records()), telemetry.dropped)
        os.fsync = fsync
    """)

    assert done.returncode == 0
    assert done.stdout == "10 5\n"
    assert done.stderr.count("RecorderWarning: telemetry was not written") == 1
    assert done.stderr.count("RecorderWarning: the disk accepts no telemetry") == 1
    assert sorted(len(session["records"]) for session in sessions(tmp_path / "out")) == [10, 10]
