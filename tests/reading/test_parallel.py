"""The same result for any number of workers and any cut of the work; workers that die or are interrupted."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clamp_analytics.batch import Batch
from clamp_analytics.decode.kernel import load_kernel
from clamp_analytics.errors import WorkerError
from clamp_analytics.reading import Reader, ReadingOptions, Telemetry, executors, iter_batches, load
from clamp_analytics.reading.task import ReadRequest, Task
from tests.conftest import EXAMPLES, GOOD, Raw, drain, producer_session, record, session, write

FILES = {f"{n:02}.json": producer_session(*({"seed": n * 100 + k} for k in range(1, n % 7 + 1))) for n in range(40)} | {
    "05b.json": b"",
    "11b.json": session(record(seed=0), record(seed=-1, node=[1, 2]), record(context=None), top={"a": 1}),
    "17b.json": GOOD[:-1],
    "23b.json": session(record(seed=2**64 - 1), record(seed=2**64)),
    "24b.json": b'{"stability_score":0,"deviceName":"x","records":[]}',
    "29b.json": (GOOD + b" "),
    "31b.json": (GOOD + b" "),
    "35b.json": session(record(acquired_at="", released_at="soon"), Raw("5")),
}
"""Sound and faulty files whose seeds and bytes partly repeat."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "sessions", FILES)


def same(one: Telemetry, other: Telemetry) -> bool:
    frames = ("sessions", "records", "violations")
    return one.counts == other.counts and all(getattr(one, name).equals(getattr(other, name)) for name in frames)


EAGER = ReadingOptions(batch_bytes=2000, workers_from_bytes=1)
"""Small batches, and workers for sources of any size."""


@pytest.mark.usefixtures("without_kernel")
@pytest.mark.parametrize("jobs", [2, 3])
def test_several_workers_give_the_tables_of_one(folder: Path, jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    start = executors.worker_processes
    monkeypatch.setattr(executors, "worker_processes", lambda count: started.append(count) or start(count))

    many = load(folder, jobs=jobs, session_ids=True, options=EAGER)

    # This process is one of the jobs.
    assert started == [jobs - 1]
    assert same(many, load(folder, jobs=1, session_ids=True))


@pytest.mark.parametrize("jobs", [2, 3])
def test_several_threads_of_the_native_decoder_give_the_tables_of_one(folder: Path, jobs: int) -> None:
    if load_kernel() is None:
        pytest.skip("clamp-analytics-kernel is not installed")

    many = load(folder, jobs=jobs, session_ids=True, options=EAGER)

    assert same(many, load(folder, jobs=1, session_ids=True))
    assert multiprocessing.active_children() == []


@pytest.mark.usefixtures("decoder")
def test_files_that_all_have_a_fault_are_read_in_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path, {f"{n:02}.json": session(record(seed=0), record(seed=n)) for n in range(1, 40)})
    started = []
    start = executors.worker_processes
    monkeypatch.setattr(executors, "worker_processes", lambda count: started.append(count) or start(count))

    many = load(folder, jobs=2, options=EAGER)

    assert started == [1]
    assert same(many, load(folder, jobs=1))


def test_an_exception_cancels_the_tasks_that_wait_for_a_thread() -> None:
    is_running, may_end = Event(), Event()
    futures: list[Future[bool]] = []

    def fail_while_one_of_two_tasks_runs() -> None:
        with executors.worker_threads(1) as threads:
            futures.append(threads.submit(lambda: is_running.set() or may_end.wait()))
            futures.append(threads.submit(may_end.wait))
            is_running.wait()
            raise KeyError

    with pytest.raises(KeyError):
        fail_while_one_of_two_tasks_runs()
    may_end.set()

    assert futures[0].result()
    assert futures[1].cancelled()


@pytest.mark.usefixtures("decoder")
@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_an_executor_of_the_user_gives_the_same_tables(folder: Path, jobs: int) -> None:
    with ThreadPoolExecutor(3) as executor:
        threads = load(folder, jobs=jobs, executor=executor, options=EAGER)

    assert same(threads, load(folder, jobs=1))


