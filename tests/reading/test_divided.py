"""Folders of object storage that workers list: the same summary as here, and what happens when that fails."""

from __future__ import annotations

import io
import tarfile
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import obstore
import pytest

from clamp_analytics.analysis.summary import summarize
from clamp_analytics.errors import SourceError, WorkerError
from clamp_analytics.reading import Reader, ReadingOptions, load
from clamp_analytics.reading.divided import FoldRange, ListRange
from tests.object_storage import open_bucket, storage_options

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
SMALL = ReadingOptions(shard_files=6, small_shards=2, large_shard_files=9, listed_at_once=15)
"""Sizes with which a few objects are several tasks of each kind."""


@pytest.fixture(scope="module")
def server(s3_url: str) -> str:
    """A server with a folder of sessions, faulty files, a container, repeated sessions, an export and an archive."""
    bucket = open_bucket(s3_url)
    for folder in ("clean", "faulty"):
        for path in (SAMPLES / folder).glob("*.json"):
            obstore.put(bucket, f"divided/{folder}/{path.name}", path.read_bytes())
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for path in (SAMPLES / "clean").glob("*.json"):
            tar.add(path, path.name)
        tar.addfile(tarfile.TarInfo("notes.txt"))
    for name in ("packed.tar.gz", "notes.txt", "export/clamp_export.json", "archive/sessions/_delta_log/0.json"):
        obstore.put(bucket, f"divided/{name}", packed.getvalue())
    return s3_url


@pytest.mark.parametrize(
    ("url", "by"),
    [
        ("s3://telemetry/divided/", None),
        ("s3://telemetry/divided/", ("context", "label:folder")),
        ("s3://telemetry/divided/*/*.json", None),
    ],
)
def test_a_summary_is_the_same_where_workers_list(url: str, by: tuple[str, ...] | None, server: str) -> None:
    labels, options = ["folder=divided/(\\w+)"], storage_options(server)
    reader_here = Reader(url, labels=labels, storage_options=options)
    here = summarize(reader_here, by=by)

    with ThreadPoolExecutor(2) as executor:
        reader = Reader(url, labels=labels, storage_options=options, executor=executor, jobs=2, options=SMALL)
        there = summarize(reader, by=by)

    assert there.to_dict() == here.to_dict()
    assert reader.skipped == +reader_here.skipped


class Counting(Executor):
    """Runs tasks in this thread, and keeps them."""

    def __init__(self) -> None:
        self.tasks: list[Any] = []

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        self.tasks += arguments
        future: Future[Any] = Future()
        future.set_result(function(*arguments, **named))
        return future


def test_no_task_names_a_file(server: str) -> None:
    executor = Counting()

    summarize(
        Reader("s3://telemetry/divided/", storage_options=storage_options(server), executor=executor, options=SMALL)
    )

    assert {type(task) for task in executor.tasks} == {ListRange, FoldRange}
    assert len([task for task in executor.tasks if isinstance(task, FoldRange)]) > 3


def test_tables_of_files_are_read_from_a_listing_here(server: str) -> None:
    options = storage_options(server)

    found = load("s3://telemetry/divided/", storage_options=options, executor=Counting())

    here = load("s3://telemetry/divided/", storage_options=options)
    assert found.counts == here.counts
    assert found.sessions.equals(here.sessions)


def test_a_service_with_an_order_of_its_own_is_listed_here(server: str) -> None:
    # The server lists the folder "a" before "a-b", although "-" comes before "/".
    data = (SAMPLES / "clean" / "clamp_run_20261001T060000Z.json").read_bytes()
    for name in ("a/x.json", "a-b/x.json"):
        obstore.put(open_bucket(server), f"unsorted/{name}", data)
    options = storage_options(server)
    executor = Counting()

    found = summarize(Reader("s3://telemetry/unsorted/", storage_options=options, executor=executor))

    assert (found.counts.loaded, found.severities["warning"]) == (2, 1)
    assert not isinstance(executor.tasks[-1], FoldRange | ListRange)


def test_a_pattern_that_matches_nothing_is_an_error(server: str) -> None:
    reader = Reader("s3://telemetry/divided/*/*.zip", storage_options=storage_options(server), executor=Counting())

    with pytest.raises(SourceError, match="the pattern matches nothing"):
        summarize(reader)


class WithoutCredentials(Counting):
    """A worker that may not list."""

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        return super().submit(_refuse, *arguments, **named)


def _refuse(task: Any) -> Any:
    from clamp_analytics.reading.workers import RaisedError

    return RaisedError(SourceError("it cannot be listed: access is denied", where="s3://telemetry/divided/"))


def test_a_folder_that_only_this_machine_can_list_is_an_error(server: str) -> None:
    reader = Reader("s3://telemetry/divided/", storage_options=storage_options(server), executor=WithoutCredentials())

    with pytest.raises(WorkerError, match="a worker cannot list what can be listed here: it cannot be listed: access"):
        summarize(reader)
