"""The same session files give the same tables, however they are packed, divided, kept, or read."""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from clamp_analytics.reading import ReadingOptions, load
from tests.conftest import session, write
from tests.properties.carriers import CARRIERS, folder, without_paths
from tests.reading.test_properties import documents

DOCUMENTS = st.lists(documents().filter(bool), min_size=1, max_size=4, unique=True)
EAGER = ReadingOptions(batch_files=2, workers_from_bytes=1)


def named(group):
    return {f"{number}.json": data for number, data in enumerate(group)}


def assert_same_tables(found, expected):
    for name, table in without_paths(expected).items():
        assert_frame_equal(without_paths(found)[name], table, check_exact=True)
    assert found.counts == expected.counts


@pytest.mark.parametrize("carrier", CARRIERS)
@given(group=DOCUMENTS)
@settings(max_examples=5)
def test_a_carrier_gives_the_tables_of_plain_files(carrier, group):
    with tempfile.TemporaryDirectory() as home:
        assert_same_tables(CARRIERS[carrier](named(group), Path(home)), folder(named(group), Path(home)))


@given(group=DOCUMENTS)
@settings(max_examples=4)
def test_threads_and_an_executor_give_the_tables_of_one_job(group):
    with tempfile.TemporaryDirectory() as home, ThreadPoolExecutor(2) as executor:
        files = write(Path(home), named(group))
        one = load(files, jobs=1, session_ids=True)

        assert_same_tables(load(files, jobs=2, executor=executor, session_ids=True, options=EAGER), one)
        assert_same_tables(next(iter(executor.map(lambda path: load(path, jobs=1, session_ids=True), [files]))), one)


@given(group=DOCUMENTS)
@settings(max_examples=3)
def test_two_processes_give_the_tables_of_one_job(group):
    with tempfile.TemporaryDirectory() as home:
        files = write(Path(home), named([*group, session()]))

        many = load(files, jobs=2, session_ids=True, options=EAGER)

        assert_same_tables(many, load(files, jobs=1, session_ids=True))


@given(group=DOCUMENTS, others=DOCUMENTS)
@settings(max_examples=5)
def test_a_file_gives_alone_what_it_gives_among_others(group, others):
    with tempfile.TemporaryDirectory() as home:
        alone = folder(named(group), Path(home, "alone"))
        among = {**named(group), **{f"{n}-other.json": data for n, data in enumerate(others) if data not in group}}

        together = without_paths(folder(among, Path(home, "among")))

    for name, table in without_paths(alone).items():
        kept = together[name].filter(~together[name]["source"].str.ends_with("-other.json"))
        assert_frame_equal(kept, table, check_exact=True)
