"""A device with input/output errors: a command ends with a sentence, and leaves no part of a file."""

import pytest

from tests.faults.commands import CALLS, command_line
from tests.faults.conftest import ROUNDS
from tests.faults.disks import FROM_BROKEN_DEVICE, WRITING, has_loop_devices, run_in_namespace, run_on_broken_device
from tests.faults.outputs import assert_refused, assert_whole

pytestmark = pytest.mark.skipif(not has_loop_devices(), reason="needs root and loop devices")
READING_AND_WRITING = [name for name in WRITING if CALLS[name].ends and "{sessions}" in CALLS[name].arguments]


@pytest.mark.parametrize("name", WRITING if ROUNDS > 1 else ["summarize", "ingest"])
def test_an_error_that_writing_reports_leaves_nothing(name, sources, work):
    done = run_on_broken_device(name, sources, work, "sync")

    assert_refused(done)
    assert not (work / (CALLS[name].output or "none")).exists()


@pytest.mark.parametrize("name", WRITING if ROUNDS > 1 else ["merge", "export"])
def test_an_error_that_flushing_reports_leaves_nothing(name, sources, work):
    done = run_on_broken_device(name, sources, work, "defaults")

    assert_refused(done)
    assert not (work / (CALLS[name].output or "none")).exists()


@pytest.mark.parametrize("name", READING_AND_WRITING if ROUNDS > 1 else ["summarize", "merge"])
def test_a_file_that_cannot_be_read_is_reported_and_no_traceback(name, sources, work):
    command = command_line(name, sources, work)
    mount = work.parent / "mount"
    broken = [part.replace(f"{sources}/sessions", f"{mount}/disk/sessions") for part in command]

    done = run_in_namespace(FROM_BROKEN_DEVICE, broken, work, SESSIONS=sources / "sessions")

    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 3), done.stderr
    assert_whole(work)
