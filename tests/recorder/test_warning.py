"""Warnings that cannot be written: the program that records must not notice."""

import pytest

STDERR = {
    "closed-stream": "sys.stderr.close()",
    "no-stream": "sys.stderr = None",
    "closed-descriptor": "os.close(2)",
    "broken-pipe": "ends = os.pipe(); os.close(ends[0]); os.dup2(ends[1], 2)",
    "full-disk": "os.dup2(os.open('/dev/full', os.O_WRONLY), 2)",
    "full-disk-and-errors": "os.dup2(os.open('/dev/full', os.O_WRONLY), 2); warnings.simplefilter('error')",
    "full-disk-and-logging": """
        os.dup2(os.open('/dev/full', os.O_WRONLY), 2)
        import logging
        logging.basicConfig()
        logging.captureWarnings(True)
    """,
    "raising-stream": """
        class Broken:
            def write(self, text): raise RuntimeError
            def flush(self): pass
        sys.stderr = Broken()
    """,
    "raising-hook": """
        def showwarning(*arguments, **options): raise KeyError
        warnings.showwarning = showwarning
    """,
    "raising-hook-and-full-disk": """
        os.dup2(os.open('/dev/full', os.O_WRONLY), 2)
        def showwarning(*arguments, **options): raise KeyError
        warnings.showwarning = showwarning
    """,
}

FAULTS = {
    "dropped": "directory='out', max_records=1, on_full='drop'",
    "rolled-to-a-full-disk": "directory='out', max_records=2, exit_timeout=0.05, write_on_exit=True",
    "checkpointed-to-nowhere": "directory='file/out', checkpoint=0.001",
    "written-to-nowhere-at-exit": "directory='file/out', write_on_exit=True, on_sigterm=True",
}

SCRIPT = """
import asyncio, os, resource, signal, sys, threading, warnings
from datetime import datetime, timezone
from clamp_analytics.errors import OutputError
from clamp_analytics.recorder import *

open("file", "w").close()
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
{stderr}
other = EntropyTelemetry("other")
other.record_release(other.record_acquire("other", 1))

@anchored("function")
def function(): pass

@anchored("coroutine")
async def coroutine():
    async with ClampAnchor("async"), AnchoredAsyncLock("lock"):
        pass

def use_every_entry(telemetry):
    set_default_telemetry(telemetry)
    telemetry.record_release(telemetry.record_acquire("record", 5), 0.5)
    with ClampAnchor("block") as anchor:
        anchor.stability_score = 0.5
        anchor.seed, anchor.stability_score, anchor.status()
    ClampAnchor("plain").lock().release()
    for kind in (AnchoredLock, AnchoredRLock):
        with kind("lock"):
            pass
    function()
    asyncio.run(coroutine())
    telemetry.merge(other)
    telemetry.merge_json(other.to_json())
    telemetry.align_to_reference(datetime(2020, 1, 1, tzinfo=timezone.utc))
    telemetry.records(), telemetry.to_json(), telemetry.dropped, telemetry.enabled
    try:
        telemetry.write_json()
    except OutputError:
        pass

closed, left_open = EntropyTelemetry({fault}), EntropyTelemetry({fault})
for telemetry in (closed, left_open):
    for _ in range(3):
        use_every_entry(telemetry)
thread = threading.Thread(target=use_every_entry, args=(left_open,))
thread.start()
thread.join()
closed.close()
{end}
print("done", flush=True)
"""


def _script(stderr, fault, end=""):
    lines = [line.removeprefix("        ") for line in STDERR[stderr].splitlines()]
    return SCRIPT.format(stderr="\n".join(lines), fault=FAULTS[fault], end=end)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("stderr", STDERR)
def test_a_warning_that_cannot_be_written_does_not_reach_the_program(python, stderr, fault):
    done = python(_script(stderr, fault))

    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def test_a_warning_that_cannot_be_written_does_not_stop_a_signal(python):
    done = python(_script("full-disk", "written-to-nowhere-at-exit", "os.kill(os.getpid(), signal.SIGTERM)"))

    assert (done.returncode, done.stdout) == (-15, "")


def test_output_of_the_program_before_and_after_a_lost_warning_is_kept(python, tmp_path):
    done = python("""
        import os, sys
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        telemetry = EntropyTelemetry("out", max_records=1, on_full="drop")
        stderr = os.dup(2)
        print("before", file=sys.stderr)
        os.dup2(os.open("/dev/full", os.O_WRONLY), 2)
        for _ in range(3):
            with ClampAnchor("x", telemetry):
                pass
        os.dup2(stderr, 2)
        print("after", file=sys.stderr)
    """)

    assert (done.returncode, done.stderr) == (0, "before\nafter\n")


@pytest.mark.parametrize(("action", "count"), [("ignore", 0), ("default", 1), ("error", 1)])
def test_a_warning_follows_the_filters_and_an_error_becomes_a_line(python, action, count):
    done = python(f"""
        import warnings
        warnings.simplefilter("{action}")
        from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
        telemetry = EntropyTelemetry("out", max_records=1, on_full="drop")
        for _ in range(3):
            with ClampAnchor("x", telemetry):
                pass
    """)

    assert done.returncode == 0
    assert done.stderr.count("RecorderWarning: telemetry is full") == count