def test_an_executor_of_the_user_is_left_running(folder: Path) -> None:
    with ThreadPoolExecutor(1) as executor:
        next(iter_batches(folder, executor=executor, options=EAGER))

        assert executor.submit(len, "ab").result() == 2


@pytest.fixture
def whole(folder: Path, decoder: str) -> Telemetry:
    """The tables of the folder, read by one job at once."""
    return load(folder, jobs=1)


@given(batch_bytes=st.integers(1, 20_000), batch_files=st.integers(1, 60))
@settings(max_examples=8 * EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_cut_into_batches_gives_the_same_tables(
    folder: Path, whole: Telemetry, batch_bytes: int, batch_files: int
) -> None:
    cut = load(folder, jobs=1, options=ReadingOptions(batch_bytes=batch_bytes, batch_files=batch_files))

    assert same(cut, whole)


@pytest.mark.usefixtures("decoder")
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_large_file_between_small_ones_gives_the_same_tables(folder: Path, jobs: int) -> None:
    entries = [record(seed=n, released_at=None) for n in range(1, 200)]
    entries[50:50] = [Raw("5"), record(seed=-1), Raw("[]")]
    write(folder, {"15b.json": session(*entries, record(seed=3))})
    whole = load(folder, jobs=1)
    in_windows = replace(EAGER, large_bytes=5000, window_bytes=1500)

    assert same(load(folder, jobs=jobs, options=in_windows), whole)


def test_batches_come_in_the_order_of_the_files(folder: Path) -> None:
    batches = iter_batches(folder, options=ReadingOptions(batch_files=3))

    seen = [source for batch in batches for source in batch.sessions["source"]]

    assert seen == sorted(str(folder / name) for name in FILES)


def test_progress_goes_up_to_the_number_of_files(folder: Path) -> None:
    calls: list[tuple[int, int]] = []

    ten_files = ReadingOptions(batch_files=10)
    load(folder, progress=lambda done, total: calls.append((done, total)), options=ten_files)

    assert calls[-1] == (len(FILES), len(FILES))
    assert calls == sorted(calls)


@pytest.mark.usefixtures("without_kernel")
def test_little_work_starts_no_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "worker_processes", None)

    assert load(folder, jobs=8).counts.seen == len(FILES)


def test_what_workers_are_forked_from_has_started_no_engine() -> None:
    threads = "[open(f'/proc/self/task/{task}/comm').read() for task in os.listdir('/proc/self/task')]"
    code = f"import os, clamp_analytics.reading.task; print({threads})"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    # A worker has none of the threads that its engine would wait for.
    assert "polars-0" not in done.stdout
    assert "tokio" not in done.stdout


@pytest.mark.usefixtures("without_kernel")
def test_who_stops_early_leaves_no_worker_behind(folder: Path) -> None:
    batches = iter_batches(folder, jobs=2)
    next(batches)
    batches.close()  # type: ignore[attr-defined]

    for child in multiprocessing.active_children():
        child.join(60)
    assert multiprocessing.active_children() == []


def fail(batch: Batch) -> None:
    raise ValueError("what the reduction raises")


@pytest.mark.usefixtures("decoder")
@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_of_the_reduction_reaches_the_caller(folder: Path, jobs: int) -> None:
    with pytest.raises(ValueError, match="what the reduction raises"):
        list(Reader(folder, jobs=jobs, options=EAGER).fold(fail))


def die(parent: int, batch: Batch) -> None:
    if os.getpid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.usefixtures("without_kernel")
def test_a_worker_that_is_killed_is_an_error_that_names_its_files(folder: Path) -> None:
    with pytest.raises(WorkerError) as caught:
        list(Reader(folder, jobs=2, options=EAGER).fold(partial(die, os.getpid())))

    assert str(folder / "00.json") in caught.value.where
    assert "1 job" in caught.value.hint


@pytest.mark.usefixtures("without_kernel")
def test_reading_goes_on_after_a_worker_was_killed(folder: Path) -> None:
    reader = Reader(folder, jobs=2, options=EAGER)
    with pytest.raises(WorkerError):
        list(reader.fold(partial(die, os.getpid())))

    again = Reader(folder, jobs=2, options=EAGER)
    drain(again)

    assert again.counts.seen == len(FILES)


