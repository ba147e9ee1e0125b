"""Sources for every command, and how long the tests of faults may take."""

import os
import random

import pytest

from tests.faults.commands import prepare

ROUNDS = int(os.environ.get("CLAMP_FAULT_ROUNDS", "1"))
"""How many moments are drawn for each command and signal; with one, each command gets one signal."""

SEED = os.environ.get("CLAMP_FAULT_SEED", "1")


@pytest.fixture(scope="session")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    prepare(folder)
    return folder


@pytest.fixture
def draw(request):
    """Random numbers that depend on the test and on the seed of the run."""
    return random.Random(f"{SEED} {request.node.name}")


@pytest.fixture
def work(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    return folder
