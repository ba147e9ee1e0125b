"""Dask clusters on this machine, each started once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2]


@contextmanager
def started(workers: int, folder: Path) -> Iterator[str]:
    """The address of a cluster whose workers run in a folder of their own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.cluster.start_cluster", str(workers)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(HOME)},
    )
    with process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate(timeout=300)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a cluster of two processes that do not run in the folder of the tests."""
    with started(2, tmp_path_factory.mktemp("workers")) as address:
        yield address


@pytest.fixture(scope="session")
def no_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a scheduler without workers."""
    with started(0, tmp_path_factory.mktemp("scheduler")) as address:
        yield address