SCRIPT = """
import os, signal, sys
from clamp_analytics.reading import Reader, ReadingOptions, load
EAGER = ReadingOptions(batch_bytes=2000, workers_from_bytes=1)
"""
THREADS = {"one thread": "", "threads": "import polars; polars.DataFrame({'a': range(9)}).lazy().collect()\n"}
"""A process of one thread forks its workers; one of several has a server fork them."""


@pytest.mark.usefixtures("without_kernel")
@pytest.mark.parametrize("threads", THREADS)
def test_a_script_without_a_guard_may_use_several_workers(folder: Path, threads: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT + THREADS[threads] + "print(load(sys.argv[1], jobs=2, options=EAGER).counts)\n")

    done = subprocess.run(
        [sys.executable, script, str(folder)], capture_output=True, text=True, timeout=120, check=False
    )

    expected = load(folder, jobs=1).counts
    assert (done.stdout, done.stderr) == (f"{expected}\n", "")


@pytest.mark.usefixtures("without_kernel")
@pytest.mark.parametrize("threads", THREADS)
def test_code_from_standard_input_may_use_several_workers(folder: Path, threads: str) -> None:
    code = SCRIPT + THREADS[threads] + "print(load(sys.argv[1], jobs=2, options=EAGER).counts)\n"

    done = subprocess.run(
        [sys.executable, "-", str(folder)], input=code, capture_output=True, text=True, timeout=120, check=False
    )

    assert (done.stdout, done.stderr) == (f"{load(folder, jobs=1).counts}\n", "")


WAITING = '''
import os, signal


def wait(batch):
    """Tells that a worker is at it, and stays so."""
    os.write(1, b"at work\\n")
    signal.pause()
'''


def start_waiting(folder: Path, threads: str, home: Path) -> subprocess.Popen[bytes]:
    """A reader in a group of processes of its own, at a moment when a worker is at work and stays so."""
    (home / "waiting.py").write_text(WAITING)
    script = home / "script.py"
    script.write_text(
        SCRIPT
        + THREADS[threads]
        + "from waiting import wait\nlist(Reader(sys.argv[1], jobs=2, options=EAGER).fold(wait))\n"
    )
    process = subprocess.Popen(
        [sys.executable, script, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"at work\n"
    return process


def errors_at_end(process: subprocess.Popen[bytes]) -> bytes:
    """What the group wrote to stderr; every worker holds the pipe, so it is known when the last one has ended."""
    with process:
        try:
            return process.communicate(timeout=30)[1]
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.usefixtures("without_kernel")
@pytest.mark.parametrize("threads", THREADS)
def test_an_interrupt_ends_every_worker(folder: Path, threads: str, tmp_path: Path) -> None:
    process = start_waiting(folder, threads, tmp_path)

    os.killpg(process.pid, signal.SIGINT)

    assert errors_at_end(process).endswith(b"KeyboardInterrupt\n")
    assert process.returncode != 0


@pytest.mark.usefixtures("without_kernel")
@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["terminated", "killed"])
def test_no_worker_outlives_a_reader_that_is_ended(
    folder: Path, threads: str, number: signal.Signals, tmp_path: Path
) -> None:
    process = start_waiting(folder, threads, tmp_path)

    process.send_signal(number)

    errors_at_end(process)
    assert process.returncode == -number


def test_one_job_on_workers_of_our_own_reads_everything(folder: Path) -> None:
    with executors.worker_processes(1) as workers:
        telemetry = load(folder, jobs=1, executor=workers, options=EAGER)

    assert telemetry.counts.seen == len(FILES)


def test_files_that_need_no_workers_are_not_sampled() -> None:
    def sample() -> bool:
        raise AssertionError("no workers are started")

    task = Task((), ReadRequest(frozenset()), lambda batch: batch.sessions.height)

    ((_, (result,)),) = executors.run_all([(task, 10)], 2, in_python=sample)

    assert result.result == 0
