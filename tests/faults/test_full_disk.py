"""A disk that is full: every command that writes says so with exit code 3, and leaves no part of a file."""

import subprocess

import pytest

from tests.faults.commands import CALLS, command_line
from tests.faults.conftest import ROUNDS
from tests.faults.disks import (
    ON_FULL_DEVICE,
    PAGE,
    READING_ONLY,
    WRITING,
    can_mount,
    has_loop_devices,
    run_in_namespace,
    run_on_full_disk,
    run_with_file_limit,
)
from tests.faults.outputs import assert_refused, assert_whole

needs_loop_devices = pytest.mark.skipif(not has_loop_devices(), reason="needs root and loop devices")
SOME_WRITING = WRITING if ROUNDS > 1 else ["summarize", "export", "ingest"]
SOME_ENDING = [name for name, call in CALLS.items() if call.ends] if ROUNDS > 1 else ["validate", "archive info"]


@pytest.mark.parametrize("name", WRITING)
def test_nothing_is_left_on_a_disk_without_space(name, sources, work):
    done = run_on_full_disk(name, sources, work)

    assert_refused(done)
    assert not (work / (CALLS[name].output or "none")).exists()
    assert_whole(work)


@pytest.mark.parametrize("name", [name for name in SOME_WRITING if CALLS[name].ends])
@pytest.mark.parametrize("round_number", range(ROUNDS))
def test_nothing_or_all_is_left_on_a_disk_with_little_space(name, round_number, sources, work, draw):
    done = run_on_full_disk(name, sources, work, PAGE * draw.randrange(1, 200))

    if done.returncode != 0:
        assert_refused(done)
    assert (work / (CALLS[name].output or "archive.duckdb")).exists() or done.returncode == 3
    assert_whole(work)


def test_a_query_without_any_folder_for_temporary_files_is_an_error_of_the_output(sources, work):
    done = run_with_file_limit("sql", sources, work, 0)

    assert_refused(done)
    assert "the folder for temporary files cannot be made" in done.stderr


@pytest.mark.skipif(not can_mount(), reason="needs a disk of its own, because the limit holds for all disks")
@pytest.mark.parametrize("name", READING_ONLY)
def test_a_command_that_only_reads_needs_no_space(name, sources, work):
    assert run_on_full_disk(name, sources, work).returncode == 0


@needs_loop_devices
@pytest.mark.parametrize("name", SOME_WRITING)
def test_an_error_that_only_flushing_reports_is_one_of_the_output(name, sources, work):
    command = [part.replace(f"{work}/", "") for part in command_line(name, sources, work)]

    done = run_in_namespace(ON_FULL_DEVICE, command, work)

    assert_refused(done)
    assert not (work / (CALLS[name].output or "none")).exists()


@pytest.mark.parametrize("name", SOME_ENDING)
def test_a_full_disk_behind_standard_output_gives_no_traceback(name, sources, work):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command_line(name, sources, work), cwd=work, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )

    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 3)
