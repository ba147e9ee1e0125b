"""Workers and clusters that fail, and Ctrl-C."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from clamp_analytics import __version__
from clamp_analytics.batch import Batch
from clamp_analytics.errors import UsageError, WorkerError
from clamp_analytics.reading import Reader
from clamp_analytics.reading.cluster import ClusterOptions, DaskWorkers, connect_cluster
from clamp_analytics.reading.shards import check_version
from tests.conftest import numbered, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "heap", {f"{seed}.json": numbered(seed) for seed in (1, 2, 3)})


@pytest.fixture
def mortal_cluster(cluster: str) -> Iterator[str]:
    """The address of the cluster; its workers may be killed, and are back when the test ends."""
    from distributed import Client

    yield cluster
    with Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=300)


def die_once(mark: Path, batch: Batch) -> int:
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return batch.records.height
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def test_a_task_of_a_killed_worker_is_run_again(folder: Path, mortal_cluster: str, tmp_path: Path) -> None:
    counts = list(Reader(folder, cluster=mortal_cluster).fold(partial(die_once, tmp_path / "mark")))

    assert counts == [3]
    assert (tmp_path / "mark").exists()


def die(batch: Batch) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_task_that_kills_every_worker_is_an_error_that_names_its_files(folder: Path, mortal_cluster: str) -> None:
    with pytest.raises(WorkerError, match="workers ended before their work was done") as caught:
        list(Reader(folder, cluster=mortal_cluster).fold(die))

    assert caught.value.where == ", ".join(str(folder / f"{seed}.json") for seed in (1, 2, 3))


def test_a_cluster_without_workers_is_an_error_that_names_the_files(folder: Path, no_workers: str) -> None:
    with connect_cluster(no_workers, ClusterOptions(no_workers_seconds=0.1, count_seconds=0)) as workers:
        reader = Reader(folder, executor=workers)

        with pytest.raises(WorkerError, match="the cluster has no workers") as caught:
            list(reader.fold(die))

    assert str(folder / "1.json") in caught.value.where


@pytest.mark.parametrize(
    ("address", "kind"), [("tcp://127.0.0.1:1", WorkerError), ("nowhere", UsageError), ("ftp://a:1", UsageError)]
)
def test_an_address_without_a_scheduler_is_one_clear_error(address: str, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught, connect_cluster(address, ClusterOptions(connect_seconds=0.1)):
        pass

    assert f"{address}: the " in str(caught.value)


class FakeClient:
    """A client of a cluster with one worker."""

    def __init__(self, version: object) -> None:
        self.version = version

    def run(self, function: Callable[..., Any], *arguments: Any, on_error: str) -> dict[str, object]:
        assert function(*arguments) == __version__
        assert on_error == "return"
        return {"tcp://worker:1": self.version}


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("0.0.1", f"a worker has clamp-analytics 0.0.1, and this is {__version__}"),
        (None, "on a worker, clamp-analytics is not installed"),
        (ImportError("no polars"), "on a worker, clamp-analytics cannot be imported: no polars"),
    ],
)
def test_a_worker_needs_this_version_of_the_package(version: object, message: str) -> None:
    with pytest.raises(WorkerError) as caught:
        DaskWorkers(FakeClient(version)).check_versions()

    assert str(caught.value).startswith(f"tcp://worker:1: {message}\n")


def test_a_task_checks_the_version_of_a_worker_that_joined_later() -> None:
    with pytest.raises(WorkerError, match=f"a worker has clamp-analytics {__version__}, and this is 9.9"):
        check_version("9.9")


async def wait_for_tasks(dask_scheduler: Any, *, some: bool) -> None:
    """Wait on the scheduler until it has tasks, or until it has none."""
    while bool(dask_scheduler.tasks) is not some:
        await asyncio.sleep(0.01)


def test_an_interrupt_ends_the_command_and_leaves_no_task(folder: Path, no_workers: str) -> None:
    from distributed import Client

    call = [sys.executable, "-m", "clamp_analytics", "score", str(folder), "--cluster", no_workers]
    with (
        Client(no_workers, set_as_default=False) as client,
        subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process,
    ):
        client.run_on_scheduler(wait_for_tasks, some=True)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
        client.run_on_scheduler(wait_for_tasks, some=False)

    assert (process.returncode, out, err) == (130, b"", b"interrupted\n")


def test_a_client_that_cannot_connect_is_closed_at_once() -> None:
    with pytest.raises(WorkerError), connect_cluster("tcp://127.0.0.1:1", ClusterOptions(connect_seconds=0.1)):
        pass

    clients = [found for found in gc.get_objects() if type(found).__name__ == "OwnClient"]
    assert {client.status for client in clients} <= {"closed"}
