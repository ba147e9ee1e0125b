"""Samples that many tests of the command line read."""

from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[2] / "data" / "samples"


@pytest.fixture
def clean():
    return SAMPLES / "clean"


@pytest.fixture
def faulty():
    return SAMPLES / "faulty"
