"""The mean of a session is its exact sum, rounded once, whichever way the session is read."""

from __future__ import annotations

import random
import zipfile
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clamp_analytics.archive.ingest.run import ingest
from clamp_analytics.parquet import export
from clamp_analytics.reading import Reader, ReadingOptions, load
from tests.conftest import decode, record, session, write

pytestmark = pytest.mark.usefixtures("decoder")

SCORES = st.one_of(
    st.sampled_from([0.0, 1.0, 5e-324, 1e-300, 2**-66, 0.1]),
    st.floats(0, 1),
    st.integers(0, 1000).map(lambda n: n / 1000),
)


def exact_mean(scores: list[float]) -> float:
    return float(sum(map(Fraction, scores)) / len(scores))


@given(groups=st.lists(st.lists(SCORES, min_size=1, max_size=50), min_size=1, max_size=4))
@example(groups=[[0.1] * 10, [1.0], [5e-324]])
def test_a_mean_is_correctly_rounded(groups: list[list[float]]) -> None:
    files = [session(*[record(stability_score=score) for score in scores]) for scores in groups]

    means = decode(*files).sessions["mean_stability"].to_list()

    assert means == [exact_mean(scores) for scores in groups]


def test_unusable_scores_are_left_out_of_the_mean() -> None:
    scores = [0.1, 2, 0.2, 1, 0.3]

    found = decode(session(*[record(stability_score=score) for score in scores]), session(record(stability_score=2)))

    assert found.sessions["mean_stability"].to_list() == [exact_mean([0.1, 0.2, 1, 0.3]), None]


def test_every_way_to_read_a_session_gives_the_same_mean(tmp_path: Path) -> None:
    rng = random.Random(4)
    files: dict[str, bytes] = {}
    expected = []
    for number in range(40):
        scores = [round(rng.random(), 3) for _ in range(50)]
        files[f"{number:02}.json"] = session(*[record(seed=n + 1, stability_score=s) for n, s in enumerate(scores)])
        expected.append(exact_mean(scores))
    folder = write(tmp_path / "files", files)
    with zipfile.ZipFile(tmp_path / "files.zip", "w") as container:
        for name, data in files.items():
            container.writestr(name, data)
    export(Reader(folder), tmp_path / "export")
    ingest(folder, tmp_path / "files.duckdb")

    means = {source: load(tmp_path / source).sessions["mean_stability"].to_list() for source in
             ("files", "files.zip", "export", "files.duckdb")}  # fmt: skip
    windows = load(folder, options=ReadingOptions(large_bytes=1, window_bytes=1000))
    means["windows"] = windows.sessions["mean_stability"].to_list()

    assert all(found == expected for found in means.values())
