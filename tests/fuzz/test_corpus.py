"""The fuzz targets without a fuzzer: the inputs that it has found, and a fixed number of mutations of them."""

from __future__ import annotations

import importlib
import random
from pathlib import Path

import pytest

from fuzz.target import INSTRUMENTED, Target

CORPUS = Path(__file__).parents[2] / "fuzz" / "corpus"
MUTATIONS = {"decode": 2000, "native": 1000, "containers": 500, "timestamps": 3000, "sql": 30, "rewrite": 20}


@pytest.fixture(params=INSTRUMENTED)
def name(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    # The target for SQL changes both.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLAMP_CANARY", "")
    return str(request.param)


def inputs_of(name: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]


def target_of(name: str, folder: Path) -> Target:
    target: Target = importlib.import_module(f"fuzz.{name}").target(folder)
    return target


def mutated(data: bytes, other: bytes, draw: random.Random) -> bytes:
    """An input with a byte changed, a part left out, repeated, or taken from another input."""
    begin, end = sorted(draw.choices(range(len(data) + 1), k=2))
    middle = draw.choice([b"", bytes([draw.randrange(256)]), data[begin:end] * 2, other[begin:end]])
    return data[:begin] + middle + data[end:]


def test_every_target_has_a_corpus(name: str) -> None:
    assert inputs_of(name)


def test_inputs_that_the_fuzzer_has_found_are_read_rightly(name: str, tmp_path: Path) -> None:
    target = target_of(name, tmp_path)

    for data in inputs_of(name):
        target.run(data)
    target.finish()


def test_mutations_of_the_corpus_are_read_rightly(name: str, tmp_path: Path) -> None:
    target = target_of(name, tmp_path)
    draw = random.Random(1)
    inputs = inputs_of(name)

    for _ in range(MUTATIONS[name]):
        data, other = draw.choices(inputs, k=2)
        target.run(mutated(data, other, draw)[: target.max_bytes])
    target.finish()
