"""Reading on other workers: the same batches, names and counts as here, for any executor."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from clamp_analytics.batch import Batch
from clamp_analytics.errors import UsageError, WorkerError
from clamp_analytics.reading import Reader, ReadingOptions, load
from tests.conftest import GOOD, assert_equal, itself, numbered, record, session, write

SMALL = ReadingOptions(
    batch_bytes=1_000, batch_files=3, large_bytes=4_000, window_bytes=1_000, shard_bytes=2_000, shard_files=5
)
"""Sizes with which a few small files are several shards of several batches."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A relative path of a folder; one of its files is read in parts."""
    files = {f"{seed:02}.json": numbered(seed) for seed in range(1, 40)}
    files["17.json"] = session(*(record(seed=seed) for seed in range(100, 150)))
    files["23.json"] = GOOD[:-1]
    write(tmp_path / "home" / "runs", files)
    monkeypatch.chdir(tmp_path / "home")
    return "runs"


def batches(reader: Reader) -> list[Batch]:
    return list(reader.fold(itself))


def test_a_cluster_gives_the_batches_of_one_machine(folder: str, cluster: str) -> None:
    here = Reader(folder, jobs=1, session_ids=True, labels=["number=^runs/(\\d+)"], options=SMALL)
    there = Reader(folder, session_ids=True, labels=["number=^runs/(\\d+)"], options=SMALL, cluster=cluster)

    expected = batches(here)
    for found, batch in zip(batches(there), expected, strict=True):
        assert_equal(found, batch)

    assert len(expected) > 10
    assert there.counts == here.counts


def test_a_client_of_the_user_is_left_open(folder: str, cluster: str) -> None:
    from distributed import Client

    with Client(cluster, set_as_default=False) as client:
        telemetry = load(folder, cluster=client)

        assert telemetry.counts == load(folder, jobs=1).counts
        assert client.status == "running"


def test_a_file_that_changed_is_read_anew(folder: str, cluster: str) -> None:
    before = load(folder, cluster=cluster).records["seed"].to_list()

    Path(folder, "01.json").write_bytes(numbered(999))

    assert load(folder, cluster=cluster).records["seed"].to_list() == [999, *before[1:]]


def test_relative_and_absolute_paths_keep_their_names(folder: str) -> None:
    elsewhere = Path.cwd().parent / "other"
    write(elsewhere, {"a!/b.json": numbered(1)})
    sources = [folder, str(elsewhere), str(Path(folder, "05.json").resolve())]

    with ThreadPoolExecutor(1) as executor:
        found = load(sources, executor=executor, options=SMALL)

    assert found.sessions.equals(load(sources, jobs=1).sessions)


class FakeRay:
    """The part of Ray's interface that the recipe in the documentation uses."""

    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(2)
        self.options: dict[str, Any] = {}

    def remote(self, function: Callable[..., Any]) -> FakeRemote:
        return FakeRemote(self, function)


class FakeRemote:
    def __init__(self, ray: FakeRay, function: Callable[..., Any]) -> None:
        self.ray, self.function = ray, function

    def options(self, **options: Any) -> FakeRemote:
        self.ray.options = options
        return self

    def remote(self, *arguments: Any) -> FakeRef:
        return FakeRef(self.ray.threads.submit(self.function, *arguments))


class FakeRef:
    def __init__(self, future: Future[Any]) -> None:
        self.result = future

    def future(self) -> Future[Any]:
        return self.result


def ray_recipe() -> str:
    """The class in the guide, by which Ray becomes an executor."""
    guide = Path(__file__).parents[2] / "docs" / "guides" / "clusters.md"
    return "class RayExecutor" + guide.read_text("utf-8").partition("class RayExecutor")[2].partition("\n\n")[0]


def test_the_recipe_for_ray_gives_the_tables_of_one_machine(folder: str) -> None:
    ray = FakeRay()
    names: dict[str, Any] = {"ray": ray, "Executor": Executor}
    exec(ray_recipe(), names)

    found = load(folder, executor=names["RayExecutor"](), options=SMALL)

    assert found.records.equals(load(folder, jobs=1).records)
    assert ray.options == {"max_retries": 3}


class Elsewhere(Executor):
    """A worker that does not have one of the files."""

    def __init__(self, hidden: Path) -> None:
        self.hidden = hidden

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        away = self.hidden.with_suffix(".away")
        self.hidden.rename(away)
        future.set_result(function(*arguments, **named))
        away.rename(self.hidden)
        return future


def test_a_file_that_only_this_machine_has_is_an_error(folder: str) -> None:
    with pytest.raises(WorkerError, match="a worker cannot read what can be read here") as caught:
        load(folder, executor=Elsewhere(Path(folder, "07.json")), options=SMALL)

    assert caught.value.where == "runs/07.json"


def test_a_file_that_no_machine_can_read_is_rejected(folder: str) -> None:
    Path(folder, "nowhere.json").symlink_to("missing")

    with ThreadPoolExecutor(1) as executor:
        found = load(folder, executor=executor)

    assert found.sessions.filter(status="rejected")["source"].to_list() == ["runs/23.json", "runs/nowhere.json"]


def test_an_error_of_the_reduction_reaches_the_caller(folder: str, cluster: str) -> None:
    with pytest.raises(ZeroDivisionError):
        list(Reader(folder, cluster=cluster).fold(divide_by_zero))


def divide_by_zero(batch: Batch) -> float:
    return batch.records.height / 0


def test_an_executor_and_a_cluster_exclude_each_other(folder: str) -> None:
    with pytest.raises(UsageError, match="exclude each other"), ThreadPoolExecutor(1) as executor:
        load(folder, executor=executor, cluster="tcp://127.0.0.1:1")
